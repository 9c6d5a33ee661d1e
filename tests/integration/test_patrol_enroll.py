"""A tag held to a reader goes into the site's file; everything else in it stays as it was."""

import difflib
import subprocess
import sys
from pathlib import Path

import pytest

from agent.enrolment import EnrolmentError, enrol
from drivers.nfc.sun import Refusal
from tests.reported_school import SETTINGS, store
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_school import School

COMMENTED = SETTINGS.replace("[[checkpoint]]\n", "# a point\n[[checkpoint]]  # kept\n", 1)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "site.toml").write_text(COMMENTED.format(directory=tmp_path), encoding="utf-8")
    (tmp_path / "site.toml").chmod(0o640)
    store(School(SimulatedClock()), tmp_path / "events.db")
    return tmp_path


def enroll(
    directory: Path,
    *words: str,
    tag: str | None = None,
    refused: Refusal | None = None,
    seconds: float = 6,
) -> tuple[int, str]:
    """Enroll while somebody holds a tag to the reader."""
    command = [sys.executable, "-m", "agent", "patrol", "enroll", *words]
    with subprocess.Popen(
        [
            *command,
            "--config",
            str(directory / "site.toml"),
            "--lang",
            "en",
            "--seconds",
            str(seconds),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert running.stdout is not None
        said = running.stdout.readline()
        if tag is not None:
            school = School(SimulatedClock())
            school.scan(tag, refused=refused)
            store(school, directory / "events.db")
        said += running.stdout.read()
    return running.returncode, said


def changed(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[:1] in "+-" and line[2:].strip()]


def test_a_new_checkpoint_is_added_and_every_comment_kept(directory: Path) -> None:
    place = directory / "site.toml"
    before = place.read_text(encoding="utf-8")
    status, said = enroll(directory, "gym", "--name", "体育馆", tag="nfca:04FEED")
    assert status == 0, said
    assert "hold the tag for gym to a reader" in said
    assert "gym added with nfca:04FEED" in said
    assert changed(before, place.read_text(encoding="utf-8")) == [
        "+ [[checkpoint]]",
        '+ id = "gym"',
        '+ name = "体育馆"',
        '+ tag = "nfca:04FEED"',
    ]
    assert place.stat().st_mode & 0o777 == 0o640


def test_a_checkpoint_gets_another_tag_and_a_guard_a_card(directory: Path) -> None:
    place = directory / "site.toml"
    before = place.read_text(encoding="utf-8")
    status, said = enroll(directory, "north", tag="nfca:04FEED")
    assert status == 0, said
    after = place.read_text(encoding="utf-8")
    assert changed(before, after) == ['- tag = "nfca:AA"', '+ tag = "nfca:04FEED"']
    status, said = enroll(directory, "w-12", "--guard", "--name", "Wang", tag="nfca:0CAFE0")
    assert status == 0, said
    assert changed(after, place.read_text(encoding="utf-8")) == [
        "+ [[guard_card]]",
        '+ id = "w-12"',
        '+ name = "Wang"',
        '+ tag = "nfca:0CAFE0"',
    ]


def test_what_would_be_wrong_leaves_the_file_alone(directory: Path) -> None:
    place = directory / "site.toml"
    before = place.read_text(encoding="utf-8")
    status, said = enroll(directory, "gym", tag="nfca:BB")
    assert (status, "belongs to south already" in said) == (1, True)
    for wrong in ("Not An Id", "gate"):  # the second is the reader's own
        with pytest.raises(EnrolmentError):
            enrol(place, "checkpoint", wrong, "nfca:04FEED", "")
    status, said = enroll(directory, "gym", tag="nfca:04FEED", refused="bad_mac", seconds=3)
    assert (status, "no tag was read" in said) == (1, True)
    status, said = enroll(directory, "gym", seconds=1)
    assert (status, "no tag was read" in said) == (1, True)
    assert place.read_text(encoding="utf-8") == before
    assert [one.name for one in directory.iterdir() if one.name.startswith(".site")] == []
