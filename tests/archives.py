"""Random archives of one channel, and the truth of each by counting its seconds one by one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import NamedTuple

from simulators.archive import Clip

DAY_SECONDS = 86_400
SECOND = timedelta(seconds=1)
NOW = datetime(2026, 9, 11, 2, 30)  # noqa: DTZ001 - a recorder's wall clock
YESTERDAY = date(2026, 9, 10)
LONGEST_DAYS = 130


class Truth(NamedTuple):
    """Days back to the oldest usable second, and days of the target without any second."""

    depth_days: int
    missing_days: int
    present: frozenset[date]


@dataclass
class Archive:
    """What a channel holds, made day by day; `notes` say what is odd about it."""

    target: int
    clips: list[Clip] = field(default_factory=list)
    misdated: list[Clip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def held(self) -> list[Clip]:
        """Return all clips, oldest first, as a recorder lists them."""
        return sorted([*self.clips, *self.misdated])


def random_archive(chance: Random, target: int, *, locks: bool) -> Archive:
    """Make an archive with holes, thin days, locked clips, wrong clocks and odd cuts."""
    archive = Archive(target)
    depth = chance.choice([0, 1, target - 1, target, target + 1, chance.randint(0, target + 20)])
    holes = set()
    if chance.random() < 0.5:
        holes = {chance.randint(1, max(depth, 1)) for _ in range(chance.choice([1, 2, 3, 6]))}
        archive.notes.append("holes")
    thin = {chance.randint(1, max(depth, 1)) for _ in range(chance.choice([0, 0, 1, 2]))}
    if chance.random() < 0.1:
        off = chance.randint(1, target)
        holes |= set(range(off, off + chance.randint(8, 25)))
        archive.notes.append("switched off for long")
    for back in range(depth, -1, -1):
        if back in holes:
            continue
        start = datetime.combine(NOW.date() - timedelta(days=back), time.min)
        end = min(start + timedelta(days=1), NOW)
        if back in thin:
            start += timedelta(seconds=chance.randint(0, DAY_SECONDS - 2000))
            end = min(end, start + timedelta(seconds=chance.randint(1, 1800)))
        archive.clips += _cut(chance, start, end)
    _cross_midnights(chance, archive)
    if locks and chance.random() < 0.3:
        archive.notes.append("locked")
        for _ in range(chance.randint(1, 3)):
            day = NOW.date() - timedelta(days=chance.randint(depth + 1, depth + 40))
            start = datetime.combine(day, time(chance.randint(0, 22)))
            archive.clips.append(Clip(start, start + timedelta(minutes=20), locked=True))
    if locks and chance.random() < 0.3 and archive.clips:
        archive.notes.append("some locked inside")
        at = chance.randrange(len(archive.clips))
        archive.clips[at] = archive.clips[at]._replace(locked=True)
    if chance.random() < 0.3:
        archive.notes.append("misdated")
        for year in chance.choices([1970, 2000, 2031], k=2):
            start = datetime(year, 1, 1 + chance.randint(0, 9), 5)  # noqa: DTZ001
            archive.misdated.append(Clip(start, start + timedelta(hours=3)))
    return archive


def truth(archive: Archive) -> Truth:
    """Count: paint every second that is held, then look at every day."""
    first = YESTERDAY - timedelta(days=LONGEST_DAYS - 1)
    origin = datetime.combine(first, time.min)
    held, usable = (bytearray(LONGEST_DAYS * DAY_SECONDS) for _ in range(2))
    for clip in archive.clips:
        start = max(0, round((clip.start - origin) / SECOND))
        end = min(len(held), round((clip.end - origin) / SECOND))
        if end > start:
            held[start:end] = b"\1" * (end - start)
            if not clip.locked:
                usable[start:end] = b"\1" * (end - start)
    depth = missing = 0
    present = set()
    for back in range(LONGEST_DAYS):
        start = (LONGEST_DAYS - 1 - back) * DAY_SECONDS
        if 1 in usable[start : start + DAY_SECONDS]:
            depth = back + 1
        if 1 in held[start : start + DAY_SECONDS]:
            present.add(YESTERDAY - timedelta(days=back))
        elif back < archive.target:
            missing += 1
    return Truth(depth, missing, frozenset(present))


def _cut(chance: Random, start: datetime, end: datetime) -> Iterator[Clip]:
    style = chance.choice(["hourly", "events", "whole"])
    if style == "whole" and end > start:
        yield Clip(start, end)
        return
    while start < end:
        minutes = 60 if style == "hourly" else chance.randint(10, 60)
        close = min(start + timedelta(minutes=minutes), end)
        yield Clip(start, close)
        start = close


def _cross_midnights(chance: Random, archive: Archive) -> None:
    """Join some clips that touch at midnight into one."""
    joined: list[Clip] = []
    for clip in archive.clips:
        before = joined[-1] if joined else None
        touches = before is not None and before.end == clip.start and clip.start.time() == time.min
        if before is not None and touches and chance.random() < 0.5:
            joined[-1] = before._replace(end=clip.end)
        else:
            joined.append(clip)
    archive.clips = joined
