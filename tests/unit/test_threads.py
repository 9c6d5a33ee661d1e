"""The loops and the threads that own devices: what fails costs its own slot, nothing more."""

import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.devices import DeviceThread
from agent.liveness import Liveness, notify
from agent.loop import Loop
from drivers.errors import DeviceTimeoutError, DriverError, PortLostError
from drivers.readings import Outage, ReaderReading, Reading, Reason
from tests.simulated_clock import SimulatedClock
from tests.waiting import wait_until

CLOCK = SystemClock()


def reading(device: str = "r") -> ReaderReading:
    return ReaderReading(device_id=device, observed_at=CLOCK.now(), firmware="1.6")


class ScriptedDriver:
    """Plays a list: an exception is raised, a reading is given; the last entry repeats."""

    device_id = "r"

    def __init__(self, *script: Exception | Reading, opens: int = 0) -> None:
        self._script = list(script)
        self._failing_opens = opens
        self.opened = 0
        self.closed = 0
        self.threads: set[int] = set()

    def open(self) -> None:
        self.threads.add(threading.get_ident())
        self.opened += 1
        if self.opened <= self._failing_opens:
            raise PortLostError("no such port")

    def poll(self, *, deadline: float) -> Iterable[Reading]:
        assert deadline > CLOCK.monotonic()
        self.threads.add(threading.get_ident())
        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(step, Exception):
            raise step
        return [step]

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.closed += 1


def run(driver: ScriptedDriver, enough: int) -> list[Reading]:
    got: list[Reading] = []
    thread = DeviceThread(driver, CLOCK, poll_seconds=0.001, deadline_seconds=1)
    thread.start(got.append)
    wait_until(lambda: len(got) >= enough)
    thread.stop()
    return got


def kinds(readings: list[Reading]) -> list[str]:
    return [
        str(one.reason) if isinstance(one, Outage) else str(getattr(one, "kind", ""))
        for one in readings
    ]


def test_a_device_that_does_not_answer_is_an_outage_and_is_asked_again() -> None:
    driver = ScriptedDriver(DeviceTimeoutError("no reply"), reading())
    assert kinds(run(driver, 2))[:2] == ["timeout", "reader"]
    assert driver.opened == 1


def test_a_lost_port_is_closed_and_opened_again() -> None:
    driver = ScriptedDriver(reading(), PortLostError("gone"), reading())
    assert kinds(run(driver, 3))[:3] == ["reader", "port_lost", "reader"]
    assert driver.opened == 2


def test_a_port_that_cannot_be_opened_is_tried_again() -> None:
    driver = ScriptedDriver(reading(), opens=1)
    assert kinds(run(driver, 2))[:2] == ["port_lost", "reader"]


def test_a_fault_of_ours_is_an_outage_of_that_device() -> None:
    driver = ScriptedDriver(ZeroDivisionError("ours"), reading())
    outage = run(driver, 2)[0]
    assert isinstance(outage, Outage)
    assert (outage.reason, outage.detail) == (Reason.INTERNAL, "ZeroDivisionError")


def test_one_thread_alone_touches_the_driver() -> None:
    driver = ScriptedDriver(reading(), PortLostError("gone"), reading())
    run(driver, 3)
    assert len(driver.threads) == 1
    assert driver.closed >= 2


def test_a_job_runs_between_polls_on_the_same_thread() -> None:
    driver = ScriptedDriver(reading())
    got: list[Reading] = []
    thread = DeviceThread(driver, CLOCK, poll_seconds=0.001, deadline_seconds=1)
    thread.request(lambda _: [reading("job")], deadline_seconds=1)
    thread.start(got.append)
    wait_until(lambda: "job" in {one.device_id for one in got})
    thread.stop()


