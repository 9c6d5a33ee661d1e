"""An exception inside our own code: logged once, told, and never the end of what is not its own."""
# ruff: noqa: ARG002 - stand-ins have the shape of the Monitor protocol

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
import structlog
from structlog.testing import capture_logs

from agent.clock import SystemClock
from agent.county.contract import Event, State
from agent.county.event_data import CameraEventData
from agent.county.messages import Composer
from agent.county.publisher import Publisher
from agent.county.state_data import ReaderState
from agent.county.topics import Topics
from agent.devices import DeviceThread
from agent.findings import Verdict
from agent.liveness import Beat, Liveness
from agent.loop import Loop
from agent.monitors import Instant
from agent.monitors.alarm import AlarmMonitor
from agent.monitors.alarm_memory import AlarmMemory
from agent.policy import WiredButton
from agent.published import Published
from agent.states import StateBoard
from agent.store.database import Database
from agent.store.formats import EVENT_FORMATS
from agent.store.outbox import CAP_BYTES, Outbox, Row
from agent.watch_lane import WatchLane
from drivers.base import Clock
from drivers.readings import ContactsReading, ReaderReading, Reading, Reason
from tests.alarm_bench import equipment
from tests.simulated_clock import SimulatedClock
from tests.waiting import wait_until

CLOCK = SystemClock()
Logs = list[dict[str, object]]


@pytest.fixture
def logs() -> Iterator[Logs]:
    structlog.reset_defaults()
    with capture_logs() as caught:
        yield cast("Logs", caught)


def reading(device: str = "r") -> ReaderReading:
    return ReaderReading(device_id=device, observed_at=CLOCK.now(), firmware="1.6")


def reader(name: str) -> State:
    data = ReaderState(verdict=Verdict.OK, observed_at=CLOCK.now(), firmware="1.6")
    return State(id=name, data=data)


class Sound:
    """A monitor that works."""

    def observe(self, one: Reading, now: Instant) -> Sequence[Event]:
        data = CameraEventData(what="cleared", camera="c", verdict=Verdict.OK)
        return [Event(subject=one.device_id, time=now.wall, data=data)]

    def tick(self, now: Instant) -> Sequence[Event]:
        return ()

    def states(self, now: Instant) -> Sequence[State]:
        return [reader("sound")]


class Broken(Sound):
    """A monitor that fails where it is told to."""

    def __init__(self) -> None:
        self.fails: set[str] = set()

    def observe(self, one: Reading, now: Instant) -> Sequence[Event]:
        if "observe" in self.fails:
            raise ZeroDivisionError
        return ()

    def tick(self, now: Instant) -> Sequence[Event]:
        if "tick" in self.fails:
            raise ZeroDivisionError
        return ()

    def states(self, now: Instant) -> Sequence[State]:
        if "states" in self.fails:
            raise ZeroDivisionError
        return [reader("broken")]


class Desk:
    """A watch lane with a broken and a sound monitor; what it would send is kept."""

    def __init__(self, directory: Path, cap_bytes: int = CAP_BYTES, clock: Clock = CLOCK) -> None:
        self.broken = Broken()
        self.board = StateBoard(CLOCK)
        self.states: list[str] = []
        self.stored = 0
        beat = Beat("store", CLOCK, 10)
        self.outbox = Outbox(
            Database(directory / "e.db", EVENT_FORMATS, beat),
            "event",
            cap_bytes=cap_bytes,
        )
        self.outbox.start()
        composer = Composer(Topics("county", "school"), CLOCK, lambda: "ntp")
        self.lane = WatchLane(
            [self.broken, Sound()],
            self.outbox,
            composer,
            cast("Publisher", self),
            self.board,
            clock,
            tuple,
            dict,
            dict,
            Published(self.board, "", lambda: True, complete=True),
        )

    def offer_states(self, rows: Sequence[Row]) -> None:
        self.states += [row.topic.rpartition("/")[2] for row in rows]

    def events_stored(self) -> None:
        self.stored += 1

    def offer(self, row: Row) -> None:
        raise AssertionError(row)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.outbox.stop()


