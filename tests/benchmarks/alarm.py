"""How long a press takes to a subscriber, against the floor of poll phase and wire time."""

import random
import sys
import tempfile
import time
from pathlib import Path

from simulators.broker import Broker
from simulators.county import County
from simulators.modbus import ModbusSimulator
from simulators.truth import Truth
from tests.benchmarks.figures import Figures, percentile
from tests.daemon import Daemon, alarm_only

BAUD = 9600
POLLS = 10.0
PRESSES = 200
REPLY_BYTES = 6  # unit, function, count, one byte of inputs, two of CRC
SETTLE_SECONDS = 0.5  # longer than the release takes to be believed


def main() -> None:
    """Press at random phases; truth is the simulator's log against the subscriber's capture."""
    figures = Figures("alarm")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        broker = Broker(directory / "broker")
        broker.start()
        county = County(broker.port)
        county.start()
        truth = Truth()
        module = ModbusSimulator(directory / "alarm", truth, baud=BAUD)
        module.start()
        daemon = Daemon(directory, alarm_only(directory, broker.port, baud=BAUD, polls=POLLS))
        daemon.start()
        county.wait_for(lambda heard: heard.body.get("data", {}).get("position") == "rest", 30)
        for number in range(PRESSES):
            time.sleep(SETTLE_SECONDS + random.random() / POLLS)
            module.press()
            time.sleep(0.15)
            module.release()
            print(f"\r{number + 1}/{PRESSES}", end="", file=sys.stderr)
        time.sleep(1)
        print(file=sys.stderr)
        daemon.stop()
        county.stop()
        module.stop()
        broker.stop()

    pressed = [float(str(line["t"])) for line in truth.lines("press")]
    first: dict[str, float] = {}  # an open incident is announced again, under the same id
    for one in county.heard("event/alarm"):
        if one.body["data"]["what"] == "press":
            first.setdefault(one.body["id"], one.at)
    heard = list(first.values())
    figures.print("presses_delivered", len(heard), "presses", n=len(pressed))
    latencies = sorted(1000 * (at - t) for t, at in zip(pressed, heard, strict=True))
    # A press waits for the next poll (phase, uniform), and its reply for the wire.
    wire = 1000 * REPLY_BYTES * 10 / BAUD
    floor = {50: 0.50 * 1000 / POLLS + wire, 99: 0.99 * 1000 / POLLS + wire}
    for share in (50, 99):
        value = percentile(latencies, share)
        figures.print(
            f"press_to_subscriber_p{share}_ms", value, "ms", n=len(heard), baseline=floor[share]
        )
    over = percentile(latencies, 99) - floor[99]
    figures.print("press_to_subscriber_p99_over_floor_ms", over, "ms", n=len(heard))


if __name__ == "__main__":
    main()
