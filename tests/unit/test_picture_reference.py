"""What is learned of a camera's picture, and what is told of one that is no longer like it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.image_quality import picture_features
from drivers.picture_check import PictureCheck
from drivers.picture_reference import Look, References, Slot, look_at
from drivers.readings import Unknown
from drivers.stream_target import ReferenceTask, StreamTarget
from simulators.scenes import SCENES, Picture

HOUR = 3600.0


def drawn(scene: str, index: int = 0) -> Picture:
    return SCENES[scene](index, 640, 360)


def looked(scene: str) -> Look:
    grey = cv2.cvtColor(drawn(scene), cv2.COLOR_BGR2GRAY).astype(np.uint8)
    return look_at(grey, picture_features(drawn(scene)), "colour")


def figure(fields: dict[str, object], name: str) -> float:
    value = fields[name]
    assert isinstance(value, int | float), f"{name} was not measured"
    return float(value)


def target(directory: Path, at: float, **changes: object) -> StreamTarget:
    task = ReferenceTask.model_validate(
        {
            "directory": str(directory),
            "slot": int(at / HOUR / 3) % 8,
            "at": 1_790_000_000.0 + at,
            "learn": True,
            "ready_checks": 4,
            "ready_seconds": HOUR,
            **changes,
        }
    )
    return StreamTarget.model_validate(
        {"device_id": "gate", "url": "rtsp://h/", "username": "u", "password": "p"}
    ).model_copy(update={"reference": task})


def taught(directory: Path, scene: str = "gate", checks: int = 4) -> PictureCheck:
    """Teach a scene: each check is learned at the one after it."""
    check = PictureCheck()
    for number in range(checks + 1):
        check.fields(target(directory, number * HOUR / 2), drawn(scene, 7 * number))
    return check


def shown(
    check: PictureCheck, directory: Path, scene: str, at: float = 2 * HOUR
) -> dict[str, object]:
    return check.fields(target(directory, at, learn=False), drawn(scene, 31))


def test_nothing_is_told_before_enough_was_learned_for_long_enough(tmp_path: Path) -> None:
    check = taught(tmp_path, checks=3)
    early = shown(check, tmp_path, "turned")
    assert (early["reference_ready"], early["learned_checks"]) == (False, 3)
    assert isinstance(early["view_change"], Unknown)
    quick = PictureCheck()
    for number in range(9):
        fields = quick.fields(target(tmp_path / "b", number * 60.0), drawn("gate"))
    assert (fields["reference_ready"], fields["learned_checks"]) == (False, 8)


@pytest.mark.parametrize("scene", ["gate", "corridor"])
def test_a_healthy_picture_is_like_itself(tmp_path: Path, scene: str) -> None:
    fields = shown(taught(tmp_path, scene), tmp_path, scene)
    assert fields["reference_ready"] is True
    assert figure(fields, "view_change") < 0.2
    assert figure(fields, "covered_ratio") < 0.1
    assert 0.9 < figure(fields, "steepness_ratio") < 1.1
    assert figure(fields, "cast_shift_levels") < 2


def test_each_harm_shows_in_its_own_figure(tmp_path: Path) -> None:
    check = taught(tmp_path)
    for scene in ("corridor", "turned", "covered"):
        assert figure(shown(check, tmp_path, scene), "view_change") > 0.75, scene
    assert figure(shown(check, tmp_path, "covered"), "covered_ratio") > 0.4
    assert figure(shown(check, tmp_path, "blurred"), "steepness_ratio") < 0.65
    assert figure(shown(check, tmp_path, "pink"), "cast_shift_levels") > 6
    assert figure(shown(check, tmp_path, "banded"), "band_growth") > 2


def test_what_was_learned_outlives_the_worker_and_is_small(tmp_path: Path) -> None:
    taught(tmp_path)
    again = shown(PictureCheck(), tmp_path, "corridor")
    assert figure(again, "view_change") > 0.75
    [file] = (tmp_path / "gate").iterdir()
    assert file.stat().st_size < 32_000
    assert file.stat().st_mode & 0o777 == 0o600


def test_another_hour_is_held_against_the_nearest_that_was_learned(tmp_path: Path) -> None:
    check = taught(tmp_path)
    for hours, told in ((4, {"view", "sharp"}), (13, {"view"})):
        fields = shown(check, tmp_path, "gate", at=hours * HOUR)
        assert fields["reference_ready"] is True
        names = {"view_change": "view", "steepness_ratio": "sharp", "cast_shift_levels": "colour"}
        measured = {names[name] for name in names if not isinstance(fields[name], Unknown)}
        assert measured == told
        assert figure(fields, "view_change") < 0.2


def test_grey_pictures_of_the_night_have_a_reference_of_their_own(tmp_path: Path) -> None:
    check = taught(tmp_path)
    grey = cv2.cvtColor(cv2.cvtColor(drawn("gate"), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    fields = check.fields(target(tmp_path, 2 * HOUR, learn=False), grey.astype(np.uint8))
    assert (fields["mode"], fields["reference_ready"]) == ("grey", False)
    assert isinstance(fields["cast_shift_levels"], Unknown)


def test_an_accepted_view_is_learned_anew(tmp_path: Path) -> None:
    check = taught(tmp_path)
    fields = check.fields(target(tmp_path, 2 * HOUR, forget=True), drawn("corridor"))
    assert (fields["reference_ready"], fields["learned_checks"]) == (False, 0)
    assert fields["begun_anew"] is True
    assert shown(check, tmp_path, "corridor", at=2.1 * HOUR)["begun_anew"] is False
    for number in range(5, 12):
        check.fields(target(tmp_path, number * HOUR / 2), drawn("corridor", 7 * number))
    assert figure(shown(check, tmp_path, "corridor", at=5 * HOUR), "view_change") < 0.2


def test_a_spoilt_file_is_learned_again_and_a_full_disk_costs_the_lesson(tmp_path: Path) -> None:
    taught(tmp_path)
    [file] = (tmp_path / "gate").iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert Slot.read(file) is None
    assert shown(PictureCheck(), tmp_path, "gate")["reference_ready"] is False
    (tmp_path / "file").write_text("no directory")
    fields = PictureCheck().fields(target(tmp_path / "file", 0), drawn("gate"))
    assert fields["learned_checks"] == 0


def test_stillness_is_told_from_the_second_check_on_and_light_is_none(tmp_path: Path) -> None:
    check = PictureCheck()
    levels = []
    for scene, index in (("frozen", 0), ("frozen", 9), ("gate", 40)):
        fields = check.fields(target(tmp_path, 0, learn=False), drawn(scene, index))
        levels.append(fields["still_levels"])
    assert isinstance(levels[0], Unknown)
    assert levels[1] == 0
    assert levels[2] > 2


def test_old_lessons_fade(tmp_path: Path) -> None:
    look, other = looked("gate"), looked("corridor")
    slot = Slot.of(look)
    for number in range(50):
        slot.learn(look, number * HOUR, still=False)
    before = slot.scalars["a"]
    slot.learn(other, 50 * HOUR + 14 * 86_400, still=True)
    assert other.tint is not None
    halfway = (before + other.tint[0]) / 2
    assert slot.scalars["a"] == pytest.approx(halfway, abs=0.01)
    assert slot.scalars["still"] == pytest.approx(0.5, abs=0.01)


def test_memory_is_bounded(tmp_path: Path) -> None:
    taught(tmp_path)
    references = References()
    look = looked("gate")
    task = target(tmp_path, 0).reference
    assert task is not None
    [file] = (tmp_path / "gate").iterdir()
    for number in range(300):
        other = tmp_path / f"cam-{number}"
        other.mkdir()
        (other / file.name).write_bytes(file.read_bytes())
        references.compare(task, other.name, look)
    assert len(references._read) <= 256


def test_other_light_on_grass_is_no_cast_and_another_hue_is(tmp_path: Path) -> None:
    check = taught(tmp_path, "playground")
    shifts = []
    for gains in ((0.8, 0.8, 0.8), (1.15, 1.15, 1.15), (1.2, 0.88, 1.12)):
        lit = np.asarray((drawn("playground") * np.array(gains)).clip(0, 255), dtype=np.uint8)
        fields = check.fields(target(tmp_path, 2 * HOUR, learn=False), lit)
        shifts.append(fields["cast_shift_levels"])
    assert max(shifts[:2]) < 6 < shifts[2]


def test_how_much_a_view_changes_by_itself_is_learned(tmp_path: Path) -> None:
    steady = shown(taught(tmp_path / "a"), tmp_path / "a", "gate")
    assert figure(steady, "view_usual") < 0.1
    check = PictureCheck()
    for number in range(8):
        scene = ("gate", "corridor", "dormitory")[number % 3]
        check.fields(target(tmp_path / "b", number * HOUR / 4), drawn(scene))
    assert figure(shown(check, tmp_path / "b", "gate"), "view_usual") > 0.3


def test_the_first_picture_of_a_fault_is_not_learned(tmp_path: Path) -> None:
    """The check that shows it was asked for when nothing was wrong yet."""
    check = taught(tmp_path)
    first = check.fields(target(tmp_path, 2.5 * HOUR), drawn("turned"))
    later = shown(check, tmp_path, "turned")
    assert later["learned_checks"] == first["learned_checks"] == 5
    assert later["view_usual"] == first["view_usual"]
    assert figure(later, "view_change") > 0.4
