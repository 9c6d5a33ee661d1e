"""The composition root: knows every part, starts them in order and stops them in reverse."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from agent.alarm_lane import AlarmLane
from agent.county.contract import AgentEventData, Event, State
from agent.county.messages import ClockQuality, Composer
from agent.county.publisher import Publisher
from agent.county.session import Login
from agent.county.site_status import SiteStatus
from agent.county.topics import Topics
from agent.credentials import Credentials
from agent.duties import duty_states
from agent.equipment import Equipment
from agent.findings import Cause
from agent.liveness import Liveness
from agent.loop import Loop
from agent.monitors import Instant
from agent.monitors.alarm import AlarmMonitor
from agent.scheduler import Scheduler
from agent.self_report import SelfReport
from agent.settings import Site
from agent.states import StateBoard
from agent.store import journal
from agent.store.alarms import AlarmStore
from agent.store.database import Database
from agent.store.outbox import SCHEMA, Outbox
from agent.watch_lane import WatchLane
from drivers.base import Clock
from drivers.host import clock_synchronised
from drivers.readings import AnyReading, Reading

ALARM_TICK_SECONDS = 0.25
WATCH_TICK_SECONDS = 1.0
RESTORE_SECONDS = 5.0
SCANS_RESTORED = timedelta(days=2)
SURVEYS_RESTORED = timedelta(days=7)

log = structlog.get_logger()


class App:
    """One school's agent. Building it does no I/O but reading secrets; `start` never waits long."""

    def __init__(
        self, site: Site, problems: Sequence[str], credentials: Credentials, clock: Clock
    ) -> None:
        self._clock = clock
        self._zone = ZoneInfo(site.site.timezone)
        self._stop_order: list[Callable[[], None]] = []
        self.liveness = Liveness(clock)
        folder = site.state.directory

        self._alarm_store = AlarmStore(self._database(folder / "alarms.db", SCHEMA))
        self._events = Outbox(self._database(folder / "events.db", SCHEMA + journal.SCHEMA), "event")
        self._board = StateBoard(clock)
        topics = Topics(site.site.county, site.site.id)
        self._composer = Composer(topics, clock, partial(clock_quality, clock))
        outboxes = (self._alarm_store.outbox, self._events)
        self._status = SiteStatus(self._composer, outboxes, site.inventory(), clock)
        self._publisher = Publisher(
            site.broker.addresses(),
            Login(
                client_id=f"{site.site.county}-{site.site.id}",
                username=site.broker.username or site.site.id,
                password=credentials.optional(site.broker.password),
            ),
            self._composer,
            self._status,
            *outboxes,
            clock,
            self.liveness.beat("publisher"),
        )
        self._publisher.on_connected = self._board.forget_sent

        self._site = site
        self._equipment = Equipment(site, credentials, clock)
        self._report = SelfReport(
            *outboxes,
            self.liveness,
            [*problems, *self._equipment.problems],
            clock.now(),
            lambda: self._status.refused,
        )
        self._status.problems = lambda: [code for code, _ in self._report.causes()]
        self._scheduler = Scheduler(self._zone, self._missed_run)

    def start(self) -> None:
        """Stores first, then what delivers, then the loops, then the devices."""
        memory = self._alarm_store.start()
        self._stop_order.append(self._alarm_store.outbox.stop)
        self._events.start()
        self._stop_order.append(self._events.stop)
        self._restore()

        self._publisher.start()
        self._stop_order.append(self._publisher.stop)

        shared = (self._composer, self._publisher, self._board, self._clock)
        alarm = AlarmLane(
            AlarmMonitor(self._site.buttons_by_module(), memory), self._alarm_store, *shared
        )
        self._alarm_loop = self._loop("alarm", alarm.handle, alarm.tick, ALARM_TICK_SECONDS)
        self._watch = WatchLane(
            self._equipment.monitors, self._events, *shared, self._agent_states
        )
        self._watch.announce(self._started())
        self._watch_loop = self._loop(
            "watch", self._watch.handle, self._watch.tick, WATCH_TICK_SECONDS
        )

        self._equipment.start(self._alarm_loop.post, self._watch_loop.post, self._today)
        self._stop_order.append(self._equipment.stop)
        for name, at, survey in self._equipment.surveys():
            self._scheduler.daily(f"survey {name}", at, survey.request)
            self._scheduler.every(f"survey again {name}", 600, survey.retry)
        self._scheduler.start()
        self._stop_order.append(self._scheduler.stop)

    def stop(self) -> None:
        """Stop in reverse; one part that fails to stop does not keep the others."""
        while self._stop_order:
            step = self._stop_order.pop()
            try:
                step()
            except Exception:
                log.exception("stopping failed", step=str(step))

    def _database(self, path: Path, schema: str) -> Database:
        return Database(path, schema, self.liveness.beat(f"store {path.stem}"))

    def _loop(
        self,
        name: str,
        handle: Callable[[Reading], None],
        tick: Callable[[], None],
        seconds: float,
    ) -> Loop:
        loop = Loop(name, handle, tick, self._clock, self.liveness.beat(name), tick_seconds=seconds)
        loop.start()
        self._stop_order.append(loop.stop)
        return loop

    def _restore(self) -> None:
        """Give the monitors what they need from before the restart; nothing of it is certain."""
        now = Instant(self._clock.now(), self._clock.monotonic())
        for kind, reach in (("scan", SCANS_RESTORED), ("day_map", SURVEYS_RESTORED)):
            earliest = (now.wall - reach).timestamp()
            found = journal.since(self._events.database, kind, earliest)
            try:
                readings: list[AnyReading] = found.result(RESTORE_SECONDS)
            except Exception as error:  # noqa: BLE001 - a store may fail in any way; we start anyway
                log.error("journal unreadable", kind=kind, error=str(error))
                continue
            self._equipment.restore(readings, now)

    def _agent_states(self) -> list[State]:
        duties = duty_states(self._board.verdicts, self._site.not_fitted_duties())
        return [self._report.state(), *duties]

    def _started(self) -> Event:
        void = self._events.numbers.void or (None, None)
        data = AgentEventData(what="started", void_from=void[0], void_to=void[1])
        return Event(subject="agent", time=self._clock.now(), data=data)

    def _missed_run(self, job: str) -> None:
        cause = Cause(code="agent.missed_run", params={"job": job})
        data = AgentEventData(what="missed_run", causes=(cause,))
        self._watch.announce(Event(subject="agent", time=self._clock.now(), data=data))

    def _today(self) -> date:
        return self._clock.now().astimezone(self._zone).date()


def clock_quality(clock: Clock) -> ClockQuality:
    """Tell how far the wall clock can be trusted; before this release's year it cannot at all."""
    if clock_synchronised() is True:
        return "ntp"
    return "rtc" if clock.now() > datetime(2026, 1, 1, tzinfo=UTC) else "unsync"
