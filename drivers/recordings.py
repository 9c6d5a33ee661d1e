"""What a recorder says of its archive: segments, day by day or as a whole; its own wall clock."""

from datetime import datetime
from typing import NamedTuple


class Segment(NamedTuple):
    """One recorded stretch by the recorder's wall clock, naive; `locked`: never overwritten."""

    start: datetime
    end: datetime
    locked: bool


class Segments(NamedTuple):
    """Answer to one search; not `complete` where the recorder may have more than it gave."""

    items: tuple[Segment, ...]
    complete: bool


class Extent(NamedTuple):
    """The oldest and newest instant a recorder claims to hold of a channel; holes do not show."""

    oldest: datetime
    newest: datetime


class PlaybackAddress(NamedTuple):
    """Where a recording is to be had over RTSP; `digits_at` is its start as the recorder writes it.

    `by_onvif`: the path does not hold the start, it is asked for as an ONVIF replay.
    """

    path: str
    digits_at: datetime
    by_onvif: bool = False
