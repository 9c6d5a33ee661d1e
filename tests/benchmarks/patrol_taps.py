"""How long a tap takes to the disk and to a subscriber, of the whole daemon."""

import random
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from simulators.broker import Broker
from simulators.county import County
from simulators.modbus import ModbusSimulator
from simulators.pn532 import Pn532Simulator
from simulators.truth import Truth
from tests.benchmarks.figures import Figures, percentile
from tests.daemon import Daemon, alarm_and_patrol

TAPS = 200
BAUD = 115200
GIVEN_UP_SECONDS = 10.0
LOOK_SECONDS = 0.002


def taps(figures: Figures) -> None:
    """Hold tags to a paced reader at chance instants, each until it is on the disk."""
    with tempfile.TemporaryDirectory() as name:
        directory, truth = Path(name), Truth()
        broker = Broker(directory / "broker")
        broker.start()
        county = County(broker.port)
        county.start()
        module = ModbusSimulator(directory / "alarm", truth, baud=19200)
        reader = Pn532Simulator(directory / "reader", truth, BAUD)
        daemon = Daemon(directory, alarm_and_patrol(directory, broker.port))
        try:
            module.start()
            reader.start()
            daemon.start()
            daemon.wait_until_ready()
            time.sleep(2)
            tapped, stored = _walk(reader, directory / "state" / "events.db")
            time.sleep(1)
            heard = {one.body["data"]["tag_id"]: one.at for one in county.heard("event/scan")}
        finally:
            daemon.stop()
            reader.stop()
            module.stop()
            county.stop()
            broker.stop()
    to_disk = sorted(1000 * (stored[tag] - at) for tag, at in tapped.items())
    to_county = sorted(1000 * (heard[tag] - at) for tag, at in tapped.items())
    figures.print("tap_to_journal_p99_ms", percentile(to_disk, 99), "ms", n=TAPS)
    figures.print("tap_to_subscriber_p50_ms", percentile(to_county, 50), "ms", n=TAPS)
    figures.print("tap_to_subscriber_p99_ms", percentile(to_county, 99), "ms", n=TAPS)


def _walk(reader: Pn532Simulator, path: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Return when each tag came to the reader, and when its scan was first on the disk."""
    tapped: dict[str, float] = {}
    stored: dict[str, float] = {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        for number in range(TAPS):
            uid = bytes.fromhex("04B0") + number.to_bytes(5, "big")
            tag = f"nfca:{uid.hex().upper()}"
            time.sleep(random.uniform(0.02, 0.25))
            tapped[tag] = time.time()
            reader.present(uid)
            while tag not in stored:
                last = db.execute("SELECT body FROM reading ORDER BY number DESC LIMIT 1")
                if tag in (last.fetchone() or ("",))[0]:
                    stored[tag] = time.time()
                elif time.time() - tapped[tag] > GIVEN_UP_SECONDS:
                    raise SystemExit(f"tap {number} never came to the disk")
                time.sleep(LOOK_SECONDS)
            reader.remove()
    return tapped, stored
