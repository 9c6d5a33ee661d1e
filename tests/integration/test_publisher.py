"""The publisher against real brokers; what arrived is told by a subscriber of its own."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from simulators.broker import Broker
from simulators.county import County, Heard
from tests.delivery import Site
from tests.waiting import wait_until


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
    events = site.backlog(200)
    alarm = site.press()
    broker.start()
    county.wait_for(by_id(events[-1]), 60)
    order = [heard.body.get("id") for heard in county.heard("event/")]
    assert order.index(alarm) < order.index(events[40])


def test_confirmations_go_to_the_disk_together_and_none_is_left_behind(
    site: Site, county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    county.wait_for(status(online=True))
    commits: list[int] = []
    acked = site.events.acked

    def counting(ids: Sequence[str], at: float) -> "Future[None]":
        commits.append(len(ids))
        return acked(ids, at)

    monkeypatch.setattr(site.events, "acked", counting)
    events = site.backlog(150)
    county.wait_for(by_id(events[-1]), 60)  # each is held against the contract
    site.publisher.stop()
    assert sum(commits) == len(events)
    assert len(commits) < len(events) / 4
    assert site.events.counts().result(5)["waiting"] == 0


def test_two_boxes_with_one_client_id_are_noticed(tmp_path: Path, broker: Broker) -> None:
    boxes = [Site(tmp_path / name, broker.port) for name in ("one", "copy")]
    for box in boxes:
        box.start()
    wait_until(lambda: any(box.publisher.cut_short for box in boxes), 30)
    for box in boxes:
        box.stop()
