"""What the record says of duty days: tours, scans, readers that were away, and the verdict."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from agent.monitors.duty_calendar import ONE_DAY, DutyCalendar
from agent.store.patrol_record import Record

Word = Literal["met", "missed", "not_observed", "open", "no_record"]
DueWord = Literal["done", "late", "missed", "not_observed", "made_good"]
_OF_POST: dict[str, DueWord] = {
    "manned": "done",
    "unmanned": "missed",
    "not_observed": "not_observed",
}


@dataclass(frozen=True)
class Scan:
    """One tag held to a reader: a checkpoint's, a post's, a guard's card, or nobody's.

    `sure`: the machine knew the time. `too_fast` after the checkpoint before, `out_of_order`, or
    `refused`, it was no visit; nor was one of a `wand` that came `too_late`.
    """

    at: datetime
    checkpoint: str | None
    reader: str
    tag: str
    assurance: str
    folded: bool
    sure: bool
    guard: str | None = None
    post: str | None = None
    too_fast: bool = False
    out_of_order: bool = False
    refused: str | None = None
    wand: str | None = None
    remarks: tuple[str, ...] = ()
    too_late: bool = False


@dataclass(frozen=True)
class TourOf:
    """One tour; `missed` are the mandatory checkpoints it left out.

    One that was `too_soon` after another, or `outside` every window, does not count, however
    complete. `found_late`: a wand told of it.
    """

    id: str
    started_at: datetime
    ended_at: datetime
    complete: bool
    missed: tuple[str, ...]
    guard: str | None = None
    too_soon: bool = False
    window: str | None = None
    outside: bool = False
    found_late: bool = False

    @property
    def counts(self) -> bool:
        """Tell whether it is one of those the day needs."""
        return self.complete and not self.too_soon and not self.outside

    @property
    def minutes(self) -> float:
        """Return how long it took."""
        return (self.ended_at - self.started_at).total_seconds() / 60


@dataclass(frozen=True)
class Away:
    """A reader that was not heard; `until` None: it had not come back when the record ends."""

    reader: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Due:
    """What was due in a time: a tour, somebody at a `post`, or a `round`, and what came of it."""

    window: str
    word: DueWord
    post: str | None = None
    round: str | None = None


@dataclass
class DutyDay:
    """One duty day as the record has it."""

    day: date
    start: datetime
    end: datetime
    required: int
    word: Word = "no_record"
    blind_minutes: int = 0
    tours: list[TourOf] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)
    away: list[Away] = field(default_factory=list)
    due: list[Due] = field(default_factory=list)
    left_alone: list[tuple[str, datetime]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Return how many tours were completed and count."""
        return sum(tour.counts for tour in self.tours)


def duty_days(
    records: Iterable[Record],
    days: Sequence[date],
    calendar: DutyCalendar,
    *,
    readers: frozenset[str],
    required: int,
    now: datetime,
) -> list[DutyDay]:
    """Return the days in order; `required` counts where the record does not say what was."""
    found = {
        day: DutyDay(day, calendar.start_of(day), calendar.start_of(day + ONE_DAY), required)
        for day in days
    }
    lost: dict[str, datetime] = {}
    away: list[Away] = []
    said: set[date] = set()
    for kind, at, told in _messages(records):
        data = told["data"]
        if kind == "tour" and (day := found.get(date.fromisoformat(data["duty_day"]))):
            _of_tour(day, data, at)
        elif kind == "patrol-day" and (day := found.get(date.fromisoformat(data["duty_day"]))):
            day.word, day.required = data["what"], data["tours_min_per_day"]
            day.blind_minutes = data["blind_minutes"]
            said.add(day.day)
        elif kind == "scan" and (day := found.get(calendar.day_of(at))):
            day.scans.append(_scan(data, at, sure=told.get("clock") != "unsync"))
        elif kind in {"patrol-window", "post", "round"}:
            _add_due(found, kind, data, at, calendar)
        elif kind == "device" and data["device"] in readers:
            if data["what"] == "lost":
                lost.setdefault(data["device"], at)
            elif data["device"] in lost:
                away.append(Away(data["device"], lost.pop(data["device"]), at))
    away += [Away(reader, since, None) for reader, since in lost.items()]
    for day in found.values():
        day.tours.sort(key=lambda tour: tour.started_at)
        day.due = _settled(day)
        day.scans.sort(key=lambda scan: scan.at)
        day.away = [one for one in away if _overlaps(one, day)]
        if day.day not in said:
            day.word = _unsaid(day, now)
    return list(found.values())


