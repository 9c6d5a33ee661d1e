import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from agent.clock import SystemClock
from drivers.readings import Outage, PictureReading, Reading, Reason, StreamReading
from drivers.stream_target import StreamTarget
from drivers.stream_workers import StreamWorkers
from simulators.rtsp import RtspSimulator
from simulators.truth import Truth

ROOT = Path(__file__).resolve().parents[2]
CLOCK = SystemClock()
PASSWORD = "gatehouse"


@pytest.fixture(scope="module")
def running() -> Iterator[RtspSimulator]:
    simulator = RtspSimulator(Truth(), channels=5, password=PASSWORD)
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def recorder(running: RtspSimulator) -> RtspSimulator:
    for number in range(1, 6):
        running.channel(number).restore()
    return running


def target(recorder: RtspSimulator, channel: int = 1, **changes: object) -> StreamTarget:
    fields = {
        "device_id": f"cam-{channel}",
        "url": recorder.url(channel),
        "username": "inspector",
        "password": PASSWORD,
        "window_seconds": 0.5,
        **changes,
    }
    return StreamTarget.model_validate(fields)


def soon(seconds: float = 60) -> float:
    return CLOCK.monotonic() + seconds


def assert_played(readings: list[Reading], camera: str) -> None:
    picture, stream = readings
    assert isinstance(picture, PictureReading)
    assert isinstance(stream, StreamReading)
    assert stream.fault is None
    assert stream.device_id == picture.device_id == camera
    assert stream.observed_at == picture.observed_at


def assert_outage(readings: list[Reading], reason: Reason) -> None:
    (outage,) = readings
    assert isinstance(outage, Outage)
    assert outage.reason == reason
    assert outage.device_id == "cam-1"


def wait_for_worker(workers: StreamWorkers) -> int:
    limit = time.monotonic() + 10
    while not workers.pids and time.monotonic() < limit:
        time.sleep(0.01)
    return workers.pids[0]


def wait_for_end(pid: int) -> None:
    limit = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < limit:
        time.sleep(0.02)
    assert not psutil.pid_exists(pid)


def test_a_probe_brings_figures_and_leaves_no_secret_on_a_command_line(
    recorder: RtspSimulator,
) -> None:
    workers = StreamWorkers(CLOCK, count=1)
    try:
        assert_played(workers.probe(target(recorder), soon()), "cam-1")
        worker = psutil.Process(workers.pids[0])
        assert worker.nice() > psutil.Process().nice() or worker.nice() == 19
        given = " ".join([*worker.cmdline(), *worker.environ().values()])
        assert PASSWORD not in given
        assert "drivers.stream_worker" in given
        assert 0 < worker.rlimit(psutil.RLIMIT_AS)[0] < 1 << 33
        worker.send_signal(signal.SIGINT)  # a console's Ctrl-C reaches the whole group
        refused = workers.probe(target(recorder, 2, password="Tr0ub4dor"), soon())
        assert "Tr0ub4dor" not in repr(refused)
        assert "unauthorized" in repr(refused)
        assert workers.pids == [worker.pid]
    finally:
        workers.close()


def test_a_crash_costs_one_outage_and_the_next_camera_plays(recorder: RtspSimulator) -> None:
    workers = StreamWorkers(CLOCK, count=1)
    recorder.channel(1).silence("request")
    try:
        with ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(workers.probe, target(recorder, 1), soon())
            first = wait_for_worker(workers)
            time.sleep(0.5)
            os.kill(first, signal.SIGKILL)
            assert_outage(under_way.result(timeout=10), Reason.INTERNAL)
        assert_played(workers.probe(target(recorder, 2), soon()), "cam-2")
        assert workers.pids != [first]
    finally:
        workers.close()


def test_a_hung_worker_is_killed_at_its_bound_and_the_next_camera_plays(
    recorder: RtspSimulator,
) -> None:
    workers = StreamWorkers(CLOCK, count=1, hard_bound_seconds=3.0)
    try:
        assert_played(workers.probe(target(recorder, 2), soon()), "cam-2")
        (first,) = workers.pids
        os.kill(first, signal.SIGSTOP)
        began = time.monotonic()
        assert_outage(workers.probe(target(recorder), soon()), Reason.TIMEOUT)
        assert 2.9 < time.monotonic() - began < 7
        wait_for_end(first)
        assert_played(workers.probe(target(recorder, 2), soon()), "cam-2")
    finally:
        workers.close()


