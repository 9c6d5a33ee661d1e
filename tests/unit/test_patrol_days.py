"""Duty days that are over: each is told once, with what can be said of it."""

from datetime import date

from agent.county.event_data import PatrolDayEventData
from agent.monitors.duty_days import DAYS_TOLD_LATE
from agent.monitors.readers import WatchedTime
from agent.policy_patrol import GuardCard
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_school import HOUR, NORTH, SOUTH, School

# The clock begins at 10:00 of 1 September in Shanghai.
TO_MIDNIGHT = 14 * HOUR


def told(school: School) -> list[tuple[int, str, int]]:
    data = [event.data for event in school.events if isinstance(event.data, PatrolDayEventData)]
    return [(one.duty_day.day, one.what, one.tours_done) for one in data]


def begun(clock: SimulatedClock) -> School:
    """Midnight of 2 September; the day before nobody watched, and nothing is said of it."""
    school = School(clock)
    school.live(TO_MIDNIGHT, step=300)
    return school


def test_a_day_with_its_tours_is_met_and_one_without_is_missed(clock: SimulatedClock) -> None:
    school = begun(clock)
    school.events.clear()
    school.tour()
    school.tour()
    school.live(24 * HOUR - 24 * 60 + 60, step=20)
    assert told(school) == [(2, "met", 2)]
    school.live(24 * HOUR, step=20)
    assert told(school) == [(2, "met", 2), (3, "missed", 0)]


def test_a_day_that_was_not_watched_throughout_is_not_missed(clock: SimulatedClock) -> None:
    school = begun(clock)
    school.events.clear()
    school.live(10 * HOUR, step=20)
    school.lose()
    school.wait(HOUR)
    school.live(14 * HOUR, step=20)
    assert told(school) == [(2, "not_observed", 0)]
    [day] = [one.data for one in school.events if isinstance(one.data, PatrolDayEventData)]
    assert 60 <= day.blind_minutes <= 62


def test_a_day_waits_for_the_tour_that_is_still_walked(clock: SimulatedClock) -> None:
    school = begun(clock)
    school.events.clear()
    school.tour()
    school.live(24 * HOUR - 12 * 60 - 300, step=20)
    school.scan(NORTH)
    school.live(600)
    assert told(school) == []
    school.scan(SOUTH)
    school.live(60)
    assert told(school) == [(2, "met", 2)]


def test_nothing_is_told_twice_over_a_restart(clock: SimulatedClock) -> None:
    school = begun(clock)
    school.live(24 * HOUR + 60, step=20)
    assert told(school)[-1] == (2, "missed", 0)
    remembered = school.monitor.watched_time(school.now)
    assert remembered.closed == date(2026, 9, 2)
    again = School(clock)
    again.monitor.restore([], again.now, remembered)
    again.live(60)
    assert told(again) == []


def test_days_that_ended_while_nothing_ran_are_told_and_not_missed(clock: SimulatedClock) -> None:
    school = School(clock)
    watched = WatchedTime(seconds={}, until=clock.now(), closed=date(2026, 8, 28))
    school.monitor.restore([], school.now, watched)
    school.live(60)
    assert told(school) == [(day, "not_observed", 0) for day in (29, 30, 31)]


def test_a_clock_that_jumps_years_does_not_tell_of_thousands_of_days(clock: SimulatedClock) -> None:
    school = begun(clock)
    school.events.clear()
    clock.jump(3 * 365 * 24 * HOUR)
    school.live(60)
    assert len(told(school)) == DAYS_TOLD_LATE
    assert {word for _, word, _ in told(school)} <= {"not_observed", "missed"}
    clock.jump(-3 * 365 * 24 * HOUR)
    school.events.clear()
    school.live(24 * HOUR, step=20)
    assert [day for day, _, _ in told(school)] == [2]


def test_five_tours_in_an_hour_are_no_five_tours(clock: SimulatedClock) -> None:
    school = School(clock, tours=5, min_gap_minutes=30)
    school.live(60)
    for _ in range(5):
        school.tour()
    assert [tour.too_soon for tour in school.tours()] == [False, True, True, True, False]
    assert [tour.number for tour in school.tours()] == [1, 1, 1, 1, 2]
    assert school.patrol().tours_done == 2
    assert "patrol.tours_due" in school.causes()


def test_a_guards_card_says_who_walks(clock: SimulatedClock) -> None:
    school = School(clock, guards=(GuardCard(id="w-12", name="Wang", tag="nfca:0A"),))
    school.scan("nfca:0A")
    school.live(300)
    school.tour()
    school.live(3600)
    school.tour()
    assert [tour.guard for tour in school.tours()] == ["w-12", None]
    card, *points = school.scans()
    assert (card.guard, card.checkpoint) == ("w-12", None)
    assert {point.guard for point in points} == {None}
