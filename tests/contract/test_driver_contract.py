"""What every driver promises, shown over the real wire. A new driver is a new row in RIGS.

Most devices answer when asked: their drivers are rows in ANSWERING, and must bear silence and
garbled answers too. A contact on a wire only shows its state and can do neither.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import pydantic
import pytest

from agent.clock import SystemClock
from agent.store.wand_memory import FileWandMemory
from drivers.alarm.modbus import ModbusSettings
from drivers.alarm.modbus_bus import ModbusBus
from drivers.alarm.modem_lines import ModemLinesDriver, ModemLinesSettings
from drivers.alarm.surgard import SurgardDriver, SurgardSettings
from drivers.base import Clock, Driver
from drivers.errors import (
    DeviceTimeoutError,
    DeviceUnreachableError,
    DriverError,
    ProtocolError,
)
from drivers.nfc.em4100 import Em4100Driver
from drivers.nfc.pn532 import Pn532Driver
from drivers.nfc.settings import ReaderSettings
from drivers.nfc.wand import WandDriver
from drivers.nfc.wedge import WedgeDriver
from drivers.readings import Reading
from simulators.em4100 import Em4100Simulator
from simulators.modbus import ModbusSimulator
from simulators.modem_lines import ModemLinesSimulator
from simulators.pn532 import Pn532Simulator
from simulators.surgard import SurgardSimulator
from simulators.truth import Truth
from simulators.wedge import WedgeSimulator, open_pipe
from tests.contract.recorder_rigs import DahuaRig, HikvisionRig, OnvifRig

DEADLINE_SECONDS = 0.5
# Where nothing is said of time a busy machine gets more of it.
PATIENT_SECONDS = 5.0
# Scheduling on a busy two-core machine, and the last reply a deadline may cut.
MARGIN_SECONDS = 1.0


class Rig(Protocol):
    """A simulated device and the driver that reads it."""

    def driver(self, clock: Clock) -> Driver:
        """Make the driver; `dut` is its device id."""

    def plug(self) -> None:
        """Connect the device and let there be something to read."""

    def unplug(self) -> None:
        """Take the device away; a second time does nothing."""


class AnsweringRig(Rig, Protocol):
    """A device that answers when it is asked."""

    def silence(self) -> None:
        """Let the device stay connected and answer nothing."""

    def speak(self) -> None:
        """End the silence."""

    def garble_one_reply(self) -> None:
        """Damage the next reply on its way."""


class Pn532Rig:
    """An NFC reader with a card on it."""

    def __init__(self, directory: Path) -> None:
        self._port = directory / "nfc"
        self._simulator = Pn532Simulator(self._port, Truth())
        self._simulator.present(bytes.fromhex("04A1B2C3D4E580"))

    def driver(self, clock: Clock) -> Driver:
        return Pn532Driver(ReaderSettings(id="dut", driver="pn532", port=str(self._port)), clock)

    def plug(self) -> None:
        self._simulator.start()

    def unplug(self) -> None:
        self._simulator.unplug()

    def silence(self) -> None:
        self._simulator.silent = True

    def speak(self) -> None:
        self._simulator.silent = False

    def garble_one_reply(self) -> None:
        self._simulator.garble_replies = 1


class ModbusRig:
    """A contact module on a line of its own."""

    def __init__(self, directory: Path) -> None:
        self._port = directory / "io"
        self._simulator = ModbusSimulator(self._port, Truth(), baud=19200)

    def driver(self, clock: Clock) -> Driver:
        settings = ModbusSettings(
            id="dut",
            port=str(self._port),
            baud=19200,
            reply_timeout_seconds=0.1,
            worst_turnaround_seconds=0.1,
        )
        return ModbusBus([settings], clock)

    def plug(self) -> None:
        self._simulator.start()

    def unplug(self) -> None:
        self._simulator.stop()

    def silence(self) -> None:
        self._simulator.dead = True

    def speak(self) -> None:
        self._simulator.dead = False

    def garble_one_reply(self) -> None:
        # One garbled reply is asked for again at once; the second is an error.
        self._simulator.spoil("garble", "garble")


class ModemLinesRig:
    """A button behind a terminal server."""

    def __init__(self, directory: Path) -> None:
        self._simulator = ModemLinesSimulator(Truth(), directory.name)
        self._simulator.plug()
        self._simulator.unplug()

    def driver(self, clock: Clock) -> Driver:
        settings = ModemLinesSettings(
            id="dut", port=self._simulator.url, closed_at_rest="cts", open_at_rest="dsr"
        )
        return ModemLinesDriver(settings, clock)

    def plug(self) -> None:
        self._simulator.plug()

    def unplug(self) -> None:
        self._simulator.unplug()


class SurgardRig:
    """An alarm receiver with nothing to report, whose heart beats very fast."""

    def __init__(self, directory: Path) -> None:
        self._port = directory / "host"
        self._simulator = SurgardSimulator(
            self._port, Truth(), baud=115200, ack_seconds=0.5, heartbeat_seconds=0.05
        )

    def driver(self, clock: Clock) -> Driver:
        # Silent after 0.4 s: within one poll of this suite.
        settings = SurgardSettings(
            id="dut", port=str(self._port), baud=115200, ack_seconds=0.5, heartbeat_seconds=0.16
        )
        return SurgardDriver(settings, clock)

    def plug(self) -> None:
        self._simulator.start()

    def unplug(self) -> None:
        self._simulator.stop()

    def silence(self) -> None:
        self._simulator.mute = True

    def speak(self) -> None:
        self._simulator.mute = False

    def garble_one_reply(self) -> None:
        # A receiver speaks unasked, so there is no reply to damage: a line of noise comes instead.
        self._simulator.interfere(b"\x02#\x7f5011\x14")


class Em4100Rig:
    """A reader that only talks, with nobody there."""

    def __init__(self, directory: Path) -> None:
        self._port = directory / "tags"
        self._simulator = Em4100Simulator(self._port, Truth())

    def driver(self, clock: Clock) -> Driver:
        settings = ReaderSettings(id="dut", driver="em4100", port=str(self._port))
        return Em4100Driver(settings, clock)

    def plug(self) -> None:
        self._simulator.start()

    def unplug(self) -> None:
        self._simulator.stop()


class WedgeRig:
    """A reader that types, with nobody there."""

    def __init__(self, directory: Path) -> None:
        self._port = directory / "keys"
        self._simulator = WedgeSimulator(self._port, Truth())

    def driver(self, clock: Clock) -> Driver:
        settings = ReaderSettings(id="dut", driver="wedge", port=str(self._port))
        return WedgeDriver(settings, clock, open_pipe)

    def plug(self) -> None:
        self._simulator.start()

    def unplug(self) -> None:
        self._simulator.stop()


class WandRig:
    """The place where wands are docked, with nobody there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "wand"
        self._memory = FileWandMemory(directory / "wand.json")

    def driver(self, clock: Clock) -> Driver:
        settings = ReaderSettings(id="dut", driver="wand", port=str(self._directory))
        return WandDriver(settings, clock, ZoneInfo("Asia/Shanghai"), self._memory)

    def plug(self) -> None:
        self._directory.mkdir()

    def unplug(self) -> None:
        if self._directory.exists():
            self._directory.rmdir()


