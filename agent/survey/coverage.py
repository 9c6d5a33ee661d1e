"""Recorded segments turned into days: what was recorded, how much of it, how much counts."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from drivers.recorder.readings import RecordedDay
from drivers.recordings import Segment, Segments

DAY = timedelta(days=1)
# No recorder of ours is older; a clock that lost its battery starts in 1970 or 2000.
OLDEST_YEAR = 2010
FUTURE = timedelta(minutes=10)


def days_of(found: Segments, first: date, last: date, *, now: datetime) -> dict[date, RecordedDay]:
    """Return the days `first` to `last` of a search for them; `now` is the recorder's clock.

    A day is left out where the answer may have stopped short of it. Clips that overlap count once,
    by time and not by number; misdated ones not at all.
    """
    window = Segment(_midnight(first), _midnight(last) + DAY, locked=False)
    covered: defaultdict[date, timedelta] = defaultdict(timedelta)
    usable: set[date] = set()
    upto = window.start
    for clip in sorted(found.items):
        if clip.start.year < OLDEST_YEAR or clip.end > now + FUTURE:
            continue
        inside = clip._replace(start=max(clip.start, window.start), end=min(clip.end, window.end))
        for day, _ in _parts(inside):
            if not clip.locked:
                usable.add(day)
        for day, length in _parts(inside._replace(start=max(inside.start, upto))):
            covered[day] += length
        upto = max(upto, inside.end)
    days: dict[date, RecordedDay] = {}
    for back in range((last - first).days + 1):
        day = first + back * DAY
        seconds = round(covered[day].total_seconds())
        if seconds or found.complete:
            days[day] = RecordedDay(
                present=seconds > 0,
                usable=day in usable or (None if not found.complete else False),
                covered_seconds=seconds if found.complete else None,
            )
    return days


def _parts(clip: Segment) -> Iterator[tuple[date, timedelta]]:
    """Cut a clip at every midnight; nothing of one that has no length."""
    start = clip.start
    while start < clip.end:
        close = min(clip.end, _midnight(start.date()) + DAY)
        yield start.date(), close - start
        start = close


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)
