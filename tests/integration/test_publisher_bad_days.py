"""The publisher against a broker that refuses, limits, cuts and stays silent."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.county import lane_queue as lane_queue_module
from agent.county import publisher as publisher_module
from agent.county import redial as redial_module
from agent.county.contract import Event
from agent.county.event_data import AlarmEventData
from agent.store.outbox import Lane
from tests.delivery import CLOCK, Site
from tests.integration.scripted_broker import (
    MAXIMUM_PACKET_SIZE,
    NOT_AUTHORIZED,
    QUOTA_EXCEEDED,
    RECEIVE_MAXIMUM,
    RETAIN_AVAILABLE,
    SUCCESS,
    Published,
    ScriptedBroker,
)
from tests.waiting import wait_until

Sits = Callable[..., Site]


@pytest.fixture
def sit(tmp_path: Path) -> Iterator[Sits]:
    made: list[tuple[Site, ScriptedBroker]] = []

    def start(broker: ScriptedBroker, status_seconds: float = 60.0) -> Site:
        broker.start()
        site = Site(tmp_path / str(len(made)), broker.port, status_seconds=status_seconds)
        made.append((site, broker))
        site.start()
        return site

    yield start
    for site, broker in made:
        site.stop()
        broker.stop()


def waiting(site: Site) -> dict[str, int]:
    return {**site.alarms.counts().result(5), "events": site.events.counts().result(5)["waiting"]}


def refuse_twice(kind: str, reason: int) -> Callable[[Published], int]:
    left = [reason, reason]
    return lambda one: left.pop() if one.topic.endswith(kind) and left else SUCCESS


def test_a_quota_that_is_used_up_loses_no_event(sit: Sits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "REFUSED_SECONDS", 0.2)
    broker = ScriptedBroker(answer=refuse_twice("event/agent", QUOTA_EXCEEDED))
    site = sit(broker)
    site.event()
    wait_until(lambda: site.events.counts().result(5) == {"waiting": 0, "refused": 0})
    assert broker.topics().count("event/agent") == 3


def test_an_alarm_that_is_refused_is_tried_again_even_if_no_disk_holds_it(
    sit: Sits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "REFUSED_SECONDS", 0.2)
    broker = ScriptedBroker(answer=refuse_twice("event/alarm", NOT_AUTHORIZED))
    site = sit(broker)
    data = AlarmEventData(what="press", button="gate", incident=1, press=1)
    event = Event(subject="gate", time=CLOCK.now(), data=data)
    row = site.composer.event(event, Lane.ALARM, "alarm", site.alarms.number())
    site.publisher.offer(replace(row, durable=False))
    wait_until(lambda: broker.topics().count("event/alarm") == 3)


def test_refused_alarms_are_no_storm_and_do_not_block_the_next(sit: Sits) -> None:
    """More than are fetched at once: they were fetched and refused again as fast as it went."""
    let_in: list[bool] = []
    broker = ScriptedBroker(
        answer=lambda one: NOT_AUTHORIZED if one.topic.endswith("alarm") else SUCCESS,
        accepts=lambda _: bool(let_in),
    )
    site = sit(broker)
    for number in range(150):
        site.press(number)
    let_in.append(True)
    site.event()
    wait_until(lambda: waiting(site)["events"] == 0)
    time.sleep(0.5)
    assert broker.topics().count("event/alarm") <= 300
    assert waiting(site)["waiting"] == 150


def test_a_broker_that_refuses_every_message_is_reported(sit: Sits) -> None:
    broker = ScriptedBroker(answer=lambda _: NOT_AUTHORIZED)
    site = sit(broker)
    wait_until(lambda: site.status.refused >= 2)  # birth and about
    assert site.publisher.connected


def test_no_more_are_on_their_way_than_the_broker_allows(sit: Sits) -> None:
    broker = ScriptedBroker(allows=bytes((RECEIVE_MAXIMUM, 0, 3)), lazy_seconds=0.05)
    site = sit(broker)
    for number in range(10):
        site.event()
        site.press(number)
    wait_until(lambda: waiting(site) == {"waiting": 0, "refused": 0, "events": 0})
    assert 2 <= broker.most_unanswered <= 3


def test_a_broker_that_retains_nothing_is_not_asked_to(sit: Sits) -> None:
    broker = ScriptedBroker(
        allows=bytes((RETAIN_AVAILABLE, 0)), answer=lambda one: None if one.retain else SUCCESS
    )
    site = sit(broker)
    site.press()
    wait_until(lambda: waiting(site)["waiting"] == 0)
    assert len(broker.connects) == 1


def test_a_message_too_large_for_the_broker_steps_aside(sit: Sits) -> None:
    broker = ScriptedBroker(
        allows=bytes((MAXIMUM_PACKET_SIZE, 0, 0, 2, 0)),
        answer=lambda one: None if one.size > 512 else SUCCESS,
    )
    site = sit(broker)
    site.event()
    wait_until(lambda: site.events.counts().result(5) == {"waiting": 0, "refused": 1})
    assert len(broker.connects) == 1


def test_a_broker_that_closes_on_mqtt_5_is_spoken_to_in_3_1_1(sit: Sits) -> None:
    broker = ScriptedBroker(accepts=lambda level: level == 4)
    site = sit(broker)
    site.press()
    wait_until(lambda: waiting(site)["waiting"] == 0)
    assert [level for _, level in broker.connects] == [5, 4]


def test_a_broker_that_accepts_and_cuts_is_not_stormed(sit: Sits) -> None:
    broker = ScriptedBroker(answer=lambda _: None)
    sit(broker)
    time.sleep(4)
    assert len(broker.connects) <= 5


def test_while_an_alarm_waits_the_broker_is_tried_often(
    sit: Sits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redial_module, "BACK_OFF_SECONDS", (60.0, 60.0))
    monkeypatch.setattr(redial_module, "URGENT_SECONDS", 0.3)
    broker = ScriptedBroker(answer=lambda _: None if len(broker.connects) < 3 else SUCCESS)
    site = sit(broker)
    wait_until(lambda: len(broker.connects) == 1)
    site.press()
    wait_until(lambda: waiting(site)["waiting"] == 0)


def test_a_confirmation_of_something_never_sent_is_nothing(sit: Sits) -> None:
    broker = ScriptedBroker(extra=bytes((0x40, 2, 0x77, 0x77)))
    site = sit(broker)
    site.press()
    wait_until(lambda: waiting(site)["waiting"] == 0)
    assert len(broker.connects) == 1


def test_a_full_window_is_sent_again_after_the_connection_was_cut(sit: Sits) -> None:
    broker = ScriptedBroker(
        answer=lambda _: (
            None
            if len(broker.connects) == 1 and broker.topics().count("event/agent") >= 12
            else SUCCESS
        ),
        lazy_seconds=0.2,
    )
    site = sit(broker)
    for _ in range(40):
        site.event()
    wait_until(lambda: waiting(site)["events"] == 0, 20)
    assert len(broker.connects) == 2


def test_alarms_beyond_what_memory_may_hold_wait_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sit: Sits
) -> None:
    monkeypatch.setattr(lane_queue_module, "READY_MAX", 10)
    broker = ScriptedBroker(accepts=lambda _: len(broker.connects) > 2)
    site = sit(broker)
    for number in range(50):
        site.press(number)
    wait_until(lambda: waiting(site)["waiting"] == 0, 20)


def test_an_alarm_found_on_disk_before_it_was_handed_over_is_sent_once(sit: Sits) -> None:
    """Between the commit and the offer the publisher may have read it already."""
    let_in: list[bool] = []
    broker = ScriptedBroker(accepts=lambda _: bool(let_in))
    site = sit(broker)
    data = AlarmEventData(what="press", button="gate", incident=1, press=1)
    event = Event(subject="gate", time=CLOCK.now(), data=data)
    row = site.composer.event(event, Lane.ALARM, "alarm", site.alarms.number())
    site.alarms.put([row]).result(5)
    let_in.append(True)
    wait_until(lambda: waiting(site)["waiting"] == 0)
    site.publisher.offer(row)
    site.event()
    wait_until(lambda: waiting(site)["events"] == 0)
    assert broker.topics().count("event/alarm") == 1
    site.publisher.offer(replace(row, again=True))
    wait_until(lambda: broker.topics().count("event/alarm") == 2)


def test_heads_are_told_again_and_a_new_connection_asks_for_all_states(sit: Sits) -> None:
    connected: list[int] = []
    broker = ScriptedBroker(accepts=lambda level: level == 4)
    site = sit(broker, status_seconds=0.2)
    site.publisher.on_connected = lambda: connected.append(1)
    wait_until(lambda: broker.topics().count("status") >= 4)
    assert connected == [1]


def test_alarms_have_room_left_while_events_wait_for_their_confirmation(sit: Sits) -> None:
    """A slow broker, all that is shared of the window used up: the press leaves all the same."""
    broker = ScriptedBroker(lazy_seconds=3.0)
    site = sit(broker)
    for _ in range(40):
        site.event()
    wait_until(lambda: broker.topics().count("event/agent") >= publisher_module.WINDOW - 3)
    site.press()
    wait_until(lambda: "event/alarm" in broker.topics())
    assert broker.topics().count("event/agent") <= publisher_module.WINDOW


def test_what_is_on_its_way_is_not_fetched_and_sent_again(sit: Sits) -> None:
    broker = ScriptedBroker(lazy_seconds=1.0)
    site = sit(broker)
    for number in range(1, 4):
        site.event()
        wait_until(lambda n=number: broker.topics().count("event/agent") >= n)  # type: ignore[misc]
    wait_until(lambda: waiting(site)["events"] == 0)
    assert broker.topics().count("event/agent") == 3


def test_after_a_cut_the_newest_state_is_sent_again_and_not_an_older_one(sit: Sits) -> None:
    broker = ScriptedBroker(
        lazy_seconds=0.5,
        answer=lambda one: (
            None if b'"uptime_seconds":2.0' in one.body and len(broker.connects) == 1 else SUCCESS
        ),
    )
    site = sit(broker)
    site.state(1.0)
    wait_until(lambda: "state/host/host" in broker.topics())
    site.state(2.0)

    def again() -> list[bytes]:
        bodies = [one.body for one in list(broker.heard) if "/state/" in one.topic]
        return bodies[2:]

    wait_until(lambda: bool(again()))
    assert [b'"uptime_seconds":2.0' in body for body in again()] == [True]
