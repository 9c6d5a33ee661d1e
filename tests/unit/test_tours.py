"""Duty days and tours against a slow reference that knows only lists and loops."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.monitors import Instant
from agent.monitors.tours import DutyCalendar, TourBook
from agent.policy import Checkpoint, PatrolPolicy

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI_OFFSET_SECONDS = 8 * 3600
START = datetime(2026, 9, 1, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "day_starts", "hours"),
    [
        (date(2026, 3, 28), time(0, 0), 24),
        (date(2026, 3, 29), time(0, 0), 23),
        (date(2026, 10, 25), time(0, 0), 25),
        (date(2026, 10, 24), time(6, 0), 25),  # the change lies in the duty day's night
        # 2:30 comes twice on 25 October and never on 29 March.
        (date(2026, 10, 25), time(2, 30), 25),
        (date(2026, 10, 24), time(2, 30), 24),
        (date(2026, 3, 29), time(2, 30), 23),
    ],
)
def test_days_of_a_summer_time_zone_have_23_to_25_hours(
    day: date, day_starts: time, hours: int
) -> None:
    calendar = DutyCalendar(BERLIN, day_starts)
    start, end = calendar.start_of(day), calendar.start_of(day + timedelta(days=1))
    assert (end - start) / timedelta(hours=1) == hours
    at = start
    while at < end:
        assert calendar.day_of(at) == day
        at += timedelta(minutes=30)
    assert calendar.day_of(start - timedelta(seconds=1)) == day - timedelta(days=1)
    assert calendar.day_of(end) == day + timedelta(days=1)


def test_a_day_that_has_begun_does_not_end_when_its_midnight_comes_back() -> None:
    # Newfoundland set its clocks back at 00:01, so that 23:01 of the day before came again.
    calendar = DutyCalendar(ZoneInfo("America/St_Johns"), time(0, 0))
    start = datetime(2010, 11, 7, 2, 30, tzinfo=UTC)
    assert calendar.start_of(date(2010, 11, 7)) == start
    assert calendar.day_of(start + timedelta(minutes=30)) == date(2010, 11, 7)
    assert calendar.start_of(date(2010, 11, 8)) - start == timedelta(hours=25)


@given(
    st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 - made aware below
    st.times(),
    st.sampled_from(["Europe/Berlin", "Asia/Shanghai", "America/St_Johns", "Pacific/Apia"]),
)
def test_every_instant_lies_in_its_duty_day(moment: datetime, starts: time, zone: str) -> None:
    calendar = DutyCalendar(ZoneInfo(zone), starts)
    at = moment.replace(tzinfo=UTC)
    day = calendar.day_of(at)
    assert calendar.start_of(day) <= at < calendar.start_of(day + timedelta(days=1))


@dataclass
class Expected:
    """What the reference says of a list of scans."""

    folded: list[bool]
    completed: list[tuple[int, int]]  # index of the first and of the last scan
    incomplete: list[int]  # index of the first scan


def reference(
    scans: list[tuple[float, str]], mandatory: set[str], known: set[str], fold: float, limit: float
) -> Expected:
    """Count tours the slow way: look at the whole list again for every question."""
    folded = []
    for i in range(len(scans)):
        repeat = False
        for j in range(i):
            if scans[j][1] == scans[i][1] and scans[i][0] - scans[j][0] < fold:
                repeat = True
        folded.append(repeat)
    completed, incomplete = [], []
    i = 0
    while i < len(scans):
        if folded[i] or scans[i][1] not in mandatory:
            i += 1
            continue
        visited: set[str] = set()
        j = i
        while j < len(scans) and scans[j][0] - scans[i][0] <= limit:
            if not folded[j] and scans[j][1] in known:
                visited = visited | {scans[j][1]}
            if mandatory <= visited:
                break
            j += 1
        if mandatory <= visited:
            completed.append((i, j))
            i = j + 1
        else:
            if j < len(scans):
                incomplete.append(i)
            i = j
    return Expected(folded, completed, incomplete)


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 4000), st.sampled_from("ABCDX")), min_size=1, max_size=60
    ),
    mandatory=st.sets(st.sampled_from("ABCD"), min_size=1, max_size=3),
    fold=st.sampled_from([0, 60, 600]),
    minutes=st.sampled_from([10, 60, 120]),
    day_starts=st.sampled_from([time(0, 0), time(6, 30)]),
)
def test_tours_agree_with_the_slow_reference(
    steps: list[tuple[int, str]], mandatory: set[str], fold: int, minutes: int, day_starts: time
) -> None:
    points = [
        Checkpoint(
            id=letter.lower(), name=letter, tag=f"nfca:{letter}", mandatory=letter in mandatory
        )
        for letter in "ABCD"
    ]
    policy = PatrolPolicy(day_starts=day_starts, fold_seconds=fold, max_duration_minutes=minutes)
    book = TourBook(points, policy, DutyCalendar(ZoneInfo("Asia/Shanghai"), day_starts))
    scans: list[tuple[float, str]] = []
    at = 0.0
    for step, letter in steps:
        at += step
        scans.append((at, letter))
    expected = reference(scans, mandatory, set("ABCD"), fold, minutes * 60)

    folded, completed, incomplete = [], [], []
    for i, (seconds, letter) in enumerate(scans):
        counted = book.scan(f"nfca:{letter}", Instant(START + timedelta(seconds=seconds), seconds))
        folded.append(counted.folded)
        if counted.expired is not None:
            incomplete.append(counted.expired.started.monotonic)
        if counted.completed is not None:
            completed.append((counted.completed.started.monotonic, i))
    assert folded == expected.folded
    assert completed == [(scans[first][0], last) for first, last in expected.completed]
    assert incomplete == [scans[first][0] for first in expected.incomplete]

    shift = day_starts.hour * 3600 + day_starts.minute * 60
    days: dict[int, int] = {}
    for first, _ in expected.completed:
        local = START.timestamp() + scans[first][0] + SHANGHAI_OFFSET_SECONDS - shift
        days[int(local // 86400)] = days.get(int(local // 86400), 0) + 1
    for number, count in days.items():
        assert book.completed(date(1970, 1, 1) + timedelta(days=number)) == count
    assert sum(days.values()) == len(completed)
