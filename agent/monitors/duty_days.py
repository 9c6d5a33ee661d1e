"""Duty days that are over: each is told once, and again if a late wand shows it met. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from agent.county.event_data import PatrolDayEventData
from agent.monitors.duty_calendar import COUNTED_BACK_DAYS, ONE_DAY

# Days that ended while nothing ran are told when it runs again, so many at most.
DAYS_TOLD_LATE = 7


class DutyDays:
    """Which days were told to be over, and what they came to."""

    def __init__(self) -> None:
        self.closed: date | None = None
        self.told: dict[date, PatrolDayEventData] = {}

    def restore(
        self,
        closed: date | None,
        told: Mapping[date, PatrolDayEventData],
        done: Callable[[date], int],
    ) -> None:
        """Go on from what an earlier run told; `done` counts the tours of a day."""
        self.closed, self.told = closed, dict(told)
        # What its scans have corrected was told in the commit of those scans.
        self.corrected(done)

    def close(
        self, last: date, judge: Callable[[date], PatrolDayEventData], walked: date | None
    ) -> Sequence[PatrolDayEventData]:
        """Return what each day up to the `last` one came to; one still `walked` is waited for.

        A site whose clock was set back has told its last day already.
        """
        if self.closed is None or self.closed > last:
            self.closed = last
        self.closed = max(self.closed, last - DAYS_TOLD_LATE * ONE_DAY)
        found = []
        while self.closed < last and walked != self.closed + ONE_DAY:
            self.closed += ONE_DAY
            found.append(judge(self.closed))
            self.told[self.closed] = found[-1]
        first = last - COUNTED_BACK_DAYS * ONE_DAY
        self.told = {day: one for day, one in self.told.items() if day >= first}
        return found

    def corrected(self, done: Callable[[date], int]) -> Sequence[PatrolDayEventData]:
        """Return the days that are met after all, by tours that were not known before."""
        found = []
        for day, told in self.told.items():
            tours = done(day)
            if told.what != "met" and tours >= told.tours_min_per_day:
                found.append(
                    told.model_copy(update={"what": "met", "tours_done": tours, "correction": True})
                )
        self.told.update({one.duty_day: one for one in found})
        return found
