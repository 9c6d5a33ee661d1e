"""How long a press takes to the disk and to a subscriber, and how many short ones are caught."""

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from simulators.modbus import ModbusSimulator
from simulators.truth import Truth
from tests.benchmarks.alarm_latency import HOLD_SECONDS, LOADS, PRESSES, latency
from tests.benchmarks.alarm_rig import module, rig
from tests.benchmarks.alarm_trouble import trouble
from tests.benchmarks.figures import Figures

SHORT_SECONDS = 0.06
CPU_SECONDS = 20


def main() -> None:
    """Print every figure; name parts on the command line to run only those."""
    figures = Figures("alarm")
    parts = sys.argv[1:] or ["latency", "short", "trouble", "delivered", "cpu"]
    if "latency" in parts:
        latency(figures, 9600, "idle")
        for load in LOADS:
            latency(figures, 19200, load)
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
        running.press_all(PRESSES, SHORT_SECONDS)
        caught = len(running.first_heard())
        figures.print(f"short_presses_caught_ratio_{name}", caught / PRESSES, "", n=PRESSES)


def delivered(figures: Figures) -> None:
    """Press twenty times with the broker away, kill the agent, and bring both back."""
    with rig(module(Path("{directory}"), 19200), 19200) as running:
        running.broker.stop(kill=True)
        running.press_all(20, HOLD_SECONDS)
        running.daemon.kill()
        running.broker.start()
        running.daemon.start()
        until = time.monotonic() + 40
        while len(running.first_heard()) < 20 and time.monotonic() < until:
            time.sleep(0.1)
        figures.print("presses_delivered", len(running.first_heard()), "presses", n=20)


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
