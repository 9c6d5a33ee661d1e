"""What is said of a picture, by its figures; and which cameras are learned from, and how often."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agent.findings import Cause
from agent.monitors.camera_board import CameraBoard
from agent.monitors.camera_marks import Marks
from agent.monitors.picture import picture_causes
from agent.picture_learning import PictureLearning
from agent.policy import PicturePolicy
from drivers.readings import PictureReading, Reason, Unknown
from tests.simulated_clock import SimulatedClock

POLICY = PicturePolicy()
NOT_MEASURED = Unknown(reason=Reason.NOT_MEASURED)


def picture(**changes: object) -> PictureReading:
    """A healthy picture of a camera that is known, with changes."""
    healthy: dict[str, object] = {
        "luma_mean": 120, "luma_std": 40, "luma_p2": 40, "luma_p98": 200, "saturated_ratio": 0,
        "flat_ratio": 0.1, "dominant_ratio": 0.2, "noise_levels": 1, "impulse_ratio": 0.01,
        "stripe_ratio": 0.05, "band_ratio": 0.1, "cast_levels": 3, "cast_spread_ratio": 0.4,
        "chroma_levels": 8, "edge_steepness": 0.2, "structured_ratio": 0.7, "mode": "colour",
        "learned_checks": 40, "reference_ready": True, "view_change": 0.1, "covered_ratio": 0.02,
        "steepness_ratio": 1.0, "cast_shift_levels": 1, "stripe_growth": 1, "band_growth": 1,
        "still_ratio": 0.0, "still_levels": 30, "shake_pixels": 0.2, "tint_a_levels": 2,
        "tint_b_levels": 2,
    }  # fmt: skip
    fields = {"device_id": "gate", "observed_at": datetime.now(UTC), **healthy, **changes}
    return PictureReading.model_validate(fields)


SNOW = {"impulse_ratio": 0.1}
PINK = {"cast_levels": 30, "cast_spread_ratio": 2, "tint_a_levels": 28, "tint_b_levels": -8}


def codes(**changes: object) -> set[str]:
    found = picture_causes(picture(**changes), POLICY)
    return {cause.code.removeprefix("camera.") for cause in found.values() if cause is not None}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, set()),
        ({"noise_levels": 5}, {"noise"}),
        ({"noise_levels": 5, "chroma_levels": 0.5}, set()),  # infrared is noisy
        ({"noise_levels": 9, "chroma_levels": 0.5}, {"noise"}),
        ({"impulse_ratio": 0.1}, {"snow"}),
        ({**PINK}, {"colour_cast"}),
        ({**PINK, "cast_spread_ratio": 1}, set()),
        ({**PINK, "tint_a_levels": -18, "tint_b_levels": 9}, set()),  # a playground
        ({**PINK, "tint_a_levels": 12, "tint_b_levels": 16}, set()),  # a wall of brick
        ({"cast_shift_levels": 7}, {"colour_cast"}),
        ({"steepness_ratio": 0.5}, {"blurred"}),
        ({"steepness_ratio": 0.5, "structured_ratio": 0.05}, set()),  # a blank wall
        ({"view_change": 0.9}, {"view_changed"}),
        ({"view_change": 0.45, "view_usual": 0.05}, {"view_changed"}),
        ({"view_change": 0.38, "view_usual": 0.05}, set()),
        ({"view_change": 0.6, "view_usual": 0.3}, set()),  # a busy road
        ({"view_change": 0.8, "view_usual": 0.3}, {"view_changed"}),
        ({"view_change": 1.0, "view_usual": 0.8}, set()),  # a camera that turns by itself
        ({"view_change": 0.9, "steepness_ratio": 0.5, "cast_shift_levels": 9}, {"view_changed"}),
        ({"view_change": 0.9, "structured_ratio": 0.05}, set()),
        ({"view_change": 0.9, "kept_ratio": 0.1}, {"view_changed"}),
        ({"view_change": 0.9, "kept_ratio": 0.5}, {"obstructed"}),  # a lorry
        ({"covered_ratio": 0.9}, {"covered"}),
        ({"covered_ratio": 0.9, "structured_ratio": 0.02, "view_change": 1.0}, {"covered"}),
        ({"covered_ratio": 0.5, "structured_ratio": 0.2, "view_change": 1.0}, {"covered"}),
        ({"covered_ratio": 0.5, "structured_ratio": 0.6, "view_change": 1.0}, {"view_changed"}),
        ({"stripe_ratio": 0.4, "stripe_growth": 1.1}, set()),  # a gate has bars
        ({"stripe_ratio": 0.4, "stripe_growth": 4}, {"stripes"}),
        ({"stripe_ratio": 0.1, "stripe_growth": 4}, set()),
        ({"band_ratio": 0.5, "band_growth": 4, "view_change": 0.9}, {"bands"}),
        ({"still_levels": 1}, {"frozen"}),
        ({"still_levels": 1, "still_ratio": 0.3}, set()),  # an empty corridor at night
        ({"still_levels": 1, "still_ratio": NOT_MEASURED}, set()),
        ({"still_levels": NOT_MEASURED}, set()),
        ({"shake_pixels": 2.5}, {"shaking"}),
        ({"shake_pixels": 1.5}, set()),
        ({"luma_p98": 20, "view_change": 0.9, "noise_levels": 9}, {"dark"}),
    ],
)
def test_what_is_said_of_a_picture(changes: dict[str, object], told: set[str]) -> None:
    assert codes(**changes) == told


def test_nothing_is_said_of_what_was_not_measured() -> None:
    absolute = ["noise_levels", "impulse_ratio", "stripe_ratio", "band_ratio", "cast_levels"]
    learned = ["view_change", "covered_ratio", "steepness_ratio", "cast_shift_levels"]
    unmeasured = picture(**dict.fromkeys([*absolute, *learned], NOT_MEASURED))
    assert not any(picture_causes(unmeasured, POLICY).values())


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"noise_levels": NOT_MEASURED}, {"noise"}),
        ({"impulse_ratio": NOT_MEASURED}, {"snow"}),
        ({"tint_a_levels": NOT_MEASURED}, {"pink"}),
        ({"shake_pixels": NOT_MEASURED}, {"shake"}),
        ({"still_levels": NOT_MEASURED}, {"frozen"}),
        ({"still_levels": 1, "still_ratio": 0.3}, {"frozen"}),
        ({"band_growth": NOT_MEASURED}, {"bands"}),
        ({"stripe_growth": NOT_MEASURED}, {"stripes"}),
        ({"view_change": NOT_MEASURED}, {"view", "obstructed"}),
        ({"steepness_ratio": NOT_MEASURED}, {"blur"}),
        ({"cast_shift_levels": NOT_MEASURED}, {"cast"}),
        ({"structured_ratio": 0.05}, {"view", "obstructed", "stripes", "blur", "cast"}),
        ({"luma_p98": 10}, set(picture_causes(picture(), POLICY)) - {"light"}),
    ],
)
def test_a_kind_that_cannot_be_told_is_not_called_well(
    changes: dict[str, object], kinds: set[str]
) -> None:
    well = picture_causes(picture(), POLICY)
    assert set(well.values()) == {None}
    assert set(well) - set(picture_causes(picture(**changes), POLICY)) == kinds


def test_a_camera_that_is_steered_has_no_view_of_its_own() -> None:
    moved = picture(view_change=1.0, covered_ratio=0.9, still_levels=0, shake_pixels=30, **SNOW)
    found = picture_causes(moved, POLICY, ptz=True)
    assert {cause.code for cause in found.values() if cause} == {"camera.snow"}


def test_a_check_that_says_nothing_of_a_kind_leaves_its_count() -> None:
    marks, blur, dark = Marks(2, 2), Cause(code="camera.blurred"), Cause(code="camera.dark")
    marks.see({"blur": blur})
    marks.see({"light": dark}, only="light")
    marks.see({"blur": blur})
    assert list(marks.raised) == [blur]


def test_each_kind_of_fault_has_its_own_count() -> None:
    marks, noise, blur = Marks(3, 3), Cause(code="camera.noise"), Cause(code="camera.blurred")
    for seen in ({"noise": noise}, {"noise": noise, "blur": blur}, {"noise": noise, "blur": blur}):
        marks.see(seen)
    assert list(marks.raised) == [noise]
    assert [one.params["fault"] for one in marks.pending] == ["camera.blurred"]
    for _ in range(3):
        marks.see({"noise": None, "blur": blur})
    assert list(marks.raised) == [blur]
    marks.forget_counts()
    assert list(marks.pending) == []


def test_only_cameras_that_are_well_are_learned_and_not_too_often(
    tmp_path: Path, clock: SimulatedClock
) -> None:
    board = CameraBoard()
    learning = PictureLearning(tmp_path, ZoneInfo("Asia/Shanghai"), clock, board)
    assert not learning.task("gate", POLICY).learn
    board.well = frozenset({"gate"})
    first = learning.task("gate", POLICY)
    assert (first.learn, first.slot) == (
        True,
        clock.now().astimezone(ZoneInfo("Asia/Shanghai")).hour // 3,
    )
    assert not learning.task("yard", POLICY).learn
    clock.advance(29 * 60)
    assert not learning.task("gate", POLICY).learn
    clock.advance(60)
    assert learning.task("gate", POLICY).learn


def test_an_accepted_view_is_forgotten_once_and_learned_at_once(
    tmp_path: Path, clock: SimulatedClock
) -> None:
    learning = PictureLearning(tmp_path, ZoneInfo("Asia/Shanghai"), clock, CameraBoard())
    known = tmp_path / "gate" / "colour-3.npz"
    known.parent.mkdir()
    known.touch()
    learning.accept("gate")
    for _ in range(2):  # the stream failed: nothing was forgotten
        task = learning.task("gate", POLICY)
        assert (task.forget, task.learn) == (True, False)
    known.unlink()
    task = learning.task("gate", POLICY)
    assert (task.forget, task.learn) == (False, False)
