"""Tours and duty days: which scans make a tour, and to which day it belongs. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agent.monitors import Instant
from agent.policy import Checkpoint, PatrolPolicy

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
    """A round in progress; it belongs to the duty day in which it started."""

    id: str
    duty_day: date
    started: Instant
    visited: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Counted:
    """What one scan meant: where it was, and the tours it ended on its way."""

    checkpoint: str | None
    folded: bool
    expired: Tour | None = None
    completed: Tour | None = None


class TourBook:
    """One free-order tour at a time: it opens, is completed, or runs out of time.

    Ages are monotonic, so no jump of the wall clock opens, ends or drops a tour.
    """

    def __init__(
        self, checkpoints: Sequence[Checkpoint], policy: PatrolPolicy, calendar: DutyCalendar
    ) -> None:
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
        checkpoint = self._by_tag.get(tag_id)
        if checkpoint is None:
            return Counted(None, folded, expired)
        if folded:
            return Counted(checkpoint.id, folded, expired)
        tour = self._touched(checkpoint, at)
        if tour is None:
            return Counted(checkpoint.id, folded, expired)
        tour.visited.add(checkpoint.id)
        if self.missed(tour):
            return Counted(checkpoint.id, folded, expired)
        self._completed[tour.duty_day] += 1
        self.open_tour = None
        return Counted(checkpoint.id, folded, expired, completed=tour)

    def _touched(self, checkpoint: Checkpoint, at: Instant) -> Tour | None:
        """Return the tour a scan belongs to, opening one where needed."""
        # An optional point scanned behind the last mandatory one must not open a tour that
        # nobody means to walk.
        if self.open_tour is None and checkpoint.mandatory:
            day = self._calendar.day_of(at.wall)
            self._opened[day] += 1
            self.open_tour = Tour(f"{day}-{self._opened[day]}", day, at)
        return self.open_tour

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
