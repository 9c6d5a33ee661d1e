"""The same scene at other hours: day, dusk, and the infrared night of a camera with lamps."""

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np

from simulators.scenes import Draw, Picture

Hour = Literal["day", "dusk", "night"]


def at_hour(draw: Draw, hour: Hour, seed: int) -> Draw:
    """Return what draws a scene at an hour; `seed` is the day's weather, and who is about."""
    chance = np.random.default_rng(seed)
    weather = float(chance.uniform(0.85, 1.12))
    cloud = float(chance.uniform(-6, 6))
    people = int(chance.integers(0, 4))
    places = chance.uniform(0.05, 0.95, (4, 2))

    def drawn(index: int, width: int, height: int) -> Picture:
        picture = draw(index + seed % 97, width, height)
        for x, y in places[:people]:
            _person(picture, float(x), float(y))
        lit = picture.astype(np.float32) * weather + cloud
        return HOURS[hour](np.asarray(lit.clip(0, 255), dtype=np.uint8), index + seed)

    return drawn


def _person(picture: Picture, x: float, y: float) -> None:
    height, width = picture.shape[:2]
    tall = int(height * (0.12 + 0.2 * y))
    left, top = int(x * width), int((0.35 + 0.4 * y) * height)
    colour = (int(40 + 150 * x), int(60 + 90 * y), int(30 + 160 * (1 - x)))
    cv2.rectangle(picture, (left, top), (left + tall // 3, top + tall), colour, -1)
    cv2.circle(picture, (left + tall // 6, top), tall // 8, (120, 150, 190), -1)


def _day(picture: Picture, _seed: int) -> Picture:
    return picture


def _dusk(picture: Picture, seed: int) -> Picture:
    """Less light, bluer, and the sensor begins to work."""
    blue = picture.astype(np.float32) * (0.62, 0.52, 0.46) + (14, 6, 2)
    noise = np.random.default_rng(seed).normal(0, 2, picture.shape)
    return np.asarray((blue + noise).clip(0, 255), dtype=np.uint8)


def _night(picture: Picture, seed: int) -> Picture:
    """Grey, bright in the middle where the lamps point, noisy."""
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    lamps = 1.1 * np.exp(-1.2 * (across**2 + down**2)) + 0.25
    noise = np.random.default_rng(seed).normal(0, 3, (height, width))
    lit = (grey * lamps * 0.85 + noise).clip(0, 255)
    return np.asarray(np.repeat(lit[..., None], 3, axis=2), dtype=np.uint8)


HOURS: dict[Hour, Callable[[Picture, int], Picture]] = {
    "day": _day,
    "dusk": _dusk,
    "night": _night,
}
