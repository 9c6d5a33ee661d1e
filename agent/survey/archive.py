"""What a recorder is asked to learn which days it holds: as little as proves it."""

from collections.abc import Generator, Mapping, Sequence
from datetime import date, datetime, time
from random import Random
from typing import Protocol
from zoneinfo import ZoneInfo

from agent.survey.coverage import OLDEST_YEAR, days_of
from agent.survey.view import BEYOND, DAY, Days, Month, View, Wanted, days_between, spans
from drivers.base import Clock, RecorderDriver
from drivers.errors import DeviceTimeoutError
from drivers.readings import Reading, Reason, Unknown
from drivers.recorder.readings import Grade, RecordedDay, RecordedDaysReading

TIMEOUTS_IN_A_ROW = 3
# Locked clips are few; what is not found tonight is gone on with tomorrow.
EDGE_TRIES = 6
DOUBTED_A_NIGHT = 8
# Some recorders need a second page, and a third search, to say that there is no more.
BEYOND_PAGES = 4
# A recorder that is asked for its calendar in vain for these is asked for segments instead.
_NO_CALENDAR = frozenset(
    {Reason.INCONSISTENT, Reason.NOT_MEASURED, Reason.NOT_SUPPORTED, Reason.FORBIDDEN}
)

Asking = Generator[Reading, None, None]


class Known(Protocol):
    """What is known already; agent.monitors.ledger.Ledgers."""

    def believed(self, recorder: str, number: int) -> Mapping[date, RecordedDay]:
        """Return the days of a channel."""

    def doubted(self, recorder: str, number: int) -> frozenset[date]:
        """Return the days of a channel only their segments can clear."""

    def surveyed_until(self, recorder: str, number: int) -> date | None:
        """Return the last day a survey of the channel came to."""


