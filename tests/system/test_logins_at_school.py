"""A wrong password at a real daemon: the recorder counts the logins, HTTP and RTSP together."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.system.gatehouse import CHANNELS, PASSWORD, Gatehouse
from tests.waiting import wait_until


@pytest.fixture
def school(tmp_path: Path) -> Iterator[Gatehouse]:
    school = Gatehouse(tmp_path)
    # Slow enough that the cameras get a turn between two questions that hang.
    school.recorder = replace(school.recorder, poll_seconds=2)
    try:
        school.start()
        yield school
    finally:
        school.stop()


def refused(school: Gatehouse) -> None:
    school.expect("recorder/nvr", "unknown", "unknown.auth_rejected")
    for number in range(1, CHANNELS + 1):
        school.expect(f"camera/nvr-{number}", "unknown", "unknown.auth_rejected")
    assert school.failed_logins() == 1


def test_a_wrong_password_costs_one_login_and_the_right_one_is_noticed(school: Gatehouse) -> None:
    school.secret("nvr", "wrong")
    for _ in range(2):
        school.restart()
        refused(school)
    school.press()

    school.secret("nvr", PASSWORD)
    school.restart()
    school.expect("recorder/nvr", "ok")
    school.expect("camera/nvr-1", "ok")
    assert school.failed_logins() == 1


def test_a_login_refused_over_rtsp_is_not_tried_over_http(school: Gatehouse) -> None:
    school.nvr.fault = "silent"
    school.secret("nvr", "wrong")
    school.restart()
    refused(school)
    school.nvr.fault = None
    signed = len([line for line in school.truth.lines("request") if line["signed"]])
    school.press()
    assert (signed, school.failed_logins()) == (0, 1)


def campus(school: Gatehouse, *words: str) -> subprocess.CompletedProcess[str]:
    socket = ["--socket", str(school.directory / "control.sock"), "--lang", "en"]
    command = [sys.executable, "-m", "agent", "recorder", *socket, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_technician_sees_why_a_login_is_held_and_lets_it_out_once_more(school: Gatehouse) -> None:
    school.restart()
    school.expect("recorder/nvr", "ok")
    shown = campus(school, "show", "nvr")
    assert shown.returncode == 0, shown.stderr
    assert "login: accepted" in shown.stdout
    assert "maker: hikvision" in shown.stdout
    school.nvr.door.password = "changed"
    school.expect("recorder/nvr", "unknown", "unknown.auth_rejected")
    assert "login: refused" in campus(school, "show", "nvr").stdout
    school.nvr.door.password = PASSWORD
    done = campus(school, "retry", "nvr")
    assert done.returncode == 0, done.stderr
    school.expect("recorder/nvr", "ok")
    assert school.failed_logins() == 1
    assert "no recorder nvr-9" in campus(school, "show", "nvr-9").stderr


def test_a_technician_has_a_recording_played_and_sees_what_it_proves(school: Gatehouse) -> None:
    school.restart()
    wait_until(lambda: school.newest("recording/nvr-1").get("surveyed_until") is not None, 20)
    done = campus(school, "prove", "nvr", "nvr-1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "proven: nvr-1 played" in done.stdout
    wait_until(lambda: school.newest("recording/nvr-1").get("proven_days") == 30)
    assert "no channel nvr-9" in campus(school, "prove", "nvr", "nvr-9").stderr
