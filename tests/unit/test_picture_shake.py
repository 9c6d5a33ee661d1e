"""Pictures that jump, measured against jumps made by hand; parts of a picture not looked at."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.picture_masks import Mask, masked
from drivers.picture_shake import shake_pixels
from simulators import scenes

Picture = NDArray[np.uint8]


def moved(picture: Picture, across: float, down: float) -> Picture:
    """Show what a camera shows that was turned a little; nothing is made up at the edges."""
    rows, columns = picture.shape[:2]
    shift = np.array([[1, 0, across], [0, 1, down]], np.float32)
    found = cv2.warpAffine(picture, shift, (columns, rows), borderMode=cv2.BORDER_REPLICATE)
    return found.astype(np.uint8)


def noisy(picture: Picture, seed: int, sigma: float = 3) -> Picture:
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("scene", ["gate", "corridor", "playground", "dormitory"])
@pytest.mark.parametrize(("across", "down"), [(3, 0), (0, -4), (6, 5)])
def test_a_jump_is_measured(scene: str, across: int, down: int) -> None:
    before = scenes.SCENES[scene](0, 640, 360)
    jump = shake_pixels(noisy(before, 1), noisy(moved(before, across, down), 2))
    assert jump == pytest.approx(np.hypot(across, down), abs=0.7)


@pytest.mark.parametrize("scene", ["gate", "corridor", "playground", "dormitory"])
def test_who_walks_by_is_no_jump(scene: str) -> None:
    before, after = (scenes.SCENES[scene](index, 640, 360) for index in (0, 25))
    jump = shake_pixels(noisy(before, 1), noisy(after, 2))
    assert jump is None or jump < 1


def test_a_small_picture_jumps_by_as_much_of_a_large_one() -> None:
    before = scenes.gate(0, 320, 180)
    assert shake_pixels(before, moved(before, 2, 0)) == pytest.approx(4, abs=0.8)


def test_where_there_is_nothing_to_go_by_nothing_is_said() -> None:
    empty = np.full((360, 640, 3), 90, np.uint8)
    assert shake_pixels(empty, empty) is None
    assert shake_pixels(empty, np.full((180, 320, 3), 90, np.uint8)) is None
    assert shake_pixels(empty[:8, :8], empty[:8, :8]) is None


def test_a_masked_part_goes_on_as_its_surroundings_do() -> None:
    picture = np.full((360, 640, 3), 100, np.uint8)
    picture[:36, :224] = np.random.default_rng(1).integers(0, 256, (36, 224, 3), dtype=np.uint8)
    found = masked(picture, [Mask(0, 0, 35, 10)])
    assert int(np.abs(found.astype(int) - 100).max()) <= 3
    assert masked(picture, ()) is picture


def test_a_mask_changes_nothing_beside_it() -> None:
    picture = scenes.gate(0, 640, 360)
    found = masked(picture, [Mask(10, 20, 50, 60)])
    changed = np.nonzero((found != picture).any(axis=2))
    assert (changed[0].min(), changed[0].max()) >= (72, 72)
    assert changed[0].max() < 216
    assert changed[1].min() >= 64
    assert changed[1].max() < 320
