"""The edges of a picture: how steep they are, where they are, and whether there are any."""

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.picture_noise import block_means

Grey = NDArray[np.uint8]
Values = NDArray[np.float32]

_STRONGEST_RATIO = 0.02
_LEAST_GRADIENT = 20.0
_LEAST_PIXELS = 200
# Coarse blocks of a half-size copy; one with less gradient than this holds nothing to go by.
COARSE = (320, 180)
COARSE_BLOCK = 20
SHAPE = (160, 90)
_AROUND_SIGMA = 8.0
STRUCTURE_GRADIENT = 12.0


def edge_steepness(grey: Grey) -> float | None:
    """Return how abrupt the strongest edges are, about 0.1 blurred to 0.6 sharp; None: no edges."""
    across, down = cv2.spatialGradient(grey)
    gradient = cv2.magnitude(across.astype(np.float32), down.astype(np.float32)).ravel()
    sample = gradient[::7]  # no divisor of the width, so that no column is left out
    count = max(1, int(sample.size * _STRONGEST_RATIO))
    strongest = np.partition(sample, -count)[-count]
    edges = np.flatnonzero(gradient >= max(float(strongest), _LEAST_GRADIENT))
    if edges.size <= _LEAST_PIXELS:
        return None
    bend = np.abs(cv2.Laplacian(grey, cv2.CV_16S).ravel()[edges])
    return float(bend.mean() / (gradient[edges].mean() + 1))


def coarse_gradients(grey: Grey) -> Values:
    """Return the mean gradient of coarse blocks, 9 rows of 16."""
    half = cv2.resize(grey, COARSE, interpolation=cv2.INTER_AREA).astype(np.float32)
    return block_means(_gradient(half), COARSE_BLOCK)


def shape_map(grey: Grey) -> Values:
    """Return where edges are, 90 rows of 160, whatever the light: what a view is known by.

    Each place is measured against its own surroundings first, so that shadows and lamps count less.
    """
    scaled = cv2.resize(grey, SHAPE, interpolation=cv2.INTER_AREA).astype(np.float32)
    small = cv2.GaussianBlur(scaled, (0, 0), 1.0)
    away = small - cv2.GaussianBlur(small, (0, 0), _AROUND_SIGMA)
    spread = np.sqrt(cv2.GaussianBlur(away * away, (0, 0), _AROUND_SIGMA))
    return np.asarray(cv2.GaussianBlur(_gradient(away / (spread + 4)), (0, 0), 1.0), np.float32)


def _gradient(values: Values) -> Values:
    across, down = cv2.Sobel(values, cv2.CV_32F, 1, 0), cv2.Sobel(values, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(across, down), dtype=np.float32)
