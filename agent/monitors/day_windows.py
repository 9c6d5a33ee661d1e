"""Times of the duty day at which something is to be done once: which are done or past. Pure."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, NamedTuple

from agent.monitors import Instant
from agent.monitors.duty_calendar import COUNTED_BACK_DAYS, ONE_DAY, DutyCalendar
from drivers.readings import Frozen

# A guard who hears no beep tries again: shorter gaps, as of a restart, hide nothing.
BLIND_TOLERANCE_SECONDS = 300.0

Word = Literal["planned", "due", "late", "done", "missed", "not_observed"]
Over = Literal["late", "missed", "not_observed"]
EVERY_DAY: Callable[[date], bool] = lambda _: True  # noqa: E731 - a default is a value


class Window(NamedTuple):
    """One time of one duty day: `opens` before it begins, and `closes` after it ends.

    The `key` names it for ever.
    """

    key: str
    day: date
    span: str
    opens: datetime
    begins: datetime
    ends: datetime
    closes: datetime


class KeptWindow(Frozen):
    """What of a window must survive a restart; whether it is done is read in the journal."""

    blind_seconds: float = 0.0
    late: bool = False
    over: bool = False
    told: bool = False


@dataclass
class _Progress:
    blind_seconds: float = 0.0
    done: bool = False
    late: bool = False
    over: bool = False
    # Whether it was told to be over without what was to be done, and then that it was done.
    told: bool = False
    good: bool = False


class DayWindows:
    """The windows of every duty day, and how far they have come; a day may have `none`."""

    def __init__(
        self,
        spans: Sequence[str],
        calendar: DutyCalendar,
        *,
        early_minutes: float = 0,
        grace_minutes: float = 0,
        on: Callable[[date], bool] = EVERY_DAY,
    ) -> None:
        self._spans = [tuple(map(time.fromisoformat, span.split("-"))) for span in spans]
        self._calendar = calendar
        self._early = timedelta(minutes=early_minutes)
        self._grace = timedelta(minutes=grace_minutes)
        self._on = on
        self._known: dict[str, _Progress] = {}
        self._planned: dict[date, Sequence[Window]] = {}
        self._begun: datetime | None = None
        self._told_at: float | None = None
        self._forgot_on: date | None = None

    def __bool__(self) -> bool:
        return bool(self._spans)

    def of(self, day: date) -> Sequence[Window]:
        """Return the windows of a duty day, in the order of the day."""
        planned = self._planned.get(day)
        if planned is None:
            planned = self._planned[day] = self._plan(day)
        return planned

    def _plan(self, day: date) -> Sequence[Window]:
        found = []
        for begin, end in self._spans if self._on(day) else ():
            begins, ends = self._calendar.at(day, begin), self._calendar.at(day, end)
            if ends <= begins:
                ends = self._calendar.at(day + ONE_DAY, end)
            opens, closes = begins - self._early, ends + self._grace
            span = f"{begin:%H:%M}-{end:%H:%M}"
            found.append(Window(f"{day} {span}", day, span, opens, begins, ends, closes))
        return sorted(found, key=lambda one: one.begins)

    def open_at(self, moment: datetime) -> Window | None:
        """Return the first window that is open and has not been done yet."""
        for window in self._around(moment):
            if window.opens <= moment <= window.closes and not self._progress(window).done:
                return window
        return None

    def next_at(self, moment: datetime) -> Window | None:
        """Return what is to be done next: a window that is open, or the next one to come."""
        for window in self._around(moment):
            if moment <= window.closes and not self._progress(window).done:
                return window
        return None

    def last_before(self, moment: datetime) -> Window | None:
        """Return the last window that is done or over, of today and yesterday."""
        ended = [
            window
            for window in self._around(moment)
            if moment > window.closes or self._progress(window).done
        ]
        return ended[-1] if ended else None

    def do(self, window: Window) -> None:
        """Note that what was to be done in a window is."""
        self._progress(window).done = True

    def anew(self) -> "DayWindows":
        """Return the same windows with nothing done, to count it anew beside these."""
        fresh = copy.copy(self)
        fresh._known = {}  # noqa: SLF001 - one of us
        return fresh

    def take(self, fresh: "DayWindows") -> None:
        """Take over what is done by another count; what was told stays told."""
        theirs = fresh._known  # noqa: SLF001 - one of us
        for key in self._known.keys() | theirs.keys():
            counted = theirs.get(key)
            self._known.setdefault(key, _Progress()).done = counted is not None and counted.done

    def made_good(self) -> Sequence[Window]:
        """Return the windows told to be missed of which it is known since that they are done."""
        found = []
        for planned in self._planned.values():
            for window in planned:
                progress = self._progress(window)
                if progress.done and progress.told and not progress.good:
                    progress.good = True
                    found.append(window)
        return found

    def word(self, window: Window, moment: datetime) -> Word:
        """Say how it stands with a window."""
        progress = self._progress(window)
        if progress.done:
            return "done"
        if moment > window.closes:
            return "not_observed" if self._blind(progress) else "missed"
        if moment > window.ends:
            return "late"
        return "planned" if moment < window.opens else "due"

    def tick(
        self, now: Instant, *, watched: bool, begun: datetime | None = None
    ) -> Sequence[tuple[Window, Over]]:
        """Let time pass; `watched`: every reader was. Return what is late or over since.

        What was over when nobody had ever watched, or had `begun` to, is not told.
        """
        passed = 0.0 if self._told_at is None else now.monotonic - self._told_at
        self._told_at = now.monotonic
        if self._begun is None:
            self._begun = begun or now.wall
            self.restore({}, self._begun, self._begun)
        told: list[tuple[Window, Over]] = []
        for window in self._around(now.wall):
            progress = self._progress(window)
            if progress.done or progress.over or now.wall < window.opens:
                continue
            if not watched and now.wall <= window.closes:
                progress.blind_seconds += passed
            word = self.word(window, now.wall)
            if word == "late" and not progress.late:
                progress.late = True
                told.append((window, word))
            elif word in {"missed", "not_observed"}:
                progress.over = progress.told = True
                told.append((window, "missed" if word == "missed" else "not_observed"))
        self._forget(self._calendar.day_of(now.wall))
        return told

    def kept(self) -> Mapping[str, KeptWindow]:
        """Return what `restore` needs of this run."""
        return {
            key: KeptWindow(
                blind_seconds=one.blind_seconds, late=one.late, over=one.over, told=one.told
            )
            for key, one in self._known.items()
        }

    def restore(self, kept: Mapping[str, KeptWindow], until: datetime, now: datetime) -> None:
        """Go on from what an earlier run knew, which ended at `until`.

        Nobody was told of a window that is new, so the time before is not held against anybody.
        """
        for key, one in kept.items():
            progress = self._known.setdefault(key, _Progress())
            progress.blind_seconds, progress.late, progress.over, progress.told = (
                one.blind_seconds,
                one.late,
                one.over,
                one.told,
            )
            # It was told in the commit of the scan by which it is known to be done.
            progress.good = progress.told and progress.done
        self._begun = until
        new = [window for window in self._around(until) if window.key not in kept]
        self._add_blind(new, None, until)
        for window in new:
            self._progress(window).over |= until > window.closes
        self._add_blind(self._around(now), until, now)

    def _add_blind(
        self, windows: Sequence[Window], since: datetime | None, until: datetime
    ) -> None:
        """Count time in which nothing ran; None: since ever."""
        for window in windows:
            start = window.opens if since is None else max(since, window.opens)
            seconds = (min(until, window.closes) - start).total_seconds()
            self._progress(window).blind_seconds += max(0.0, seconds)

    def _around(self, moment: datetime) -> Sequence[Window]:
        """Return the windows of yesterday, today and tomorrow."""
        today = self._calendar.day_of(moment)
        return [one for day in (-1, 0, 1) for one in self.of(today + day * ONE_DAY)]

    def _progress(self, window: Window) -> _Progress:
        return self._known.setdefault(window.key, _Progress())

    def _forget(self, today: date) -> None:
        if today == self._forgot_on:
            return
        self._forgot_on, first = today, str(today - (COUNTED_BACK_DAYS + 1) * ONE_DAY)
        self._known = {key: one for key, one in self._known.items() if key[:10] >= first}
        self._planned = {day: one for day, one in self._planned.items() if str(day) >= first}

    @staticmethod
    def _blind(progress: _Progress) -> bool:
        return progress.blind_seconds > BLIND_TOLERANCE_SECONDS
