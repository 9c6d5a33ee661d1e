"""Duty days and tours against a slow reference that knows only lists and loops."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.monitors import Instant
from agent.monitors.duty_calendar import DutyCalendar
from agent.monitors.tours import TourBook
from agent.policy_patrol import Checkpoint, GuardCard, PatrolPolicy

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


@dataclass(frozen=True)
class Rules:
    """The figures of one trial."""

    fold: float
    limit: float
    gap: float
    travel: float
    guard: float


@dataclass
class Expected:
    """What the reference says of a list of scans; tours by the places of their first and last."""

    folded: list[bool]
    too_fast: list[bool]
    completed: list[tuple[int, int, bool, str | None]]  # does it count, and who walked it
    incomplete: list[int]


CHECKPOINTS, CARDS = "ABCD", "GH"
Scans = list[tuple[float, str]]


def repeats(scans: Scans, fold: float) -> list[bool]:
    """Say of each scan whether its tag was read a moment before."""
    found = []
    for i in range(len(scans)):
        repeat = False
        for j in range(i):
            if scans[j][1] == scans[i][1] and scans[i][0] - scans[j][0] < fold:
                repeat = True
        found.append(repeat)
    return found


def quick_ones(scans: Scans, folded: list[bool], travel: float) -> list[bool]:
    """Say of each scan whether nobody could have walked there since the last visit elsewhere."""
    found: list[bool] = []
    for i in range(len(scans)):
        quick = False
        if scans[i][1] in CHECKPOINTS and not folded[i]:
            for j in range(i - 1, -1, -1):
                if scans[j][1] in CHECKPOINTS and not folded[j] and not found[j]:
                    quick = scans[j][1] != scans[i][1] and scans[i][0] - scans[j][0] < travel
                    break
        found.append(quick)
    return found


def reference(scans: Scans, mandatory: set[str], rules: Rules) -> Expected:
    """Count tours the slow way: look at the whole list again for every question."""
    folded = repeats(scans, rules.fold)
    too_fast = quick_ones(scans, folded, rules.travel)
    completed, incomplete = [], []
    last_end: float | None = None
    i = 0
    while i < len(scans):
        if folded[i] or too_fast[i] or scans[i][1] not in mandatory:
            i += 1
            continue
        visited: set[str] = set()
        j = i
        while j < len(scans) and scans[j][0] - scans[i][0] <= rules.limit:
            if not folded[j] and not too_fast[j] and scans[j][1] in CHECKPOINTS:
                visited = visited | {scans[j][1]}
            if mandatory <= visited:
                break
            j += 1
        if mandatory <= visited:
            counts = last_end is None or scans[i][0] - last_end >= rules.gap
            if counts:
                last_end = scans[j][0]
            completed.append((i, j, counts, walked_by(scans, i, j, rules.guard)))
            i = j + 1
        else:
            if j < len(scans):
                incomplete.append(i)
            i = j
    return Expected(folded, too_fast, completed, incomplete)


def walked_by(scans: Scans, first: int, last: int, reach: float) -> str | None:
    """Say whose card came last before a tour, and not too long; else whose came first on it."""
    for i in range(first - 1, -1, -1):
        if scans[i][1] in CARDS:
            if scans[first][0] - scans[i][0] <= reach:
                return scans[i][1].lower()
            break
    for i in range(first, last + 1):
        if scans[i][1] in CARDS:
            return scans[i][1].lower()
    return None


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 4000), st.sampled_from("ABCDXGH")), min_size=1, max_size=60
    ),
    mandatory=st.sets(st.sampled_from("ABCD"), min_size=1, max_size=3),
    rules=st.builds(
        Rules,
        fold=st.sampled_from([0, 60, 600]),
        limit=st.sampled_from([600, 3600, 7200]),
        gap=st.sampled_from([0, 900, 7200]),
        travel=st.sampled_from([0, 30, 300]),
        guard=st.sampled_from([0, 900]),
    ),
    day_starts=st.sampled_from([time(0, 0), time(6, 30)]),
)
def test_tours_agree_with_the_slow_reference(
    steps: list[tuple[int, str]], mandatory: set[str], rules: Rules, day_starts: time
) -> None:
    points = [
        Checkpoint(
            id=letter.lower(), name=letter, tag=f"nfca:{letter}", mandatory=letter in mandatory
        )
        for letter in CHECKPOINTS
    ]
    # A tag is hexadecimal: these are the cards G and H.
    cards = {"G": "nfca:EE", "H": "nfca:FF"}
    guards = [GuardCard(id=letter.lower(), name=letter, tag=tag) for letter, tag in cards.items()]
    policy = PatrolPolicy(
        day_starts=day_starts,
        fold_seconds=rules.fold,
        max_duration_minutes=rules.limit / 60,
        min_gap_minutes=rules.gap / 60,
        min_travel_seconds=rules.travel,
        guard_minutes=rules.guard / 60,
    )
    calendar = DutyCalendar(ZoneInfo("Asia/Shanghai"), day_starts)
    book = TourBook(points, policy, calendar, guards)
    scans: Scans = []
    at = 0.0
    for step, letter in steps:
        at += step
        scans.append((at, letter))
    expected = reference(scans, mandatory, rules)

    folded, too_fast, completed, incomplete = [], [], [], []
    for i, (seconds, letter) in enumerate(scans):
        tag = cards.get(letter, f"nfca:{letter}")
        counted = book.scan(tag, Instant(START + timedelta(seconds=seconds), seconds))
        folded.append(counted.folded and counted.guard is None)
        too_fast.append(counted.too_fast)
        assert counted.guard == (letter.lower() if letter in CARDS else None)
        if counted.expired is not None:
            incomplete.append(counted.expired.started.monotonic)
        if (tour := counted.completed) is not None:
            completed.append((tour.started.monotonic, i, not tour.too_soon, tour.guard))
    assert folded == [
        repeat and scans[i][1] not in CARDS for i, repeat in enumerate(expected.folded)
    ]
    assert too_fast == expected.too_fast
    assert completed == [(scans[one[0]][0], *one[1:]) for one in expected.completed]
    assert incomplete == [scans[first][0] for first in expected.incomplete]

    shift = day_starts.hour * 3600 + day_starts.minute * 60
    days: dict[int, int] = {}
    for first, _, counts, _ in expected.completed:
        local = START.timestamp() + scans[first][0] + SHANGHAI_OFFSET_SECONDS - shift
        days[int(local // 86400)] = days.get(int(local // 86400), 0) + counts
    for number, count in days.items():
        assert book.completed(date(1970, 1, 1) + timedelta(days=number)) == count
    assert sum(days.values()) == sum(counts for _, _, counts, _ in completed)
