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
IMPULSE_LEVELS = 45
# Transform size; a power of two in both directions.
_WIDE, _HIGH = 512, 256
_SLOW = (25, 25)  # pixels; what is broader is no stripe
_CLIP_LEVELS = 40.0
# Keeps an empty picture from having a peak: this much power a coefficient counts as nothing.
_FLOOR = 10.0


def block_means(values: Values, side: int = BLOCK) -> Values:
    """Return the mean of every whole block; empty where there is none."""
    rows, columns = values.shape[0] // side, values.shape[1] // side
    whole = values[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return whole.mean(axis=(1, 3)) if rows and columns else np.empty((0, 0), np.float32)


def noise_levels(grey: Grey) -> float | None:
    """Return the sigma of the noise in the calmest fifth of a picture; None: it is too small."""
    differences = np.abs(cv2.filter2D(grey.astype(np.float32), -1, _SECOND))
    blocks = np.sort(block_means(differences), axis=None)
    if not blocks.size:
        return None
    return float(blocks[int(blocks.size * _CALM_SHARE)]) * _TO_SIGMA


def impulse_ratio(grey: Grey) -> float:
    """Return the part of the pixels that stand out from their neighbours: snow, dead pixels."""
    return float((cv2.absdiff(grey, cv2.medianBlur(grey, 3)) > IMPULSE_LEVELS).mean())


def stripe_and_band_ratio(grey: Grey) -> tuple[float, float]:
    """Return how much of the fine structure is one pattern, and how much whole rows or columns."""
    scaled = cv2.resize(grey.astype(np.float32), (_WIDE, _HIGH))
    fine = scaled - cv2.blur(scaled, _SLOW)
    np.clip(fine, -_CLIP_LEVELS, _CLIP_LEVELS, out=fine)
    variance = float(fine.var()) + 2.0
    band = max(float(fine.mean(axis=1).var()), float(fine.mean(axis=0).var())) / variance
    window = cv2.createHanningWindow((_WIDE, _HIGH), cv2.CV_32F)
    spectrum = cv2.dft(fine * window, flags=cv2.DFT_COMPLEX_OUTPUT)[:, : _WIDE // 2]
    power = spectrum[..., 0] ** 2 + spectrum[..., 1] ** 2
    # Rows of zero frequency into the middle, and the slowest of all out of the way.
    power = np.roll(power, _HIGH // 2, axis=0)
    middle = _HIGH // 2
    power[middle - 2 : middle + 3, :4] = 0
    row, column = divmod(int(power.argmax()), power.shape[1])
    peak = power[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].sum()
    return float(peak / (power.sum() + _FLOOR * power.size)), band
