"""Features of one picture: pure figures, no verdict and no memory."""

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from drivers.readings import Frozen

Picture = NDArray[np.uint8]

MAX_WIDTH, MAX_HEIGHT = 640, 360
BLOCK = 8  # side of the blocks whose flatness is judged
FLAT_STD = 1.5  # grey levels; sensor noise alone keeps a live block above it
SATURATED = 250


class PictureFeatures(Frozen):
    """The measured fields of a PictureReading; luma is 0 to 255, ratios 0 to 1."""

    luma_mean: float = Field(ge=0, le=255)
    luma_std: float = Field(ge=0)
    luma_p2: float = Field(ge=0, le=255)
    luma_p98: float = Field(ge=0, le=255)
    saturated_ratio: float = Field(ge=0, le=1)
    flat_ratio: float = Field(ge=0, le=1)
    dominant_ratio: float = Field(ge=0, le=1)


def fitting_size(width: int, height: int) -> tuple[int, int]:
    """Return the size within 640x360 of the same shape; a smaller picture is never enlarged."""
    scale = min(1.0, MAX_WIDTH / width, MAX_HEIGHT / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def picture_features(picture: Picture) -> PictureFeatures:
    """Measure a picture: rows x columns (grey) or rows x columns x 3 (BGR), 8 bits."""
    small = _shrunk(picture)
    grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    counts = np.bincount(grey.ravel(), minlength=256)
    cumulated = np.cumsum(counts) / grey.size
    return PictureFeatures(
        luma_mean=float(grey.mean()),
        luma_std=float(grey.std()),
        luma_p2=float(np.searchsorted(cumulated, 0.02)),
        luma_p98=float(np.searchsorted(cumulated, 0.98)),
        saturated_ratio=float(counts[SATURATED:].sum() / grey.size),
        flat_ratio=_flat_ratio(grey),
        dominant_ratio=_dominant_ratio(small),
    )


def _shrunk(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    size = fitting_size(width, height)
    if size == (width, height):
        return picture
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _flat_ratio(grey: NDArray[np.generic]) -> float:
    """Return the share of whole 8x8 blocks with next to no structure; 1 if there is no block."""
    rows, columns = grey.shape[0] // BLOCK, grey.shape[1] // BLOCK
    if not rows or not columns:
        return 1.0
    whole = grey[: rows * BLOCK, : columns * BLOCK].astype(np.float32)
    spread = whole.reshape(rows, BLOCK, columns, BLOCK).std(axis=(1, 3))
    return float((spread < FLAT_STD).mean())


def _dominant_ratio(picture: Picture) -> float:
    """Return the share of the commonest colour, in 16 steps a channel."""
    steps = (picture >> 4).astype(np.int32)
    if steps.ndim == 3:
        steps = steps[..., 0] * 256 + steps[..., 1] * 16 + steps[..., 2]
    return float(np.bincount(steps.ravel()).max() / steps.size)
