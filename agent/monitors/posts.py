"""Posts: a place that is manned shows it by a tag that is read every few hours. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from agent.county.contract import Event, State
from agent.county.event_data import PostEventData
from agent.county.state_data import PostState
from agent.findings import Cause, Verdict
from agent.monitors import Instant
from agent.policy import Post

# Shorter gaps in which a reader was not watched hide no tap: who hears no beep tries again.
BLIND_TOLERANCE_SECONDS = 300.0


@dataclass
class _Watch:
    """One post: `since` is its last tap, or when it began to be watched."""

    post: Post
    since: float
    tapped_at: datetime | None = None
    blind_seconds: float = 0.0
    overdue: bool = False

    @property
    def every_seconds(self) -> float:
        return self.post.every_hours * 3600


class PostBook:
    """Every post of a site; ages are monotonic, so no jump of the wall clock makes one overdue."""

    def __init__(self, posts: Sequence[Post]) -> None:
        self._posts = posts
        self._watches: dict[str, _Watch] = {}
        self._told_at: float | None = None

    def __len__(self) -> int:
        return len(self._posts)

    def scan(self, tag_id: str, at: Instant) -> tuple[str | None, Sequence[Event]]:
        """Take a tag; return whose post it is, and whether somebody is there again."""
        watch = next((one for one in self._all(at) if one.post.tag == tag_id), None)
        if watch is None:
            return None, ()
        was_overdue, watch.overdue = watch.overdue, False
        watch.since, watch.tapped_at, watch.blind_seconds = at.monotonic, at.wall, 0.0
        told = [_event(watch, "manned", at)] if was_overdue else []
        return watch.post.id, told

    def blind_for(self, seconds: float) -> None:
        """Count time in which nobody watched at all: while nothing ran."""
        for watch in self._watches.values():
            watch.blind_seconds += seconds

    def tick(self, now: Instant, *, watched: bool) -> Sequence[Event]:
        """Let time pass; `watched`: every reader was. Return what is overdue since."""
        passed = 0.0 if self._told_at is None else now.monotonic - self._told_at
        self._told_at = now.monotonic
        told = []
        for watch in self._all(now):
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
            self._watches.setdefault(post.id, _Watch(post, now.monotonic))
        return list(self._watches.values())

    @staticmethod
    def _verdict(watch: _Watch, now: Instant) -> Verdict:
        if now.monotonic - watch.since <= watch.every_seconds:
            return Verdict.OK if watch.tapped_at is not None else Verdict.UNKNOWN
        blind = watch.blind_seconds > BLIND_TOLERANCE_SECONDS
        return Verdict.UNKNOWN if blind else Verdict.FAIL

    def _state(self, watch: _Watch, now: Instant) -> PostState:
        verdict = self._verdict(watch, now)
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


def _event(watch: _Watch, what: Literal["unmanned", "manned"], now: Instant) -> Event:
    data = PostEventData(what=what, post=watch.post.id, tapped_at=watch.tapped_at)
    return Event(subject=watch.post.id, time=now.wall, data=data)
