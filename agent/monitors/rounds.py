"""Rounds with a period: points to be visited once a week, month, quarter or year. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Literal, NamedTuple

from pydantic import AwareDatetime

from agent.county.contract import Event, State
from agent.county.event_data import RoundEventData
from agent.county.state_data import RoundState
from agent.findings import Cause, Verdict
from agent.monitors import Instant
from agent.monitors.duty_calendar import ONE_DAY, DutyCalendar
from agent.policy_patrol import Checkpoint, Round
from drivers.readings import Frozen

MONTHS = {"month": 1, "quarter": 3, "year": 12}


class Period(NamedTuple):
    """One period of the calendar: its name, and its first and last day."""

    name: str
    first: date
    last: date


class KeptRound(Frozen):
    """What of a round must survive a restart; `since` is the first day it was looked after."""

    since: date
    seen: Mapping[str, AwareDatetime] = {}
    done: str = ""
    judged_until: date | None = None


def period_of(every: Literal["week", "month", "quarter", "year"], day: date) -> Period:
    """Return the period a day lies in; weeks are those of ISO 8601."""
    if every == "week":
        first = day - timedelta(days=day.weekday())
        year, week, _ = first.isocalendar()
        return Period(f"{year}-W{week:02}", first, first + timedelta(days=6))
    months = MONTHS[every]
    begin = (day.month - 1) // months * months + 1
    after = (day.year * 12 + begin - 1) + months
    last = date(after // 12, after % 12 + 1, 1) - ONE_DAY
    names = {"month": f"{day:%Y-%m}", "quarter": f"{day.year}-Q{(day.month + 2) // 3}"}
    return Period(names.get(every, f"{day.year}"), date(day.year, begin, 1), last)


class RoundBook:
    """Every round of a site; a period not looked after from its first day accuses nobody."""

    def __init__(
        self, rounds: Sequence[Round], checkpoints: Sequence[Checkpoint], calendar: DutyCalendar
    ) -> None:
        self._rounds = rounds
        self._points = {
            one.id: tuple(point.id for point in checkpoints if point.round == one.id)
            for one in rounds
        }
        self._calendar = calendar
        self._kept: dict[str, KeptRound] = {}

    def kept(self) -> Mapping[str, KeptRound]:
        """Return what `restore` needs of this run."""
        return dict(self._kept)

    def restore(self, kept: Mapping[str, KeptRound]) -> None:
        """Go on from what an earlier run knew; scans since are counted again from the journal."""
        for one in self._rounds:
            if (before := kept.get(one.id)) is not None:
                now = self._kept.get(one.id)
                seen = dict(before.seen) | (dict(now.seen) if now else {})
                self._kept[one.id] = before.model_copy(update={"seen": seen})

    def scan(self, checkpoint: str, at: Instant) -> Sequence[Event]:
        """Take a visit; return the round that is complete with it."""
        told = []
        for one in self._rounds:
            if checkpoint not in self._points[one.id]:
                continue
            kept = self._of(one, at)
            # A wand may tell of it late: what was seen since stays.
            seen = max(at.wall, kept.seen.get(checkpoint, at.wall))
            kept = kept.model_copy(update={"seen": {**kept.seen, checkpoint: seen}})
            period = self._period(one, at)
            if kept.done < period.name and not self._left(one, kept, period):
                kept = kept.model_copy(update={"done": period.name})
                told.append(_event(one, "done", period, (), at))
            self._kept[one.id] = kept
        return told

    def tick(self, now: Instant) -> Sequence[Event]:
        """Tell of each period that is over and was not done."""
        told = []
        for one in self._rounds:
            kept = self._of(one, now)
            past = period_of(one.every, self._period(one, now).first - ONE_DAY)
            if kept.judged_until is not None and past.last <= kept.judged_until:
                continue
            self._kept[one.id] = kept.model_copy(update={"judged_until": past.last})
            if kept.since <= past.first and (left := self._left(one, kept, past)):
                told.append(_event(one, "missed", past, left, now))
        return told

    def states(self, now: Instant) -> Sequence[State]:
        """Return the state of each."""
        return [State(id=one.id, data=self._state(one, now)) for one in self._rounds]

    def _of(self, one: Round, now: Instant) -> KeptRound:
        today = self._calendar.day_of(now.wall)
        return self._kept.setdefault(one.id, KeptRound(since=today))

    def _period(self, one: Round, now: Instant) -> Period:
        return period_of(one.every, self._calendar.day_of(now.wall))

    def _left(self, one: Round, kept: KeptRound, period: Period) -> tuple[str, ...]:
        """Return the points not visited in a period, or behind it."""
        days = {point: self._calendar.day_of(at) for point, at in kept.seen.items()}
        return tuple(
            point
            for point in self._points[one.id]
            if (day := days.get(point)) is None or day < period.first
        )

    def _state(self, one: Round, now: Instant) -> RoundState:
        kept, period = self._of(one, now), self._period(one, now)
        left = self._left(one, kept, period)
        days_left = (period.last - self._calendar.day_of(now.wall)).days
        past = period_of(one.every, period.first - ONE_DAY)
        params: dict[str, str | int | float] = {
            "points": ", ".join(left),
            "last": period.last.isoformat(),
            "period": past.name,
        }
        verdict, code = Verdict.OK, None
        if left and kept.since <= past.first and self._left(one, kept, past):
            verdict, code = Verdict.FAIL, "round.missed"
        elif left and days_left < one.remind_days:
            verdict, code = Verdict.WARN, "round.due"
        return RoundState(
            verdict=verdict,
            causes=(Cause(code=code, params=params),) if code else (),
            observed_at=max(kept.seen.values(), default=None),
            period=period.name,
            ends_on=period.last,
            done=not left,
            left=left,
        )


def _event(
    one: Round,
    what: Literal["done", "missed"],
    period: Period,
    left: tuple[str, ...],
    now: Instant,
) -> Event:
    data = RoundEventData(what=what, round=one.id, period=period.name, left=left)
    return Event(subject=one.id, time=now.wall, data=data)
