"""A wand's clock against ours: two dockings show how it drifted in between. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol

from pydantic import AwareDatetime

from drivers.nfc.wand_rows import Row
from drivers.readings import Frozen

# A watch is off by seconds a month; a minute is a clock that nobody set, or that was set anew.
TOLERATED_SECONDS = 60.0

Remark = Literal["clock_off", "clock_jumped", "out_of_sequence"]


class Docking(Frozen):
    """What both clocks showed when a wand was docked."""

    device_at: AwareDatetime
    host_at: AwareDatetime

    @property
    def offset_seconds(self) -> float:
        """Return how far ours is ahead."""
        return (self.host_at - self.device_at).total_seconds()


class WandMemory(Frozen):
    """What must outlive a restart, so that each scan is told once, at its own time.

    `known` are the scans handed over, each with its time since 1970; `read_until` is the newest
    docking whose scans all are.
    """

    dockings: Mapping[str, Docking] = {}
    known: Mapping[str, float] = {}
    read_until: AwareDatetime | None = None


class WandStore(Protocol):
    """Where that is kept."""

    def load(self) -> WandMemory:
        """Return what was saved; an empty one when there is nothing that can be read."""

    def save(self, memory: WandMemory) -> None:
        """Replace it, and wait for the disk. Raises OSError."""


class Timed(Frozen):
    """A row's time by our clock; `offset_seconds` None: nobody said what the wand's showed."""

    at: AwareDatetime
    offset_seconds: float | None
    remarks: tuple[Remark, ...]


def is_later(docking: Docking, last: Docking | None) -> bool:
    """Tell whether the wand's own clock has gone on since the last docking."""
    return last is None or docking.device_at > last.device_at


def timed(
    rows: Sequence[Row], docking: Docking | None, last: Docking | None
) -> Iterator[tuple[Row, Timed]]:
    """Give each row of one wand its time; `last` is the docking before this one."""
    remarks: list[Remark] = []
    if docking is not None:
        if abs(docking.offset_seconds) > TOLERATED_SECONDS:
            remarks.append("clock_off")
        if last is not None and (
            abs(docking.offset_seconds - last.offset_seconds) > TOLERATED_SECONDS
        ):
            remarks.append("clock_jumped")
    backwards = _backwards(rows)
    for row in rows:
        offset = None if docking is None else _offset_at(row.device_time, docking, last)
        also: tuple[Remark, ...] = ("out_of_sequence",) if row.line in backwards else ()
        at = row.device_time + timedelta(seconds=offset or 0.0)
        yield row, Timed(at=at, offset_seconds=offset, remarks=(*remarks, *also))


def _offset_at(moment: datetime, docking: Docking, last: Docking | None) -> float:
    """Return the offset at a time of the wand's: on the line from one docking to the next."""
    if last is None or docking.device_at <= last.device_at or docking.host_at <= last.host_at:
        return docking.offset_seconds
    share = (moment - last.device_at) / (docking.device_at - last.device_at)
    drifted = docking.offset_seconds - last.offset_seconds
    return last.offset_seconds + min(1.0, max(0.0, share)) * drifted


def _backwards(rows: Sequence[Row]) -> set[int]:
    """Return the lines whose time lies before that of a row the wand wrote earlier."""
    found: set[int] = set()
    numbered = sorted((row.seq, row.line, row.device_time) for row in rows if row.seq is not None)
    newest: datetime | None = None
    for _, line, moment in numbered:
        if newest is not None and moment < newest:
            found.add(line)
        newest = moment if newest is None else max(newest, moment)
    return found
