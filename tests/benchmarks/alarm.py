"""How long a press takes to the disk and to a subscriber, and how many short ones are caught."""

import contextlib
import json
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from simulators.modbus import ModbusSimulator
from simulators.truth import Truth
from tests.benchmarks.alarm_rig import BUTTONS, EVERY_SECONDS, Rig, module, rig
from tests.benchmarks.alarm_trouble import trouble
from tests.benchmarks.figures import Figures, percentile

PRESSES = 500
SHORT_SECONDS = 0.06
HOLD_SECONDS = 0.15
CPU_SECONDS = 20
# Unit, function, count, CRC; and the inputs, every second time with a byte more.
REPLY_BYTES = 5 + BUTTONS / 8 + 0.5
POLLS = {9600: 10.0, 19200: 20.0}


class DiskWatch:
    """Sees commits of the alarm's database from outside: what a reader sees has been synced."""

    def __init__(self, path: Path) -> None:
        self.seen: dict[tuple[str, int], float] = {}
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        db = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
        version, seq = -1, 0
        while not self._stop.wait(0.001):
            now_version = db.execute("PRAGMA data_version").fetchone()[0]
            if now_version == version:
                continue
            version, now = now_version, time.time()
            for number, body in db.execute(
                "SELECT seq, body FROM message WHERE seq > ? ORDER BY seq", (seq,)
            ):
                seq, data = number, json.loads(body)["data"]
                if data["what"] == "press":
                    self.seen.setdefault((data["button"], data["press"]), now)
        db.close()


def main() -> None:
    """Print every figure; name parts on the command line to run only those."""
    figures = Figures("alarm")
    parts = sys.argv[1:] or ["latency", "short", "trouble", "delivered", "cpu"]
    if "latency" in parts:
        for baud in POLLS:
            latency(figures, baud)
    if "short" in parts:
        short(figures, "19200", 19200)
        short(figures, "9600", 9600)
        short(figures, "9600_counter", 9600, counters=True)
        short(figures, "19200_dead_neighbour", 19200, dead_neighbour=True)
    if "trouble" in parts:
        trouble(figures)
    if "delivered" in parts:
        delivered(figures)
    if "cpu" in parts:
        poll_cpu(figures)


def latency(figures: Figures, baud: int) -> None:
    """Truth is the simulator's log; a press waits for the next poll and its reply for the wire."""
    with rig(module(Path("{directory}"), baud), baud) as running:
        disk = DiskWatch(running.directory / "state" / "alarms.db")
        running.press_all(PRESSES, HOLD_SECONDS, EVERY_SECONDS)
        disk.stop()
        pressed = pressed_at(running)
        wire = 1000 * REPLY_BYTES * 10 / baud
        floor = {50: 500 / POLLS[baud] + wire, 99: 990 / POLLS[baud] + wire}
        for what, seen in (("disk", disk.seen), ("subscriber", running.first_heard())):
            taken = sorted(1000 * (at - pressed[press]) for press, at in seen.items())
            for share in (50, 99):
                value = percentile(taken, share)
                # The short names are those of the slowest line, the one most schools have.
                short_name = [f"press_to_{what}_p{share}_ms"] if baud == min(POLLS) else []
                for name in (*short_name, f"press_to_{what}_p{share}_ms_{baud}_idle"):
                    figures.print(name, value, "ms", n=len(taken), baseline=floor[share])
            figures.print(f"press_to_{what}_max_ms_{baud}_idle", taken[-1], "ms", n=len(taken))
            if what == "subscriber":
                over = percentile(taken, 99) - floor[99]
                suffixes = ("", f"_{baud}_idle") if baud == min(POLLS) else (f"_{baud}_idle",)
                for suffix in suffixes:
                    name = f"press_to_subscriber_p99_over_floor_ms{suffix}"
                    figures.print(name, over, "ms", n=len(taken))
        figures.print(
            f"presses_heard_{baud}", len(running.first_heard()), "presses", n=len(pressed)
        )


def short(
    figures: Figures, name: str, baud: int, *, counters: bool = False, dead_neighbour: bool = False
) -> None:
    """Count how many presses of 60 ms are caught."""
    lines = module(Path("{directory}"), baud, counters=counters)
    if dead_neighbour:
        lines += module(Path("{directory}"), baud, unit=2)
    with rig(lines, baud, neighbour=dead_neighbour) as running:
        if dead_neighbour:
            running.line.unit(2).dead = True
            time.sleep(6)
        running.press_all(PRESSES, SHORT_SECONDS, EVERY_SECONDS)
        caught = len(running.first_heard())
        figures.print(f"short_presses_caught_ratio_{name}", caught / PRESSES, "", n=PRESSES)


def delivered(figures: Figures) -> None:
    """Press twenty times with the broker away, kill the agent, and bring both back."""
    with rig(module(Path("{directory}"), 19200), 19200) as running:
        running.broker.stop(kill=True)
        running.press_all(20, HOLD_SECONDS, EVERY_SECONDS)
        running.daemon.kill()
        running.broker.start()
        running.daemon.start()
        until = time.monotonic() + 40
        while len(running.first_heard()) < 20 and time.monotonic() < until:
            time.sleep(0.1)
        figures.print("presses_delivered", len(running.first_heard()), "presses", n=20)


def pressed_at(running: Rig) -> dict[tuple[str, int], float]:
    """Return when each button was pressed, by its name and how often it had been."""
    counts: dict[int, int] = {}
    pressed: dict[tuple[str, int], float] = {}
    for line in running.truth.lines("press"):
        number = int(str(line["input"]))
        counts[number] = counts.get(number, 0) + 1
        pressed[f"b-{number}", counts[number]] = float(str(line["t"]))
    return pressed


OURS = """
import sys, time
from agent.clock import SystemClock
from drivers.alarm.modbus import ModbusSettings
from drivers.alarm.modbus_bus import ModbusBus
clock = SystemClock()
bus = ModbusBus([ModbusSettings(id="io", port=sys.argv[1], baud=19200)], clock)
bus.open()
poll = lambda: list(bus.poll(deadline=clock.monotonic() + 1))
"""
THEIRS = """
import sys, time
from pymodbus.client import ModbusSerialClient
client = ModbusSerialClient(sys.argv[1], baudrate=19200, timeout=1)
client.connect()
poll = lambda: client.read_discrete_inputs(0, count=8, device_id=1).bits
"""
LOOP = """
poll()
due = time.monotonic()
end = due + float(sys.argv[2])
began = time.process_time()
while due < end:
    poll()
    due += 0.05
    time.sleep(max(0.0, due - time.monotonic()))
print(100 * (time.process_time() - began) / float(sys.argv[2]))
"""


def poll_cpu(figures: Figures) -> None:
    """Poll twenty times a second, with our driver and with pymodbus's synchronous client."""
    percent: list[float] = []
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        line = ModbusSimulator(directory / "alarm", Truth(), baud=19200, spare=8)
        line.start()
        stack.callback(line.stop)
        for code in (OURS, THEIRS):
            command = [sys.executable, "-c", code + LOOP, str(line.line.path), str(CPU_SECONDS)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
            percent.append(float(done.stdout))
    n = int(20 * CPU_SECONDS)
    figures.print("poll_cpu_percent", percent[0], "%", n=n, baseline=percent[1])


if __name__ == "__main__":
    main()
