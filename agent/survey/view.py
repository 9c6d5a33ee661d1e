"""What a survey holds of one channel while it asks: days known, days looked at tonight."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

from agent.monitors.depth import BEYOND_DAYS
from drivers.recorder.readings import RecordedDay

DAY = timedelta(days=1)
# Days before the target that must be known absent, or the archive may go on behind a hole.
BEYOND = BEYOND_DAYS * DAY

Month = tuple[int, int]
Days = dict[date, RecordedDay]


@dataclass(frozen=True)
class Wanted:
    """A channel, and how many days of it must be held."""

    number: int
    target_days: int


@dataclass
class View:
    """One channel up to `last`, yesterday; `first` is the edge of its target.

    A day with `usable` None is known by the calendar alone.
    """

    number: int
    first: date
    last: date
    days: Days
    looked: set[date] = field(default_factory=set)

    @property
    def unknown(self) -> list[date]:
        """Return the days of the target nothing is known of, oldest first."""
        return [day for day in days_between(self.first, self.last) if day not in self.days]

    @property
    def months(self) -> list[Month]:
        """Return the calendar months of the target, newest first."""
        return months_of(self.first, self.last)

    @property
    def edge(self) -> date | None:
        """Return the day that shows how far back it reaches: at the edge, or nearest before it.

        Else the oldest there is. Days of locked clips alone do not count.
        """
        there = [day for day, one in self.days.items() if one.present and one.usable is not False]
        older = [day for day in there if day <= self.first]
        return max(older) if older else min(there, default=None)

    def inner(self) -> list[date]:
        """Return days between yesterday and the edge to look at: unproven ones, if there are."""
        there = [
            day for day, one in self.days.items() if self.first < day < self.last and one.present
        ]
        return [day for day in there if self.days[day].usable is None] or there

    def take_calendar(self, told: Mapping[date, bool]) -> None:
        """Take in the calendar's word, which does not outrank segments unless a day has gone."""
        for day, present in told.items():
            known = self.days.get(day)
            if known is None or (known.present and not present):
                self.days[day] = RecordedDay(present=present)

    def forget_calendar(self) -> None:
        """Drop all that only the calendar has said."""
        self.days = {day: one for day, one in self.days.items() if one.usable is not None}


def months_of(first: date, last: date) -> list[Month]:
    """Return the calendar months of a span of days, newest first."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    newest = last.year * 12 + last.month - 1
    return [((newest - back) // 12, (newest - back) % 12 + 1) for back in range(count)]


def spans(days: Sequence[date], longest: int) -> list[tuple[date, date]]:
    """Cut days into runs without a gap, none longer than `longest`."""
    if not days:
        return []
    found = [(days[0], days[0])]
    for before, day in pairwise(days):
        start, _ = found[-1]
        if day - before == DAY and (day - start).days < longest:
            found[-1] = (start, day)
        else:
            found.append((day, day))
    return found


def days_between(first: date, last: date) -> Iterator[date]:
    """Give every day from `first` to `last`, both included."""
    while first <= last:
        yield first
        first += DAY
