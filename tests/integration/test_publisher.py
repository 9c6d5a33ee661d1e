"""The publisher against real brokers; what arrived is told by a subscriber of its own."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
from agent.store import outbox as outbox_module
from agent.store.database import Database
from agent.store.outbox import Lane, Outbox
from simulators.broker import Broker
from simulators.county import County, Heard
from tests.waiting import wait_until

CLOCK = SystemClock()
INVENTORY = {
    "name": "School",
    "timezone": "Asia/Shanghai",
    "settings_hash": "0" * 16,
    "objects": {"button": {"gate": "Gate"}},
    "not_fitted": {},
}


class Site:
    """All that delivers, without anything that measures."""

    def __init__(
        self, directory: Path, *ports: int, status_seconds: float = STATUS_SECONDS
    ) -> None:
        liveness = Liveness(CLOCK)
        self.alarms = Outbox(
            Database(directory / "alarms.db", (outbox_module.SCHEMA,), liveness.beat("a")), "alarm"
        )
        self.events = Outbox(
            Database(directory / "events.db", (outbox_module.SCHEMA,), liveness.beat("e")), "event"
        )
        self.composer = Composer(Topics("county", "school"), CLOCK, lambda: "ntp")
        self.status = SiteStatus(self.composer, [self.alarms, self.events], INVENTORY, CLOCK)
        self.publisher = Publisher(
            [("127.0.0.1", port) for port in ports],
            Login("school", None, None),
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
        event = Event(subject="agent", time=CLOCK.now(), data=AgentEventData(what="started"))
        row = self.composer.event(event, Lane.EVENT, "event", self.events.number())
        self.events.put([row]).result(5)
        self.publisher.events_stored()
        return row.id

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


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    yield broker
    broker.signal(signal.SIGCONT)
    broker.stop(kill=True)


@pytest.fixture
def county(broker: Broker) -> Iterator[County]:
    county = County(broker.port, keep=True)
    county.start()
    yield county
    county.stop()


@pytest.fixture
def site(tmp_path: Path, broker: Broker) -> Iterator[Site]:
    site = Site(tmp_path, broker.port)
    site.start()
    yield site
    site.stop()


def by_id(row_id: str) -> Callable[[Heard], bool]:
    return lambda heard: heard.body.get("id") == row_id


def status(**fields: object) -> Callable[[Heard], bool]:
    return lambda heard: (
        heard.kind == "status"
        and all(heard.body.get(key) == value for key, value in fields.items())
    )


def test_an_alarm_arrives_once_with_its_identity(site: Site, county: County) -> None:
    heard = county.wait_for(by_id(site.press()))
    assert heard.topic == "campus/v1/county/school/event/alarm"
    assert not heard.retained
    body = heard.body
    assert (body["stream"], body["seq"], body["epoch"]) == ("alarm", 1, site.alarms.numbers.epoch)
    assert (body["late"], body["durable"], body["test"], body["clock"]) == (
        False,
        True,
        False,
        "ntp",
    )
    assert body["data"]["what"] == "press"
    wait_until(lambda: site.alarms.counts().result(5)["waiting"] == 0)


def test_birth_says_who_we_are_and_how_far_the_streams_are(site: Site, county: County) -> None:
    birth = county.wait_for(status(online=True)).body
    assert birth["heads"]["alarm"] == {"epoch": site.alarms.numbers.epoch, "seq": 0}
    assert birth["protocol"] == "mqtt5"
    about = county.wait_for(lambda heard: heard.kind == "about").body
    assert about["contract_version"] == 1


def test_a_planned_end_is_told_from_a_loss(tmp_path: Path, broker: Broker, county: County) -> None:
    site = Site(tmp_path / "b", broker.port)
    site.start()
    birth = county.wait_for(status(online=True))
    site.stop()
    stopped = county.wait_for(status(online=False))
    assert stopped.body["reason"] == "stopped"
    assert stopped.body["boot"] == birth.body["boot"]


def test_states_are_retained_and_the_newest_wins(
    site: Site, county: County, broker: Broker
) -> None:
    for uptime in (1.0, 2.0, 3.0):
        site.state(uptime)
    county.wait_for(lambda heard: heard.body.get("data", {}).get("uptime_seconds") == 3.0)
    late_comer = County(broker.port, client_id="later")
    late_comer.start()
    state = late_comer.wait_for(lambda heard: heard.kind == "state/host/host")
    late_comer.stop()
    assert state.retained
    assert state.body["data"]["uptime_seconds"] == 3.0
    assert state.body["valid_for_seconds"] == 180
    assert state.body["valid_until"] > state.body["sent"]


def test_what_happened_while_the_broker_was_away_arrives_when_it_is_back(
    site: Site, county: County, broker: Broker
) -> None:
    county.wait_for(status(online=True))
    broker.stop()
    ids = [site.press(), site.event(), site.event()]
    broker.start()
    for row_id in ids:
        county.wait_for(by_id(row_id), 30)


def test_what_was_not_confirmed_before_a_restart_is_sent_after_it(
    tmp_path: Path, broker: Broker, county: County
) -> None:
    dead_port = 1
    first = Site(tmp_path / "c", dead_port)
    first.start()
    ids = [first.press(), first.event()]
    first.stop()
    second = Site(tmp_path / "c", broker.port)
    second.start()
    for row_id in ids:
        assert county.wait_for(by_id(row_id)).body["late"] is False
    second.stop()


def test_a_broker_that_hangs_is_given_up_and_nothing_is_lost(
    site: Site, county: County, broker: Broker
) -> None:
    county.wait_for(status(online=True))
    broker.signal(signal.SIGSTOP)
    row_id = site.press()
    wait_until(lambda: not site.publisher.connected, 15)
    broker.signal(signal.SIGCONT)
    county.wait_for(by_id(row_id), 40)


def test_the_second_broker_of_the_list_is_used_when_the_first_is_dead(
    tmp_path: Path, broker: Broker, county: County
) -> None:
    site = Site(tmp_path / "d", 1, broker.port)
    site.start()
    county.wait_for(by_id(site.press()))
    site.stop()


def test_a_broker_that_does_not_answer_mqtt_5_is_spoken_to_in_3_1_1(tmp_path: Path) -> None:
    """Amqtt never answers a CONNECT of version 5."""
    broker = Broker(tmp_path / "amqtt", kind="amqtt")
    broker.start()
    county = County(broker.port)
    county.start()
    site = Site(tmp_path / "e", broker.port)
    site.start()
    birth = county.wait_for(status(online=True), 20)
    assert birth.body["protocol"] == "mqtt3.1.1"
    county.wait_for(by_id(site.press()))
    site.stop()
    county.stop()
    broker.stop()


def test_a_message_the_broker_refuses_steps_aside(tmp_path: Path) -> None:
    """Mosquitto answers "not authorized" by reason code on MQTT 5 alone."""
    acl = tmp_path / "acl"
    acl.write_text(
        "topic readwrite campus/v1/county/school/status\n"
        "topic readwrite campus/v1/county/school/event/alarm\ntopic read campus/#\n"
    )
    acl.chmod(0o644)
    broker = Broker(tmp_path / "strict", kind="mosquitto", settings=f"acl_file {acl}")
    broker.start()
    county = County(broker.port)
    county.start()
    site = Site(tmp_path / "f", broker.port)
    site.start()
    site.event()
    county.wait_for(by_id(site.press()))
    wait_until(lambda: site.events.counts().result(5) == {"waiting": 0, "refused": 1})
    site.stop()
    county.stop()
    broker.stop()


def test_an_alarm_overtakes_a_backlog(site: Site, county: County, broker: Broker) -> None:
    county.wait_for(status(online=True))
    broker.stop()
    events = [site.event() for _ in range(300)]
    alarm = site.press()
    broker.start()
    county.wait_for(by_id(events[-1]), 30)
    order = [heard.body.get("id") for heard in county.heard("event/")]
    assert order.index(alarm) < order.index(events[40])
