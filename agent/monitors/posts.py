"""Posts: a place to be manned shows it by a tag that is read every few hours, or at times. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from agent.county.contract import Event, State
from agent.county.event_data import PostEventData
from agent.county.state_data import PostState
from agent.findings import Cause, Verdict
from agent.monitors import Instant
from agent.monitors.day_windows import (
    BLIND_TOLERANCE_SECONDS,
    EVERY_DAY,
    DayWindows,
    KeptWindow,
    Window,
)
from agent.monitors.duty_calendar import DutyCalendar
from agent.policy_patrol import Post

_OF_WORD = {"missed": Verdict.FAIL, "not_observed": Verdict.UNKNOWN}


@dataclass
class _Watch:
    """One post: `since` is its last tap, or when it began to be watched."""

    post: Post
    windows: DayWindows
    since: float
    tapped_at: datetime | None = None
    blind_seconds: float = 0.0
    overdue: bool = False

    @property
    def every_seconds(self) -> float:
        return self.post.every_hours * 3600


class PostBook:
    """Every post of a site; ages are monotonic, so no jump of the wall clock makes one overdue.

    `has_school` tells on which duty days posts that are manned on school days alone are.
    """

    def __init__(
        self, posts: Sequence[Post], calendar: DutyCalendar, has_school: Callable[[date], bool]
    ) -> None:
        self._posts = posts
        self._windows = {
            post.id: DayWindows(
                post.times, calendar, on=has_school if post.school_days_only else EVERY_DAY
            )
            for post in posts
        }
        self._watches: dict[str, _Watch] = {}
        self._told_at: float | None = None

    def __len__(self) -> int:
        return len(self._posts)

    def scan(self, tag_id: str, at: Instant) -> tuple[str | None, Sequence[Event]]:
        """Take a tag; return whose post it is, and whether somebody is there again."""
        watch = next((one for one in self._all(at) if one.post.tag == tag_id), None)
        if watch is None:
            return None, ()
        was_overdue = self._came(watch, at)
        if watch.windows:
            window = watch.windows.open_at(at.wall)
            if window is None:
                return watch.post.id, ()
            watch.windows.do(window)
            return watch.post.id, [_event(watch, "manned", at, window)]
        told = [_event(watch, "manned", at)] if was_overdue else []
        return watch.post.id, told

    def _came(self, watch: _Watch, at: Instant) -> bool:
        """Note who is there, or was, as a wand tells later; return whether that was overdue."""
        if at.monotonic < watch.since and watch.tapped_at is not None:
            return False
        watch.since, watch.tapped_at, watch.blind_seconds = at.monotonic, at.wall, 0.0
        now = self._told_at
        if now is not None and now - at.monotonic > watch.every_seconds:
            return False
        was_overdue, watch.overdue = watch.overdue, False
        return was_overdue

    def blind_for(self, seconds: float) -> None:
        """Count time in which nobody watched at all: while nothing ran."""
        for watch in self._watches.values():
            watch.blind_seconds += seconds

    def kept(self) -> Mapping[str, Mapping[str, KeptWindow]]:
        """Return what `restore` needs of this run."""
        return {post: windows.kept() for post, windows in self._windows.items() if windows}

    def restore(
        self, kept: Mapping[str, Mapping[str, KeptWindow]], until: datetime, now: datetime
    ) -> None:
        """Go on from what an earlier run knew, which ended at `until`."""
        for post, windows in self._windows.items():
            windows.restore(kept.get(post, {}), until, now)

    def tick(self, now: Instant, *, watched: bool) -> Sequence[Event]:
        """Let time pass; `watched`: every reader was. Return what is overdue since."""
        passed = 0.0 if self._told_at is None else now.monotonic - self._told_at
        self._told_at = now.monotonic
        told: list[Event] = []
        for watch in self._all(now):
            if watch.windows:
                told += _past(watch, now, watched=watched)
                continue
            if not watched:
                watch.blind_seconds += passed
            if not watch.overdue and self._verdict(watch, now) is Verdict.FAIL:
                watch.overdue = True
                told.append(_event(watch, "unmanned", now))
        return told

    def states(self, now: Instant) -> Sequence[State]:
        """Return the state of each."""
        return [State(id=one.post.id, data=self._state(one, now)) for one in self._all(now)]

    def _all(self, now: Instant) -> Sequence[_Watch]:
        for post in self._posts:
            watch = _Watch(post, self._windows[post.id], now.monotonic)
            self._watches.setdefault(post.id, watch)
        return list(self._watches.values())

    @staticmethod
    def _verdict(watch: _Watch, now: Instant) -> Verdict:
        if watch.windows:
            last = watch.windows.last_before(now.wall)
            return _OF_WORD.get(_word(watch, last, now), Verdict.OK)
        if now.monotonic - watch.since <= watch.every_seconds:
            return Verdict.OK if watch.tapped_at is not None else Verdict.UNKNOWN
        blind = watch.blind_seconds > BLIND_TOLERANCE_SECONDS
        return Verdict.UNKNOWN if blind else Verdict.FAIL

    def _state(self, watch: _Watch, now: Instant) -> PostState:
        verdict = self._verdict(watch, now)
        if watch.windows:
            return self._state_of_times(watch, verdict, now)
        late = now.monotonic - watch.since - watch.every_seconds
        params: dict[str, str | int | float] = {"hours": watch.post.every_hours}
        causes: tuple[Cause, ...] = ()
        if verdict is Verdict.FAIL:
            causes = (Cause(code="post.unmanned", params={**params, "minutes": int(late // 60)}),)
        elif late > 0:
            causes = (Cause(code="post.not_observed", params=params),)
        elif watch.tapped_at is None:
            causes = (Cause(code="post.not_tapped", params=params),)
        return PostState(
            verdict=verdict,
            causes=causes,
            observed_at=watch.tapped_at,
            tapped_at=watch.tapped_at,
            due_at=now.wall - timedelta(seconds=late),
            every_hours=watch.post.every_hours,
        )

    @staticmethod
    def _state_of_times(watch: _Watch, verdict: Verdict, now: Instant) -> PostState:
        last, following = watch.windows.last_before(now.wall), watch.windows.next_at(now.wall)
        code = {Verdict.FAIL: "post.time_missed", Verdict.UNKNOWN: "post.time_unseen"}.get(verdict)
        causes: tuple[Cause, ...] = ()
        if code is not None and last is not None:
            causes = (Cause(code=code, params={"time": last.span, "day": last.day.isoformat()}),)
        return PostState(
            verdict=verdict,
            causes=causes,
            observed_at=watch.tapped_at,
            tapped_at=watch.tapped_at,
            due_at=None if following is None else following.closes,
            every_hours=None,
            times=watch.post.times,
        )


def _word(watch: _Watch, window: Window | None, now: Instant) -> str:
    return "" if window is None else watch.windows.word(window, now.wall)


def _past(watch: _Watch, now: Instant, *, watched: bool) -> Sequence[Event]:
    """Tell of each time that is over without a tap."""
    return [
        _event(watch, "unmanned" if over == "missed" else "not_observed", now, window)
        for window, over in watch.windows.tick(now, watched=watched)
    ]


def _event(
    watch: _Watch,
    what: Literal["unmanned", "manned", "not_observed"],
    now: Instant,
    window: Window | None = None,
) -> Event:
    data = PostEventData(
        what=what,
        post=watch.post.id,
        tapped_at=watch.tapped_at,
        window=None if window is None else window.span,
        duty_day=None if window is None else window.day,
    )
    return Event(subject=watch.post.id, time=now.wall, data=data)
