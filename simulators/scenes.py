"""Scenes drawn by code: what simulated cameras look at."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Draw = Callable[[int, int, int], Picture]  # which frame, width, height
# A prime: who walks past is somewhere else in every key frame.
WALK_FRAMES = 107


def _gradient(height: int, width: int, top: int, bottom: int) -> Picture:
    column = np.linspace(top, bottom, height, dtype=np.float32)[:, None, None]
    picture: Picture = np.broadcast_to(column, (height, width, 3)).astype(np.uint8)
    return picture


def _grain(picture: Picture, index: int) -> Picture:
    """Add sensor noise, a cheap one: a fixed field, shifted a little in every frame."""
    height, width = picture.shape[:2]
    moved = np.roll(_field(height, width), index * 37, axis=1)
    return cv2.add(picture, cv2.cvtColor(moved, cv2.COLOR_GRAY2BGR)).astype(np.uint8)


@cache
def _field(height: int, width: int) -> Picture:
    return np.random.default_rng(7).integers(0, 9, (height, width), dtype=np.uint8)


def _clock(picture: Picture, index: int) -> None:
    scale = picture.shape[0] / 360
    where = (int(10 * scale), int(24 * scale))
    text = f"2026-09-01 08:00:{index % 60:02d}"
    cv2.putText(picture, text, where, cv2.FONT_HERSHEY_PLAIN, 1.2 * scale, (255, 255, 255), 1)


def gate(index: int, width: int, height: int) -> Picture:
    """A school gate by day: sky, road, wall, bars, and somebody walking past."""
    picture = _gradient(height, width, 190, 150)
    horizon = int(height * 0.42)
    picture[horizon:] = _gradient(height - horizon, width, 95, 120)
    cv2.rectangle(picture, (0, int(height * 0.3)), (width // 3, horizon), (70, 95, 140), -1)
    cv2.rectangle(picture, (2 * width // 3, height // 4), (width, horizon), (90, 110, 160), -1)
    for bar in range(width // 3, 2 * width // 3, max(8, width // 40)):
        cv2.line(picture, (bar, height // 4), (bar, int(height * 0.6)), (40, 40, 45), 3)
    for tile in range(0, width, max(16, width // 16)):
        cv2.line(picture, (tile, height), (width // 2, horizon), (75, 80, 85), 1)
    x = int(width * ((index % WALK_FRAMES) / WALK_FRAMES))
    cv2.rectangle(
        picture, (x, height // 2), (x + width // 24, int(height * 0.8)), (30, 40, 170), -1
    )
    _clock(picture, index)
    return _grain(picture, index)


def corridor(index: int, width: int, height: int) -> Picture:
    """A corridor: walls towards a vanishing point, doors, lamps and a moving ball."""
    picture = _gradient(height, width, 150, 90)
    centre = (width // 2, int(height * 0.45))
    for corner in ((0, 0), (width, 0), (0, height), (width, height)):
        cv2.line(picture, corner, centre, (60, 60, 60), 2)
    for door in range(5):
        left, tall = int(width * 0.08 * door), int(height * (0.7 - 0.1 * door))
        top = centre[1] - tall // 2
        cv2.rectangle(picture, (left, top), (left + width // 18, top + tall), (50, 80, 120), -1)
        right = width - left
        cv2.rectangle(picture, (right - width // 18, top), (right, top + tall), (60, 90, 110), -1)
    for lamp in range(4):
        at = (width // 2, int(height * (0.05 + 0.09 * lamp)))
        cv2.ellipse(picture, at, (width // (8 + 4 * lamp), 4), 0, 0, 360, (235, 235, 235), -1)
    x = int(width * (0.5 + 0.2 * np.sin(index / 8)))
    cv2.circle(picture, (x, int(height * 0.75)), height // 14, (40, 160, 60), -1)
    _clock(picture, index)
    return _grain(picture, index)


def playground(index: int, width: int, height: int) -> Picture:
    """A playground: grass, a track, trees, a slide, and a ball that rolls."""
    picture = _gradient(height, width, 205, 165)
    field = int(height * 0.38)
    picture[field:] = (70, 135, 85)
    texture = np.random.default_rng(11).integers(-14, 14, (height - field, width, 1))
    picture[field:] = np.clip(picture[field:].astype(np.int16) + texture, 0, 255).astype(np.uint8)
    for tree in range(6):
        at = (int(width * (0.06 + 0.17 * tree)), int(height * (0.3 - 0.02 * (tree % 3))))
        cv2.circle(picture, at, height // 11, (45, 95 + 8 * tree, 55), -1)
        cv2.rectangle(picture, at, (at[0] + width // 90, field), (40, 60, 80), -1)
    middle = (width // 2, int(height * 0.78))
    cv2.ellipse(picture, middle, (int(width * 0.42), height // 6), 0, 0, 360, (60, 75, 160), 12)
    cv2.line(picture, (width // 5, field), (width // 3, int(height * 0.7)), (40, 200, 230), 6)
    cv2.line(picture, (width // 5, field), (width // 5, int(height * 0.7)), (90, 90, 95), 5)
    x = int(width * (0.5 + 0.4 * np.sin(index / 11)))
    cv2.circle(picture, (x, int(height * 0.85)), height // 24, (230, 230, 240), -1)
    _clock(picture, index)
    return _grain(picture, index)


def dormitory(index: int, width: int, height: int) -> Picture:
    """A dormitory's front: rows of windows, a door with a lamp, a bicycle stand."""
    picture = np.full((height, width, 3), (120, 140, 165), dtype=np.uint8)
    for row in range(3):
        for column in range(7):
            left, top = int(width * (0.05 + 0.135 * column)), int(height * (0.1 + 0.2 * row))
            right, low = left + int(width * 0.08), top + int(height * 0.13)
            cv2.rectangle(picture, (left, top), (right, low), (95, 75, 60 + 9 * column), -1)
            cv2.rectangle(picture, (left, top), (right, low), (225, 225, 225), 2)
            cv2.line(picture, ((left + right) // 2, top), ((left + right) // 2, low), (225,) * 3, 1)
    ground = int(height * 0.8)
    picture[ground:] = (100, 105, 108)
    door = (int(width * 0.46), int(height * 0.62))
    cv2.rectangle(picture, door, (int(width * 0.55), ground), (50, 60, 95), -1)
    cv2.circle(picture, (int(width * 0.505), door[1] - 8), height // 45, (200, 240, 250), -1)
    for stand in range(9):
        at = (int(width * (0.1 + 0.035 * stand)), int(height * 0.9))
        cv2.circle(picture, at, height // 30, (40, 40, 45), 2)
    x = int(width * ((index % 140) / 140))
    cv2.rectangle(
        picture, (x, int(height * 0.72)), (x + width // 36, ground + 12), (60, 90, 60), -1
    )
    _clock(picture, index)
    return _grain(picture, index)


def black(_index: int, width: int, height: int) -> Picture:
    """Nothing at all: lens covered, or no light and no lamp."""
    return np.full((height, width, 3), 8, dtype=np.uint8)


def no_signal(_index: int, width: int, height: int) -> Picture:
    """A recorder's placeholder for an input without a camera."""
    picture = np.full((height, width, 3), 112, dtype=np.uint8)
    where = (int(width * 0.36), height // 2)
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, height / 360
    cv2.putText(picture, "NO SIGNAL", where, font, scale, (230, 230, 230), 2)
    return picture


def overexposed(index: int, width: int, height: int) -> Picture:
    """The gate with the iris stuck open."""
    return cv2.convertScaleAbs(gate(index, width, height), alpha=2.2, beta=60).astype(np.uint8)


def dark(index: int, width: int, height: int) -> Picture:
    """The gate by night without a lamp: shapes are there, light is not."""
    return cv2.convertScaleAbs(gate(index, width, height), alpha=0.12, beta=4).astype(np.uint8)


def low_contrast(index: int, width: int, height: int) -> Picture:
    """The gate in thick fog."""
    return cv2.convertScaleAbs(gate(index, width, height), alpha=0.12, beta=125).astype(np.uint8)


def noisy(index: int, width: int, height: int) -> Picture:
    """The gate by a sensor whose gain is turned up as far as it goes."""
    grain = np.random.default_rng(index).normal(0, 22, (height, width, 3))
    return np.clip(gate(index, width, height) + grain, 0, 255).astype(np.uint8)


def snow(index: int, width: int, height: int) -> Picture:
    """The gate through a cable that has come loose: white and black dots."""
    picture, chance = gate(index, width, height), np.random.default_rng(index)
    for light in (0, 255):
        picture[chance.random((height, width)) < 0.08] = light
    return picture


def striped(index: int, width: int, height: int) -> Picture:
    """The corridor with hum on the line: slanting stripes that wander."""
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    wave = 28 * np.sin((across + 0.6 * down) * 2 * np.pi / (width / 48) + index)
    picture = corridor(index, width, height).astype(np.float32) + wave[..., None]
    return np.asarray(picture.clip(0, 255), dtype=np.uint8)


def banded(index: int, width: int, height: int) -> Picture:
    """The gate with rows that lost their level, as a dying codec leaves them."""
    chance = np.random.default_rng(3)
    rows = np.repeat(chance.normal(0, 60, height // 4 + 1), 4)[:height]
    picture = gate(index, width, height).astype(np.float32) + rows[:, None, None]
    return np.asarray(picture.clip(0, 255), dtype=np.uint8)


def pink(index: int, width: int, height: int) -> Picture:
    """The gate by day with the infrared filter left open."""
    tinted = gate(index, width, height).astype(np.float32) * (0.75, 0.6, 1.15) + (20, 0, 40)
    return np.asarray(tinted.clip(0, 255), dtype=np.uint8)


def turned(index: int, width: int, height: int) -> Picture:
    """The gate by a camera that somebody has pushed aside: more than a quarter is new."""
    aside, down = width // 4 + width // 90, height // 20
    away = np.roll(gate(index, width, height), (down, aside), axis=(0, 1))
    away[:, :aside] = corridor(index, width, height)[:, :aside]
    return away


def covered(index: int, width: int, height: int) -> Picture:
    """The gate with a bag over the lens, but for a corner."""
    picture = gate(index, width, height)
    picture[: int(height * 0.9), : int(width * 0.95)] = (52, 58, 60)
    return _grain(picture, index)


def blurred(index: int, width: int, height: int) -> Picture:
    """The gate through dew."""
    soft = cv2.GaussianBlur(gate(index, width, height), (0, 0), width / 320)
    return _grain(soft.astype(np.uint8), index)


def frozen(_index: int, width: int, height: int) -> Picture:
    """The gate as it was a while ago, over and over."""
    return gate(0, width, height)


def shifted(draw: Draw, by: int) -> Draw:
    """Return the scene from its frame `by` on."""
    return lambda index, width, height: draw(index + by, width, height)


SCENES: dict[str, Draw] = {
    "gate": gate,
    "corridor": corridor,
    "playground": playground,
    "dormitory": dormitory,
    "black": black,
    "no_signal": no_signal,
    "overexposed": overexposed,
    "dark": dark,
    "low_contrast": low_contrast,
    "noisy": noisy,
    "snow": snow,
    "striped": striped,
    "banded": banded,
    "pink": pink,
    "turned": turned,
    "covered": covered,
    "blurred": blurred,
    "frozen": frozen,
}