ANSWERING: dict[str, Callable[[Path], AnsweringRig]] = {
    "pn532": Pn532Rig,
    "modbus": ModbusRig,
    "surgard": SurgardRig,
    "hikvision": HikvisionRig,
    "dahua": DahuaRig,
    "onvif": OnvifRig,
}
RIGS: dict[str, Callable[[Path], Rig]] = {
    **ANSWERING,
    "modem_lines": ModemLinesRig,
    "em4100": Em4100Rig,
    "wedge": WedgeRig,
    "wand": WandRig,
}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    made = RIGS[request.param](tmp_path)
    yield made
    made.unplug()


@pytest.fixture(params=ANSWERING)
def answering_rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnsweringRig]:
    made = ANSWERING[request.param](tmp_path)
    yield made
    made.unplug()


@pytest.fixture
def driver(rig: Rig) -> Iterator[Driver]:
    made = rig.driver(SystemClock())
    yield made
    made.close()


@pytest.fixture
def answering_driver(answering_rig: AnsweringRig) -> Iterator[Driver]:
    made = answering_rig.driver(SystemClock())
    yield made
    made.close()


def poll(driver: Driver, seconds: float = DEADLINE_SECONDS) -> Sequence[Reading]:
    return list(driver.poll(deadline=SystemClock().monotonic() + seconds))


