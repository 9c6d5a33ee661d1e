import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.image_quality import Picture, fitting_size, picture_features
from simulators import scenes


def drawn(scene: str, width: int = 640, height: int = 360) -> Picture:
    return scenes.SCENES[scene](0, width, height)


@pytest.mark.parametrize("scene", ["gate", "corridor"])
def test_an_ordinary_scene_is_neither_flat_nor_of_one_colour(scene: str) -> None:
    features = picture_features(drawn(scene))
    assert features.flat_ratio < 0.3
    assert features.dominant_ratio < 0.5
    assert features.luma_p98 - features.luma_p2 > 60
    assert features.saturated_ratio < 0.05


@pytest.mark.parametrize("scene", ["black", "no_signal"])
def test_an_empty_screen_is_flat_and_of_one_colour(scene: str) -> None:
    features = picture_features(drawn(scene))
    assert features.flat_ratio > 0.9
    assert features.dominant_ratio > 0.9


def test_light_figures_follow_the_light() -> None:
    by_scene = {scene: picture_features(drawn(scene)) for scene in scenes.SCENES}
    assert by_scene["dark"].luma_p98 < 40 < by_scene["gate"].luma_p98
    assert by_scene["overexposed"].saturated_ratio > 0.35 > by_scene["gate"].saturated_ratio
    assert by_scene["low_contrast"].luma_std < 12 < by_scene["gate"].luma_std


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_figures_agree_with_plain_loops(rows: int, columns: int, seed: int, colour: bool) -> None:
    shape = (rows, columns, 3) if colour else (rows, columns)
    picture = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    features = picture_features(picture)
    flat = picture.reshape(rows * columns, -1).tolist()
    # Luma weights of ITU-R BT.601, which OpenCV cites for BGR to grey.
    weights = (0.114, 0.587, 0.299) if colour else (1.0,)
    luma = [round(sum(w * v for w, v in zip(weights, pixel, strict=True))) for pixel in flat]
    assert features.luma_mean == pytest.approx(sum(luma) / len(luma), abs=0.6)
    assert features.saturated_ratio == pytest.approx(
        sum(value >= 250 for value in luma) / len(luma), abs=2 / len(luma) + 0.02
    )
    whole = picture[: max(1, rows // 3 * 3), : max(1, columns // 3 * 3)]
    some = whole[::3, ::3].reshape(-1, 3 if colour else 1).tolist()
    steps = [tuple(value // 16 for value in pixel) for pixel in some]
    assert features.dominant_ratio == pytest.approx(
        max(steps.count(step) for step in steps) / len(steps)
    )
    assert features.luma_p2 <= features.luma_p98


def test_flatness_counts_whole_blocks() -> None:
    picture = np.full((16, 16), 90, dtype=np.uint8)
    picture[:8, :8:2] = 120
    assert picture_features(picture).flat_ratio == 0.75


def test_a_large_picture_is_judged_at_640_by_360() -> None:
    large, small = (
        picture_features(drawn("corridor", 1920, 1080)),
        picture_features(drawn("corridor")),
    )
    assert large.luma_mean == pytest.approx(small.luma_mean, abs=3)
    assert large.luma_std == pytest.approx(small.luma_std, abs=4)


@given(st.integers(1, 8000), st.integers(1, 8000))
def test_a_picture_is_never_enlarged(width: int, height: int) -> None:
    fitted = fitting_size(width, height)
    assert fitted[0] <= min(width, 640)
    assert fitted[1] <= min(height, 360)
    if width <= 640 and height <= 360:
        assert fitted == (width, height)
