"""New settings in a running daemon: what changed is made anew, all else does not notice."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.broker import Broker
from simulators.county import County
from tests.hearing import alarm
from tests.system.gatehouse import Gatehouse
from tests.waiting import wait_until


@pytest.fixture
def school(tmp_path: Path) -> Iterator[Gatehouse]:
    school = Gatehouse(tmp_path)
    school.start()
    school.restart()
    school.expect("button/gate", "warn")
    yield school
    school.stop()


def campus(school: Gatehouse, *words: str) -> subprocess.CompletedProcess[str]:
    socket = ["--socket", str(school.directory / "control.sock"), "--lang", "en"]
    command = [sys.executable, "-m", "agent", *words, *socket]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def rewrite(school: Gatehouse, old: str, new: str) -> None:
    text = school.daemon.config.read_text(encoding="utf-8")
    assert old in text
    school.daemon.config.write_text(text.replace(old, new, 1), encoding="utf-8")


def told(school: Gatehouse, what: str) -> int:
    return sum(one.body["data"]["what"] == what for one in school.county.heard("event/agent"))


def test_another_name_for_a_camera_disturbs_neither_button_nor_reader(school: Gatehouse) -> None:
    school.expect("camera/nvr-2", "ok")
    ports = port_holders(school)
    rewrite(school, 'name = "Camera 2"', 'name = "Back door"')
    done = campus(school, "reload")
    assert done.returncode == 0, done.stderr
    assert "recorder nvr" in done.stdout
    assert "bus" not in done.stdout
    assert "reader" not in done.stdout
    # The very descriptors that were open before: the ports were never let go of.
    assert port_holders(school) == ports
    wait_until(
        lambda: school.county.heard("about")[-1].body["objects"]["camera"]["nvr-2"] == "Back door"
    )
    wait_until(lambda: told(school, "reloaded") == 1)
    press = school.press()
    assert press.body["boot"] == school.boot


def port_holders(school: Gatehouse) -> dict[str, str]:
    """The daemon's open terminals by descriptor."""
    folder = Path(f"/proc/{school.daemon.pid}/fd")
    links: dict[str, str] = {}
    for one in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            links[one.name] = str(one.readlink())
    return {name: target for name, target in links.items() if "/pts/" in target}


def test_a_bad_file_changes_nothing_and_is_told(school: Gatehouse) -> None:
    good = school.daemon.config.read_text(encoding="utf-8")
    school.daemon.config.write_text(good + "\n[broker\n", encoding="utf-8")
    refused = campus(school, "reload")
    assert refused.returncode == 1
    assert f"{school.daemon.config}:{good.count(chr(10)) + 2}" in refused.stderr
    wait_until(lambda: told(school, "reload_refused") == 1)
    (event,) = [
        one.body["data"]
        for one in school.county.heard("event/agent")
        if one.body["data"]["what"] == "reload_refused"
    ]
    assert event["causes"] == [{"code": "reload.refused", "params": {"count": 1}}]
    assert school.press().body["boot"] == school.boot
    # So does a change that takes a restart.
    school.daemon.config.write_text(good.replace("/state", "/elsewhere"), encoding="utf-8")
    refused = campus(school, "reload")
    assert refused.returncode == 1
    assert "restart" in refused.stderr
    assert not (school.directory / "elsewhere").exists()


def test_a_button_more_is_watched_and_one_less_is_forgotten(school: Gatehouse) -> None:
    first = school.press()
    second = '[[alarm_module.button]]\nid = "dorm"\nname = "Dorm"\ninput = 1\nwiring = "no"\n'
    rewrite(school, "[[nfc_reader]]", second + "[[nfc_reader]]")
    os.kill(school.daemon.pid, signal.SIGHUP)
    school.expect("button/dorm", "warn")
    school.module.press(1)
    wait_until(lambda: any(one.body["subject"] == "dorm" for one in school.alarms("press")))
    school.module.release(1)
    # The incident that was open is still the same one.
    joined = school.press()
    assert joined.body["data"]["incident"] == first.body["data"]["incident"]
    assert joined.body["seq"] > first.body["seq"]
    assert joined.body["epoch"] == first.body["epoch"]
    wait_until(lambda: school.newest("button/dorm")["position"] == "rest")
    rewrite(school, second, "")
    assert campus(school, "reload").returncode == 0
    topic = "campus/v1/county/school/state/button/dorm"
    wait_until(lambda: [body for name, body in school.tap.messages() if name == topic][-1] == b"")


def test_another_broker_gets_what_the_first_did_not_confirm(
    school: Gatehouse, tmp_path: Path
) -> None:
    other = Broker(tmp_path / "other", kind="mosquitto")
    other.start()
    county = County(other.port)
    county.start()
    try:
        school.broker.stop(kill=True)
        school.module.press()
        wait_until(lambda: '"what": "press"' in school.daemon.said())
        rewrite(school, f"127.0.0.1:{school.broker.port}", f"127.0.0.1:{other.port}")
        assert campus(school, "reload").returncode == 0
        heard = county.wait_for(alarm("press"), 20)
        assert heard.body["boot"] == school.boot
        assert county.wait_for(lambda one: one.kind == "about").body["agent_version"]
    finally:
        county.stop()
        other.stop(kill=True)


def test_settings_spoilt_before_a_start_keep_the_button_alive_and_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").mkdir()
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "kept"))
    school = Gatehouse(tmp_path)
    school.start()
    try:
        school.restart()
        school.expect("button/gate", "warn")
        good = school.daemon.config.read_text(encoding="utf-8")
        school.daemon.config.write_text(good[: len(good) // 2] + "\n[", encoding="utf-8")
        school.restart()
        school.expect("agent/agent", "fail", "agent.last_good")
        assert school.press().body["boot"] == school.boot
        school.expect("camera/nvr-2", "ok")
        # Mended, it takes a reload and no more.
        school.daemon.config.write_text(good, encoding="utf-8")
        assert campus(school, "reload").returncode == 0
        school.expect("agent/agent", "warn")
        assert "agent.last_good" not in school.verdict("agent/agent")[1]
    finally:
        school.stop()
