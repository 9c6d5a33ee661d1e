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
_SECOND = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
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
    differences = np.abs(cv2.filter2D(grey.astype(np.float32), -1, _SECOND))
    blocks = np.sort(block_means(differences), axis=None)
    if not blocks.size:
        return None
    return float(blocks[int(blocks.size * _CALM_SHARE)]) * _TO_SIGMA


def impulse_ratio(grey: Grey) -> float:
    """Return the part of the pixels that stand out from their neighbours: snow, dead pixels."""
    away = cv2.absdiff(grey, cv2.medianBlur(grey, 3))
    _, there = cv2.threshold(away, IMPULSE_LEVELS, 255, cv2.THRESH_BINARY)
    return cv2.countNonZero(there) / grey.size


def stripe_and_band_ratio(grey: Grey) -> tuple[float, float]:
    """Return how much of the fine structure is one pattern, and how much whole rows or columns."""
    scaled = cv2.resize(grey.astype(np.float32), (_WIDE, _HIGH))
    fine = scaled - cv2.blur(scaled, _SLOW)
    np.clip(fine, -_CLIP_LEVELS, _CLIP_LEVELS, out=fine)
    variance = float(fine.var()) + 2.0
    band = max(float(fine.mean(axis=1).var()), float(fine.mean(axis=0).var())) / variance
    spectrum = cv2.dft(fine * _WINDOW, flags=cv2.DFT_COMPLEX_OUTPUT)[:, : _WIDE // 2]
    power = spectrum[..., 0] ** 2 + spectrum[..., 1] ** 2
    # The slowest of all is out of the way; rows go round, their zero frequency is the first.
    power[:3, :4] = power[-2:, :4] = 0
    row, column = divmod(int(power.argmax()), power.shape[1])
    around = [(row + step) % _HIGH for step in (-1, 0, 1)]
    peak = power[around, max(0, column - 1) : column + 2].sum()
    return float(peak / (power.sum() + _FLOOR * power.size)), band