def by_checkpoint(day: DutyDay) -> dict[str | None, list[Scan]]:
    """Return a day's scans by checkpoint; repeats, guards' cards, posts, refused tags left out."""
    found: dict[str | None, list[Scan]] = defaultdict(list)
    for scan in day.scans:
        if (
            not (scan.folded or scan.refused or scan.too_late)
            and scan.guard is None
            and scan.post is None
        ):
            found[scan.checkpoint].append(scan)
    return found


def _of_tour(day: DutyDay, data: dict[str, Any], at: datetime) -> None:
    """Note a tour; what is told of one later takes the place of what was told before."""
    tour = _tour(data, at)
    same = (tour.id, tour.started_at)
    day.tours = [one for one in day.tours if (one.id, one.started_at) != same]
    if data["what"] != "replaced":
        day.tours.append(tour)


def _add_due(
    found: dict[date, DutyDay],
    kind: str,
    data: dict[str, Any],
    at: datetime,
    calendar: DutyCalendar,
) -> None:
    """Note what came of something that was due: by its own duty day, or that of the message."""
    told = data.get("duty_day")
    day = found.get(date.fromisoformat(told) if told else calendar.day_of(at))
    if day is None:
        return
    if kind == "patrol-window":
        day.due.append(Due(data["window"], data["what"]))
    elif kind == "round":
        day.due.append(Due(data["period"], data["what"], round=data["round"]))
    elif data.get("window"):
        day.due.append(Due(data["window"], _OF_POST[data["what"]], post=data["post"]))
    elif data["what"] == "unmanned":
        day.left_alone.append((data["post"], at))


def _settled(day: DutyDay) -> list[Due]:
    """Return one outcome for each time something was due, in the order of their names."""
    walked = {tour.window for tour in day.tours if tour.counts and tour.window}
    last = {(one.post or one.round or "", one.window): one for one in day.due}
    for window in walked:
        told = last.get(("", window))
        word: DueWord = "done" if told is None else "late"
        if told is not None and told.word != "late":
            word = "made_good"
        last["", window] = Due(window, word)
    return [last[key] for key in sorted(last)]


def _unsaid(day: DutyDay, now: datetime) -> Word:
    """Say what a day came to that was not told to be over."""
    if day.done >= day.required:
        return "met"
    if day.start <= now < day.end:
        return "open"
    return "not_observed" if day.scans or day.tours else "no_record"


def _messages(records: Iterable[Record]) -> Iterator[tuple[str, datetime, dict[str, Any]]]:
    for record in records:
        told: dict[str, Any] = json.loads(record.body)
        yield record.kind, datetime.fromisoformat(told["time"]), told


def _tour(data: dict[str, Any], at: datetime) -> TourOf:
    return TourOf(
        id=data["tour"],
        started_at=datetime.fromisoformat(data["started_at"]),
        ended_at=at,
        complete=data["what"] == "completed",
        missed=tuple(data["missed_checkpoints"]),
        guard=data.get("guard"),
        too_soon=data.get("too_soon", False),
        window=data.get("window"),
        outside=data.get("outside", False),
        found_late=data.get("late_upload", False),
    )


def _scan(data: dict[str, Any], at: datetime, *, sure: bool) -> Scan:
    return Scan(
        at=at,
        checkpoint=data["checkpoint"],
        reader=data["reader"],
        tag=data["tag_id"],
        assurance=data["assurance"],
        folded=data["folded"],
        sure=sure,
        guard=data.get("guard"),
        post=data.get("post"),
        too_fast=data.get("too_fast", False),
        out_of_order=data.get("out_of_order", False),
        refused=data.get("refused"),
        wand=data.get("wand"),
        remarks=tuple(data.get("remarks", ())),
        too_late=data.get("too_late", False),
    )


def _overlaps(away: Away, day: DutyDay) -> bool:
    return away.since < day.end and (away.until is None or away.until > day.start)
