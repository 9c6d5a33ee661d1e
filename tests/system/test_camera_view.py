"""A camera that is turned away, told by the running agent, until a technician says it is right."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from tests.system.gatehouse import Gatehouse
from tests.system.leaks import pictures_in
from tests.waiting import wait_until

# So quick a learner that a test need not wait for two days.
# The simulated cameras show the same two seconds over and over, so none is called frozen.
QUICK = """[pictures]
learned_checks = 3
learned_hours = 0
learn_minutes = 0.01
still_ratio = 0
settle_minutes = 0
view_checks = 1
slow_checks = 1
"""


@pytest.fixture
def school(tmp_path: Path) -> Iterator[Gatehouse]:
    school = Gatehouse(tmp_path)
    try:
        school.start(change=lambda text: text.replace("[pictures]\n", QUICK))
        yield school
    finally:
        school.stop()


def campus(school: Gatehouse, *words: str) -> subprocess.CompletedProcess[str]:
    socket = ["--socket", str(school.directory / "control.sock"), "--lang", "en"]
    command = [sys.executable, "-m", "agent", "camera", *socket, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_another_view_is_told_until_somebody_accepts_it(school: Gatehouse) -> None:
    school.restart()
    wait_until(lambda: school.newest("camera/nvr-1").get("reference") == "ready", 60)
    school.cameras.channel(1).set_scene("turned")
    school.expect("camera/nvr-1", "fail", "camera.view_changed", seconds=60)
    school.expect("camera/nvr-2", "ok")
    kept = school.directory / "state" / "thumbnails"
    picture = kept / "nvr-1.jpg"
    wait_until(picture.exists, 60)
    assert stat.S_IMODE(picture.stat().st_mode) == 0o600
    shown = cv2.imread(str(picture))
    assert shown is not None
    assert shown.shape == (180, 320, 3)
    assert str(picture) in campus(school, "history", "nvr-1").stdout
    assert "no camera nvr-9" in campus(school, "accept", "nvr-9").stderr
    accepted = campus(school, "accept", "nvr-1")
    assert accepted.returncode == 0, accepted.stderr
    school.expect("camera/nvr-1", "ok", seconds=60)
    wait_until(lambda: not picture.exists(), 60)
    leaked = [pictures_in(payload) for _, payload in school.tap.messages()]
    assert len(leaked) > 10
    assert not any(leaked)
    school.restart()  # what was seen is kept at the stop
    history = campus(school, "history", "nvr-1")
    assert history.returncode == 0, history.stderr
    first, *seen = history.stdout.splitlines()
    assert "nvr-1 was last found good on 20" in first
    assert any(" x ok" in line for line in seen)
    assert any(" x fail" in line and "another view" in line for line in seen)
    learned = school.directory / "state" / "references"
    assert sorted(one.name for one in learned.iterdir()) == ["nvr-1", "nvr-2", "nvr-3"]
