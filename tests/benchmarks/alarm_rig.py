"""What the alarm's benchmarks share: a broker, a county, a line of modules, the real daemon."""

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators.broker import Broker
from simulators.county import County
from simulators.modbus import ModbusSimulator
from simulators.truth import Truth
from tests.daemon import NO_PATROL, SITE, WITHOUT_CAMERAS, Daemon

# So many that none is pressed ten times a minute, which would be chatter.
BUTTONS = 32
EVERY_SECONDS = 0.25


def site(directory: Path, port: int, lines: str) -> str:
    """Return the settings of a site with these lines to buttons and nothing else."""
    return SITE.format(directory=directory, port=port) + lines + WITHOUT_CAMERAS + NO_PATROL


def module(directory: Path, baud: int, *, unit: int = 1, counters: bool = False) -> str:
    """Return the block of one module with all its buttons, polled as fast as its line allows."""
    prefix = f"b{unit}" if unit > 1 else "b"
    block = (
        f'[[alarm_module]]\nid = "io-{unit}"\ndriver = "modbus"\nport = "{directory}/alarm"\n'
        f"baud = {baud}\nunit = {unit}\ninputs = {BUTTONS}\n"
    )
    block += "press_counters_at = 0\n" if counters else ""
    for number in range(BUTTONS):
        block += (
            f'[[alarm_module.button]]\nid = "{prefix}-{number}"\nname = "Button"\n'
            f'input = {number}\nwiring = "no"\n'
        )
    return block


@dataclass
class Rig:
    """Everything running; `directory` holds the daemon's state."""

    directory: Path
    broker: Broker
    county: County
    truth: Truth
    line: ModbusSimulator
    daemon: Daemon

    def press_all(self, count: int, hold_seconds: float, every_seconds: float) -> None:
        """Press one button after another, at random phases."""
        for number in range(count):
            began = time.monotonic()
            self.line.press(number % BUTTONS)
            time.sleep(hold_seconds)
            self.line.release(number % BUTTONS)
            until = began + every_seconds * random.uniform(0.8, 1.2)
            time.sleep(max(0.0, until - time.monotonic()))
            print(f"\r{number + 1}/{count}  ", end="", file=sys.stderr)
        print(file=sys.stderr)
        time.sleep(2)

    def first_heard(self, what: str = "press") -> dict[tuple[str, int], float]:
        """Return when each press was first heard, by button and number."""
        first: dict[tuple[str, int], float] = {}
        for one in self.county.heard("event/alarm"):
            data = one.body["data"]
            if data["what"] == what:
                first.setdefault((str(data["button"]), int(data["press"])), one.at)
        return first


@contextmanager
def rig(lines: str, baud: int, *, neighbour: bool = False) -> Iterator[Rig]:
    """Run it all; `lines` may name {directory}, where the line's port is."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        broker = Broker(directory / "broker")
        broker.start()
        county = County(broker.port, keep=True)
        county.start()
        truth = Truth()
        line = ModbusSimulator(directory / "alarm", truth, baud=baud, count=BUTTONS)
        if neighbour:
            line.add(2, BUTTONS)
        line.start()
        daemon = Daemon(directory, site(directory, broker.port, lines.replace("{directory}", name)))
        daemon.start()
        try:
            county.wait_for(lambda heard: heard.body.get("data", {}).get("position") == "rest", 30)
            yield Rig(directory, broker, county, truth, line, daemon)
        finally:
            daemon.stop()
            county.stop()
            line.stop()
            broker.stop()
