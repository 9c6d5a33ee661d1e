"""What a round of cameras costs: `python -m tests.benchmarks.cameras`, one JSON line a figure."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil

from agent.clock import SystemClock
from drivers.readings import PictureReading, Reading, StreamReading
from drivers.stream_target import StreamTarget
from drivers.stream_workers import PROBES_AT_ONCE, StreamWorkers
from simulators.rtsp import RtspSimulator
from simulators.truth import Truth

CAMERAS = 16


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def figure(name: str, value: float, unit: str) -> None:
    line = {"bench": "cameras", "figure": name, "value": value, "unit": unit, "n": CAMERAS}
    sys.stdout.write(json.dumps(line) + "\n")


def cpu_seconds(workers: StreamWorkers) -> float:
    """User and system time of the workers alone: the server is not ours to pay for."""
    times = [psutil.Process(pid).cpu_times() for pid in workers.pids]
    return float(sum(spent.user + spent.system for spent in times))


def main() -> None:
    clock = SystemClock()
    recorder = RtspSimulator(Truth(), channels=CAMERAS)
    workers = StreamWorkers(clock)
    say("coding the 1080p clip")
    recorder.start()
    targets = [
        StreamTarget.model_validate(
            {
                "device_id": f"cam-{number}",
                "url": recorder.url(number, sub=False),
                "username": "inspector",
                "password": "gatehouse",
            }
        )
        for number in range(1, CAMERAS + 1)
    ]

    def probe(target: StreamTarget) -> list[Reading]:
        return workers.probe(target, clock.monotonic() + 300)

    try:
        with ThreadPoolExecutor(PROBES_AT_ONCE) as pool:
            say("starting the workers")
            list(pool.map(probe, targets[:PROBES_AT_ONCE]))
            say(f"probing {CAMERAS} cameras, {PROBES_AT_ONCE} at once")
            before, began = cpu_seconds(workers), time.monotonic()
            answers = [reading for answer in pool.map(probe, targets) for reading in answer]
            wall = time.monotonic() - began
            spent = cpu_seconds(workers) - before
        memory = sum(psutil.Process(pid).memory_info().rss for pid in workers.pids)
    finally:
        workers.close()
        recorder.stop()
    played = [one for one in answers if isinstance(one, StreamReading) and one.fault is None]
    pictures = [one for one in answers if isinstance(one, PictureReading)]
    figure("cpu_seconds_per_camera", round(spent / CAMERAS, 4), "s")
    figure("round_seconds", round(wall, 2), "s")
    figure("worker_memory_bytes", memory, "B")
    figure("played", len(played), "cameras")
    figure("pictures", len(pictures), "cameras")


if __name__ == "__main__":
    main()