def test_three_hung_devices_do_not_delay_a_fourth(recorder: RtspSimulator) -> None:
    workers = StreamWorkers(CLOCK, count=2)
    done: list[str] = []
    for number in (1, 2, 3):
        recorder.channel(number).silence("request")

    def probe(number: int) -> list[Reading]:
        readings = workers.probe(target(recorder, number, open_seconds=3.0), soon())
        done.append(f"cam-{number}")
        return readings

    try:
        with ThreadPoolExecutor(4) as pool:
            hung = [pool.submit(probe, number) for number in (1, 2, 3)]
            time.sleep(0.2)
            assert_played(pool.submit(probe, 4).result(), "cam-4")
            for future in hung:
                (reading,) = future.result()
                assert isinstance(reading, StreamReading)
                assert reading.fault == "silent"
        assert done[0] == "cam-4"
    finally:
        workers.close()


def test_without_a_free_place_in_time_the_recorder_is_not_bothered(
    recorder: RtspSimulator,
) -> None:
    workers = StreamWorkers(CLOCK, count=1)
    try:
        began = time.monotonic()
        assert_outage(workers.probe(target(recorder), soon(1)), Reason.BUSY)
        assert time.monotonic() - began < 1
        assert workers.pids == []
    finally:
        workers.close()


def test_closing_is_bounded_while_a_device_hangs(recorder: RtspSimulator) -> None:
    workers = StreamWorkers(CLOCK, count=1)
    recorder.channel(1).silence("request")
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(workers.probe, target(recorder), soon())
        pid = wait_for_worker(workers)
        began = time.monotonic()
        workers.close()
        assert time.monotonic() - began < 3
        assert_outage(under_way.result(timeout=5), Reason.INTERNAL)
    assert not psutil.pid_exists(pid)
    assert_outage(workers.probe(target(recorder), soon()), Reason.INTERNAL)
    workers.close()


def test_a_worker_ends_when_its_parent_is_killed(recorder: RtspSimulator) -> None:
    script = f"""
import time
from agent.clock import SystemClock
from drivers.stream_target import StreamTarget
from drivers.stream_workers import StreamWorkers
workers = StreamWorkers(SystemClock(), count=1)
aim = StreamTarget(device_id="cam-1", url="{recorder.url(1)}", username="inspector",
                   password="{PASSWORD}", window_seconds=0.5)
print(workers.probe(aim, time.clock_gettime(time.CLOCK_BOOTTIME) + 60)[-1].layer, flush=True)
print(workers.pids[0], flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd="/",
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().strip() == "playing"
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_for_end(pid)


def test_a_worn_worker_is_replaced(
    recorder: RtspSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.stream_workers.PROBES_A_LIFE", 1)
    workers = StreamWorkers(CLOCK, count=1)
    try:
        assert_played(workers.probe(target(recorder, 1), soon()), "cam-1")
        first = workers.pids
        assert_played(workers.probe(target(recorder, 2), soon()), "cam-2")
        assert len(workers.pids) == 1
        assert workers.pids != first
    finally:
        workers.close()


def test_the_agents_own_process_loads_no_decoder() -> None:
    script = (
        "import sys, agent.monitors.cameras, drivers.stream_workers;"
        "print(*({'av', 'cv2', 'numpy'} & sys.modules.keys()))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True)
    assert loaded.split() == []


def test_many_threads_may_ask_at_once(recorder: RtspSimulator) -> None:
    workers = StreamWorkers(CLOCK, count=2)
    try:
        with ThreadPoolExecutor(5) as pool:
            aims = [target(recorder, number) for number in range(1, 6)]
            answers = list(pool.map(lambda aim: workers.probe(aim, soon()), aims))
        for number, readings in enumerate(answers, start=1):
            assert_played(readings, f"cam-{number}")
        assert threading.active_count() < 30
    finally:
        workers.close()
