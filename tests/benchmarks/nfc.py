"""How long a tag lies on the reader before the driver hands it out, over a paced pty.

    python -m tests.benchmarks.nfc [taps]

One JSON line a figure. `interval` is the pause between polls: 0.2 s is the default setting, 0 the
floor that wire, chip and driver leave.
"""

import random
import sys
import tempfile
import threading
from pathlib import Path
from statistics import quantiles
from time import monotonic

from agent.clock import SystemClock
from drivers.nfc.pn532 import Pn532Driver
from drivers.nfc.settings import ReaderSettings
from drivers.readings import ScanReading
from simulators.pn532 import Pn532Simulator
from simulators.truth import Truth
from tests.benchmarks.figures import Figures

BAUD = 115200


def tap_to_reading(port: Path, taps: int, interval: float) -> list[float]:
    """Tap `taps` different cards at chance instants; seconds from tap to reading, sorted."""
    simulator = Pn532Simulator(port, Truth(), BAUD)
    simulator.start()
    clock = SystemClock()
    driver = Pn532Driver(
        ReaderSettings(id="bench", driver="pn532", port=str(port), baud=BAUD), clock
    )
    read: dict[str, float] = {}
    arrived, stop = threading.Event(), threading.Event()

    def poll() -> None:
        driver.open()
        while not stop.wait(interval):
            for reading in driver.poll(deadline=clock.monotonic() + 1):
                if isinstance(reading, ScanReading):
                    read[reading.tag_id] = monotonic()
                    arrived.set()
        driver.close()

    owner = threading.Thread(target=poll)
    owner.start()
    seconds = []
    for number in range(taps):
        clock.sleep(random.uniform(0.02, 0.05 + interval))
        uid = bytes.fromhex("04B0") + number.to_bytes(5, "big")
        arrived.clear()
        tapped = monotonic()
        simulator.present(uid)
        if not arrived.wait(5):
            raise SystemExit(f"tap {number} was not read")
        seconds.append(read[f"nfca:{uid.hex().upper()}"] - tapped)
        simulator.remove()
    stop.set()
    owner.join()
    simulator.stop()
    return sorted(seconds)


def main() -> None:
    """Print p50 and p99 for both intervals."""
    taps = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as directory:
        for interval in (0.2, 0.0):
            cuts = quantiles(
                tap_to_reading(Path(directory) / "nfc", taps, interval), n=100, method="inclusive"
            )
            for name, seconds in (("p50", cuts[49]), ("p99", cuts[98])):
                figure = f"tap_to_reading_{name}_interval_{interval:g}s"
                Figures("nfc").print(figure, 1000 * seconds, "ms", n=taps)


if __name__ == "__main__":
    main()
