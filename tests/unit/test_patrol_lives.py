"""Random duty days lived through by the monitor, against a slow reference in plain loops."""

from collections import Counter
from datetime import date, datetime, timedelta

import pytest

from agent.county.event_data import (
    PatrolDayEventData,
    PatrolWindowEventData,
    ScanEventData,
    TourEventData,
)
from agent.monitors import readers
from agent.monitors.readers import WatchedTime
from agent.policy_patrol import Checkpoint, PatrolPolicy
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_oracle import DAY, LATEST, POINTS, Life, random_life, tours_of, words
from tests.unit.patrol_school import SHANGHAI, School

GATE_LIVES, DEEP_LIVES, LIVES_EACH = 300, 10_000, 50
TODAY = date(2026, 9, 2)
MIDNIGHT = datetime(2026, 9, 2, tzinfo=SHANGHAI)
# Readers are heard every two minutes here, so that a day costs a tenth of a second.
STEP_SECONDS = 120
TAGS = {"north": "nfca:AA", "south": "nfca:BB", "roof": "nfca:CC"}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_AGE_SECONDS", STEP_SECONDS + 1)


def span_text(since: int, until: int) -> str:
    return (
        f"{MIDNIGHT + timedelta(seconds=since):%H:%M}-{MIDNIGHT + timedelta(seconds=until):%H:%M}"
    )


def live(life: Life) -> School:
    """Have an agent live through a day, restarts and all; it ran well on the day before."""
    clock = SimulatedClock()
    clock.jump((MIDNIGHT - clock.now()).total_seconds())
    policy = PatrolPolicy(
        tours_min_per_day=life.required,
        min_gap_minutes=life.gap / 60,
        max_duration_minutes=life.limit / 60,
        order=life.order,
        windows=tuple(span_text(one.since, one.until) for one in life.windows),
        early_minutes=life.early / 60,
        grace_minutes=life.grace / 60,
    )
    points = [
        Checkpoint(id=name, name=name, tag=TAGS[name], mandatory=name in life.mandatory)
        for name in POINTS
    ]
    school = School(clock, checkpoints=points, policy=policy)
    kept = WatchedTime(seconds={TODAY - timedelta(days=1): DAY}, until=clock.now())
    school.monitor.restore([], school.now, kept)
    scans, at = list(life.scans), 0
    while at < LATEST:
        down = next((one for one in life.down if one.holds(at)), None)
        if down is not None:
            kept = school.monitor.watched_time(school.now)
            clock.sleep(down.until - at)
            at = down.until
            school = school.again(kept)
            continue
        while scans and scans[0][0] <= at:
            clock.sleep(0)
            school.scan(TAGS[scans.pop(0)[1]])
        if any(one.holds(at) for one in life.away):
            school.lose()
        else:
            school.hear()
        school.tick()
        following = min([at + STEP_SECONDS, *(one[0] for one in scans[:1])])
        edges = [span.since for span in life.down if at < span.since < following]
        following = min([following, *edges])
        clock.sleep(following - at)
        at = following
    return school


def judge(life: Life) -> Counter[str]:
    """Compare what was told of a day with what the reference says."""
    school, expected = live(life), tours_of(life)
    data = [event.data for event in school.events]

    assert sum(isinstance(one, ScanEventData) for one in data) == len(life.scans)

    told_tours = [one for one in data if isinstance(one, TourEventData)]
    completed = [one for one in told_tours if one.what == "completed"]
    assert [
        (one.started_at, not (one.too_soon or one.outside), one.window) for one in completed
    ] == [
        (
            MIDNIGHT + timedelta(seconds=tour.begun),
            tour.counts,
            None
            if tour.window is None
            else span_text(life.windows[tour.window].since, life.windows[tour.window].until),
        )
        for tour in expected
        if tour.complete
    ]

    windows = [one for one in data if isinstance(one, PatrolWindowEventData)]
    windows = [one for one in windows if one.duty_day == TODAY]
    seen: Counter[str] = Counter()
    for number, window in enumerate(life.windows):
        name = span_text(window.since, window.until)
        ends = [one.ended for one in expected if one.counts and one.window == number]
        of_it = [one.what for one in windows if one.window == name]
        over: list[str] = [what for what in of_it if what != "late"]
        opens, closes = window.since - life.early, window.until + life.grace
        if ends:
            assert over == [], name
        else:
            assert len(over) == 1, (name, of_it)
            assert over[0] in words(opens, closes, life), (name, of_it)
        awake = any(
            not any(span.holds(at) for span in life.down)
            for at in range(window.until + 1, closes - STEP_SECONDS)
        )
        late = awake and not (ends and ends[0] <= window.until)
        if ends and window.until < ends[0] <= window.until + 2 * STEP_SECONDS:
            late = "late" in of_it  # between two looks nobody knows yet
        if not life.down:
            assert (of_it.count("late") == 1) == late, (name, of_it, ends)
        assert of_it.count("late") <= 1
        seen.update(over or ["done"])

    [day] = [one for one in data if isinstance(one, PatrolDayEventData)]
    done = sum(one.counts for one in expected)
    assert day.tours_done == done
    verdicts = {"met"} if done >= life.required else words(0, DAY, life)
    assert day.what in verdicts, (day, verdicts)
    seen.update([f"day {day.what}"])
    return seen


def lives(first: int, count: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    for seed in range(first, first + count):
        seen += judge(random_life(seed))
    return seen


@pytest.mark.parametrize("first", range(0, GATE_LIVES, LIVES_EACH))
def test_random_days_agree_with_the_slow_reference(first: int) -> None:
    seen = lives(first, LIVES_EACH)
    wanted = {"done", "missed", "not_observed", "day met", "day missed", "day not_observed"}
    assert wanted <= set(seen), seen


@pytest.mark.deep
def test_many_random_days_agree_with_the_slow_reference() -> None:
    lives(GATE_LIVES, DEEP_LIVES)
