"""What the alarm's benchmarks share: a broker, a county, a line of modules, the real daemon."""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators.broker import Broker
from simulators.county import County
from simulators.modbus import ModbusSimulator
from simulators.truth import Truth
from tests.daemon import NO_PATROL, SITE, UNMEASURED, WITHOUT_CAMERAS, Daemon, RecorderBlock

# So many that none is pressed ten times a minute, which would be chatter.
BUTTONS = 32
EVERY_SECONDS = 0.25
POLLS = {9600: 10.0, 19200: 20.0}
PASSWORD = "Nvr-pass-4711"
# What the rig itself listens to; 20,000 other events would keep the simulator from its line.
TOPICS = ("campus/v1/+/+/event/alarm", "campus/v1/+/+/state/button/+")


def site(directory: Path, port: int, lines: str) -> str:
    """Return the settings of a site with these blocks, the last of them [not_fitted]."""
    return SITE.format(directory=directory, port=port) + lines + NO_PATROL


@contextmanager
def recorder(channels: int) -> Iterator[str]:
    """Run a recorder in a process of its own; yields its blocks, cameras watched all the time."""
    command = [sys.executable, "-m", "tests.benchmarks.recorder_stand", str(channels)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as stand:
        assert stand.stdout is not None
        ports = json.loads(stand.stdout.readline())
        secret = Path("{directory}") / "nvr.secret"
        block = RecorderBlock("nvr", ports["http"], ports["rtsp"], secret, channels).text()
        yield block + "[cameras]\nround_seconds = 2\n" + UNMEASURED


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

    def press_all(
        self, count: int, hold_seconds: float, goes_on: Callable[[], bool] = lambda: True
    ) -> None:
        """Press one button after another, at random phases, for as long as it `goes_on`."""
        for number in range(count):
            if number % 10 == 0 and not goes_on():
                break
            began = time.monotonic()
            self.line.press(number % BUTTONS)
            time.sleep(hold_seconds)
            self.line.release(number % BUTTONS)
            until = began + EVERY_SECONDS * random.uniform(0.8, 1.2)
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
def rig(
    lines: str,
    baud: int,
    *,
    neighbour: bool = False,
    more: str = WITHOUT_CAMERAS,
    prepare: Callable[[Path], None] = lambda _: None,
) -> Iterator[Rig]:
    """Run it all; `lines` and `more` may name {directory}, where the line's port is."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        broker = Broker(directory / "broker")
        broker.start()
        prepare(directory)
        county = County(broker.port, keep=True, topics=TOPICS)
        county.start()
        truth = Truth()
        line = ModbusSimulator(directory / "alarm", truth, baud=baud, count=BUTTONS)
        if neighbour:
            line.add(2, BUTTONS)
        line.start()
        (directory / "nvr.secret").write_text(PASSWORD, encoding="utf-8")
        (directory / "nvr.secret").chmod(0o600)
        blocks = (lines + more).replace("{directory}", name)
        daemon = Daemon(directory, site(directory, broker.port, blocks))
        daemon.start()
        try:
            county.wait_for(lambda heard: heard.body.get("data", {}).get("position") == "rest", 30)
            yield Rig(directory, broker, county, truth, line, daemon)
        finally:
            daemon.stop()
            county.stop()
            line.stop()
            broker.stop()
