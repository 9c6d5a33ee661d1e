"""A technician at a school whose agent does not run: the devices are looked at all the same."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.cli.diagnose import main
from agent.clock import SystemClock
from drivers.serial_port import SerialPort
from tests.system.gatehouse import CHANNELS, READERS, Gatehouse

DEVICES = "service,alarm,reader,recorder,camera,retention,patrol,outbox"


@pytest.fixture
def school(tmp_path: Path) -> Iterator[Gatehouse]:
    school = Gatehouse(tmp_path)
    try:
        school.start()
        yield school
    finally:
        school.stop()


def diagnosed(school: Gatehouse, only: str) -> dict[str, dict[str, Any]]:
    out = io.StringIO()
    words = ["--config", str(school.daemon.config), "--json", "--lang", "en", "--only", only]
    with contextlib.redirect_stdout(out):
        main(words)
    return {one["id"]: one for one in json.loads(out.getvalue())}


def test_every_device_is_opened_looked_at_and_let_go(school: Gatehouse) -> None:
    found = diagnosed(school, DEVICES)
    verdicts = {name: one["verdict"] for name, one in found.items()}
    channels = [f"nvr-{number}" for number in range(1, CHANNELS + 1)]
    assert verdicts == {
        "service.agent": "fail",
        "service.unit": "ok",
        "outbox.backlog": "ok",
        "outbox.refused": "ok",
        "alarm.module:io": "ok",
        "alarm.button:gate": "warn",  # never tested
        **{f"reader.answers:{name}": "ok" for name in READERS},
        **{
            f"recorder.{what}:nvr": "ok"
            for what in ("reach", "login", "clock", "disks", "channels", "policy")
        },
        **{f"camera.{what}:{name}": "ok" for what in ("stream", "picture") for name in channels},
        **{f"retention.days:{name}": "unknown" for name in channels},
        "patrol.tours": "unknown",
    }
    assert found["retention.days:nvr-1"]["next_step"].startswith("start the service")
    # Nothing holds the ports, and each is opened for its owner alone.
    for name in ("alarm", *READERS):
        line = SerialPort(str(school.directory / name), 19200, SystemClock())
        line.open()
        line.close()


def test_a_wrong_password_costs_one_login_however_often_it_is_run(school: Gatehouse) -> None:
    school.secret("nvr", "wrong")
    for _ in range(2):
        found = diagnosed(school, "recorder")
        assert found["recorder.login:nvr"]["verdict"] == "fail"
        assert found["recorder.login:nvr"]["cause"]["code"] == "unknown.auth_rejected"
        assert found["recorder.reach:nvr"]["verdict"] == "ok"
        assert school.failed_logins() == 1


def test_devices_that_are_dead_do_not_keep_the_others(school: Gatehouse) -> None:
    school.module.stop()
    school.readers["spare"].stop()
    school.nvr.stop()
    school.secret("nvr", "x", 0o644)
    found = diagnosed(school, "alarm,reader,recorder")
    assert found["alarm.module:io"]["cause"]["code"] == "alarm.port_lost"
    assert found["reader.answers:spare"]["cause"]["code"] == "unknown.port_lost"
    assert found["reader.answers:reader"]["verdict"] == "ok"
    assert found["recorder.reach:nvr"]["cause"]["code"] == "diagnosis.left_out"
