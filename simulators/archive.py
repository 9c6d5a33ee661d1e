"""What a simulated recorder holds: channels with clips, cut as real recorders cut them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

DAY = timedelta(days=1)


class Clip(NamedTuple):
    """One recorded file by the recorder's own wall clock; `locked` is never overwritten."""

    start: datetime
    end: datetime
    locked: bool = False


@dataclass
class SimulatedDisk:
    """A disk of a recorder, in ISAPI's words; always full, as recorders' disks are."""

    name: str
    status: str = "ok"
    kind: str = "RW"
    megabytes: int = 7_630_885


@dataclass
class SimulatedChannel:
    """One camera input: days recorded run back `depth_days` from today, less `holes`.

    Each day is cut into `cuts_per_day` files of equal length. With `clips` those are all there is,
    and what they say is not made up by any rule.
    """

    number: int
    name: str = "Camera"
    online: bool = True
    condition: str = "connect"
    depth_days: int = 40
    holes: set[date] = field(default_factory=set)
    cuts_per_day: int = 24
    clips: list[Clip] | None = None

    def has(self, day: date, now: datetime) -> bool:
        """Tell whether something was recorded on `day`."""
        start = datetime.combine(day, datetime.min.time())
        end = start + DAY - timedelta(seconds=1)
        return any(clip.end > start for clip in self.held(start, end, now))

    def plays(self, instant: datetime, now: datetime) -> bool:
        """Tell whether an instant was recorded, so that it can be played."""
        return any(clip.start <= instant < clip.end for clip in self.held(instant, instant, now))

    def held(self, start: datetime, end: datetime, now: datetime) -> Iterator[Clip]:
        """Give the clips that touch the span, oldest first."""
        if self.clips is not None:
            yield from (clip for clip in self.clips if clip.start <= end and clip.end >= start)
            return
        oldest = now.date() - self.depth_days * DAY
        day = max(start.date() - DAY, oldest)
        length = DAY / self.cuts_per_day
        while day <= min(end.date(), now.date()):
            if day not in self.holes:
                midnight = datetime.combine(day, datetime.min.time())
                for cut in range(self.cuts_per_day):
                    begin = midnight + cut * length
                    close = min(begin + length, now)
                    if begin < close and begin <= end and close >= start:
                        yield Clip(begin, close.replace(microsecond=0))
            day += DAY


def merged(clips: Iterable[Clip]) -> Iterator[Clip]:
    """Join clips that touch, as some firmware lists continuous recording as one block."""
    block: Clip | None = None
    for clip in clips:
        if block is not None and clip.locked == block.locked and clip.start <= block.end:
            block = block._replace(end=max(block.end, clip.end))
            continue
        if block is not None:
            yield block
        block = clip
    if block is not None:
        yield block
