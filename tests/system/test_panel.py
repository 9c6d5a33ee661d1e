"""The panel beside the real daemon, looked at by curl, and in `make deep` by a real browser."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.broker import Broker
from simulators.county import County
from simulators.modbus import ModbusSimulator
from tests.daemon import Daemon, alarm_only
from tests.waiting import wait_until


class Panel:
    """The command, on a free port."""

    def __init__(self, directory: Path) -> None:
        words = ("--config", str(directory / "site.toml"), "--port", "0", "--lang", "en")
        self._log = (directory / "panel.log").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agent", "panel", *words], stdout=self._log, stderr=self._log
        )
        self._path = directory / "panel.log"
        wait_until(lambda: "http://" in self._path.read_text(encoding="utf-8"), 20)

    @property
    def address(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+/", self._path.read_text(encoding="utf-8"))
        assert found is not None
        return found[0]

    def now(self) -> str:
        command = ["curl", "--silent", "--max-time", "10", self.address + "now"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._log.close()


@pytest.fixture
def panel(tmp_path: Path, daemon: Daemon) -> Iterator[Panel]:
    assert daemon.config == tmp_path / "site.toml"
    made = Panel(tmp_path)
    yield made
    made.stop()


def test_a_press_is_on_the_screen_and_a_dead_program_is_no_quiet_one(
    panel: Panel, daemon: Daemon, module: ModbusSimulator, county: County
) -> None:
    del county
    wait_until(lambda: "one-button alarm" in panel.now(), 20)
    assert "ALARM" not in panel.now()
    module.press()
    wait_until(lambda: "ALARM Gate: incident 1 is open" in panel.now(), 20)
    wait_until(lambda: "The county&#x27;s server has it" in panel.now(), 20)
    daemon.kill()
    assert "does not answer: nothing is known of the alarm" in panel.now()
    assert "ALARM" not in panel.now()


def test_settings_or_a_port_that_cannot_be_had_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(alarm_only(tmp_path, 1), encoding="utf-8")
    command = [sys.executable, "-m", "agent", "panel", "--lang", "en", "--config"]
    missing = subprocess.run(
        [*command, str(tmp_path / "none.toml")], capture_output=True, text=True, check=False
    )
    assert missing.returncode == 2
    assert re.fullmatch(r"\S+ has no settings that can be read; .*\n", missing.stderr)
    broker = Broker(tmp_path / "broker")
    broker.start()
    taken = subprocess.run(
        [*command, str(tmp_path / "site.toml"), "--port", str(broker.port)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    broker.stop()
    assert taken.returncode == 2
    assert f"port {broker.port} cannot be had" in taken.stderr
    assert "Traceback" not in taken.stderr


@pytest.mark.deep
def test_a_browser_shows_it_without_an_error_or_a_request_elsewhere(
    panel: Panel, tmp_path: Path
) -> None:
    wait_until(lambda: "one-button alarm" in panel.now(), 20)
    log = tmp_path / "net.json"
    chromium = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu",
        "--disable-background-networking",
        "--enable-logging=stderr", f"--log-net-log={log}", "--virtual-time-budget=6000",
        "--window-size=1280,800", f"--user-data-dir={tmp_path / 'chromium'}",
    ]  # fmt: skip
    shot = tmp_path / "panel.png"
    done = subprocess.run(
        [*chromium, f"--screenshot={shot}", "--dump-dom", panel.address],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert shot.stat().st_size > 5_000, done.stderr
    assert "one-button alarm" in done.stdout
    assert "CONSOLE" not in done.stderr, done.stderr
    asked = set(re.findall(r'"url":"(https?://[^/"]+)', log.read_text(encoding="utf-8")))
    own = panel.address.rstrip("/")
    # The browser itself looks for its maker's updates.
    assert {one for one in asked if one != own and not re.search("google|gvt1", one)} == set()
