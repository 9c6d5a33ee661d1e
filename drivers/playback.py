"""A recording played back and held against the live picture: some recorders answer with that."""

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.base import Clock
from drivers.readings import Reason, Unknown
from drivers.recorder.readings import PlaybackReading
from drivers.replay import replay_stream
from drivers.stream import probe_stream
from drivers.stream_target import PlaybackTarget

Picture = NDArray[np.uint8]

# On so small a copy noise and the clock's digits vanish; what is left of a difference is light,
# or somebody who walks past (reference: frozen pictures stay within 2 levels there).
CELLS = (64, 36)
CHANGED_LEVELS = 8


def play_back(target: PlaybackTarget, clock: Clock) -> PlaybackReading:
    """Open the live stream, then the recording, and compare a key frame of each.

    Live comes first: it shows whether the login is good, before its refusal means anything else.
    """
    live = probe_stream(target.live, clock)
    play = probe_stream if target.recorded.replay_from is None else replay_stream
    recorded = play(target.recorded, clock)
    shown_after: float | Unknown = Unknown(reason=Reason.NOT_MEASURED)
    if recorded.begins_at is not None:
        shown_after = (recorded.begins_at - target.digits_at).total_seconds()
    changed: float | Unknown = Unknown(reason=Reason.NOT_MEASURED)
    largest: int | Unknown = Unknown(reason=Reason.NOT_MEASURED)
    if live.picture is not None and recorded.picture is not None:
        changed, largest = difference(live.picture, recorded.picture)
    return PlaybackReading(
        device_id=target.device_id,
        observed_at=clock.now(),
        channel=target.channel,
        asked_at=target.asked_at,
        listed=target.listed,
        fault=recorded.reading.fault,
        live_fault=live.reading.fault,
        shown_after_seconds=shown_after,
        changed_ratio=changed,
        largest_change_levels=largest,
        detail=recorded.reading.detail,
    )


def difference(one: Picture, other: Picture) -> tuple[float, int]:
    """Compare two pictures (BGR): the part that is unlike, 0 to 1, and the largest difference."""
    first, second = (
        cv2.resize(cv2.cvtColor(each, cv2.COLOR_BGR2GRAY), CELLS, interpolation=cv2.INTER_AREA)
        for each in (one, other)
    )
    levels = cv2.absdiff(first, second)
    return round(float((levels > CHANGED_LEVELS).mean()), 4), int(levels.max())