def test_an_errand_does_not_wait_for_the_next_poll_and_stopping_does_not_either() -> None:
    driver, got = ScriptedDriver(reading()), list[Reading]()
    ran: list[int] = []
    thread = DeviceThread(driver, CLOCK, poll_seconds=3600, deadline_seconds=1)
    thread.start(got.append)
    wait_until(lambda: len(got) == 1)
    for _ in range(2):
        thread.errand(lambda _: ran.append(threading.get_ident()), deadline_seconds=1)
    wait_until(lambda: len(ran) == 2)
    assert set(ran) == driver.threads
    thread.errand(lambda _: ran.append(1 // 0), deadline_seconds=1)  # a fault of ours
    wait_until(lambda: len(got) > 2)  # the device is opened and polled again
    began = CLOCK.monotonic()
    thread.stop()
    assert CLOCK.monotonic() - began < 0.9


def test_a_loop_survives_a_fault_of_one_reading() -> None:
    seen: list[str] = []

    def handle(one: Reading) -> None:
        seen.append(one.device_id)
        if one.device_id == "bad":
            raise ValueError("ours")

    beat = Liveness(CLOCK).beat("loop")
    loop = Loop("loop", handle, lambda: None, CLOCK, beat, tick_seconds=10)
    for device in ("a", "bad", "b"):
        loop.post(reading(device))
    loop.start()
    loop.stop()
    assert seen == ["a", "bad", "b"]


def test_a_loop_ticks_while_nothing_arrives() -> None:
    ticks: list[int] = []
    beat = Liveness(CLOCK).beat("loop")
    loop = Loop("loop", lambda _: None, lambda: ticks.append(1), CLOCK, beat, tick_seconds=0.01)
    loop.start()
    wait_until(lambda: len(ticks) >= 3)
    loop.stop()


def test_a_loop_that_does_not_move_is_stuck(clock: SimulatedClock) -> None:
    liveness = Liveness(clock)
    liveness.beat("alarm", limit_seconds=10)
    clock.advance(11)
    assert liveness.stuck() == ["alarm"]


def test_a_loop_that_waits_for_a_disk_is_not_stuck_but_named(clock: SimulatedClock) -> None:
    liveness = Liveness(clock)
    beat = liveness.beat("store", limit_seconds=10)
    with beat.waiting("writing alarms.db"):
        clock.advance(60)
        assert liveness.stuck() == []
        assert liveness.slow_io(5) == ["store: writing alarms.db"]
    assert liveness.slow_io(5) == []


@pytest.mark.parametrize("abstract", [False, True])
def test_notify_speaks_to_systemd(tmp_path: Path, abstract: bool) -> None:
    name = f"@campus-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name[1:] if abstract else name)
        systemd.settimeout(5)
        assert notify("READY=1", name)
        assert systemd.recv(100) == b"READY=1"


def test_without_systemd_nothing_is_sent() -> None:
    assert not notify("READY=1", "")


def test_a_watchdog_that_cannot_be_reached_does_not_end_the_agent(tmp_path: Path) -> None:
    assert not notify("WATCHDOG=1", str(tmp_path / "gone"))


class StubbornDriver(ScriptedDriver):
    def close(self) -> None:
        super().close()
        raise OSError("the descriptor is gone already")


class NamelessError(DriverError):
    reason = "a word the contract does not know"


def test_a_device_that_fails_to_close_is_opened_again() -> None:
    driver = StubbornDriver(reading(), PortLostError("gone"), reading())
    got = [kind for kind in kinds(run(driver, 4)) if kind != "internal"]
    assert got[:3] == ["reader", "port_lost", "reader"]


def test_an_error_without_a_known_reason_does_not_end_the_watch() -> None:
    driver = ScriptedDriver(NamelessError("new"), reading())
    assert kinds(run(driver, 2))[:2] == ["internal", "reader"]


def test_a_port_that_cannot_be_opened_is_not_hammered() -> None:
    driver = ScriptedDriver(reading(), opens=1000)
    thread = DeviceThread(driver, CLOCK, poll_seconds=0.001, deadline_seconds=1)
    thread.start(lambda _: None)
    time.sleep(0.6)
    thread.stop()
    assert 2 <= driver.opened <= 6
