"""What a row says when it leaves: its age by a clock that can be trusted, or late."""

import json
from dataclasses import replace

import pytest

from agent.county.contract import Event, State
from agent.county.event_data import AlarmEventData
from agent.county.messages import LATE_SECONDS, Composer
from agent.county.state_data import ReaderState
from agent.county.topics import Topics
from agent.findings import Verdict
from agent.store.outbox import Lane, Row
from tests.simulated_clock import SimulatedClock


@pytest.fixture
def composer(clock: SimulatedClock) -> Composer:
    return Composer(Topics("county", "school"), clock, lambda: "rtc")


def press(composer: Composer, clock: SimulatedClock) -> Row:
    data = AlarmEventData(what="press", button="gate", incident=1, press=1)
    event = Event(subject="gate", time=clock.now(), data=data)
    return composer.event(event, Lane.ALARM, "alarm", ("epoch", 1))


def late(composer: Composer, row: Row) -> bool:
    return bool(json.loads(composer.payload(row))["late"])


def test_late_is_told_by_the_time_that_passed_and_not_by_the_wall_clock(
    composer: Composer, clock: SimulatedClock
) -> None:
    row = press(composer, clock)
    clock.jump(365 * 86_400)
    assert not late(composer, row)
    clock.advance(LATE_SECONDS + 1)
    clock.jump(-366 * 86_400)
    assert late(composer, row)


def test_of_an_earlier_boot_the_wall_clock_is_all_there_is(
    composer: Composer, clock: SimulatedClock
) -> None:
    row = replace(press(composer, clock), machine_boot="the one before")
    clock.advance(60)
    assert not late(composer, row)
    clock.advance(LATE_SECONDS)
    assert late(composer, row)


def test_of_an_earlier_boot_and_from_the_future_nothing_rings_as_live(
    composer: Composer, clock: SimulatedClock
) -> None:
    """An empty RTC battery: yesterday's press must not sound tonight."""
    row = replace(press(composer, clock), machine_boot="the one before")
    clock.jump(-86_400)
    assert late(composer, row)


def test_a_state_is_valid_for_what_is_left_of_its_time(
    composer: Composer, clock: SimulatedClock
) -> None:
    row = composer.state(State(id="r", data=ReaderState(verdict=Verdict.OK, firmware="1.6")))
    clock.advance(100)
    assert composer.validity_seconds(row) == 80
    clock.advance(1000)
    assert composer.validity_seconds(row) == 1
