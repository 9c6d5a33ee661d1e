"""What a diagnosis takes at a large school: `python -m tests.benchmarks.diagnose`, a line a figure.

64 cameras behind one recorder, two alarm modules, a reader: asked of the running agent, and then
without one, where every device is opened for it.
"""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from agent.control.client import call
from agent.control.protocol import CommandError
from tests.benchmarks.alarm_rig import recorder
from tests.benchmarks.figures import Figures, percentile
from tests.benchmarks.footprint import site
from tests.daemon import Daemon
from tests.waiting import wait_until

CAMERAS = 64
RUNS = 5
# A first round over all cameras.
ROUND_SECONDS = 240.0
LOOK_SECONDS = 0.05
UNKNOWN, CAMERA = "unknown ", "unknown camera, stream"


class Run:
    """One run of the command, watched from outside."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "agent", "diagnose", "--config", str(config)]
        command += ["--lang", "en"]
        self.peak_bytes = 0
        self.first_line_seconds = self.first_check_seconds = 0.0
        began = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            watch = threading.Thread(target=self._watch, args=(psutil.Process(process.pid),))
            watch.start()
            assert process.stdout is not None
            self.lines: list[str] = []
            for line in process.stdout:
                if len(self.lines) == 0:
                    self.first_line_seconds = time.monotonic() - began
                if len(self.lines) == 1:
                    self.first_check_seconds = time.monotonic() - began
                self.lines.append(line)
        self.seconds = time.monotonic() - began
        watch.join()

    def _watch(self, process: psutil.Process) -> None:
        while True:
            try:
                every = [process, *process.children(recursive=True)]
                used = sum(int(one.memory_full_info().pss) for one in every)
                running = process.status() != psutil.STATUS_ZOMBIE
            except (psutil.Error, OSError):
                return
            self.peak_bytes = max(self.peak_bytes, used)
            if not running:
                return
            time.sleep(LOOK_SECONDS)


def main() -> None:
    """Measure with the agent, then without."""
    figures = Figures("diagnose")
    with recorder(CAMERAS) as cameras:
        watched = re.sub(r"(poll|request_gap|reply_timeout)_seconds = .*\n", "", cameras)
        watched = watched.replace("round_seconds = 2", "round_seconds = 300")
        with site(watched) as (daemon, _):
            wait_until(lambda: seen(daemon) == CAMERAS, ROUND_SECONDS)
            runs = [Run(daemon.config) for _ in range(RUNS)]
            report(figures, "", runs)
            daemon.stop()
            report(figures, "_without_agent", [Run(daemon.config)])
            daemon.start()  # as it is left


def seen(daemon: Daemon) -> int:
    """Return how many cameras the agent has looked at."""
    try:
        states = call(daemon.config.with_name("control.sock"), "status").data.get("states", ())
    except CommandError:
        return 0
    of_cameras = [one["data"] for one in states if one["kind"] == "camera"]
    return sum(one["online"] != "unknown" for one in of_cameras)


def report(figures: Figures, how: str, runs: list[Run]) -> None:
    """Print the median of the seconds and the most memory."""
    n = len(runs)
    total = percentile(sorted(run.seconds for run in runs), 50)
    first = percentile(sorted(run.first_line_seconds for run in runs), 50)
    check = percentile(sorted(run.first_check_seconds for run in runs), 50)
    figures.print(f"diagnose_seconds_64_cameras{how}", total, "s", n=n)
    figures.print(f"first_line_seconds{how}", first, "s", n=n)
    figures.print(f"first_check_seconds{how}", check, "s", n=n)
    figures.print(f"peak_pss_bytes{how}", max(run.peak_bytes for run in runs), "bytes", n=n)
    # Before the list of what is to be done; without the agent, days and patrol are among them.
    unknown = [sum(line.startswith(UNKNOWN) for line in run.lines) for run in runs]
    figures.print(f"unknown_checks{how}", max(unknown), "checks", n=n)
    cameras = [sum(line.startswith(CAMERA) for line in run.lines) for run in runs]
    figures.print(f"unknown_cameras{how}", max(cameras), "cameras", n=n)


if __name__ == "__main__":
    main()
