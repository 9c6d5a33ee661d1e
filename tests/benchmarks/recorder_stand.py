"""A recorder with so many cameras in a process of its own.

Prints its ports and runs until its standard input ends.
"""

import json
import sys

from simulators.hikvision import HikvisionSimulator
from simulators.rtsp import RtspSimulator
from simulators.truth import Truth
from tests.benchmarks.alarm_rig import PASSWORD


def main() -> None:
    """Run."""
    truth, channels = Truth(), int(sys.argv[1])
    days = dict.fromkeys(range(1, channels + 1), 95)
    nvr = HikvisionSimulator(truth, password=PASSWORD, days=days)
    cameras = RtspSimulator(truth, password=PASSWORD, channels=channels)
    nvr.start()
    cameras.start()
    print(json.dumps({"http": nvr.port, "rtsp": cameras.port}), flush=True)
    sys.stdin.read()
    cameras.stop()
    nvr.stop()


if __name__ == "__main__":
    main()
