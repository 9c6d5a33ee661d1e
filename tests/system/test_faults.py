"""What breaks at a school, seen from the county: each fault is named, and costs itself alone."""

import base64
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import quote

import pytest

from simulators.hikvision import Fault
from simulators.rtsp import RtspSimulator
from tests.system.gatehouse import BROKER_PASSWORD, CHANNELS, PASSWORD, READERS, Gatehouse
from tests.system.leaks import a_picture, pictures_in, secret_in
from tests.waiting import wait_until

CAMERAS = [f"camera/nvr-{number}" for number in range(1, CHANNELS + 1)]


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    """One run of the daemon for all faults here; each test leaves the school whole."""
    school = Gatehouse(tmp_path_factory.mktemp("school"))
    try:
        school.start()
        school.restart()
        yield school
    finally:
        school.stop()


@pytest.fixture
def whole(school: Gatehouse) -> Iterator[Gatehouse]:
    """The school with everything well, before and after."""
    all_well(school)
    yield school
    assert school.daemon.running
    all_well(school)


def all_well(school: Gatehouse) -> None:
    for kind in ("recorder/nvr", *CAMERAS, *(f"reader/{name}" for name in READERS)):
        school.expect(kind, "ok")
    wait_until(lambda: school.newest("button/gate").get("position") == "rest")


def test_three_devices_that_hang_at_once_delay_nobody_else(whole: Gatehouse) -> None:
    school, began = whole, time.time()
    school.nvr.fault = "silent"
    for number in range(1, CHANNELS + 1):
        school.cameras.channel(number).silence("request")
    school.readers["reader"].silent = True

    for _ in range(3):
        press_in_time(school)
    school.readers["spare"].unplug()
    school.expect("reader/spare", "unknown", "unknown.port_lost", 5)
    school.expect("host/host", "fail", "host.serial_missing", 5)
    school.readers["spare"].replug()
    school.expect("reader/spare", "ok", "", 10)
    for _ in range(3):
        press_in_time(school)

    school.expect("recorder/nvr", "unknown", "unknown.timeout")
    school.expect("reader/reader", "unknown", "unknown.timeout")
    for camera in CAMERAS:
        school.expect(camera, "fail", "camera.silent")
    press_in_time(school)
    assert school.alarms("trouble") == []
    beats = [one.at for one in school.county.heard("status") if one.at >= began]
    assert len(beats) >= 3
    assert max(after - before for before, after in pairwise(beats)) < 3

    school.nvr.fault = None
    school.readers["reader"].silent = False
    for number in range(1, CHANNELS + 1):
        school.cameras.channel(number).restore()


def press_in_time(school: Gatehouse) -> None:
    pressed = time.time()
    assert school.press().at - pressed < 1


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("truncated", "unknown.malformed"),
        ("html", "unknown.malformed"),
        ("status_with_200", "unknown.not_supported"),
        ("busy", "unknown.busy"),
    ],
)
def test_a_recorder_that_answers_badly_is_unknown_by_name(
    whole: Gatehouse, fault: Fault, cause: str
) -> None:
    whole.nvr.fault = fault
    whole.expect("recorder/nvr", "unknown", cause)
    # Its cameras are seen for themselves, by another door.
    assert whole.verdict(CAMERAS[0])[0] == "ok"
    whole.nvr.fault = None


def test_a_recorder_whose_port_is_closed_is_unreachable(whole: Gatehouse) -> None:
    whole.nvr.stop()
    whole.expect("recorder/nvr", "unknown", "unknown.unreachable")
    whole.nvr.start()


def test_cameras_fail_each_by_its_own_fault_and_all_when_the_port_is_closed(
    whole: Gatehouse,
) -> None:
    channels = [whole.cameras.channel(number) for number in range(1, CHANNELS + 1)]
    whole.nvr.pictures = "neither"
    channels[0].garble()
    channels[1].refuse(503)
    channels[2].refuse(404)
    whole.expect(CAMERAS[0], "fail", "camera.malformed")
    # The recorder's load says nothing of the camera.
    whole.expect(CAMERAS[1], "unknown", "camera.busy")
    whole.expect(CAMERAS[2], "fail", "camera.not_found")
    whole.nvr.pictures = "Streaming"  # a stream that fails is no dead camera
    whole.expect(CAMERAS[2], "warn", "camera.snapshot_shows")

    port = whole.cameras.port
    whole.cameras.stop()
    for camera in CAMERAS:
        whole.expect(camera, "fail", "camera.refused")
    assert whole.verdict("recorder/nvr")[0] == "ok"
    whole.cameras = RtspSimulator(whole.truth, port, password=PASSWORD, channels=CHANNELS)
    whole.cameras.start()


def test_no_picture_ever_reaches_the_broker(whole: Gatehouse) -> None:
    captured = whole.tap.messages()
    assert len(captured) > 20
    assert any("state/camera" in topic for topic, _ in captured)
    assert {
        topic: pictures_in(payload) for topic, payload in captured if pictures_in(payload)
    } == {}


@pytest.mark.parametrize("kind", ["jpeg", "png", "h264"])
def test_a_picture_that_did_reach_it_would_be_found(whole: Gatehouse, kind: str) -> None:
    picture = a_picture(kind)
    words = {"a": "x", "thumb": base64.b64encode(picture).decode()}
    planted = {
        "plant/plain": picture,
        "plant/base64": json.dumps(words).encode(),
        "plant/inside": base64.urlsafe_b64encode(b"xy" + picture),
    }
    for topic, payload in planted.items():
        whole.tap.publish(topic, payload)
    wait_until(lambda: planted.items() <= dict(whole.tap.messages()).items())
    found = {topic: pictures_in(payload) for topic, payload in whole.tap.messages()}
    assert all(kind in found[topic] for topic in planted)


def test_no_password_appears_in_messages_log_check_or_state(whole: Gatehouse) -> None:
    check = subprocess.run(
        [sys.executable, "-m", "agent", "config", "check", "--json", str(whole.daemon.config)],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert json.loads(check.stdout)["ok"] is True
    said = {topic: payload for topic, payload in whole.tap.messages() if "plant" not in topic}
    for file in whole.directory.glob("state/**/*"):
        with contextlib.suppress(IsADirectoryError, FileNotFoundError):  # what is just replaced
            said[file.name] = file.read_bytes()
    assert {"alarms.db", "events.db"} <= said.keys()
    said |= {"log": whole.daemon.said().encode(), "check": check.stdout + check.stderr}
    assert b"agent started" in said["log"]
    for secret in (PASSWORD, BROKER_PASSWORD):
        assert [where for where, text in said.items() if secret_in(text, secret)] == []
        assert secret_in(f"rtsp://inspector:{secret}@10.0.0.1/".encode(), secret)
        assert secret_in(f"rtsp://inspector:{quote(secret, safe='')}@10.0.0.1/".encode(), secret)
        assert secret_in(base64.b64encode(f"inspector:{secret}".encode()), secret)
