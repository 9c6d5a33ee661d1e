"""What a sick sensor, cable or codec adds to a picture: noise, snow, stripes, bands.

Pictures are grey, 8 bits, at most 640x360; definitions as measured (reference, section 4.2).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Values = NDArray[np.float32]

BLOCK = 20
# Immerkaer's mask: the second difference of second differences, blind to edges and slopes. Its
# coefficients' squares add up to 36, and a normal deviate's mean size is sqrt(2/pi) of its sigma.
_SECOND = np.array([1, -2, 1], dtype=np.float32)
_TO_SIGMA = float(np.sqrt(np.pi / 2) / 6)
# A picture has places without texture; there the noise is what is left.
_CALM_SHARE = 0.2
IMPULSE_LEVELS = 45.0
# Transform size; a power of two in both directions.
_WIDE, _HIGH = 512, 256
_WINDOW = cv2.createHanningWindow((_WIDE, _HIGH), cv2.CV_32F)
_SLOW = (25, 25)  # pixels; what is broader is no stripe
_CLIP_LEVELS = 40.0
# Keeps an empty picture from having a peak: this much power a coefficient counts as nothing.
_FLOOR = 10.0


def block_means(values: Values, side: int = BLOCK) -> Values:
    """Return the mean of every whole block; empty where there is none."""
    rows, columns = values.shape[0] // side, values.shape[1] // side
    if not rows or not columns:
        return np.empty((0, 0), np.float32)
    whole = values[: rows * side, : columns * side]
    # Averaging whole blocks is what shrinking by area does.
    means = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float32)


def noise_levels(grey: Grey) -> float | None:
    """Return the sigma of the noise in the calmest fifth of a picture; None: it is too small."""
    differences = np.abs(cv2.sepFilter2D(grey, cv2.CV_16S, _SECOND, _SECOND))
    blocks = np.sort(block_means(differences.astype(np.float32)), axis=None)
    if not blocks.size:
        return None
    return float(blocks[int(blocks.size * _CALM_SHARE)]) * _TO_SIGMA


def impulse_ratio(grey: Grey) -> float:
    """Return the part of the pixels that stand out from their neighbours: snow, dead pixels."""
    away = cv2.absdiff(grey, cv2.medianBlur(grey, 3))
    _, there = cv2.threshold(away, IMPULSE_LEVELS, 255, cv2.THRESH_BINARY)
    return cv2.countNonZero(there) / grey.size


def _power(values: Values) -> Values:
    """Return how strong each frequency is: rows go round, columns are the lower half."""
    # Real and imaginary parts lie packed, in pairs of columns, but for those of the first column,
    # which lie in pairs of rows (OpenCV's manual, cv::dft); times itself the imaginary parts are 0.
    packed = cv2.dft(values)
    square = cv2.mulSpectrums(packed, packed, 0, conjB=True)
    high, wide = values.shape
    power = np.empty((high, wide // 2), np.float32)
    power[:, 1:] = square[:, 1:-1:2]
    power[0, 0], power[high // 2, 0] = square[0, 0], square[-1, 0]
    power[1 : high // 2, 0] = square[1:-1:2, 0]
    power[high // 2 + 1 :, 0] = power[high // 2 - 1 : 0 : -1, 0]
    return power


def stripe_and_band_ratio(grey: Grey) -> tuple[float, float]:
    """Return how much of the fine structure is one pattern, and how much whole rows or columns."""
    fine = cv2.resize(grey, (_WIDE, _HIGH)).astype(np.float32)
    fine -= cv2.blur(fine, _SLOW)
    np.clip(fine, -_CLIP_LEVELS, _CLIP_LEVELS, out=fine)
    rows, columns = (cv2.reduce(fine, along, cv2.REDUCE_AVG) for along in (1, 0))
    variance = cv2.norm(fine, cv2.NORM_L2SQR) / fine.size - float(rows.mean()) ** 2 + 2.0
    band = max(float(rows.var()), float(columns.var())) / variance
    fine *= _WINDOW
    power = _power(fine)
    # The slowest of all is out of the way; rows go round, their zero frequency is the first.
    power[:3, :4] = power[-2:, :4] = 0
    row, column = divmod(int(power.argmax()), power.shape[1])
    around = [(row + step) % _HIGH for step in (-1, 0, 1)]
    peak = power[around, max(0, column - 1) : column + 2].sum()
    return float(peak / (power.sum() + _FLOOR * power.size)), band
