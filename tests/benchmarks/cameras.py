"""What a round of cameras costs: `python -m tests.benchmarks.cameras`, one JSON line a figure.

Simulated recorders run in a process of their own; the agent's part and its workers are counted. The
baseline opens the same streams with OpenCV's VideoCapture and measures the same pictures.
"""

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import cv2
import numpy as np
import psutil

from agent.camera_rounds import AT_ONCE, CameraProbe, CameraRounds
from agent.clock import SystemClock
from drivers.base import Gate
from drivers.image_quality import picture_features
from drivers.picture_check import PictureCheck
from drivers.readings import PictureReading, Reading, StreamReading
from drivers.stream_target import ReferenceTask, StreamTarget
from drivers.stream_workers import StreamWorkers
from simulators.rtsp import RtspSimulator
from simulators.scenes import SCENES
from simulators.truth import Truth
from tests.benchmarks.figures import Figures

RECORDERS, CHANNELS = 4, 16
ROUNDS = (1, 16, 64)
BASELINE_CAMERAS = 16
WINDOW_SECONDS = 2.0
PICTURES = 200
# As the reference has them: without these OpenCV spends five seconds before its first picture.
FAST_OPEN = "rtsp_transport;tcp|analyzeduration;0|probesize;32768"


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def stand(ports: Connection) -> None:
    """Run the recorders until the other end hangs up."""
    recorders = [
        RtspSimulator(Truth(), channels=CHANNELS, main_kbps=4000, main_gop=50)
        for _ in range(RECORDERS)
    ]
    for one in recorders:
        one.start()
        one._media(one.channel(1), sub=False)  # coded before anybody waits for it
    ports.send([one.port for one in recorders])
    ports.poll(None)


@contextmanager
def recorders() -> Iterator[list[int]]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=stand, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.kill()
        process.join()


class OpenGate:
    """Lets everybody in: what a recorder bears is not what is measured here."""

    def permit(self, use: str, *, deadline: float) -> nullcontext[None]:
        del use, deadline
        return nullcontext()

    def login_succeeded(self) -> None:
        """Nobody counts."""


class Cost:
    """CPU time of some processes, and the most memory they had, while it runs."""

    def __init__(self, workers: StreamWorkers) -> None:
        self._workers = workers
        self._own = psutil.Process()
        self._before = self._cpu()
        self.peak_bytes = 0
        self._looking = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> float:
        """Return the CPU seconds spent since the start."""
        self._ended.set()
        self._thread.join()
        return self._cpu() - self._before - self._looking

    def _processes(self) -> list[psutil.Process]:
        return [self._own, *map(psutil.Process, self._workers.pids)]

    def _cpu(self) -> float:
        times = [process.cpu_times() for process in self._processes()]
        return float(sum(spent.user + spent.system for spent in times))

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            pss = sum(int(one.memory_full_info().pss) for one in self._processes())
            self.peak_bytes = max(self.peak_bytes, pss)
        self._looking = time.thread_time()  # what looking at the memory cost is no part of a round


def target(port: int, channel: int, name: str) -> StreamTarget:
    return StreamTarget.model_validate(
        {
            "device_id": name,
            "url": f"rtsp://127.0.0.1:{port}/Streaming/Channels/{channel}01",
            "username": "inspector",
            "password": "gatehouse",
            "window_seconds": WINDOW_SECONDS,
        }
    )


def reference(directory: Path) -> ReferenceTask:
    return ReferenceTask(directory=str(directory), slot=4, at=time.time(), learn=False)


