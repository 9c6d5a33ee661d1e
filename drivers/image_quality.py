"""Features of one picture: pure figures, no verdict and no memory."""

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from drivers.picture_colour import colour_of
from drivers.picture_edges import STRUCTURE_GRADIENT, coarse_gradients, edge_steepness
from drivers.picture_noise import impulse_ratio, noise_levels, stripe_and_band_ratio
from drivers.readings import Frozen, Reason, Unknown

Picture = NDArray[np.uint8]

MAX_WIDTH, MAX_HEIGHT = 640, 360
BLOCK = 8  # side of the blocks whose flatness is judged
FLAT_STD = 1.5  # grey levels; sensor noise alone keeps a live block above it
SATURATED = 250
_LEVELS = np.arange(256.0)


class PictureFeatures(Frozen):
    """The measured fields of a PictureReading; luma is 0 to 255, ratios 0 to 1."""

    luma_mean: float = Field(ge=0, le=255)
    luma_std: float = Field(ge=0)
    luma_p2: float = Field(ge=0, le=255)
    luma_p98: float = Field(ge=0, le=255)
    saturated_ratio: float = Field(ge=0, le=1)
    flat_ratio: float = Field(ge=0, le=1)
    dominant_ratio: float = Field(ge=0, le=1)
    noise_levels: float | Unknown
    impulse_ratio: float = Field(ge=0, le=1)
    stripe_ratio: float = Field(ge=0, le=1)
    band_ratio: float = Field(ge=0)
    cast_levels: float | Unknown
    cast_spread_ratio: float | Unknown
    tint_a_levels: float | Unknown
    tint_b_levels: float | Unknown
    chroma_levels: float | Unknown
    edge_steepness: float | Unknown
    structured_ratio: float = Field(ge=0, le=1)


def fitting_size(width: int, height: int) -> tuple[int, int]:
    """Return the size within 640x360 of the same shape; a smaller picture is never enlarged."""
    scale = min(1.0, MAX_WIDTH / width, MAX_HEIGHT / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def picture_features(picture: Picture) -> PictureFeatures:
    """Measure a picture: rows x columns (grey) or rows x columns x 3 (BGR), 8 bits."""
    small = _shrunk(picture)
    grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.uint8)
    shares = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float64) / grey.size
    cumulated = np.cumsum(shares)
    mean = float(shares @ _LEVELS)
    stripes, bands = stripe_and_band_ratio(grey)
    colour = None if small.ndim == 2 else colour_of(small)
    dark = Unknown(reason=Reason.NOT_MEASURED, detail="no colour to measure")
    return PictureFeatures(
        luma_mean=mean,
        luma_std=float(np.sqrt(shares @ (_LEVELS - mean) ** 2)),
        luma_p2=float(np.searchsorted(cumulated, 0.02)),
        luma_p98=float(np.searchsorted(cumulated, 0.98)),
        saturated_ratio=min(1.0, float(shares[SATURATED:].sum())),
        flat_ratio=_flat_ratio(grey),
        dominant_ratio=_dominant_ratio(small),
        noise_levels=_or_unknown(noise_levels(grey), "too small"),
        impulse_ratio=impulse_ratio(grey),
        stripe_ratio=stripes,
        band_ratio=bands,
        cast_levels=dark if colour is None else colour.cast_levels,
        cast_spread_ratio=dark if colour is None else colour.spread_ratio,
        tint_a_levels=dark if colour is None else colour.a,
        tint_b_levels=dark if colour is None else colour.b,
        chroma_levels=dark if colour is None else colour.chroma,
        edge_steepness=_or_unknown(edge_steepness(grey), "no edges"),
        structured_ratio=float((coarse_gradients(grey) > STRUCTURE_GRADIENT).mean()),
    )


def _or_unknown(value: float | None, why: str) -> float | Unknown:
    return Unknown(reason=Reason.NOT_MEASURED, detail=why) if value is None else value


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
    size = (columns, rows)  # averaging whole blocks is what shrinking by area does
    mean, square = (
        cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (whole, whole * whole)
    )
    return float((square - mean * mean < FLAT_STD**2).mean())


def _dominant_ratio(picture: Picture) -> float:
    """Return the share of the commonest colour, in 16 steps a channel, of every third pixel."""
    high, wide = (max(1, side // 3) for side in picture.shape[:2])
    whole = picture[: max(1, high * 3), : max(1, wide * 3)]
    few = cv2.resize(whole, (wide, high), interpolation=cv2.INTER_NEAREST)
    steps = few.astype(np.uint16) >> 4
    if steps.ndim == 3:
        steps = (steps[..., 0] << 8) | (steps[..., 1] << 4) | steps[..., 2]
    return float(np.bincount(steps.ravel()).max() / steps.size)
