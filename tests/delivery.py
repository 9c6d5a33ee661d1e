"""All that delivers, without anything that measures: stores, composer and publisher."""

from pathlib import Path

from agent.clock import SystemClock
from agent.county.contract import Event, State
from agent.county.event_data import AgentEventData, AlarmEventData
from agent.county.messages import Composer
from agent.county.publisher import STATUS_SECONDS, Publisher
from agent.county.session import Login
from agent.county.site_status import SiteStatus
from agent.county.state_data import HostState
from agent.county.topics import Topics
from agent.findings import Verdict
from agent.liveness import Liveness
from agent.store.database import Database
from agent.store.formats import ALARM_FORMATS
from agent.store.outbox import Lane, Outbox

CLOCK = SystemClock()
ANONYMOUS = Login("school", None, None)
INVENTORY = {
    "name": "School",
    "timezone": "Asia/Shanghai",
    "settings_hash": "0" * 16,
    "objects": {"button": {"gate": "Gate"}},
    "not_fitted": {},
}


class Site:
    """One school's end of the line; events are made by hand."""

    def __init__(
        self,
        directory: Path,
        *ports: int,
        status_seconds: float = STATUS_SECONDS,
        county: str = "county",
        site: str = "school",
        login: Login = ANONYMOUS,
        host: str = "127.0.0.1",
    ) -> None:
        liveness = Liveness(CLOCK)
        self.alarms = Outbox(
            Database(directory / "alarms.db", ALARM_FORMATS, liveness.beat("a")), "alarm"
        )
        self.events = Outbox(
            Database(directory / "events.db", ALARM_FORMATS, liveness.beat("e")), "event"
        )
        self.composer = Composer(Topics(county, site), CLOCK, lambda: "ntp")
        self.status = SiteStatus(self.composer, [self.alarms, self.events], INVENTORY, CLOCK)
        self.publisher = Publisher(
            [(host, port) for port in ports],
            login,
            self.composer,
            self.status,
            self.alarms,
            self.events,
            CLOCK,
            liveness.beat("publisher"),
            status_seconds=status_seconds,
        )

    def start(self) -> None:
        self.alarms.start()
        self.events.start()
        self.publisher.start()

    def stop(self) -> None:
        self.publisher.stop()
        self.alarms.stop()
        self.events.stop()

    def press(self, number: int = 1) -> str:
        data = AlarmEventData(what="press", button="gate", incident=1, press=number)
        event = Event(subject="gate", time=CLOCK.now(), data=data)
        row = self.composer.event(event, Lane.ALARM, "alarm", self.alarms.number())
        self.alarms.put([row]).result(5)
        self.publisher.offer(row)
        return row.id

    def event(self) -> str:
        return self.backlog(1)[0]

    def backlog(self, count: int) -> list[str]:
        """Store so many events in one commit; return their ids."""
        event = Event(subject="agent", time=CLOCK.now(), data=AgentEventData(what="started"))
        rows = [
            self.composer.event(event, Lane.EVENT, "event", self.events.number())
            for _ in range(count)
        ]
        self.events.put(rows).result(5)
        self.publisher.events_stored()
        return [row.id for row in rows]

    def state(self, uptime: float) -> None:
        data = HostState(
            verdict=Verdict.OK,
            disk_free_bytes=1,
            disk_free_ratio=0.5,
            memory_available_ratio=0.5,
            load_per_cpu=0.1,
            temperature_celsius="unknown",
            uptime_seconds=uptime,
            clock="ntp",
            missing_serial_devices=(),
        )
        self.publisher.offer_states([self.composer.state(State(id="host", data=data))])
