"""Scans in the order of their own times, whenever they were told, and the tours they make. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Literal

from agent.monitors import Instant
from agent.monitors.tours import Counted, Tour, TourBook
from drivers.readings import ScanReading

# More than five tours a day of forty checkpoints come to; behind it late scans change no tour.
MOST_SCANS = 5_000
# A docking whose last scan never comes is taken for whole.
PATIENCE_SECONDS = 300.0

What = Literal["completed", "incomplete", "replaced"]
Ended = tuple[What, Tour]


class Tally:
    """Counts scans into tours; those of a wand come hours late, between others.

    Once a docking is whole all are counted anew, and what is not as it was told is told again. A
    tour is the same one while it begins with the same scan; one that no scan begins any more was
    `replaced`.
    """

    def __init__(self, book: TourBook, *, late: bool) -> None:
        """`late`: there are wands; without any no scan needs to be kept."""
        self.book = book
        self._late = late
        self._log: list[tuple[Instant, ScanReading]] = []
        self._tokens: dict[str, None] = {}
        self._told: dict[Instant, Ended] = {}
        # While a docking comes in: a book that has counted this many of the log, and how so.
        self._fresh: TourBook | None = None
        self._counted: list[Ended] = []
        self._place = 0
        self._pending_since = 0.0

    def knows(self, token: str | None) -> bool:
        """Tell whether a wand's scan was counted before: it was handed over twice; and note it."""
        if token is None or token in self._tokens:
            return token is not None
        self._tokens[token] = None
        while len(self._tokens) > 4 * MOST_SCANS:
            del self._tokens[next(iter(self._tokens))]
        return False

    @property
    def is_full(self) -> bool:
        """Tell whether there is no room for one more late scan."""
        return len(self._log) >= MOST_SCANS

    def is_stuck(self, now: float) -> bool:
        """Tell whether a docking has been coming in for too long."""
        return self._fresh is not None and now - self._pending_since > PATIENCE_SECONDS

    def forget(self, before: Instant) -> None:
        """Let go of scans that change nothing any more; not while a docking comes in."""
        if self._fresh is not None:
            return
        self._log = [one for one in self._log if one[0].monotonic >= before.monotonic]
        self._told = {
            began: one for began, one in self._told.items() if began.monotonic >= before.monotonic
        }

    def expire(self, seen: float, docked: float) -> Tour | None:
        """End the open tour if its time is over, and return it if it was not told before.

        `seen`: up to when all scans at readers are known; `docked`: all those of wands.
        """
        by_wand = bool(self._log) and self._log[-1][1].wand is not None
        tour = self.book.expire(docked if by_wand else seen)
        return tour if tour is not None and self._is_new("incomplete", tour) else None

    def scan(self, scan: ScanReading, at: Instant) -> tuple[Counted, Sequence[Ended]]:
        """Count a scan that was told at once; return what it meant, and the tours it ended."""
        if self._late:
            self._log.append((at, scan))
        counted = self.book.scan(scan.tag_id, at)
        return counted, [one for one in _ended(counted) if self._is_new(*one)]

    def late_scan(self, scan: ScanReading, at: Instant, now: float) -> Counted:
        """Put a wand's scan in its place, and return what it meant; `settle` tells of tours.

        Those of one docking come in the order of their times.
        """
        place = len(self._log)
        while place and self._log[place - 1][0].monotonic > at.monotonic:
            place -= 1
        if self._fresh is None or place < self._place:
            self._fresh, self._counted, self._place = self.book.anew(), [], 0
        self._log.insert(place, (at, scan))
        self._pending_since = now
        return self._count_to(self._fresh, place + 1)[-1]

    def settle(self, first_day: date) -> Sequence[Ended]:
        """Count the rest; return the tours that are not as they were told, of this day or later."""
        fresh, self._fresh = self._fresh, None
        if fresh is None:
            return ()
        self._count_to(fresh, len(self._log))
        self.book.windows.take(fresh.windows)
        fresh.windows = self.book.windows
        self.book = fresh
        found = {one[1].started: one for one in self._counted}
        began = set(found)
        if fresh.open_tour is not None:
            began.add(fresh.open_tour.started)
        gone = [tour for start, (_, tour) in self._told.items() if start not in began]
        changed: list[Ended] = [*(("replaced", tour) for tour in gone), *found.values()]
        return [one for one in changed if one[1].duty_day >= first_day and self._is_new(*one)]

    def _count_to(self, book: TourBook, place: int) -> Sequence[Counted]:
        meant = [
            book.scan(scan.tag_id, at, scan.guard_tag)
            for at, scan in self._log[self._place : place]
        ]
        self._place = place
        self._counted += [one for counted in meant for one in _ended(counted)]
        return meant

    def _is_new(self, what: What, tour: Tour) -> bool:
        """Note how a tour ended; tell whether it was not told so before."""
        if not self._late:
            return True
        before = self._told.get(tour.started)
        if before is not None and (before[0], _seen(before[1])) == (what, _seen(tour)):
            return False
        if what == "replaced":
            del self._told[tour.started]
        else:
            self._told[tour.started] = (what, tour)
        return True


def _ended(counted: Counted) -> Iterator[Ended]:
    if counted.expired is not None:
        yield "incomplete", counted.expired
    if counted.completed is not None:
        yield "completed", counted.completed


def _seen(tour: Tour) -> tuple[object, ...]:
    """Return all of a tour that is told, but for what follows from the mandatory checkpoints."""
    window = None if tour.window is None else tour.window.key
    return tour.guard, tour.too_soon, tour.outside, window, frozenset(tour.visited)