def poll_until_good(driver: Driver, tries: int = 3) -> Sequence[Reading]:
    """Poll as the agent does after an error: again, and again."""
    for _ in range(tries - 1):
        try:
            return poll(driver)
        except DriverError:
            continue
    return poll(driver)


def test_only_what_cannot_be_asked_is_spared_silence_and_garble() -> None:
    assert set(RIGS) - set(ANSWERING) == {"modem_lines", "em4100", "wedge", "wand"}
    assert set(ANSWERING) < set(RIGS)


def test_making_a_driver_touches_nothing(rig: Rig) -> None:
    assert rig.driver(SystemClock()).device_id == "dut"


def test_readings_are_frozen_ordered_and_aware(rig: Rig, driver: Driver) -> None:
    rig.plug()
    driver.open()
    readings = [reading for _ in range(3) for reading in poll(driver, PATIENT_SECONDS)]
    assert len(readings) >= 3
    for reading in readings:
        assert reading.device_id == "dut"
        assert reading.observed_at.utcoffset() == timedelta(0)
        with pytest.raises(pydantic.ValidationError):
            setattr(reading, "device_id", "another")  # noqa: B010 - mypy knows it is read-only
    assert readings == sorted(readings, key=lambda reading: reading.observed_at)


def test_a_silent_device_costs_no_more_than_the_deadline(
    answering_rig: AnsweringRig, answering_driver: Driver
) -> None:
    rig, driver = answering_rig, answering_driver
    rig.plug()
    driver.open()
    rig.silence()
    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(DeviceTimeoutError, match="dut"):
            poll(driver)
        assert time.monotonic() - started < DEADLINE_SECONDS + MARGIN_SECONDS
    rig.speak()
    assert poll_until_good(driver)


def test_a_deadline_in_the_past_is_a_timeout(rig: Rig, driver: Driver) -> None:
    rig.plug()
    driver.open()
    started = time.monotonic()
    with pytest.raises(DeviceTimeoutError):
        list(driver.poll(deadline=SystemClock().monotonic() - 1))
    assert time.monotonic() - started < MARGIN_SECONDS
    assert poll_until_good(driver)


def test_a_garbled_reply_is_an_error_and_the_next_one_is_read(
    answering_rig: AnsweringRig, answering_driver: Driver
) -> None:
    rig, driver = answering_rig, answering_driver
    rig.plug()
    driver.open()
    poll(driver)
    rig.garble_one_reply()
    with pytest.raises(ProtocolError, match="dut"):
        poll(driver)
    assert poll_until_good(driver)


def test_close_is_safe_before_open_and_twice(rig: Rig, driver: Driver) -> None:
    driver.close()
    rig.plug()
    driver.open()
    driver.close()
    driver.close()
    driver.open()
    assert poll(driver)


def test_polling_a_closed_driver_is_an_error_of_ours(driver: Driver) -> None:
    with pytest.raises(DriverError):
        poll(driver)


def test_a_device_that_is_not_there_is_unreachable(driver: Driver) -> None:
    with pytest.raises(DeviceUnreachableError):
        driver.open()


def test_an_unplugged_device_is_unreachable_and_comes_back(rig: Rig, driver: Driver) -> None:
    rig.plug()
    driver.open()
    poll(driver)
    rig.unplug()
    with pytest.raises(DeviceUnreachableError):
        poll(driver)
    driver.close()
    with pytest.raises(DeviceUnreachableError):
        driver.open()
    rig.plug()
    driver.open()
    assert poll_until_good(driver)
