"""Patrols: completed tours of the duty day against the county's figure, and the readers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from agent.county.contract import Event, State
from agent.county.event_data import PatrolDayEventData, PatrolWindowEventData
from agent.county.state_data import PatrolState, PatrolWindow
from agent.findings import Cause, Finding, Verdict, worst
from agent.monitors import Instant
from agent.monitors.day_windows import Over, Window, Word
from agent.monitors.duty_calendar import (
    COUNTED_BACK_DAYS,
    ONE_DAY,
    DutyCalendar,
    SchoolCalendar,
)
from agent.monitors.duty_days import DutyDays
from agent.monitors.patrol_events import SITE, late_event, refused_event, scan_event, tour_event
from agent.monitors.patrol_journal import instants
from agent.monitors.posts import PostBook
from agent.monitors.readers import ReaderWatch, WatchedTime
from agent.monitors.rounds import RoundBook
from agent.monitors.tally import Tally
from agent.monitors.tours import Counted, Tour, TourBook
from agent.monitors.unknown_cards import TOO_MANY, WITHIN_SECONDS, UnknownCards
from agent.monitors.wand_watch import WandWatch, scanned_at
from agent.policy_patrol import (
    CalendarPolicy,
    Checkpoint,
    GuardCard,
    PatrolPolicy,
    Post,
    Round,
)
from drivers.readings import Reading, ScanReading

# A guard who hears no beep tries again: shorter gaps, as of a restart, hide no tour.
BLIND_TOLERANCE_SECONDS = 300
DAY_SECONDS = 86_400.0
# What may be said of a window while nobody knows what is in the wands.
_OF_UNKNOWN: Mapping[Word, Word] = {"late": "due", "missed": "not_observed"}


class PatrolMonitor:
    """Watches the readers of one site and counts its tours.

    A short day that was not watched throughout is unknown, never missed; a short yesterday
    stands until today's duty is met.
    """

    def __init__(
        self,
        readers: Sequence[str],
        checkpoints: Sequence[Checkpoint],
        policy: PatrolPolicy,
        zone: ZoneInfo,
        guards: Sequence[GuardCard] = (),
        posts: Sequence[Post] = (),
        school: CalendarPolicy | None = None,
        rounds: Sequence[Round] = (),
        *,
        opens_by_card: bool = False,
        upload_hours: Mapping[str, float] | None = None,
    ) -> None:
        """`upload_hours`: of those of the readers at which wands are docked."""
        self._policy = policy
        self._calendar = DutyCalendar(zone, policy.day_starts)
        self._readers = ReaderWatch(readers, self._calendar)
        self._wands = WandWatch(readers, upload_hours or {})
        book = TourBook(checkpoints, policy, self._calendar, guards, opens_by_card=opens_by_card)
        self._tally = Tally(book, late=bool(self._wands))
        self._unknown_cards = UnknownCards()
        has_school = SchoolCalendar(school or CalendarPolicy()).has_school
        self._posts = PostBook(posts, self._calendar, has_school)
        self._rounds = RoundBook(rounds, checkpoints, self._calendar)
        self._last_scan_at: datetime | None = None
        self._days = DutyDays()
        self._forgot_on: date | None = None

    @property
    def _book(self) -> TourBook:
        return self._tally.book

    def _first_day(self, now: Instant) -> date:
        """Return the oldest duty day that may still change."""
        back = COUNTED_BACK_DAYS if self._wands else 1
        return self._calendar.day_of(now.wall) - back * ONE_DAY

    def restore_since(self, now: Instant) -> datetime:
        """Return from when on `restore` needs the journalled scans.

        One day more than is judged: a tour in progress at the first instant must not shift the
        tours behind it, and some pause of that day puts them right.
        """
        return self._calendar.start_of(self._first_day(now) - ONE_DAY)

    def restore(
        self, scans: Sequence[ScanReading], now: Instant, watched: WatchedTime | None = None
    ) -> None:
        """Count journalled scans again, in the order they were written; nothing is announced.

        Call it once, before anything else. Without `watched`, what `watched_time` gave late in
        the last run, today so far and yesterday count as not watched.
        """
        since = self.restore_since(now)
        kept = [scan for scan in scans if scan.observed_at >= since]
        for scan, at in zip(kept, instants(kept, now), strict=True):
            self._count(scan, at, now)
        away = None if watched is None else (now.wall - watched.until).total_seconds()
        # Where nobody knows how long nothing ran, it was for longer than any post is left alone.
        self._posts.blind_for(max(0.0, DAY_SECONDS if away is None else away))
        if watched is None:
            return
        self._readers.restore(watched)
        self._wands.restore(watched.docked)
        self._days.restore(watched.closed, watched.days, self._book.completed)
        # What is scanned with a wand while nothing runs is in the wand.
        until = watched.until if self._wands.alone else now.wall
        self._book.windows.restore(watched.windows, watched.until, until)
        self._posts.restore(watched.posts, watched.until, now.wall)
        self._rounds.restore(watched.rounds)
        # A tour that ran out before the last run ended has been announced by it.
        ended = Instant(watched.until, now.monotonic - max(0.0, away or 0.0))
        self._expire(ended)

    def watched_time(self, now: Instant) -> WatchedTime:
        """Return what to keep on disk, every minute or so, for the next run's `restore`."""
        windows, posts = self._book.windows.kept(), self._posts.kept()
        days = {"closed": self._days.closed, "days": self._days.told}
        of_times = {"windows": windows, "posts": posts, "rounds": self._rounds.kept()}
        more = {**days, **of_times, "docked": self._wands.docked}
        return self._readers.watched_time(now).model_copy(update=more)

    def observe(self, reading: Reading, now: Instant) -> Sequence[Event]:
        """Take in one reading of a reader; return what just happened."""
        if reading.device_id not in self._readers:
            return ()
        events = list(self._readers.observe(reading, now))
        self._wands.observe(reading)
        if isinstance(reading, ScanReading):
            events += self._count(reading, scanned_at(reading, now), now)
        return events

    def _expire(self, now: Instant) -> Tour | None:
        return self._tally.expire(
            self._wands.seen_until(now).monotonic, self._wands.docked_until(now).monotonic
        )

    def tick(self, now: Instant) -> Sequence[Event]:
        """End a tour whose time is over; notice silent readers."""
        self._forget(now)
        seen, alone = self._wands.seen_until(now), self._wands.alone
        events = self._settle(now) if self._tally.is_stuck(now.monotonic) else []
        expired = self._expire(now)
        if expired is not None:
            events += [tour_event(("incomplete", expired), self._book, seen.wall, late=alone)]
        watched = not self._readers.unwatched(now)
        events += self._posts.tick(now, watched=watched and not alone)
        unseen = self._wands.given_up(now)
        events += self._late(seen, now, watched=watched and not unseen)
        events += self._rounds.tick(now)
        return [*events, *self._close_days(seen, now), *self._readers.tick(now)]

    def _forget(self, now: Instant) -> None:
        """Let go, once a day, of scans of days that do not change any more."""
        today = self._calendar.day_of(now.wall)
        if today != self._forgot_on:
            self._forgot_on, since = today, self.restore_since(now)
            age = (now.wall - since).total_seconds()
            self._tally.forget(Instant(since, now.monotonic - age))

    def _late(self, seen: Instant, now: Instant, *, watched: bool) -> Sequence[Event]:
        """Tell of each time for a tour that is nearly over, or over, without one."""
        if not self._readers or not self._book.mandatory:
            return ()
        over = self._book.windows.tick(seen, watched=watched, begun=now.wall)
        return [
            _window_event(window, what, now.wall)
            for window, what in over
            if what != "late" or now.wall <= window.closes
        ]

    def _close_days(self, seen: Instant, now: Instant) -> Sequence[Event]:
        """Tell what each duty day came to that has ended."""
        if not self._readers or not self._book.mandatory:
            return ()
        last = self._calendar.day_of(seen.wall) - ONE_DAY
        tour = self._book.open_tour
        days = self._days.close(last, self._day, None if tour is None else tour.duty_day)
        return [Event(subject=SITE, time=now.wall, data=day) for day in days]

    def _day(self, day: date) -> PatrolDayEventData:
        done, required = self._book.completed(day), self._policy.tours_min_per_day
        blind = self._readers.blind_seconds(day)
        if self._wands.alone:
            start, end = self._calendar.start_of(day), self._calendar.start_of(day + ONE_DAY)
            blind = self._wands.unseen_seconds(start, end)
        what: Literal["met", "missed", "not_observed"] = "missed"
        if done >= required:
            what = "met"
        elif blind > BLIND_TOLERANCE_SECONDS:
            what = "not_observed"
        return PatrolDayEventData(
            what=what,
            duty_day=day,
            tours_done=done,
            tours_min_per_day=required,
            blind_minutes=math.ceil(blind / 60),
        )

    def states(self, now: Instant) -> Sequence[State]:
        """Return the state of each reader and of the duty day."""
        today = self._calendar.day_of(now.wall)
        finding = self._finding(today, now)
        tour, windows = self._book.open_tour, self._book.windows
        due_from, due_until = self._due(today, now)
        left = None if due_until is None else (due_until - now.wall).total_seconds() // 60
        patrol = PatrolState(
            verdict=finding.verdict,
            causes=finding.causes,
            observed_at=finding.evidence_at,
            duty_day=today,
            tours_done=self._book.completed(today),
            tours_min_per_day=self._policy.tours_min_per_day,
            open_tour=None if tour is None else tour.id,
            last_scan_at=self._last_scan_at,
            due_from=due_from,
            due_until=due_until,
            minutes_left=None if left is None else int(left),
            windows=tuple(
                PatrolWindow(window=one.span, word=self._word(one, now))
                for one in windows.of(today)
            ),
        )
        posts = self._posts.states(now)
        rounds = self._rounds.states(now)
        return [*self._readers.states(now), State(id=SITE, data=patrol), *posts, *rounds]

    def _due(self, today: date, now: Instant) -> tuple[datetime | None, datetime | None]:
        """Return from when to when the next tour is to be walked; of windows, the whole of it."""
        if self._book.windows:
            window = self._book.windows.next_at(now.wall)
            return (None, None) if window is None else (window.opens, window.closes)
        if self._book.completed(today) >= self._policy.tours_min_per_day:
            return None, None
        return self._calendar.start_of(today), self._calendar.start_of(today + ONE_DAY)

    def _word(self, window: Window, now: Instant) -> Word:
        """Say how it stands with a window; before a wand is docked nobody knows."""
        word = self._book.windows.word(window, now.wall)
        known = not self._wands.alone or self._wands.seen_until(now).wall > window.closes
        return word if known else _OF_UNKNOWN.get(word, word)

    def _count(self, scan: ScanReading, at: Instant, now: Instant) -> Sequence[Event]:
        if scan.wand is not None:
            events = [] if self._tally.knows(scan.token) else self._late_scan(scan, at, now)
            return events if scan.more else [*events, *self._settle(now)]
        refused = refused_event(scan, self._book)
        if refused is not None:
            return [refused]
        post, manned = self._posts.scan(scan.tag_id, at)
        counted, ended = self._tally.scan(scan, at)
        self._came(scan, counted)
        if {counted.checkpoint, counted.guard, post} == {None} and not counted.folded:
            self._unknown_cards.came(at.monotonic)
        told = [(one[0], tour_event(one, self._book, at.wall)) for one in ended]
        return [
            *(event for what, event in told if what == "incomplete"),
            scan_event(scan, counted, post),
            *manned,
            *self._of_rounds(counted, at),
            *(event for what, event in told if what == "completed"),
        ]

    def _of_rounds(self, counted: Counted, at: Instant) -> Sequence[Event]:
        return () if counted.checkpoint is None else self._rounds.scan(counted.checkpoint, at)

    def _late_scan(self, scan: ScanReading, at: Instant, now: Instant) -> list[Event]:
        """Take a scan of a wand; the tours of its docking are told with the last one of it."""
        refused = refused_event(scan, self._book)
        if refused is not None:
            return [refused]
        if self._calendar.day_of(at.wall) < self._first_day(now) or self._tally.is_full:
            return [late_event(scan, self._book)]
        post, manned = self._posts.scan(scan.tag_id, at)
        counted = self._tally.late_scan(scan, at, now.monotonic)
        self._came(scan, counted)
        return [scan_event(scan, counted, post), *manned, *self._of_rounds(counted, at)]

    def _settle(self, now: Instant) -> list[Event]:
        """Tell of all that a docking changes, once it is whole."""
        ended = self._tally.settle(self._first_day(now))
        return [
            *(
                tour_event(one, self._book, (one[1].last or one[1].started).wall, late=True)
                for one in ended
            ),
            *(
                _window_event(window, "made_good", now.wall)
                for window in self._book.windows.made_good()
            ),
            *(
                Event(subject=SITE, time=now.wall, data=day)
                for day in self._days.corrected(self._book.completed)
            ),
        ]

    def _came(self, scan: ScanReading, counted: Counted) -> None:
        if counted.checkpoint is not None:
            self._last_scan_at = max(scan.observed_at, self._last_scan_at or scan.observed_at)

    def _finding(self, today: date, now: Instant) -> Finding:
        judged = list(self._judge(today, now))
        evidence = [at for at in (self._readers.evidence_at(), self._last_scan_at) if at]
        return Finding(
            verdict=worst(verdict for verdict, _ in judged) if judged else Verdict.OK,
            causes=tuple(cause for _, cause in judged),
            evidence_at=max(evidence, default=None),
        )

    def _judge(self, today: date, now: Instant) -> Iterable[tuple[Verdict, Cause]]:
        """Yield all that keeps the duty day from being well."""
        if self._unknown_cards.are_many(now.monotonic):
            params: dict[str, str | int | float] = {
                "cards": TOO_MANY,
                "minutes": int(WITHIN_SECONDS // 60),
            }
            yield Verdict.WARN, Cause(code="patrol.unknown_cards", params=params)
        if not self._book.mandatory:
            yield Verdict.UNKNOWN, Cause(code="patrol.no_checkpoints")
            return
        if not self._readers:
            yield Verdict.UNKNOWN, Cause(code="patrol.no_reader")
            return
        done, required = self._book.completed(today), self._policy.tours_min_per_day
        if done >= required:
            return
        yield from self._judge_yesterday(today - ONE_DAY)
        for reader in self._readers.unwatched(now):
            yield Verdict.UNKNOWN, Cause(code="patrol.reader_unwatched", params={"reader": reader})
        yield from self._judge_windows(today, required - done, now)
        # Not a fault before the day is over, and not a pass before they are walked.
        params = {
            "done": done,
            "required": required,
            "remaining": required - done,
        }
        yield Verdict.WARN, Cause(code="patrol.tours_due", params=params)

    def _judge_windows(
        self, today: date, needed: int, now: Instant
    ) -> Iterable[tuple[Verdict, Cause]]:
        """Yield the day's times that passed without a tour: a fault once too few are left."""
        by_word: dict[str, list[str]] = {}
        for window in self._book.windows.of(today):
            by_word.setdefault(self._word(window, now), []).append(window.span)
        left = sum(len(by_word.get(word, ())) for word in ("planned", "due", "late"))
        unseen = by_word.get("not_observed", [])
        if missed := by_word.get("missed"):
            verdict = Verdict.FAIL if left + len(unseen) < needed else Verdict.WARN
            yield verdict, Cause(code="patrol.window_missed", params={"times": ", ".join(missed)})
        if unseen and left < needed:
            params: dict[str, str | int | float] = {"times": ", ".join(unseen)}
            code = "patrol.window_not_docked" if self._wands.alone else "patrol.window_unseen"
            yield Verdict.UNKNOWN, Cause(code=code, params=params)
        for span in by_word.get("late", ()):
            yield Verdict.WARN, Cause(code="patrol.tour_late", params={"time": span})

    def _judge_yesterday(self, day: date) -> Iterable[tuple[Verdict, Cause]]:
        over, tour = self._day(day), self._book.open_tour
        if over.what == "met" or (tour is not None and tour.duty_day == day):
            return
        params: dict[str, str | int | float] = {
            "duty_day": day.isoformat(),
            "done": over.tours_done,
            "required": over.tours_min_per_day,
        }
        if over.what == "not_observed":
            params["blind_minutes"] = over.blind_minutes
            code = "patrol.not_docked" if self._wands.alone else "patrol.not_observed"
            yield Verdict.UNKNOWN, Cause(code=code, params=params)
        else:
            yield Verdict.FAIL, Cause(code="patrol.tours_missed", params=params)


def _window_event(window: Window, what: Over | Literal["made_good"], moment: datetime) -> Event:
    data = PatrolWindowEventData(
        what=what, window=window.span, duty_day=window.day, closes_at=window.closes
    )
    return Event(subject=SITE, time=moment, data=data)