class ArchiveSurvey:
    """Surveys one recorder: first which days there are, then an audit of a few by their segments.

    Steady, a calendar is asked for the newest month and for the one at the edge of the target;
    months that are not wholly known are asked too. The audit looks at yesterday, at the edge, and
    at one day in between that chance chooses, and asks for one of the months in between again.
    """

    def __init__(
        self,
        driver: RecorderDriver,
        wanted: Sequence[Wanted],
        known: Known,
        clock: Clock,
        zone: ZoneInfo,
        chance: Random,
    ) -> None:
        self._driver = driver
        self._wanted = wanted
        self._known = known
        self._clock = clock
        self._zone = zone
        self._chance = chance
        self._timeouts = 0

    def run(self, deadline: float, *, missing_only: bool) -> Generator[Reading, None, bool]:
        """Yield a RecordedDaysReading for every answer; return whether all was asked.

        `missing_only`: channels that are known up to yesterday are left alone.
        """
        self._timeouts = 0
        views = [self.view(each) for each in self._wanted]
        if missing_only:
            views = [view for view in views if view.unknown or not self._surveyed(view)]
        if "extent" in self._driver.gives:
            return (yield from self._extents(views, deadline))
        for step in (self.days, self.audit):
            for view in views:
                if self._clock.monotonic() >= deadline:
                    return False
                yield from step(view, deadline)
        if not missing_only:
            yield from self._oldest(views, deadline)
        return self._clock.monotonic() < deadline

    def days(self, view: View, deadline: float) -> Asking:
        """Learn which days of the target there are."""
        if "calendar" not in self._driver.gives:
            yield from self._by_segments(view, deadline)
            return
        unknown = {(day.year, day.month) for day in view.unknown}
        edges = {view.months[0], view.months[-1]}
        months = [month for month in view.months if month in unknown | edges]
        refused = yield from self._by_calendar(view, months, deadline)
        edge = view.days.get(view.first)
        rest = [month for month in view.months if month not in months]
        if refused is None and rest and edge is not None and not edge.present:
            # It does not reach the edge: how far it does is in the months between.
            refused = yield from self._by_calendar(view, rest, deadline)
        if refused is not None and refused.reason in _NO_CALENDAR:
            yield from self._by_segments(view, deadline)

    def audit(self, view: View, deadline: float) -> Asking:
        """Look at the segments of yesterday, of the edge of the target, and of a day by chance."""
        calendar = dict(view.days)
        inner, middle = view.inner(), view.months[1:-1]
        yield from self._audit_day(view, view.last, deadline)
        for _ in range(EDGE_TRIES):
            edge = view.edge
            if edge is None or edge in view.looked:
                break
            yield from self._audit_day(view, edge, deadline)
        yield from self._beyond(view, deadline)
        doubted = self._known.doubted(self._driver.device_id, view.number)
        for day in sorted(doubted, reverse=True)[:DOUBTED_A_NIGHT]:
            if view.first <= day <= view.last:
                yield from self._audit_day(view, day, deadline)
        if inner:
            yield from self._audit_day(view, self._chance.choice(inner), deadline)
        if "calendar" in self._driver.gives and self._driver.calendar_right is not False:
            if _contradicted(calendar, view):
                self._driver.judge_calendar(right=False)
                view.forget_calendar()
                yield from self._by_segments(view, deadline)
            elif middle:
                yield from self._by_calendar(view, [self._chance.choice(middle)], deadline)

    def _beyond(self, view: View, deadline: float) -> Asking:
        """Ask what is older than the target, where nothing usable is known at its edge.

        A day without video at the edge may be a hole, with the archive going on behind it.
        """
        edge = view.edge
        reached = edge is not None and edge <= view.first
        if reached or view.first not in view.days or self._clock.monotonic() >= deadline:
            return
        start, last = datetime(OLDEST_YEAR, 1, 1), view.first - DAY  # noqa: DTZ001 - its own clock
        end = datetime.combine(last, time(23, 59, 59))
        answer = self._driver.segments(
            view.number, start, end, deadline=deadline, pages=BEYOND_PAGES
        )
        self._count_timeouts(answer)
        if isinstance(answer, Unknown):
            return
        oldest = min((one.start.date() for one in answer.items), default=last)
        first = min(view.first - BEYOND, max(oldest, start.date()))
        found = days_of(answer, first, last, now=self._now())
        near = view.first - BEYOND
        days = {day: one for day, one in found.items() if one.present or day >= near}
        view.days |= days
        if days:
            yield self._reading(view, "A", days)

    def _oldest(self, views: Sequence[View], deadline: float) -> Asking:
        """Ask one channel for the oldest it has: its recorder overwrites all channels alike."""
        reach = [view for view in views if view.edge is not None and view.edge <= view.first]
        if not reach or self._clock.monotonic() >= deadline:
            return
        view = max(reach, key=lambda each: each.last - each.first)
        start, end = datetime(OLDEST_YEAR, 1, 1), datetime.combine(view.first, time.min)  # noqa: DTZ001 - its own clock
        answer = self._driver.segments(view.number, start, end, deadline=deadline, pages=1)
        self._count_timeouts(answer)
        if isinstance(answer, Unknown):
            return
        newest = max((one.end for one in answer.items), default=end)
        if not answer.complete and newest > end - DAY:
            return  # it lists the newest first, and has more
        usable = [one.start.date() for one in answer.items if not one.locked and one.start >= start]
        if usable:
            yield self._reading(view, "A", {min(usable): RecordedDay(present=True, usable=True)})

    # -- asking

    def _by_calendar(
        self, view: View, months: Sequence[Month], deadline: float
    ) -> Generator[Reading, None, Unknown | None]:
        """Ask for months; return why the calendar says nothing, or not all."""
        told: dict[date, bool] = {}
        refused: Unknown | None = None
        for month in months:
            if self._clock.monotonic() >= deadline:
                break
            answer = self._driver.month_days(view.number, *month, deadline=deadline)
            self._count_timeouts(answer)
            if isinstance(answer, Unknown):
                refused = answer
                if answer.reason in _NO_CALENDAR:
                    break
                continue
            days = {date(*month, day): present for day, present in answer.items()}
            if any(present and day > view.last + 2 * DAY for day, present in days.items()):
                # It answered for another month: nobody has recorded on days to come.
                refused = Unknown(reason=Reason.INCONSISTENT, detail="video on days to come")
                told = {}
                break
            told |= {day: present for day, present in days.items() if day <= view.last}
        if told:
            doubt = yield from self._doubted(view, told, deadline)
            if doubt is not None:
                refused, told = doubt, {}
        if told:
            view.take_calendar(told)
            yield self._reading(view, "B", {d: RecordedDay(present=p) for d, p in told.items()})
        if refused is not None:
            yield self._reading(view, "B", refused)
        return refused

    def _doubted(
        self, view: View, told: dict[date, bool], deadline: float
    ) -> Generator[Reading, None, Unknown | None]:
        """Look at segments where a calendar is not to be taken at its word; None: it holds.

        Once a firmware: a day it says is there, and one it says is not; one that knows of nothing
        is not believed before that. And always where it knows of nothing at all, or not any more
        of a day inside the target. What cannot be confirmed of that is taken out of `told`.
        """
        there = [day for day, present in told.items() if present]
        if not there and self._driver.calendar_right is None:
            return Unknown(reason=Reason.INCONSISTENT, detail="its calendar is empty")
        absent = [day for day, present in told.items() if not present]
        vanished = {
            day
            for day in absent
            if day >= view.first and day in view.days and view.days[day].present
        }
        doubted = [max(vanished)] if vanished else []
        if not there:
            doubted.append(view.last)
        elif self._driver.calendar_right is None:
            doubted += [max(there), *([max(absent)] if absent else [])]
        confirmed = bool(there)
        for day in dict.fromkeys(doubted):
            found = yield from self._look_at(view, day, day, deadline)
            confirmed = confirmed and day in found
            if day in found and found[day].present != told.get(day, found[day].present):
                self._driver.judge_calendar(right=False)
                detail = f"its calendar and its search differ on {day}"
                return Unknown(reason=Reason.INCONSISTENT, detail=detail)
            if day not in found and not there:
                return Unknown(reason=Reason.INCONSISTENT, detail="its calendar is empty")
            if day not in found and day in vanished:
                for each in vanished:
                    del told[each]
        if confirmed and self._driver.calendar_right is None:
            self._driver.judge_calendar(right=True)
        return None

    def _by_segments(self, view: View, deadline: float) -> Asking:
        """List the days of the target that are not known, in spans the recorder bears."""
        for first, last in spans(view.unknown, self._driver.span_days):
            if self._clock.monotonic() < deadline:
                yield from self._look_at(view, first, last, deadline)

    def _audit_day(self, view: View, day: date, deadline: float) -> Asking:
        if day not in view.looked and self._clock.monotonic() < deadline:
            yield from self._look_at(view, day, day, deadline)

    def _look_at(
        self, view: View, first: date, last: date, deadline: float
    ) -> Generator[Reading, None, Days]:
        """Search a span of days; put what is found into `view`, and return it."""
        start, end = datetime.combine(first, time.min), datetime.combine(last, time(23, 59, 59))
        answer = self._driver.segments(view.number, start, end, deadline=deadline)
        self._count_timeouts(answer)
        view.looked |= set(days_between(first, last))
        days: Days = {}
        if not isinstance(answer, Unknown):
            days = days_of(answer, first, last, now=self._now())
            answer = Unknown(reason=Reason.TRUNCATED, detail="its search came to no end")
        view.days |= days
        yield self._reading(view, "A", days or answer)
        return days

    def _extents(self, views: Sequence[View], deadline: float) -> Generator[Reading, None, bool]:
        """Take the recorder's word for the oldest and the newest of each channel."""
        answer = self._driver.extents(deadline=deadline)
        for view in views:
            extent = None if isinstance(answer, Unknown) else answer.get(view.number)
            if isinstance(answer, Unknown) or extent is None:
                detail = "it lists no recording of this channel"
                unlisted = Unknown(reason=Reason.NOT_MEASURED, detail=detail)
                yield self._reading(view, "C", answer if isinstance(answer, Unknown) else unlisted)
                continue
            oldest, newest = extent.oldest.date(), min(extent.newest.date(), view.last)
            days = {
                day: RecordedDay(present=False)
                for day in days_between(view.first - BEYOND, view.last)
                if day < oldest or day > newest
            }
            days |= {day: RecordedDay(present=True) for day in (oldest, newest) if day <= view.last}
            yield self._reading(view, "C", days)
        return not isinstance(answer, Unknown)

    def _count_timeouts(self, answer: object) -> None:
        timed_out = isinstance(answer, Unknown) and answer.reason is Reason.TIMEOUT
        self._timeouts = self._timeouts + 1 if timed_out else 0
        if self._timeouts >= TIMEOUTS_IN_A_ROW:
            raise DeviceTimeoutError(
                f"recorder {self._driver.device_id} left {self._timeouts} questions about its "
                "recordings in a row unanswered; the rest is asked at the next survey"
            )

    def _reading(self, view: View, grade: Grade, days: Days | Unknown) -> RecordedDaysReading:
        return RecordedDaysReading(
            device_id=self._driver.device_id,
            observed_at=self._clock.now(),
            channel=view.number,
            grade=grade,
            days=days,
        )

    def view(self, each: Wanted) -> View:
        """Return what is known of a channel, to be surveyed."""
        last = self._now().date() - DAY
        known = self._known.believed(self._driver.device_id, each.number)
        first = last - (each.target_days - 1) * DAY
        return View(each.number, first, last, dict(known))

    def _surveyed(self, view: View) -> bool:
        return self._known.surveyed_until(self._driver.device_id, view.number) == view.last

    def _now(self) -> datetime:
        """Return the recorder's wall clock; the site's where it could not be read."""
        wall = self._driver.wall_clock()
        if isinstance(wall, Unknown):
            return self._clock.now().astimezone(self._zone).replace(tzinfo=None)
        return wall


def _contradicted(calendar: Mapping[date, RecordedDay], view: View) -> bool:
    """Tell whether segments looked at tonight differ from what the calendar said of their days.

    Not where the oldest day has gone meanwhile: that is what recorders do.
    """
    oldest = min((day for day, one in view.days.items() if one.present), default=view.last)
    return any(
        calendar[day].present != view.days[day].present
        for day in view.looked & calendar.keys() & view.days.keys()
        if calendar[day].usable is None and (day > oldest or view.days[day].present)
    )
