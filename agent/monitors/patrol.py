"""Patrols: completed tours of the duty day against the county's figure, and the readers."""

import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from agent.county.contract import Event, State
from agent.county.event_data import (
    PatrolDayEventData,
    PatrolWindowEventData,
    ScanEventData,
    TourEventData,
)
from agent.county.state_data import PatrolState, PatrolWindow
from agent.findings import Cause, Finding, Verdict, worst
from agent.monitors import Instant
from agent.monitors.duty_calendar import ONE_DAY, DutyCalendar, SchoolCalendar
from agent.monitors.posts import PostBook
from agent.monitors.readers import ReaderWatch, WatchedTime
from agent.monitors.rounds import RoundBook
from agent.monitors.tours import Tour, TourBook
from agent.monitors.unknown_cards import TOO_MANY, WITHIN_SECONDS, UnknownCards
from agent.policy_patrol import (
    CalendarPolicy,
    Checkpoint,
    GuardCard,
    PatrolPolicy,
    Post,
    Round,
)
from drivers.readings import Reading, ScanReading

SITE = "site"
# A guard who hears no beep tries again: shorter gaps, as of a restart, hide no tour.
BLIND_TOLERANCE_SECONDS = 300
# Days that ended while nothing ran are told when it runs again, so many at most.
DAYS_TOLD_LATE = 7
DAY_SECONDS = 86_400.0


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
    ) -> None:
        self._policy = policy
        self._calendar = DutyCalendar(zone, policy.day_starts)
        self._readers = ReaderWatch(readers, self._calendar)
        self._book = TourBook(
            checkpoints, policy, self._calendar, guards, opens_by_card=opens_by_card
        )
        self._unknown_cards = UnknownCards()
        has_school = SchoolCalendar(school or CalendarPolicy()).has_school
        self._posts = PostBook(posts, self._calendar, has_school)
        self._rounds = RoundBook(rounds, checkpoints, self._calendar)
        self._last_scan_at: datetime | None = None
        self._closed: date | None = None

    def restore_since(self, now: Instant) -> datetime:
        """Return from when on `restore` needs the journalled scans.

        One day more than is judged: a tour in progress at the first instant must not shift the
        tours behind it, and some pause of that day puts them right.
        """
        return self._calendar.start_of(self._calendar.day_of(now.wall) - 2 * ONE_DAY)

    def restore(
        self, scans: Sequence[ScanReading], now: Instant, watched: WatchedTime | None = None
    ) -> None:
        """Count journalled scans again, in the order they were written; nothing is announced.

        Call it once, before anything else. Without `watched`, what `watched_time` gave late in
        the last run, today so far and yesterday count as not watched.
        """
        for scan, at in zip(scans, _instants(scans, now), strict=True):
            self._count(scan, at)
        away = None if watched is None else (now.wall - watched.until).total_seconds()
        # Where nobody knows how long nothing ran, it was for longer than any post is left alone.
        self._posts.blind_for(max(0.0, DAY_SECONDS if away is None else away))
        if watched is None:
            return
        self._readers.restore(watched)
        self._closed = watched.closed
        self._book.windows.restore(watched.windows, watched.until, now.wall)
        self._posts.restore(watched.posts, watched.until, now.wall)
        self._rounds.restore(watched.rounds)
        # A tour that ran out before the last run ended has been announced by it.
        self._book.expire(now.monotonic - max(0.0, (now.wall - watched.until).total_seconds()))

    def watched_time(self, now: Instant) -> WatchedTime:
        """Return what to keep on disk, every minute or so, for the next run's `restore`."""
        windows, posts = self._book.windows.kept(), self._posts.kept()
        rounds = self._rounds.kept()
        more = {"closed": self._closed, "windows": windows, "posts": posts, "rounds": rounds}
        return self._readers.watched_time(now).model_copy(update=more)

    def observe(self, reading: Reading, now: Instant) -> Sequence[Event]:
        """Take in one reading of a reader; return what just happened."""
        if reading.device_id not in self._readers:
            return ()
        events = list(self._readers.observe(reading, now))
        if isinstance(reading, ScanReading):
            events += self._count(reading, Instant(reading.observed_at, now.monotonic))
        return events

    def tick(self, now: Instant) -> Sequence[Event]:
        """End a tour whose time is over; notice silent readers."""
        expired = self._book.expire(now.monotonic)
        events = [] if expired is None else [self._tour_event("incomplete", expired, now.wall)]
        watched = not self._readers.unwatched(now)
        events += self._posts.tick(now, watched=watched)
        events += self._late(now, watched=watched)
        events += self._rounds.tick(now)
        return [*events, *self._close_days(now), *self._readers.tick(now)]

    def _late(self, now: Instant, *, watched: bool) -> Sequence[Event]:
        """Tell of each time for a tour that is nearly over, or over, without one."""
        if not self._readers or not self._book.mandatory:
            return ()
        return [
            Event(
                subject=SITE,
                time=now.wall,
                data=PatrolWindowEventData(
                    what=what,
                    window=window.span,
                    duty_day=window.day,
                    closes_at=window.closes,
                ),
            )
            for window, what in self._book.windows.tick(now, watched=watched)
        ]

    def _close_days(self, now: Instant) -> Sequence[Event]:
        """Tell what each duty day came to that has ended; one that is still walked is waited for.

        A site whose clock was set back has told its last day already.
        """
        last = self._calendar.day_of(now.wall) - ONE_DAY
        if not self._readers or not self._book.mandatory:
            return ()
        if self._closed is None or self._closed > last:
            self._closed = last
        self._closed = max(self._closed, last - DAYS_TOLD_LATE * ONE_DAY)
        events = []
        while self._closed < last:
            day = self._closed + ONE_DAY
            tour = self._book.open_tour
            if tour is not None and tour.duty_day == day:
                break
            events.append(Event(subject=SITE, time=now.wall, data=self._day(day)))
            self._closed = day
        return events

    def _day(self, day: date) -> PatrolDayEventData:
        done, required = self._book.completed(day), self._policy.tours_min_per_day
        blind = self._readers.blind_seconds(day)
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
                PatrolWindow(window=one.span, word=windows.word(one, now.wall))
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

    def _refused(self, scan: ScanReading, at: Instant) -> Event | None:
        """Tell of a tag that is not taken for the one whose number it shows; None: it is."""
        claimed = self._book.claimed(scan.tag_id)
        refused: Literal["bad_mac", "replayed", "not_sun"] | None = scan.refused
        if refused is None and scan.assurance != "sun":
            refused = "not_sun" if claimed is not None and claimed.require == "sun" else None
        if refused is None:
            return None
        data = ScanEventData(
            reader=scan.device_id,
            checkpoint=claimed.id if claimed is not None else None,
            tag_id=scan.tag_id,
            assurance=scan.assurance,
            refused=refused,
        )
        return Event(subject=scan.device_id, time=at.wall, data=data)

    def _count(self, scan: ScanReading, at: Instant) -> Sequence[Event]:
        refused = self._refused(scan, at)
        if refused is not None:
            return [refused]
        post, manned = self._posts.scan(scan.tag_id, at)
        counted = self._book.scan(scan.tag_id, at)
        if counted.checkpoint is not None:
            self._last_scan_at = scan.observed_at
        elif counted.guard is None and post is None and not counted.folded:
            self._unknown_cards.came(at.monotonic)
        events = []
        if counted.expired is not None:
            events.append(self._tour_event("incomplete", counted.expired, at.wall))
        data = ScanEventData(
            reader=scan.device_id,
            checkpoint=counted.checkpoint,
            tag_id=scan.tag_id,
            assurance=scan.assurance,
            folded=counted.folded,
            guard=counted.guard,
            post=post,
            too_fast=counted.too_fast,
            out_of_order=counted.out_of_order,
        )
        events += [Event(subject=scan.device_id, time=at.wall, data=data), *manned]
        if counted.checkpoint is not None:
            events += self._rounds.scan(counted.checkpoint, at)
        if counted.completed is not None:
            events.append(self._tour_event("completed", counted.completed, at.wall))
        return events

    def _tour_event(
        self, what: Literal["completed", "incomplete"], tour: Tour, moment: datetime
    ) -> Event:
        data = TourEventData(
            what=what,
            tour=tour.id,
            duty_day=tour.duty_day,
            number=self._book.completed(tour.duty_day),
            started_at=tour.started.wall,
            missed_checkpoints=self._book.missed(tour),
            guard=tour.guard,
            too_soon=tour.too_soon,
            window=None if tour.window is None else tour.window.span,
            outside=tour.outside,
        )
        return Event(subject=SITE, time=moment, data=data)

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
            by_word.setdefault(self._book.windows.word(window, now.wall), []).append(window.span)
        left = sum(len(by_word.get(word, ())) for word in ("planned", "due", "late"))
        unseen = by_word.get("not_observed", [])
        if missed := by_word.get("missed"):
            verdict = Verdict.FAIL if left + len(unseen) < needed else Verdict.WARN
            yield verdict, Cause(code="patrol.window_missed", params={"times": ", ".join(missed)})
        if unseen and left < needed:
            params: dict[str, str | int | float] = {"times": ", ".join(unseen)}
            yield Verdict.UNKNOWN, Cause(code="patrol.window_unseen", params=params)
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
            yield Verdict.UNKNOWN, Cause(code="patrol.not_observed", params=params)
        else:
            yield Verdict.FAIL, Cause(code="patrol.tours_missed", params=params)


def _instants(scans: Sequence[ScanReading], now: Instant) -> Sequence[Instant]:
    """Place journalled scans on this run's monotonic clock, by the wall time between them.

    Whatever was done to the wall clock, time between two scans is never negative, and a clock
    that is behind now does not press the day's scans into one instant.
    """
    if not scans:
        return []
    since_first = [0.0]
    for before, after in pairwise(scans):
        passed = (after.observed_at - before.observed_at).total_seconds()
        since_first.append(since_first[-1] + max(0.0, passed))
    age = max(0.0, (now.wall - scans[-1].observed_at).total_seconds())
    first = now.monotonic - age - since_first[-1]
    return [
        Instant(scan.observed_at, first + passed)
        for scan, passed in zip(scans, since_first, strict=True)
    ]
