"""A JPEG from a recorder: refused by its size before it is decoded, and small when it is."""

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.image_quality import fitting_size

MAX_PIXELS = 40_000_000
# Start-of-frame markers hold the size (ITU-T T.81, B.2.2); C4, C8 and CC are other things.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})


def jpeg_size(body: bytes) -> tuple[int, int] | None:
    """Return width and height as the header says; None where it says nothing."""
    at = 2
    while at + 9 <= len(body) and body[at] == 0xFF:
        marker = body[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", body, at + 5)
            return (width, height) if width and height else None
        else:
            at += 2 + max(2, int.from_bytes(body[at + 2 : at + 4], "big"))
    return None


def decode_jpeg(body: bytes) -> NDArray[np.uint8] | None:
    """Return a BGR picture within 640x360; None: it is none, or too large to be decoded."""
    size = jpeg_size(body)
    if size is None or size[0] * size[1] > MAX_PIXELS:
        return None
    data = np.frombuffer(body, np.uint8)
    # The decoder itself can halve it, at a quarter of the cost.
    how = cv2.IMREAD_REDUCED_COLOR_2 if size[0] >= 2 * 640 else cv2.IMREAD_COLOR
    try:
        picture = cv2.imdecode(data, how)
    except cv2.error:
        return None
    if picture is None:
        return None
    fitting = fitting_size(picture.shape[1], picture.shape[0])
    small = cv2.resize(picture, fitting, interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)
