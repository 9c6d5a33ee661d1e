"""A technician at the simulated school: what is well is said to be, and each fault by its name."""

import contextlib
import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from agent.cli.diagnose import main
from agent.diagnosis.sheet import COLUMNS, columns
from agent.text import Language
from tests.system.breaking import BROKEN, prepared
from tests.system.gatehouse import BROKER_PASSWORD, CHANNELS, PASSWORD, READERS, Gatehouse
from tests.system.leaks import secret_in
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

# Not ok at a school that is well, each for a reason of this simulation.
EXPECTED = {
    "settings.note:in-the-clear": "its broker is on the same machine and has no TLS",
    "settings.note:gate-plain-no": "its button is a plain open contact",
    "service.faults": "it has no key of the county",
    "patrol.tours": "nobody has walked its five tours of the day",
    # Whether the machine under the tests is set by NTP is not the school's affair.
    "clock.ntp": "the test machine's",
    "clock.agent": "the test machine's",
    "machine.load": "the test machine's",
    "machine.memory": "the test machine's",
    "machine.temperature": "the test machine's",
    "disk.space": "the test machine's",
}


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    """One run for all of these; each fault is gone before the next that could be hidden by it."""
    school = Gatehouse(tmp_path_factory.mktemp("school"))
    try:
        school.start()
        school.restart()
        prepared(school)
        yield school
    finally:
        school.stop()


Found = dict[str, dict[str, Any]]


def diagnosed(school: Gatehouse, *words: str, lang: Language = "en") -> tuple[int, Found]:
    """Run it here, as the command does; returns its status, and its results by id."""
    out = io.StringIO()
    config = [] if "--config" in words else ["--config", str(school.daemon.config)]
    with contextlib.redirect_stdout(out):
        status = main([*config, "--json", "--lang", lang, *words])
    return status, {one["id"]: one for one in json.loads(out.getvalue())}


def test_a_school_that_is_well_is_well_in_every_check(school: Gatehouse) -> None:
    status, found = diagnosed(school)
    wrong = {name: one for name, one in found.items() if one["verdict"] not in ("ok", "skip")}
    assert wrong.keys() <= EXPECTED.keys(), wrong
    assert status == 1
    skipped = [name for name, one in found.items() if one["verdict"] == "skip"]
    assert skipped == ["duty.fitted:police-link", "duty.fitted:gate-manned"]
    cameras = [f"nvr-{number}" for number in range(1, CHANNELS + 1)]
    where = f"127.0.0.1:{school.broker.port}"
    expected = {
        "settings.file", "settings.in-force", "credentials.secret:nvr", "service.agent",
        "service.unit", "machine.memory", "disk.space", "disk.store", "clock.ntp",
        *(f"serial.{what}:{name}" for what in ("port", "name", "rights", "holder")
          for name in ("io", *READERS)),
        *(f"broker.{layer}:{where}"
          for layer in ("dns", "connect", "login", "round-trip", "alone")),
        "outbox.backlog", "outbox.refused", "outbox.unsaved",
        "alarm.module:io", "alarm.button:gate", "alarm.test-window",
        *(f"reader.answers:{name}" for name in READERS),
        *(f"recorder.{what}:nvr"
          for what in ("reach", "login", "clock", "disks", "channels", "policy")),
        *(f"{what}:{name}" for name in cameras
          for what in ("camera.stream", "camera.picture", "retention.days")),
        "patrol.tours",
    }  # fmt: skip
    assert expected <= found.keys()


def test_what_is_asked_for_alone_is_all_that_is_told(school: Gatehouse) -> None:
    assert set(diagnosed(school, "--only", "reader,disk.space")[1]) == {
        "reader.answers:reader",
        "reader.answers:spare",
        "disk.space",
    }
    only = diagnosed(school, "--only", "camera.picture:nvr-2")
    assert (only[0], set(only[1])) == (0, {"camera.picture:nvr-2"})
    with contextlib.redirect_stderr(io.StringIO()) as said:
        status = main(["--config", str(school.daemon.config), "--only", "camrea", "--lang", "en"])
    assert status == 2
    assert "there is no check camrea" in said.getvalue()


