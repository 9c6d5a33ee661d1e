"""Rounds of the calendar: once in a period, whatever happens in between."""

from datetime import date, timedelta

import pytest

from agent.county.event_data import RoundEventData
from agent.county.state_data import RoundState
from agent.monitors.readers import WatchedTime
from agent.monitors.rounds import period_of
from agent.policy_patrol import Checkpoint, Round
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_school import NORTH, POINTS, SOUTH, School

DAY = 86_400
HOSE, PUMP = "nfca:E1", "nfca:E2"
EXTINGUISHERS = Round(id="fire", name="Fire", every="month", remind_days=7)
FITTED = (
    *POINTS,
    Checkpoint(id="hose", name="Hose", tag=HOSE, round="fire"),
    Checkpoint(id="pump", name="Pump", tag=PUMP, round="fire"),
)


def school_of(clock: SimulatedClock) -> School:
    """10:00 in Shanghai on 1 September."""
    school = School(clock, checkpoints=FITTED, rounds=(EXTINGUISHERS,))
    school.tick()
    return school


def sleep(school: School, days: float) -> None:
    for _ in range(round(days * 4)):
        school.clock.sleep(DAY / 4)
        school.hear()
        school.tick()


def state(school: School) -> RoundState:
    data = {one.id: one.data for one in school.monitor.states(school.now)}["fire"]
    assert isinstance(data, RoundState)
    return data


def told(school: School) -> list[tuple[str, str, tuple[str, ...]]]:
    data = [event.data for event in school.events]
    return [(one.what, one.period, one.left) for one in data if isinstance(one, RoundEventData)]


def test_a_round_is_done_when_every_point_was_visited(clock: SimulatedClock) -> None:
    school = school_of(clock)
    assert (state(school).verdict, state(school).left) == ("ok", ("hose", "pump"))
    school.scan(HOSE)
    sleep(school, 10)
    school.scan(PUMP)
    assert told(school) == [("done", "2026-09", ())]
    assert (state(school).verdict, state(school).done) == ("ok", True)
    sleep(school, 15)
    school.scan(PUMP)  # once more is no other round
    assert told(school) == [("done", "2026-09", ())]
    sleep(school, 6)
    assert (state(school).period, state(school).left) == ("2026-10", ("hose", "pump"))


def test_what_is_left_is_a_reminder_and_then_a_fault_told_once(clock: SimulatedClock) -> None:
    clock.advance(DAY)  # it came on the second of September, and is not judged by that month
    school = school_of(clock)
    sleep(school, 29)
    school.scan(HOSE)
    sleep(school, 22)
    assert state(school).verdict == "ok"
    sleep(school, 3)
    assert state(school).verdict == "warn"
    assert state(school).causes[0].params["points"] == "pump"
    sleep(school, 7)
    assert told(school) == [("missed", "2026-10", ("pump",))]
    assert (state(school).verdict, state(school).causes[0].code) == ("fail", "round.missed")
    school.scan(HOSE)
    school.scan(PUMP)
    assert state(school).verdict == "ok"
    assert told(school)[-1] == ("done", "2026-11", ())


def test_a_period_that_was_not_looked_after_throughout_accuses_nobody(
    clock: SimulatedClock,
) -> None:
    clock.advance(4 * DAY)
    school = school_of(clock)
    sleep(school, 30)
    assert (told(school), state(school).verdict) == ([], "ok")


def test_a_restart_forgets_no_visit_and_tells_nothing_twice(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.scan(HOSE)
    sleep(school, 20)
    school.again(school.monitor.watched_time(school.now))
    school.scan(PUMP)
    assert told(school) == [("done", "2026-09", ())]
    school.again(school.monitor.watched_time(school.now))
    sleep(school, 45)
    school.again(
        WatchedTime.model_validate_json(school.monitor.watched_time(school.now).model_dump_json())
    )
    school.tick()
    assert told(school)[1:] == [("missed", "2026-10", ("hose", "pump"))]


def test_its_points_are_no_part_of_tours(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.scan(HOSE)
    assert school.patrol().open_tour is None
    school.scan(NORTH)
    school.live(300)
    school.scan(SOUTH)
    assert [tour.what for tour in school.tours()] == ["completed"]


@pytest.mark.parametrize("every", ["week", "month", "quarter", "year"])
def test_every_day_lies_in_one_period_and_periods_follow_each_other(every: str) -> None:
    day, before = date(2024, 1, 1), None
    lengths = {"week": {7}, "month": {28, 29, 30, 31}, "quarter": {90, 91, 92}, "year": {365, 366}}
    while day < date(2029, 2, 1):
        period = period_of(every, day)  # type: ignore[arg-type]
        assert period.first <= day <= period.last
        assert (period.last - period.first).days + 1 in lengths[every]
        if before is not None and period != before:
            assert (period.first, before.last) == (day, day - timedelta(days=1))
            assert period.name > before.name
        before, day = period, day + timedelta(days=1)
    assert period_of("quarter", date(2026, 11, 30)).name == "2026-Q4"
    assert period_of("week", date(2027, 1, 1)).name == "2026-W53"
