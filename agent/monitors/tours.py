"""Tours and duty days: which scans make a tour, and to which day it belongs. Pure."""

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from agent.monitors import Instant
from agent.monitors.day_windows import DayWindows, Window
from agent.monitors.duty_calendar import DutyCalendar
from agent.policy_patrol import Checkpoint, GuardCard, PatrolPolicy

# Of a year of tours; only those of the last days are asked for again.
NAMES_KEPT = 2_000


@dataclass
class Tour:
    """A round in progress; it belongs to the duty day in which it started, or that of its window.

    `too_soon` after the last one, or `outside` every window, it does not count. `last` is its
    newest visit.
    """

    id: str
    duty_day: date
    started: Instant
    guard: str | None = None
    visited: set[str] = field(default_factory=set)
    too_soon: bool = False
    window: Window | None = None
    outside: bool = False
    last: Instant | None = None

    @property
    def counts(self) -> bool:
        """Tell whether it counts once it is complete."""
        return not self.too_soon and not self.outside


@dataclass(frozen=True)
class Counted:
    """What one scan meant: where it was, or whose card, and the tours it ended on its way.

    `too_fast` after another checkpoint, or `out_of_order`, it is no visit.
    """

    checkpoint: str | None
    folded: bool
    expired: Tour | None = None
    completed: Tour | None = None
    guard: str | None = None
    too_fast: bool = False
    out_of_order: bool = False


