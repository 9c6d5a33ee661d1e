"""What the agent takes of its machine: `python -m tests.benchmarks.footprint`, one line a figure.

Ten minutes each, with 64 cameras and without; FOOTPRINT_SECONDS=n shortens it. Two buttons' modules
are polled 20 times a second beside a tag reader; streams are small, so their decoding is what 64
sub streams cost.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from simulators.broker import Broker
from simulators.modbus import ModbusSimulator
from simulators.pn532 import Pn532Simulator
from simulators.truth import Truth
from tests.benchmarks.alarm_rig import PASSWORD, recorder
from tests.benchmarks.figures import Figures
from tests.daemon import SITE, WITHOUT_CAMERAS, Daemon
from tests.waiting import wait_until

SECONDS = float(os.environ.get("FOOTPRINT_SECONDS", "600"))
CAMERAS = 64
DAY_SECONDS = 86_400
# What a round of 64 cameras every five minutes is, once and in full, in a shorter run too.
ROUND_SECONDS = 300
PORTS = ("alarm", "second")
FLOOR_POLLS = 600
READER = """
[[nfc_reader]]
id = "reader"
driver = "pn532"
port = "{directory}/reader"
[[checkpoint]]
id = "wall"
name = "Wall"
tag = "nfca:04A1B2C3D4E580"
"""


@dataclass
class Sample:
    """Sums over the agent's processes; `parts` are PSS by process, CPU by the agent's threads."""

    cpu_seconds: dict[str, float]
    switches: int
    written_bytes: int
    parts: dict[str, int]


def main() -> None:
    """Measure with cameras, then without."""
    figures = Figures("footprint")
    with recorder(CAMERAS) as cameras:
        # Polled as a school's recorder is, not as fast as a test can.
        watched = re.sub(r"(poll|request_gap|reply_timeout)_seconds = .*\n", "", cameras)
        watched = watched.replace("round_seconds = 2", f"round_seconds = {ROUND_SECONDS}")
        measure(figures, "with_cameras", watched)
    measure(figures, "without_cameras", WITHOUT_CAMERAS)
    figures.print("cpu_percent_floor", floor_percent(), "% of one core", n=len(PORTS) * FLOOR_POLLS)


def measure(figures: Figures, name: str, more: str) -> None:
    with site(more) as (daemon, ready):
        figures.print(f"ready_seconds_{name}", ready, "s", n=1)
        began, first = time.monotonic(), sample(daemon.pid)
        peak = first.parts
        while (left := began + SECONDS - time.monotonic()) > 0:
            time.sleep(min(10.0, left))
            now = sample(daemon.pid)
            if sum(now.parts.values()) > sum(peak.values()):
                peak = now.parts
            print(f"\r{time.monotonic() - began:.0f}/{SECONDS:.0f} s ", end="", file=sys.stderr)
        print(file=sys.stderr)
        last, seconds = sample(daemon.pid), time.monotonic() - began
        count = round(seconds)
        figures.print(f"pss_bytes_total_{name}", sum(peak.values()), "bytes", n=count)
        for part, used in sorted(peak.items()):
            figures.print(f"pss_bytes_{part}_{name}", used, "bytes", n=count)
        parts = {
            part: spent - first.cpu_seconds.get(part, 0.0)
            for part, spent in last.cpu_seconds.items()
        }
        total = 100 * sum(parts.values()) / seconds
        figures.print(f"cpu_percent_{name}", total, "% of one core", n=count)
        for part, spent in sorted(parts.items()):
            figures.print(f"cpu_percent_{part}_{name}", 100 * spent / seconds, "%", n=count)
        wakeups = (last.switches - first.switches) / seconds
        figures.print(f"wakeups_per_second_{name}", wakeups, "1/s", n=count)
        written = (last.written_bytes - first.written_bytes) / seconds * DAY_SECONDS
        figures.print(f"disk_bytes_per_day_{name}", written, "bytes", n=count)


BAREST = """
import os, select, sys, time, tty
port = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
tty.setraw(port)
count, due, began = int(sys.argv[2]), time.monotonic(), time.process_time()
for _ in range(count):
    os.write(port, bytes.fromhex("01020000000879cc"))
    select.select([port], [], [], 0.2)
    time.sleep(0.003)
    os.read(port, 64)
    due += 0.05
    time.sleep(max(0.0, due - time.monotonic()))
print(100 * (time.process_time() - began) / (count * 0.05))
"""


def floor_percent() -> float:
    """Return what this machine's kernel alone takes for our polls: no checks, no readings."""
    with tempfile.TemporaryDirectory() as name:
        line = ModbusSimulator(Path(name) / "alarm", Truth(), baud=19200)
        line.start()
        command = [sys.executable, "-c", BAREST, f"{name}/alarm", str(FLOOR_POLLS)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        line.stop()
    return len(PORTS) * float(done.stdout)


def sample(pid: int) -> Sample:
    """Read the kernel's figures, of the daemon and of its camera workers."""
    cpu: dict[str, float] = {}
    parts: dict[str, int] = {}
    switches = written = 0
    ticks = os.sysconf("SC_CLK_TCK")
    agent = psutil.Process(pid)
    for process in (agent, *agent.children(recursive=True)):
        try:
            part = "agent" if process.pid == pid else "workers"
            parts[part] = parts.get(part, 0) + process.memory_full_info().pss
            written += process.io_counters().write_bytes
            tasks = list(Path(f"/proc/{process.pid}/task").iterdir())
        except (psutil.Error, OSError):
            continue
        for task in tasks:
            try:
                _, _, rest = (task / "stat").read_text().rpartition(")")
                status = (task / "status").read_text()
            except OSError:
                continue
            fields = rest.split()
            doing = _doing(task) if part == "agent" else part
            cpu[doing] = cpu.get(doing, 0.0) + (int(fields[11]) + int(fields[12])) / ticks
            switches += int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return Sample(cpu, switches, written, parts)


def _doing(task: Path) -> str:
    """Return what a thread of the agent is called, devices of a kind together."""
    name = re.sub(r"[^a-z]+", "_", (task / "comm").read_text().strip().lower()).strip("_")
    return {"python": "main", "python_m_agent": "main"}.get(name, name)


@contextmanager
def site(more: str) -> Iterator[tuple[Daemon, float]]:
    """Run two alarm modules, a reader and what `more` names; yields it and its start's seconds."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        broker = Broker(directory / "broker")
        truth = Truth()
        lines = [ModbusSimulator(directory / port, truth, baud=19200) for port in PORTS]
        reader = Pn532Simulator(directory / "reader", truth)
        (directory / "nvr.secret").write_text(PASSWORD, encoding="utf-8")
        (directory / "nvr.secret").chmod(0o600)
        broker.start()
        for line in lines:
            line.start()
        reader.start()
        blocks = "".join(
            f'[[alarm_module]]\nid = "{port}"\ndriver = "modbus"\nport = "{name}/{port}"\n'
            f"baud = 19200\npolls_per_second = 20\n[[alarm_module.button]]\n"
            f'id = "button-{port}"\nname = "Button"\ninput = 0\nwiring = "no"\n'
            for port in PORTS
        )
        settings = SITE + blocks + READER + more
        settings = settings.replace("{directory}", name).replace("{port}", str(broker.port))
        daemon = Daemon(directory, settings)
        began = time.monotonic()
        daemon.start()
        try:
            wait_until(lambda: '"agent started"' in daemon.said(), 30)
            yield daemon, time.monotonic() - began
        finally:
            daemon.stop()
            reader.stop()
            for line in lines:
                line.stop()
            broker.stop()


if __name__ == "__main__":
    main()