@pytest.mark.parametrize("where", ["observe", "tick", "states"])
def test_a_broken_monitor_is_logged_once_and_the_others_go_on(
    desk: Desk, logs: Logs, where: str
) -> None:
    desk.broken.fails = {where}
    for _ in range(3):
        desk.lane.handle(reading())
        desk.lane.tick()
    wait_until(lambda: desk.stored == 3)
    assert "sound" in desk.states
    assert [line["monitor"] for line in logs if line["event"] == "monitor failed"] == ["Broken"]
    assert desk.lane.failed == {"Broken"}


def test_what_a_broken_monitor_said_last_counts_as_unknown(desk: Desk, logs: Logs) -> None:
    desk.lane.tick()
    assert desk.board.verdicts("reader")["broken"] is Verdict.OK
    desk.broken.fails = {"states"}
    desk.lane.tick()
    assert desk.board.verdicts("reader") == {"broken": Verdict.UNKNOWN, "sound": Verdict.OK}
    desk.broken.fails = set()
    desk.lane.tick()
    assert desk.states == ["broken", "sound", "broken"]
    assert desk.board.verdicts("reader")["broken"] is Verdict.OK


def test_a_loop_logs_a_fault_of_one_device_once(logs: Logs) -> None:
    seen: list[str] = []

    def handle(one: Reading) -> None:
        seen.append(one.device_id)
        if one.device_id == "bad":
            raise ValueError("ours")

    loop = Loop("loop", handle, lambda: None, CLOCK, Liveness(CLOCK).beat("loop"), tick_seconds=10)
    for device in ("bad", "a", "bad", "bad", "b"):
        loop.post(reading(device))
    loop.start()
    loop.stop()
    assert seen == ["bad", "a", "bad", "bad", "b"]
    assert [line["device"] for line in logs if line["event"] == "loop failed"] == ["bad"]
    assert loop.failed == {"bad"}


def test_a_reply_that_cannot_be_judged_is_silence_and_not_rest(clock: SimulatedClock) -> None:
    """The module's replies lack the button's input: a fault of ours, however it came about."""
    button = WiredButton(id="gate", name="Gate", input=3, wiring="no")
    monitor = AlarmMonitor(equipment("io", button), AlarmMemory())

    def now() -> Instant:
        return Instant(clock.now(), clock.monotonic())

    told = []
    for _ in range(30):
        reply = ContactsReading(
            device_id="io", observed_at=clock.now(), inputs=(False,), reply_seconds=0.01
        )
        with pytest.raises(IndexError):
            monitor.observe(reply, now())
        clock.advance(0.1)
        told += [event.data.model_dump()["what"] for event in monitor.tick(now())]
    assert told == ["trouble"]
    assert monitor.states(now())[0].data.verdict is Verdict.FAIL


class StuckDoor:
    """A driver that fails even to close."""

    device_id = "r"

    def __init__(self) -> None:
        self.opened = 0

    def open(self) -> None:
        self.opened += 1
        raise OSError("cannot open")

    def poll(self, *, deadline: float) -> Sequence[Reading]:
        raise AssertionError(deadline)

    def close(self) -> None:
        raise OSError("cannot close")


def test_a_driver_that_fails_to_close_is_tried_again(logs: Logs) -> None:
    driver = StuckDoor()
    got: list[Reading] = []
    thread = DeviceThread(driver, CLOCK, poll_seconds=0.001, deadline_seconds=1)
    thread.start(got.append)
    wait_until(lambda: driver.opened >= 2)
    thread.stop()
    assert {getattr(one, "reason", None) for one in got} == {Reason.INTERNAL}
    assert len([line for line in logs if line["event"] == "driver failed"]) == 1
