"""How far back recordings reach and what is missing, from days known, absent or not known."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal, NamedTuple

from agent.findings import Cause

RecordingWord = Literal["claimed", "short", "unknown"]


class Bounds(NamedTuple):
    """Lower takes every unknown day as absent, upper as present; for missing days the reverse.

    `depth`: days from the oldest day with video to `until`, both included; holes do not end it.
    `missing`: days without video inside the target. `unknown`: days of the target not known.
    """

    depth_lower: int
    depth_upper: int
    missing_lower: int
    missing_upper: int
    unknown: int


def bounds(days: Mapping[date, bool], *, until: date, target: int) -> Bounds:
    """Measure a channel over `target` days ending with `until`, or more where more is known."""
    window = target
    if days:
        window = max(target, (until - min(days)).days + 1)
    lower = upper = missing = unknown = 0
    for back in range(window):
        present = days.get(until - timedelta(days=back))
        if present:
            lower = back + 1
        if present is not False:
            upper = back + 1
        if back < target:
            missing += present is False
            unknown += present is None
    return Bounds(lower, upper, missing, missing + unknown, unknown)


def judge(found: Bounds, *, target: int, max_missing_ratio: float, slack: int = 0) -> RecordingWord:
    """Say what day maps alone allow: `claimed` at best.

    `slack` days of doubt about the calendar: `short` only where they would not help.
    """
    allowed = max_missing_ratio * target
    if found.depth_upper + slack < target or found.missing_lower - slack > allowed:
        return "short"
    if slack == 0 and found.depth_lower >= target and found.missing_upper <= allowed:
        return "claimed"
    return "unknown"


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
