"""Tours and duty days: which scans make a tour, and to which day it belongs. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agent.monitors import Instant
from agent.policy import Checkpoint, GuardCard, PatrolPolicy

ONE_DAY = timedelta(days=1)


class DutyCalendar:
    """Duty days of a site: from `day_starts` of its own clock to the next, 23, 24 or 25 hours."""

    def __init__(self, zone: ZoneInfo, day_starts: time) -> None:
        self._zone = zone
        self._day_starts = day_starts

    def start_of(self, day: date) -> datetime:
        """Return the instant at which a duty day begins."""
        return datetime.combine(day, self._day_starts, tzinfo=self._zone).astimezone(UTC)

    def day_of(self, moment: datetime) -> date:
        """Return the duty day an instant lies in."""
        # By instants: where a clock is set back, local times come twice, but days never return.
        day = moment.astimezone(self._zone).date()
        if moment < self.start_of(day):
            return day - ONE_DAY
        return day + ONE_DAY if moment >= self.start_of(day + ONE_DAY) else day


@dataclass
class Tour:
    """A round in progress; it belongs to the duty day in which it started.

    `too_soon` after the last one, it does not count.
    """

    id: str
    duty_day: date
    started: Instant
    guard: str | None = None
    visited: set[str] = field(default_factory=set)
    too_soon: bool = False


@dataclass(frozen=True)
class Counted:
    """What one scan meant: where it was, or whose card, and the tours it ended on its way.

    `too_fast` after another checkpoint, it is no visit.
    """

    checkpoint: str | None
    folded: bool
    expired: Tour | None = None
    completed: Tour | None = None
    guard: str | None = None
    too_fast: bool = False


class TourBook:
    """One free-order tour at a time: it opens, is completed, or runs out of time.

    Ages are monotonic, so no jump of the wall clock opens, ends or drops a tour.
    """

    def __init__(
        self,
        checkpoints: Sequence[Checkpoint],
        policy: PatrolPolicy,
        calendar: DutyCalendar,
        guards: Sequence[GuardCard] = (),
    ) -> None:
        self._guards = {card.tag: card.id for card in guards}
        self._guard_seen: tuple[str, float] | None = None
        self._guard_seconds = policy.guard_minutes * 60
        self._gap_seconds = policy.min_gap_minutes * 60
        self._travel_seconds = policy.min_travel_seconds
        self._last_point: tuple[str, float] | None = None
        self._last_counted: float | None = None
        self._by_tag = {checkpoint.tag: checkpoint for checkpoint in checkpoints}
        self.mandatory = tuple(point.id for point in checkpoints if point.mandatory)
        self._fold_seconds = policy.fold_seconds
        self._max_seconds = policy.max_duration_minutes * 60
        self._calendar = calendar
        self._last_scan: dict[str, float] = {}
        self._opened: Counter[date] = Counter()
        self._completed: Counter[date] = Counter()
        self.open_tour: Tour | None = None

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
        """End the open tour if its time is over, and return it."""
        tour = self.open_tour
        if tour is None or monotonic - tour.started.monotonic <= self._max_seconds:
            return None
        self.open_tour = None
        return tour

    def scan(self, tag_id: str, at: Instant) -> Counted:
        """Count one scan."""
        expired = self.expire(at.monotonic)
        folded = self._is_repeat(tag_id, at.monotonic)
        guard = self._guards.get(tag_id)
        if guard is not None:
            self._guard_came(guard, at.monotonic)
            return Counted(None, folded, expired, guard=guard)
        checkpoint = self._by_tag.get(tag_id)
        if checkpoint is None:
            return Counted(None, folded, expired)
        if folded:
            return Counted(checkpoint.id, folded, expired)
        if self._is_too_fast(checkpoint.id, at.monotonic):
            return Counted(checkpoint.id, folded, expired, too_fast=True)
        self._last_point = (checkpoint.id, at.monotonic)
        tour = self._touched(checkpoint, at)
        if tour is None:
            return Counted(checkpoint.id, folded, expired)
        tour.visited.add(checkpoint.id)
        if self.missed(tour):
            return Counted(checkpoint.id, folded, expired)
        self.open_tour = None
        if not tour.too_soon:
            self._completed[tour.duty_day] += 1
            self._last_counted = at.monotonic
        return Counted(checkpoint.id, folded, expired, completed=tour)

    def _touched(self, checkpoint: Checkpoint, at: Instant) -> Tour | None:
        """Return the tour a scan belongs to, opening one where needed."""
        # An optional point scanned behind the last mandatory one must not open a tour that
        # nobody means to walk.
        if self.open_tour is None and checkpoint.mandatory:
            day = self._calendar.day_of(at.wall)
            self._opened[day] += 1
            last = self._last_counted
            self.open_tour = Tour(
                f"{day}-{self._opened[day]}",
                day,
                at,
                guard=self._guard_at(at.monotonic),
                too_soon=last is not None and at.monotonic - last < self._gap_seconds,
            )
        return self.open_tour

    def _guard_came(self, guard: str, monotonic: float) -> None:
        """Note whose card was read; a tour under way that nobody walks yet is theirs."""
        self._guard_seen = (guard, monotonic)
        if self.open_tour is not None and self.open_tour.guard is None:
            self.open_tour.guard = guard

    def _guard_at(self, monotonic: float) -> str | None:
        seen = self._guard_seen
        if seen is None or monotonic - seen[1] > self._guard_seconds:
            return None
        return seen[0]

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