class TourBook:
    """One tour at a time: it opens, is completed, or runs out of time.

    Ages are monotonic, so no jump of the wall clock opens, ends or drops a tour; which window a
    tour is for goes by the wall clock, as windows do.
    """

    def __init__(
        self,
        checkpoints: Sequence[Checkpoint],
        policy: PatrolPolicy,
        calendar: DutyCalendar,
        guards: Sequence[GuardCard] = (),
        *,
        opens_by_card: bool = False,
    ) -> None:
        """`opens_by_card`: a tour begins with its guard's card, if a checkpoint follows soon."""
        self._opens_by_card = opens_by_card
        self.windows = DayWindows(
            policy.windows,
            calendar,
            early_minutes=policy.early_minutes,
            grace_minutes=policy.grace_minutes,
        )
        self._order = policy.order
        self._guards = {card.tag: card.id for card in guards}
        self._guard_seconds = policy.guard_minutes * 60
        self._gap_seconds = policy.min_gap_minutes * 60
        self._travel_seconds = policy.min_travel_seconds
        self._by_tag = {checkpoint.tag: checkpoint for checkpoint in checkpoints}
        self.mandatory = tuple(point.id for point in checkpoints if point.of_tours)
        self._fold_seconds = policy.fold_seconds
        self._max_seconds = policy.max_duration_minutes * 60
        self._calendar = calendar
        # By what each tour began with; a tour keeps its name when all are counted anew.
        self._names: dict[Instant, str] = {}
        self._opened: Counter[date] = Counter()
        self._begin()

    def _begin(self) -> None:
        self._guard_seen: tuple[str, float] | None = None
        self._last_point: tuple[str, float] | None = None
        self._last_counted: float | None = None
        self._last_scan: dict[str, float] = {}
        self._completed: Counter[date] = Counter()
        self.open_tour: Tour | None = None

    def anew(self) -> "TourBook":
        """Return a book of the same rules in which nothing is counted yet, with its own windows."""
        fresh = copy.copy(self)
        fresh._begin()  # noqa: SLF001 - one of us
        fresh.windows = self.windows.anew()
        return fresh

    def completed(self, day: date) -> int:
        """Return how many tours that started on a duty day were completed."""
        return self._completed[day]

    def missed(self, tour: Tour) -> tuple[str, ...]:
        """Return the mandatory checkpoints a tour has not visited."""
        return tuple(point for point in self.mandatory if point not in tour.visited)

    def claimed(self, tag_id: str) -> Checkpoint | None:
        """Return the checkpoint whose number a tag shows, be it that tag or a copy."""
        return self._by_tag.get(tag_id)

    def expire(self, monotonic: float) -> Tour | None:
        """End the open tour if its time is over, and return it.

        One that a card has opened and nobody walks is none: the card was held for something else.
        """
        tour = self.open_tour
        if tour is not None and not tour.visited:
            if monotonic - tour.started.monotonic > self._guard_seconds:
                self.open_tour = None
            return None
        if tour is None or monotonic - tour.started.monotonic <= self._max_seconds:
            return None
        self.open_tour = None
        return tour

    def scan(self, tag_id: str, at: Instant, guard_tag: str | None = None) -> Counted:
        """Count one scan; `guard_tag` is the card of whoever carries the wand that made it."""
        expired = self.expire(at.monotonic)
        if guard_tag in self._guards:
            self._guard_came(self._guards[guard_tag], at, folded=True)
        folded = self._is_repeat(tag_id, at.monotonic)
        guard = self._guards.get(tag_id)
        if guard is not None:
            self._guard_came(guard, at, folded=folded)
            return Counted(None, folded, expired, guard=guard)
        checkpoint = self._by_tag.get(tag_id)
        if checkpoint is None:
            return Counted(None, folded, expired)
        if folded:
            return Counted(checkpoint.id, folded, expired)
        if self._is_too_fast(checkpoint.id, at.monotonic):
            return Counted(checkpoint.id, folded, expired, too_fast=True)
        self._last_point = (checkpoint.id, at.monotonic)
        if self._is_out_of_order(checkpoint):
            return Counted(checkpoint.id, folded, expired, out_of_order=True)
        tour = self._touched(checkpoint, at)
        if tour is None:
            return Counted(checkpoint.id, folded, expired)
        tour.visited.add(checkpoint.id)
        tour.last = at
        if self.missed(tour):
            return Counted(checkpoint.id, folded, expired)
        self.open_tour = None
        tour.outside = tour.outside or (tour.window is not None and at.wall > tour.window.closes)
        if tour.counts:
            self._completed[tour.duty_day] += 1
            self._last_counted = at.monotonic
            if tour.window is not None:
                self.windows.do(tour.window)
        return Counted(checkpoint.id, folded, expired, completed=tour)

    def _touched(self, checkpoint: Checkpoint, at: Instant) -> Tour | None:
        """Return the tour a scan belongs to, opening one where needed."""
        # An optional point scanned behind the last mandatory one must not open a tour that
        # nobody means to walk.
        if self.open_tour is None and checkpoint.of_tours:
            self.open_tour = self._opened_at(at)
        return self.open_tour

    def _opened_at(self, at: Instant) -> Tour:
        window = self.windows.open_at(at.wall)
        day = self._calendar.day_of(at.wall) if window is None else window.day
        last = self._last_counted
        return Tour(
            self._named(day, at),
            day,
            at,
            guard=self._guard_at(at.monotonic),
            too_soon=last is not None and at.monotonic - last < self._gap_seconds,
            window=window,
            outside=bool(self.windows) and window is None,
        )

    def _named(self, day: date, began: Instant) -> str:
        if began not in self._names:
            while len(self._names) >= NAMES_KEPT:
                del self._names[next(iter(self._names))]
            self._opened[day] += 1
            self._names[began] = f"{day}-{self._opened[day]}"
        return self._names[began]

    def _guard_came(self, guard: str, at: Instant, *, folded: bool) -> None:
        """Note whose card was read; a tour under way that nobody walks yet is theirs."""
        self._guard_seen = (guard, at.monotonic)
        tour = self.open_tour
        if self._opens_by_card and not folded and (tour is None or not tour.visited):
            self.open_tour = self._opened_at(at)
        elif tour is not None and tour.guard is None:
            tour.guard = guard

    def _guard_at(self, monotonic: float) -> str | None:
        seen = self._guard_seen
        if seen is None or monotonic - seen[1] > self._guard_seconds:
            return None
        return seen[0]

    def _is_out_of_order(self, checkpoint: Checkpoint) -> bool:
        """Tell whether another mandatory checkpoint must come first; again at one is no matter."""
        visited = set[str]() if self.open_tour is None else self.open_tour.visited
        if self._order == "free" or not checkpoint.of_tours or checkpoint.id in visited:
            return False
        left = [point for point in self.mandatory if point not in visited]
        if self._order == "strict" or not visited.intersection(self.mandatory):
            return checkpoint.id != left[0]
        return checkpoint.id == self.mandatory[-1] and len(left) > 1

    def _is_too_fast(self, checkpoint: str, monotonic: float) -> bool:
        last = self._last_point
        if last is None or last[0] == checkpoint:
            return False
        return monotonic - last[1] < self._travel_seconds

    def _is_repeat(self, tag_id: str, monotonic: float) -> bool:
        last = self._last_scan.get(tag_id)
        # Old ones go, or every stray card would be remembered for ever.
        self._last_scan = {
            tag: seen
            for tag, seen in self._last_scan.items()
            if monotonic - seen < self._fold_seconds
        }
        self._last_scan[tag_id] = monotonic
        return last is not None and monotonic - last < self._fold_seconds
