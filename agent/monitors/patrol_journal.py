"""Scans of earlier runs, as they are counted again at a start. Pure."""

from collections.abc import Sequence
from itertools import pairwise

from agent.monitors import Instant
from agent.monitors.wand_watch import scanned_at
from drivers.readings import ScanReading


def instants(scans: Sequence[ScanReading], now: Instant) -> Sequence[Instant]:
    """Place journalled scans on this run's monotonic clock, by the wall time between them.

    Whatever was done to the wall clock, time between two scans is never negative, and a clock
    that is behind now does not press the day's scans into one instant. Those of wands stand where
    their own times put them.
    """
    live = [scan for scan in scans if scan.wand is None]
    since_first = [0.0]
    for before, after in pairwise(live):
        passed = (after.observed_at - before.observed_at).total_seconds()
        since_first.append(since_first[-1] + max(0.0, passed))
    age = max(0.0, (now.wall - live[-1].observed_at).total_seconds()) if live else 0.0
    first = now.monotonic - age - since_first[-1]
    placed = iter(
        Instant(scan.observed_at, first + passed)
        for scan, passed in zip(live, since_first, strict=False)
    )
    return [next(placed) if scan.wand is None else scanned_at(scan, now) for scan in scans]
