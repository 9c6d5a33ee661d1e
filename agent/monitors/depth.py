"""How far back recordings reach and what is missing, and what may be said of it."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal, NamedTuple

from agent.findings import Cause
from agent.monitors.ledger import LedgerDay
from drivers.recorder.readings import Grade

RecordingWord = Literal["met", "claimed", "growing", "short", "unknown"]
DAY_SECONDS = 86_400
# An archive does not go on behind a hole of four weeks.
BEYOND_DAYS = 28


class Bounds(NamedTuple):
    """Lower takes every unknown day as absent, upper as present; for missing days the reverse.

    `depth`: days from the oldest usable day to `until`, both included; holes do not end it.
    `missing`: days without video inside the target. `unknown`: days of the target not known.
    `grade` is what the lower depth rests on.
    """

    depth_lower: int
    depth_upper: int
    missing_lower: int
    missing_upper: int
    unknown: int
    grade: Grade | None


class Sample(NamedTuple):
    """Coverage over the days of the target whose segments were looked at: an estimate."""

    days: int
    covered_ratio: float | None
    thin_days: int


def bounds(days: Mapping[date, LedgerDay], *, until: date, target: int) -> Bounds:
    """Measure a channel over `target` days ending with `until`, or more where more is known.

    A calendar flags a day for a clip that was locked years ago: where segments are to be had, a
    day counts as depth only once they have shown it usable.
    """
    window = max(target, (until - min(days, default=until)).days + 1)
    looked_at = any(day.grade == "A" for day in days.values())
    lower = upper = missing = unknown = 0
    grade: Grade | None = None
    for back in range(window):
        day = days.get(until - timedelta(days=back))
        if day is None:
            upper = back + 1 if back < target else upper
        elif day.present:
            if day.usable is not False:
                upper = back + 1
            if day.usable or (day.usable is None and not looked_at):
                lower, grade = back + 1, day.grade
        if back < target:
            missing += day is not None and not day.present
            unknown += day is None
    edge = [days.get(until - timedelta(days=target + n)) for n in range(BEYOND_DAYS)]
    if upper < target and any(day is None for day in edge):
        # What is missing at the edge may be a hole: nobody has looked at what lies behind it.
        upper = target
    return Bounds(lower, upper, missing, missing + unknown, unknown, grade)


def sample(
    days: Mapping[date, LedgerDay], *, until: date, target: int, thin_ratio: float
) -> Sample:
    """Return what the days looked at inside the target say of coverage."""
    covered = [
        day.covered_seconds
        for at, day in days.items()
        if day.covered_seconds is not None and 0 <= (until - at).days < target and day.present
    ]
    thin = sum(seconds < thin_ratio * DAY_SECONDS for seconds in covered)
    ratio = sum(covered) / (len(covered) * DAY_SECONDS) if covered else None
    return Sample(len(covered), None if ratio is None else round(ratio, 3), thin)


def judge(
    found: Bounds,
    *,
    target: int,
    max_missing_ratio: float,
    edge_checked: bool,
    growing: bool = False,
    slack: int = 0,
) -> RecordingWord:
    """Say what the evidence allows; `met` only with the edge of the window checked by segments.

    `slack` days of doubt about the calendar: `short` only where they would not help.
    """
    allowed = max_missing_ratio * target
    if found.depth_upper + slack < target or found.missing_lower - slack > allowed:
        return "growing" if growing and slack == 0 else "short"
    if slack or found.depth_lower < target:
        return "unknown"
    if found.grade == "C" or found.missing_upper <= allowed:
        return "met" if edge_checked and found.unknown == 0 else "claimed"
    return "unknown"


def is_growing(days: Mapping[date, LedgerDay], *, since: date, until: date, ratio: float) -> bool:
    """Tell whether a channel that began on `since` has lost nothing yet.

    Every day since then is known, few are holes, the first is there, and none has vanished.
    """
    wanted = [since + timedelta(days=n) for n in range((until - since).days + 1)]
    known = [days.get(day) for day in wanted]
    if not wanted or any(day is None for day in known):
        return False
    if any(day.lost for day in days.values()):
        return False
    first = [day for day in known[:2] if day is not None and day.present]
    holes = sum(day is not None and not day.present for day in known)
    return bool(first) and holes <= ratio * len(wanted) + 1


def short_cause(found: Bounds, target: int) -> Cause:
    """Name why a channel is `short`, with the figure that is kindest to it."""
    if found.depth_upper == 0:
        return Cause(code="recording.no_days", params={"target_days": target})
    if found.depth_upper < target:
        return Cause(
            code="recording.depth_short",
            params={"depth_days": found.depth_upper, "target_days": target},
        )
    return Cause(
        code="recording.too_many_holes",
        params={"missing_days": found.missing_lower, "target_days": target},
    )