def one_round(targets: list[StreamTarget], directory: Path, figures: Figures) -> None:
    """Have all looked at once by the agent's own rounds, after a first look that warms it up."""
    clock, n = SystemClock(), len(targets)
    workers = StreamWorkers(clock)
    with ThreadPoolExecutor(AT_ONCE) as pool:  # all at once, so that every worker is started
        aims = (targets * AT_ONCE)[:AT_ONCE]
        list(pool.map(lambda one: workers.probe(one, clock.monotonic() + 60), aims))
    readings: list[Reading] = []
    done = threading.Event()

    def post(reading: Reading) -> None:
        readings.append(reading)
        if sum(not isinstance(one, PictureReading) for one in readings) == n:
            done.set()

    gate = cast("Gate", OpenGate())
    probes = [CameraProbe(one.device_id, partial(_same, one), gate) for one in targets]
    rounds = CameraRounds(
        probes,
        workers,
        clock,
        round_seconds=3600,
        prepared=lambda one: one.model_copy(update={"reference": reference(directory)}),
    )
    cost, began = Cost(workers), time.monotonic()
    rounds.start(post)
    done.wait(600)
    wall, spent = time.monotonic() - began, cost.end()
    rounds.ask_to_stop()
    rounds.stop()
    played = [one for one in readings if isinstance(one, StreamReading) and one.fault is None]
    rates = [float(one.fps) for one in played if isinstance(one.fps, float)]
    figures.print(f"round_cpu_seconds_{n}", spent, "s", n=n)
    figures.print(f"round_wall_seconds_{n}", wall, "s", n=n)
    figures.print(f"round_peak_pss_bytes_{n}", cost.peak_bytes, "B", n=n)
    figures.print(f"round_played_{n}", len(played), "cameras", n=n)
    worst = max((abs(rate - 25) for rate in rates), default=-1)
    figures.print(f"round_fps_error_max_{n}", worst, "fps", n=len(rates))
    if n == BASELINE_CAMERAS:
        baseline = with_opencv(targets)
        figures.print(f"round_cpu_seconds_{n}_against_opencv", spent, "s", n=n, baseline=baseline)


def _same(one: StreamTarget) -> StreamTarget:
    return one


def with_opencv(targets: Sequence[StreamTarget]) -> float:
    """Return the CPU seconds that OpenCV's VideoCapture takes for the same cameras."""
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = FAST_OPEN
    cv2.setNumThreads(1)

    def look(one: StreamTarget) -> None:
        address = one.url.replace("rtsp://", "rtsp://inspector:gatehouse@")
        capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG)
        frame, until = None, time.monotonic() + WINDOW_SECONDS
        while time.monotonic() < until:
            shown, frame = capture.read()
            assert shown
        capture.release()
        assert frame is not None
        picture_features(frame.astype(np.uint8))

    spent = psutil.Process().cpu_times()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(look, targets))
    after = psutil.Process().cpu_times()
    return float(after.user + after.system - spent.user - spent.system)


def pictures(directory: Path, figures: Figures) -> None:
    """Time what is done with one picture, shrinking included, on one core."""
    import av  # noqa: PLC0415 - the agent's own process never loads a decoder; this one may

    cv2.setNumThreads(1)
    frame = av.VideoFrame.from_ndarray(SCENES["gate"](0, 1920, 1080), format="bgr24")
    frame = frame.reformat(format="yuv420p")
    check, took = PictureCheck(), []
    aim = target(1, 1, "cam-1").model_copy(update={"reference": reference(directory)})
    for _ in range(PICTURES):
        began = time.process_time()
        small = frame.reformat(width=640, height=360, format="bgr24", interpolation="AREA")
        check.fields(aim, small.to_ndarray().astype(np.uint8, copy=False))
        took.append(time.process_time() - began)
    middle = sorted(took)[len(took) // 2] * 1000
    figures.print("picture_ms_per_1080p_frame", middle, "ms", n=PICTURES, baseline=5.0)


def main() -> None:
    figures = Figures("cameras")
    with TemporaryDirectory() as name:
        pictures(Path(name), figures)
        say("coding the 1080p clips")
        with recorders() as ports:
            for n in ROUNDS:
                say(f"a round over {n} cameras")
                targets = [
                    target(ports[at % RECORDERS], at // RECORDERS + 1, f"cam-{at}")
                    for at in range(n)
                ]
                one_round(targets, Path(name), figures)


if __name__ == "__main__":
    main()
