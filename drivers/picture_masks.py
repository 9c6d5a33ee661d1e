"""Parts of a picture that nobody is to look at: running clocks, and the neighbours' windows."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

# On so small a copy filling in is quick; nothing fine comes of it, and nothing is to.
_SMALL = (80, 45)
_REACH_PIXELS = 3


class Mask(NamedTuple):
    """A rectangle, in per cent of the picture's width and height."""

    left: int
    top: int
    right: int
    bottom: int


def masked(picture: Picture, masks: Sequence[Mask]) -> Picture:
    """Return a copy (BGR) in which the masked parts go on as their surroundings do.

    A plain colour would add edges of its own, and they would change with the light.
    """
    if not masks:
        return picture
    height, width = picture.shape[:2]
    small = cv2.resize(picture, _SMALL, interpolation=cv2.INTER_AREA).astype(np.uint8)
    hidden = np.zeros(_SMALL[::-1], np.uint8)
    whole = np.zeros((height, width), bool)
    for one in masks:
        _area(hidden, one)[...] = 255
        _area(whole, one)[...] = True
    filled = cv2.inpaint(small, hidden, _REACH_PIXELS, cv2.INPAINT_TELEA)
    found = picture.copy()
    found[whole] = cv2.resize(filled, (width, height))[whole]
    return found


def _area(plane: NDArray[np.generic], mask: Mask) -> NDArray[np.generic]:
    height, width = plane.shape[:2]
    rows = slice(mask.top * height // 100, -(-mask.bottom * height // 100))
    return plane[rows, mask.left * width // 100 : -(-mask.right * width // 100)]
