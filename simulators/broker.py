"""A broker for the demo and the tests, without root: mosquitto if installed, else amqtt."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

_MOSQUITTO_PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


class Broker:
    """One broker process on a free loopback port; what it keeps lies in `directory`."""

    def __init__(
        self, directory: Path, *, port: int = 0, kind: str = "", settings: str = ""
    ) -> None:
        self.port = port or _free_port()
        self.mosquitto = shutil.which("mosquitto", path=_MOSQUITTO_PLACES)
        self.kind = kind or ("mosquitto" if self.mosquitto else "amqtt")
        self._directory = directory
        self._settings = settings
        # The whole configuration, for who wants another one than ours.
        self.conf = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it accepts connections."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            self._command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 15
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 0.5).close()
                return
            time.sleep(0.02)
        raise RuntimeError(f"{self.kind} did not open port {self.port}")

    def stop(self, *, kill: bool = False) -> None:
        """End it, by SIGKILL if asked."""
        process, self._process = self._process, None
        if process is not None:
            process.kill() if kill else process.terminate()
            process.wait(timeout=10)

    def signal(self, number: int) -> None:
        """Send a signal, such as SIGSTOP for a broker that hangs."""
        if self._process is not None:
            self._process.send_signal(number)

    def _command(self) -> list[str]:
        if self.kind == "mosquitto":
            settings = self._directory / "mosquitto.conf"
            user = "user root\n" if os.geteuid() == 0 else ""
            # The values of the installation guide: without them messages vanish in silence.
            settings.write_text(
                self.conf + user
                if self.conf
                else f"listener {self.port} 127.0.0.1\n"
                "allow_anonymous true\n"
                f"{self._settings}\n"
                f"persistence true\npersistence_location {self._directory}/\n"
                "autosave_interval 5\nmax_queued_messages 200000\nmax_inflight_messages 100\n"
                "set_tcp_nodelay true\nlog_dest none\n" + user
            )
            return [str(self.mosquitto), "-c", str(settings)]
        settings = self._directory / "amqtt.yaml"
        settings.write_text(
            "listeners:\n  default:\n    type: tcp\n"
            f"    bind: 127.0.0.1:{self.port}\n"
            "plugins:\n  amqtt.plugins.authentication.AnonymousAuthPlugin:\n"
            "    allow_anonymous: true\n"
        )
        return [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(settings)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
