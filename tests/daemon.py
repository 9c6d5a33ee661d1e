"""The real daemon as a subprocess, for tests and benchmarks that look at it from outside."""

import signal
import subprocess
import sys
import time
from pathlib import Path

MINIMAL = """
[site]
county = "county"
id = "school"
name = "School"
timezone = "Asia/Shanghai"
[state]
directory = "{directory}/state"
[control]
socket = "{directory}/control.sock"
[broker]
hosts = ["127.0.0.1:{port}"]
[[alarm_module]]
id = "io"
driver = "modbus"
port = "{directory}/alarm"
baud = {baud}
polls_per_second = {polls}
{counters}
[[alarm_module.button]]
id = "gate"
name = "Gate"
input = 0
wiring = "no"
[not_fitted]
recordings = "test"
pictures = "test"
gate_manned = "test"
police_link = "test"
"""

NO_PATROL = 'patrol = "test"\n'
WITH_PATROL = """
[[nfc_reader]]
id = "reader"
driver = "pn532"
port = "{directory}/reader"
[[checkpoint]]
id = "wall"
name = "Wall"
tag = "nfca:04A1B2C3D4E580"
[patrol]
fold_seconds = {fold}
"""


def alarm_only(
    directory: Path, port: int, *, baud: int = 19200, polls: float = 20, counters: bool = False
) -> str:
    """Return the settings of a site with one button and nothing else."""
    return (
        MINIMAL.format(
            directory=directory,
            port=port,
            baud=baud,
            polls=polls,
            counters="press_counters_at = 0" if counters else "",
        )
        + NO_PATROL
    )


def with_county_key(settings: str, public: str) -> str:
    """Let a county's key be obeyed."""
    return settings + f'[[county_key]]\nid = "duty-desk"\npublic = "{public}"\n'


def alarm_and_patrol(directory: Path, port: int, *, fold: float = 0.0) -> str:
    """Return the settings of a site with one button, its counter, and a reader."""
    settings = MINIMAL.format(
        directory=directory, port=port, baud=19200, polls=20, counters="press_counters_at = 0"
    )
    return settings + WITH_PATROL.format(directory=directory, fold=fold)


class Daemon:
    """`campus-agent run` on a settings text; what it prints goes to `log` in its directory."""

    def __init__(self, directory: Path, settings: str) -> None:
        self.log = directory / "agent.log"
        self._config = directory / "site.toml"
        self._config.write_text(settings, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, before: str = "") -> None:
        """Start; returns before it is ready. `before` is shell, run in namespaces of its own."""
        command = [sys.executable, "-m", "agent", "run", "--config", str(self._config)]
        if before:
            shell = f'{before}\nexec "$@"'
            command = ["unshare", "--map-root-user", "--mount", "sh", "-c", shell, "sh", *command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        """Return the process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Tell whether it still runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> tuple[int, float]:
        """End it as systemd would; returns its exit status and the seconds it took."""
        assert self._process is not None
        started = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30), time.monotonic() - started

    def said(self) -> str:
        """Return all it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")
