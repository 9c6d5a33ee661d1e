"""How far a picture jumps between two key frames: a loose bracket in the wind."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_TILES = 3
# A part with less of a peak moved by itself, or has nothing in it: traffic, walls.
_LEAST_RESPONSE = 0.15
_LEAST_TILES = 3
_WIDTH = 640


def shake_pixels(before: Picture, after: Picture) -> float | None:
    """Return the jump between two BGR pictures in pixels of a 640 wide one; None: not to be told.

    Each of nine parts is asked by itself, and the middle answer counts: who walks by moves one.
    """
    if before.shape != after.shape:
        return None
    one, other = (
        cv2.cvtColor(each, cv2.COLOR_BGR2GRAY).astype(np.float32) for each in (before, after)
    )
    rows, columns = one.shape[0] // _TILES, one.shape[1] // _TILES
    if min(rows, columns) < 2 * _TILES:
        return None
    window = cv2.createHanningWindow((columns, rows), cv2.CV_32F)
    jumps: list[float] = []
    for at in range(_TILES * _TILES):
        top, left = at // _TILES * rows, at % _TILES * columns
        tile = slice(top, top + rows), slice(left, left + columns)
        # A part that is one grey has no phase, and no answer.
        if min(float(one[tile].std()), float(other[tile].std())) < 1:
            continue
        (across, down), response = cv2.phaseCorrelate(one[tile], other[tile], window)
        if response > _LEAST_RESPONSE:
            jumps.append(float(np.hypot(across, down)))
    if len(jumps) < _LEAST_TILES:
        return None
    return float(np.median(jumps) * _WIDTH / one.shape[1])
