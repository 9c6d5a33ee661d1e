"""The real daemon as a subprocess, for tests and benchmarks that look at it from outside."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import wait_until

SITE = """
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
"""

ONE_BUTTON = """
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
"""

UNMEASURED = """
[not_fitted]
gate_manned = "test"
police_link = "test"
"""

WITHOUT_CAMERAS = """
[not_fitted]
recordings = "test"
pictures = "test"
gate_manned = "test"
police_link = "test"
"""

MINIMAL = SITE + ONE_BUTTON + WITHOUT_CAMERAS
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
min_gap_minutes = 0
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
    """Let a county's key be obeyed, in everything it may ask for; heads come every second."""
    settings = settings.replace("[broker]\n", "[broker]\nstatus_seconds = 1\n")
    commands = "[commands]\ntest = true\ndiag = true\nreplay = true\nresync = true\n"
    return f'{settings}{commands}[[county_key]]\nid = "duty-desk"\npublic = "{public}"\n'


def alarm_and_patrol(directory: Path, port: int, *, fold: float = 0.0) -> str:
    """Return the settings of a site with one button, its counter, and a reader."""
    settings = MINIMAL.format(
        directory=directory, port=port, baud=19200, polls=20, counters="press_counters_at = 0"
    )
    return settings + WITH_PATROL.format(directory=directory, fold=fold)


@dataclass(frozen=True)
class RecorderBlock:
    """One recorder of a site's file; its channels are 1 to `channels`, called `{id}-{number}`."""

    id: str
    http_port: int
    rtsp_port: int
    password_file: Path
    channels: int = 3
    poll_seconds: float = 0.3

    def text(self) -> str:
        """Return the block, polled fast and patient for a second only."""
        channels = "".join(
            "[[recorder.channel]]\n"
            f'number = {number}\nid = "{self.id}-{number}"\nname = "Camera {number}"\n'
            for number in range(1, self.channels + 1)
        )
        return f"""
[[recorder]]
id = "{self.id}"
driver = "hikvision"
host = "127.0.0.1"
http_port = {self.http_port}
rtsp_port = {self.rtsp_port}
username = "inspector"
password = {{ file = "{self.password_file}" }}
poll_seconds = {self.poll_seconds}
request_gap_seconds = 0
reply_timeout_seconds = 1
{channels}"""


def whole_site(
    directory: Path,
    port: int,
    recorders: Sequence[RecorderBlock],
    *,
    readers: Sequence[str] = ("reader",),
    broker: str = "",
) -> str:
    """Return the settings of a site with everything, judged at the first sight of a fault.

    `broker` is more of the [broker] section.
    """
    parts = [SITE.format(directory=directory, port=port), broker]
    parts.append(ONE_BUTTON.format(directory=directory, baud=19200, polls=20, counters=""))
    parts += [
        f'[[nfc_reader]]\nid = "{reader}"\ndriver = "pn532"\nport = "{directory}/{reader}"\n'
        for reader in readers
    ]
    parts.append('[[checkpoint]]\nid = "wall"\nname = "Wall"\ntag = "nfca:04A1B2C3D4E580"\n')
    parts += [recorder.text() for recorder in recorders]
    parts.append("[cameras]\nround_seconds = 2\n[pictures]\nraise_after = 1\nclear_after = 1\n")
    parts.append("[host]\npoll_seconds = 0.5\n")
    return "\n".join(parts) + UNMEASURED


class Daemon:
    """`campus-agent run` on a settings text; what it prints goes to `log` in its directory."""

    def __init__(self, directory: Path, settings: str) -> None:
        self.log = directory / "agent.log"
        self.config = directory / "site.toml"
        self.config.write_text(settings, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self._log_begins = 0

    def start(self, *, before: str = "") -> None:
        """Start; returns before it is ready. `before` is shell, run in namespaces of its own."""
        command = [sys.executable, "-m", "agent", "run", "--config", str(self.config)]
        if before:
            shell = f'{before}\nexec "$@"'
            command = ["unshare", "--map-root-user", "--mount", "sh", "-c", shell, "sh", *command]
        with self.log.open("ab") as log:
            self._log_begins = log.tell()
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

    def wait_until_ready(self) -> None:
        """Wait until this start is done: SIGTERM has its handler, the loops run."""
        wait_until(lambda: b'"agent started"' in self.log.read_bytes()[self._log_begins :], 30)

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
