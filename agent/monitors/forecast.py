"""How many days a recorder will hold if it goes on writing as it does, and when that is too few."""

from collections.abc import Mapping
from datetime import date, timedelta
from statistics import median
from typing import NamedTuple

DAY = timedelta(days=1)
KEPT = timedelta(days=28)
# A week of nights, or one odd night would look like a tendency.
NIGHTS = 7
SPAN = timedelta(days=7)
# Overwriting goes by whole files and disks: less than this is no tendency.
STEADY_A_DAY = 0.15
# More than this in a day was a clip with a wrong date, a disk, or somebody who deleted.
MOST_UP, MOST_DOWN = 2, 4
# A recorder that gains a day a day is not full yet, or its oldest clip is never overwritten.
FILLING_A_DAY = 0.5


class Forecast(NamedTuple):
    """`holds_days` is what it will come to; it changes by `a_day` until then."""

    depth_days: int
    holds_days: int
    a_day: float
    on: date

    def missed_on(self, target: int) -> date | None:
        """Return the day on which a target will be missed that is met now; None: none in sight."""
        if self.depth_days < target or self.holds_days >= target:
            return None
        days_left = (self.depth_days - target + 1) / -self.a_day
        return self.on + max(1, round(days_left)) * DAY


def with_depth(depths: Mapping[date, int], day: date, depth: int) -> Mapping[date, int]:
    """Return the depths with that of one more night; the deepest of a night's channels counts."""
    kept = {at: one for at, one in depths.items() if at > day - KEPT}
    return {**kept, day: max(depth, kept.get(day, 0))}


def forecast(depths: Mapping[date, int]) -> Forecast | None:
    """Read the tendency of the nights; None where they do not show one.

    What is written a day is `1 - slope` of what was written when the oldest was: each new day
    pushes out so much of an old one. What was written since the tendency began stays as it is.
    """
    nights = _since_jump(depths)
    if len(nights) < NIGHTS or nights[-1] - nights[0] < SPAN:
        return None
    # Theil and Sen's: a night that was read wrongly does not turn it.
    slope = median(
        (depths[later] - depths[earlier]) / (later - earlier).days
        for number, earlier in enumerate(nights)
        for later in nights[number + 1 :]
    )
    depth, on = depths[nights[-1]], nights[-1]
    if slope > FILLING_A_DAY:
        return None
    if abs(slope) < STEADY_A_DAY:
        return Forecast(depth, depth, 0.0, on)
    lately = min(depth, (nights[-1] - nights[0]).days)
    holds = (depth - lately) / (1 - slope) + lately
    return Forecast(depth, round(holds), round(slope, 3), on)


def _since_jump(depths: Mapping[date, int]) -> list[date]:
    """Return the nights since the depth last changed by more than writing can change it."""
    found: list[date] = []
    for night in sorted(depths, reverse=True):
        if found:
            change, days = depths[found[-1]] - depths[night], (found[-1] - night).days
            if not -MOST_DOWN * days <= change <= MOST_UP * days:
                break
        found.append(night)
    return found[::-1]