def test_what_programs_read_is_as_its_schema_says(school: Gatehouse) -> None:
    schema = json.loads((ROOT / "docs" / "diagnose.schema.json").read_text(encoding="utf-8"))
    check = Draft202012Validator(schema)
    for lang in LANGUAGES:
        found = list(diagnosed(school, lang=lang)[1].values())
        assert list(check.iter_errors(found)) == []


def test_the_command_at_a_serial_console_of_80_columns(school: Gatehouse) -> None:
    command = [sys.executable, "-m", "agent", "diagnose", "--config", str(school.daemon.config)]
    began = time.monotonic()
    with subprocess.Popen(
        [*command, "--lang", "zh"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        first_seconds = time.monotonic() - began
        lines = [first, *process.stdout]
        assert process.stderr.read() == ""
    # Half a second where nothing else runs; the tests beside this one take their share.
    assert first_seconds < 2
    assert process.returncode == 1
    assert max(columns(line.rstrip()) for line in lines) <= COLUMNS
    assert all(line.rstrip("\n").isprintable() for line in lines)
    # The simulators hold the far ends of their lines: a second program, as far as this sees.
    assert "serial.holder:io" in "".join(lines)
    for secret in (PASSWORD, BROKER_PASSWORD):
        assert not secret_in("".join(lines).encode(), secret)


# ---- one fault at a time


class Fault(NamedTuple):
    """What is broken, which check says so and how, and the one thing to do in both languages."""

    name: str
    check: str
    verdict: str
    cause: str
    en: str
    zh: str


FAULTS = [
    Fault("wrong NVR password", "recorder.login:nvr", "fail", "unknown.auth_rejected",
          "set the right user name and password in the settings, then run campus-agent recorder"
          " retry",
          "请在配置中改正用户名和密码，再运行 campus-agent recorder retry"),
    Fault("locked account", "recorder.login:nvr", "fail", "recorder.login_locked",
          "correct the password first, then wait until the recorder unlocks the account",
          "请先改正密码，再等录像机自行解锁"),
    Fault("covered camera", "camera.picture:nvr-1", "fail", "camera.no_signal",
          "check the camera, its cable and its lens", "请检查摄像机、网线和镜头"),
    Fault("black camera", "camera.picture:nvr-2", "fail", "camera.black",
          "check lens cap, supply and lamps", "请检查摄像机镜头盖、供电和补光"),
    Fault("stalled stream", "camera.stream:nvr-3", "warn", "camera.snapshot_shows",
          "it is the stream that fails, look at the recorder's stream settings first",
          "请先检查录像机的码流设置"),
    Fault("clock 9 minutes off", "recorder.clock:nvr", "fail", "recorder.clock_off",
          "set it", "请校时"),
    Fault("unplugged alarm adapter", "alarm.module:io", "fail", "alarm.port_lost",
          "check the USB adapter", "请检查 USB 转接器是否松动"),
    Fault("unplugged alarm adapter", "serial.port:io", "fail", "host.serial_missing",
          "plug the adapter in; if it is in, correct port in the settings (ls /dev/serial/by-id)",
          "请插好转接器；若已插好，请改正配置中的 port（ls /dev/serial/by-id）"),
    Fault("silent reader", "reader.answers:reader", "unknown", "unknown.timeout",
          "check its supply and cable, then restart the device",
          "请检查供电和线缆，再重启设备"),
    Fault("wrong camera password inside the NVR", "recorder.channels:nvr", "warn",
          "channel.wrong_camera_password", "correct it there", "请在录像机上改正"),
    Fault("expired certificate", "broker.certificate", "fail", "online.own_expired",
          "have the county issue a new one; check the clock too",
          "请向县平台申请新证书，并检查时钟"),
    Fault("world-readable password", "credentials.secret:nvr", "fail", "credential.exposed",
          "chmod it to 600 or 640", "请执行 chmod 600 或 640"),
    Fault("broken settings file", "settings.file", "fail", "config.unknown_key_near",
          "run campus-agent config check: it names every problem with its line",
          "请运行 campus-agent config check：它会列出所有问题及行号"),
    # What a recorder is asked once an hour; after these it is not asked again.
    Fault("disk missing", "recorder.disks:nvr", "fail", "recorder.no_disk",
          "fit a disk, or fasten the one that is there", "请安装硬盘，或插紧已有硬盘"),
    Fault("expiry too short", "recorder.policy:nvr", "fail", "recording.expiry_short",
          "raise the expiry", "请调大过期天数"),
    Fault("clone of the client id", "broker.alone", "fail", "online.cloned",
          "find the other box and give it its own county and site id",
          "请找到另一台主机并更改其县和学校标识"),
]  # fmt: skip


# These take a new start of the agent, or a minute's patience.
SLOW = {"locked account", "clone of the client id"}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            fault,
            id=f"{fault.name}: {fault.check}",
            marks=[pytest.mark.deep] if fault.name in SLOW else [],
        )
        for fault in FAULTS
    ],
)
def test_each_fault_is_named_with_its_one_next_step(school: Gatehouse, fault: Fault) -> None:
    with BROKEN[fault.name](school) as words:
        told: Found = {}

        def seen() -> bool:
            told.clear()
            told.update(diagnosed(school, "--only", fault.check, *words)[1])
            return any(one["verdict"] == fault.verdict for one in told.values())

        try:
            wait_until(seen, 30)
        except AssertionError:
            raise AssertionError(told) from None
        for lang, expected in zip(LANGUAGES, (fault.zh, fault.en), strict=True):
            status, found = diagnosed(school, "--only", fault.check, *words, lang=lang)
            (one,) = [one for one in found.values() if one["verdict"] == fault.verdict]
            assert one["cause"]["code"] == fault.cause
            assert one["next_step"] == expected
            assert status == (2 if fault.verdict == "fail" else 1)


