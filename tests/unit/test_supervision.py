"""What the agent notices of itself: late loops, hung drivers, too much memory."""

import threading
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from agent.devices import DeviceThread
from agent.liveness import Liveness
from agent.supervision import HUNG_SECONDS, MEASURE_SECONDS, Supervision
from drivers.readings import Reading
from tests.simulated_clock import SimulatedClock
from tests.waiting import wait_until


class Workers:
    worker_restarts = 0

    def restart_workers(self) -> None:
        self.worker_restarts += 1


class HangingDriver:
    """Hangs in its first poll until it is let go."""

    device_id = "io"

    def __init__(self) -> None:
        self.polling = threading.Event()
        self.let_go = threading.Event()

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def poll(self, *, deadline: float) -> Sequence[Reading]:  # noqa: ARG002
        self.polling.set()
        assert self.let_go.wait(30)
        return ()


@pytest.fixture
def workers() -> Workers:
    return Workers()


def test_its_own_figures_are_the_kernels(clock: SimulatedClock, workers: Workers) -> None:
    supervision = Supervision(Liveness(clock), clock, workers, dict)
    supervision.step()
    figures, own = supervision.figures, psutil.Process()
    assert figures.threads == own.num_threads()
    assert figures.descriptors == len(list(Path("/proc/self/fd").iterdir()))
    assert isinstance(figures.memory_bytes, int)
    assert own.memory_info().rss / 2 < figures.memory_bytes < 2 * own.memory_info().rss
    assert workers.worker_restarts == 0


def test_over_its_memory_limit_the_workers_go_first(
    clock: SimulatedClock, workers: Workers
) -> None:
    supervision = Supervision(Liveness(clock), clock, workers, dict, memory_limit_bytes=1_000_000)
    supervision.step()
    assert workers.worker_restarts == 1
    supervision.step()
    assert workers.worker_restarts == 1
    clock.advance(MEASURE_SECONDS)
    supervision.step()
    assert supervision.figures.worker_restarts == 2


def test_the_longest_delay_of_a_loop_is_told_once(clock: SimulatedClock, workers: Workers) -> None:
    liveness = Liveness(clock)
    alarm, watch = liveness.beat("alarm"), liveness.beat("watch")
    supervision = Supervision(liveness, clock, workers, dict)
    alarm.late(0.25)
    watch.late(0.5)
    alarm.late(0.125)
    supervision.step()
    assert supervision.figures.longest_loop_delay_seconds == 0.5
    clock.advance(MEASURE_SECONDS)
    supervision.step()
    assert supervision.figures.longest_loop_delay_seconds == 0.0


def test_a_driver_that_does_not_come_back_is_named_and_forgiven(
    clock: SimulatedClock, workers: Workers
) -> None:
    driver = HangingDriver()
    thread = DeviceThread(driver, clock, poll_seconds=0.01, deadline_seconds=2.0)
    liveness = Liveness(clock)
    supervision = Supervision(liveness, clock, workers, lambda: {"bus": thread.overdue_seconds()})
    thread.start(lambda _: None)
    try:
        assert driver.polling.wait(5)
        clock.advance(2.0 + HUNG_SECONDS)
        supervision.step()
        assert supervision.hung == []
        clock.advance(0.1)
        supervision.step()
        assert supervision.hung == ["bus"]
        assert liveness.stuck() == []  # it is named, and never withholds the watchdog
        driver.let_go.set()
        wait_until(lambda: thread.overdue_seconds() == 0)
        supervision.step()
        assert supervision.hung == []
    finally:
        driver.let_go.set()
        thread.stop()
