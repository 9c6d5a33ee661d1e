"""Part of `make deep`: a machine whose mains is pulled while buttons are pressed, again and again.

What a guest has not flushed is lost with its page cache, as on real mains; what it has flushed is
on the host's disk.
"""

import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators.broker import Broker
from simulators.county import County, Heard
from simulators.modbus import ModbusSimulator
from simulators.truth import Truth
from tests.benchmarks import alarm_rig
from tests.benchmarks.figures import Figures
from tests.daemon import WITHOUT_CAMERAS
from tests.hearing import all_of
from tests.machine import guest
from tests.machine.usb import ADAPTER

CUTS = 5
STORE = "/var/lib/state/alarms.db"
PLUG = "usb-serial,chardev=line,id=gate,always-plugged=on,serial=GATE"
LAST_SECONDS = 60.0


def main() -> int:
    """Run; 0 if every alarm that left the machine as durable was on its disk."""
    guest.build()
    figures, missing = Figures("power-cut"), set[str]()
    with tempfile.TemporaryDirectory() as name, _school(Path(name)) as school:
        for cut in range(1, CUTS + 1):
            with school.machine():
                if cut == 1:  # presses before the module's first reply are its baseline
                    school.county.wait_for(_at_rest, 60)
                _burst(school.module, school.county)
            time.sleep(1)  # what had left by then arrives
            sent = _durable(school.county)
            missing |= sent - _on_disk(school.image, school.directory)
            sys.stderr.write(f"\r{cut}/{CUTS}: {len(sent)} sent, {len(missing)} missing ")
        sys.stderr.write("\n")
        pressed = len(school.truth.lines("press"))
        with school.machine():
            until = time.monotonic() + LAST_SECONDS
            while _told(school.county) < pressed and time.monotonic() < until:
                time.sleep(0.5)
        told, sent = _told(school.county), _durable(school.county)
    figures.print("durable_alarms_missing_on_disk", len(missing), "events", n=len(sent))
    figures.print("presses_told", told, "presses", n=pressed)
    return 0 if not missing and told == pressed and sent else 1


@dataclass
class School:
    """A county and a module that keep their mains, and the disk of a machine that does not."""

    directory: Path
    county: County
    module: ModbusSimulator
    truth: Truth
    image: Path

    @contextmanager
    def machine(self) -> Iterator[None]:
        """Run the machine; its mains is pulled at the end."""
        devices = ["-chardev", f"serial,id=line,path={self.module.line.path.resolve()}"]
        machine = guest.Machine(self.directory, self.image, [*devices, "-device", PLUG])
        try:
            machine.wait_ready()
            yield
        finally:
            machine.stop()
            machine.log.unlink(missing_ok=True)


@contextmanager
def _school(directory: Path) -> Iterator[School]:
    broker = Broker(directory / "broker", kind="mosquitto")
    broker.start()
    county = County(broker.port, keep=True)
    county.start()
    truth = Truth()
    module = ModbusSimulator(directory / "line", truth, baud=19200, count=alarm_rig.BUTTONS)
    module.start()
    port = f'"/dev/serial/by-id/{ADAPTER}"'
    lines = alarm_rig.module(Path("/x"), 19200, counters=True).replace('"/x/alarm"', port)
    settings = alarm_rig.site(Path("/var/lib"), broker.port, lines + WITHOUT_CAMERAS)
    try:
        image = guest.disk(settings.replace("127.0.0.1", guest.HOST))
        yield School(directory, county, module, truth, image)
    finally:
        county.stop()
        module.stop()
        broker.stop()


def _at_rest(heard: Heard) -> bool:
    return heard.kind == "state/button/b-0" and heard.body["data"]["position"] == "rest"


def _burst(module: ModbusSimulator, county: County) -> None:
    """Press at random for some seconds; the mains goes in the middle of it."""
    heard = len(all_of(county, "press"))
    until = time.monotonic() + 60
    while len(all_of(county, "press")) == heard and time.monotonic() < until:
        _press(module)
    for _ in range(random.randint(3, 20)):
        _press(module)
    module.press(0)
    time.sleep(random.uniform(0.0, 0.2))
    module.release(0)


def _press(module: ModbusSimulator) -> None:
    button = random.randrange(alarm_rig.BUTTONS)
    module.press(button)
    time.sleep(random.uniform(0.08, 0.2))
    module.release(button)
    time.sleep(random.uniform(0.05, 0.2))


def _durable(county: County) -> set[str]:
    """Return the ids of all alarm events that came as being on disk."""
    return {str(one.body["id"]) for one in county.heard("event/alarm") if one.body["durable"]}


def _told(county: County) -> int:
    """Count presses as a duty desk does: each once, and those of a summary by their number."""
    presses = {str(one.body["id"]) for one in all_of(county, "press")}
    folded = {str(one.body["id"]): one.body["data"]["count"] for one in all_of(county, "presses")}
    return len(presses) + sum(int(count) for count in folded.values())


def _on_disk(image: Path, directory: Path) -> set[str]:
    """Return the ids in the store of a machine that is off, read from its disk."""
    # Replays the file system's own journal, as the kernel would at the next start.
    subprocess.run(["e2fsck", "-fy", str(image)], capture_output=True, check=False, timeout=120)
    for old in directory.glob("copy.db*"):
        old.unlink()
    for suffix in ("", "-wal"):
        copy = f"dump {STORE}{suffix} {directory / 'copy.db'}{suffix}"
        command = ["debugfs", "-R", copy, str(image)]
        subprocess.run(command, capture_output=True, check=True, timeout=60)
    store = sqlite3.connect(directory / "copy.db")
    try:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        bodies = store.execute("SELECT body FROM message").fetchall()
        return {str(json.loads(body)["id"]) for (body,) in bodies}
    finally:
        store.close()


if __name__ == "__main__":
    sys.exit(main())