# ---- guided tests


def test_a_button_is_pressed_as_asked_and_the_county_hears_of_a_test_alone(
    school: Gatehouse,
) -> None:
    before = len(school.alarms("press"))
    pressed = threading.Timer(1.0, school.module.press)
    released = threading.Timer(1.5, school.module.release)
    for timer in (pressed, released):
        timer.start()
    only = ("--only", "alarm.press", "--seconds", "10", "--by", "t-1")
    status, found = diagnosed(school, "--press-test", *only)
    assert (status, found["alarm.press:gate"]["verdict"]) == (0, "ok")
    wait_until(lambda: len(school.alarms("press")) > before)
    assert {one.body["test"] for one in school.alarms("press")[before:]} == {True}
    wait_until(lambda: school.newest("test-window/alarm").get("open") is False)

    status, found = diagnosed(school, "--press-test", "--only", "alarm.press", "--seconds", "0.5")
    assert (status, found["alarm.press:gate"]["cause"]["code"]) == (2, "diagnosis.not_pressed")


def test_a_tag_is_held_to_the_readers_as_asked(school: Gatehouse) -> None:
    reader = school.readers["reader"]
    tag = bytes.fromhex("04A1B2C3D4E580")
    shown = threading.Timer(0.8, reader.present, [tag])
    shown.start()
    only = ("--only", "reader.tap", "--seconds", "2.5")
    found = diagnosed(school, "--tap-test", *only)[1]
    reader.remove(tag)
    assert found["reader.tap:reader"]["verdict"] == "ok"
    assert found["reader.tap:spare"]["cause"]["code"] == "diagnosis.not_tapped"
