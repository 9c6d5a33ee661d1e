"""The colour of a picture as a whole: its cast, and whether it has any."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

# Colour of what is nearly black or burnt out means nothing.
_DARKEST, _BRIGHTEST = 30, 240
_LEAST_RATIO = 0.05
_GREY = 128
_STEP = 8


class Colour(NamedTuple):
    """Of CIE L*a*b* (OpenCV's 8 bits): length and place of the median, and how far pixels spread.

    `chroma` is how far they are from it on average: next to nothing in a grey picture.
    """

    cast_levels: float
    a: float
    b: float
    spread_ratio: float
    chroma: float


def colour_of(picture: NDArray[np.uint8]) -> Colour | None:
    """Measure a BGR picture, one pixel of 8 x 8; None where there is too little light to tell."""
    size = (-(-picture.shape[1] // _STEP), -(-picture.shape[0] // _STEP))
    few = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)
    light, *colours = cv2.split(cv2.cvtColor(few, cv2.COLOR_BGR2LAB))
    usable = (light > _DARKEST) & (light < _BRIGHTEST)
    if usable.mean() < _LEAST_RATIO:
        return None
    a, b = (colour[usable] for colour in colours)
    (middle_a, spread_a), (middle_b, spread_b) = _middle(a), _middle(b)
    cast = float(np.hypot(middle_a, middle_b))
    # From the median: conversions leave even a grey picture a constant tint of a level or two.
    away = (a.astype(np.float32) - middle_a - _GREY, b.astype(np.float32) - middle_b - _GREY)
    chroma = cv2.magnitude(*away).mean()
    spread = (spread_a + spread_b) / 2
    return Colour(cast, middle_a, middle_b, cast / (spread + 2.0), float(chroma))


def _middle(values: NDArray[np.generic]) -> tuple[float, float]:
    """Return the median, grey being 0, and the mean distance from it; counted, not sorted."""
    counts = np.bincount(values, minlength=256)
    middle = int(np.searchsorted(np.cumsum(counts), values.size / 2))
    distance = np.abs(np.arange(256) - middle) @ counts / values.size
    return float(middle - _GREY), float(distance)
