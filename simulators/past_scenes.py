"""Scenes as they were: another light every hour and day, and a date a machine can read."""

import hashlib
from datetime import UTC, datetime, timedelta

import cv2

from simulators.scenes import SCENES, Draw, Picture

# A strip along the lower edge: white, black, then the instant's seconds since 1970, high bit first.
STRIP_BITS = 32
STRIP_CELLS = STRIP_BITS + 2
DARKEST, BRIGHTEST = 0.45, 0.75


def as_it_was(scene: str, start: datetime, fps: int) -> Draw:
    """Return what draws a scene as recorded from `start` on, by the recorder's own wall clock."""
    light = _light(start)

    def draw(index: int, width: int, height: int) -> Picture:
        picture = SCENES[scene](index + start.minute, width, height)
        picture = cv2.convertScaleAbs(picture, alpha=light, beta=2).astype("uint8")
        _mark(picture, start + timedelta(seconds=index / fps))
        return picture

    return draw


def _light(start: datetime) -> float:
    """Return how bright it was: no two hours alike, never as it is now."""
    chance = hashlib.sha256(f"{start:%Y%m%d%H}".encode()).digest()[0] / 255
    return DARKEST + (BRIGHTEST - DARKEST) * chance


def _mark(picture: Picture, instant: datetime) -> None:
    height, width = picture.shape[:2]
    seconds = int(instant.replace(tzinfo=UTC).timestamp())
    bits = [1, 0, *((seconds >> at) & 1 for at in reversed(range(STRIP_BITS)))]
    cell, top = width / STRIP_CELLS, height - height // 15
    for number, bit in enumerate(bits):
        corners = (round(number * cell), top), (round((number + 1) * cell) - 1, height - 1)
        cv2.rectangle(picture, *corners, (235,) * 3 if bit else (20,) * 3, -1)
