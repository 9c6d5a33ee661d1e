"""A small copy of a picture on disk, for a technician to see what is wrong."""

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 320, 180
QUALITY = 70


def keep_thumbnail(picture: NDArray[np.uint8], place: Path) -> None:
    """Write a BGR picture as a JPEG within 320x180, for its owner alone. Raises OSError."""
    rows, columns = picture.shape[:2]
    scale = min(1.0, WIDTH / columns, HEIGHT / rows)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    done, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise OSError("the picture could not be coded")
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = place.with_suffix(".new")
    with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(coded.tobytes())
    fresh.replace(place)
