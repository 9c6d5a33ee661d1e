"""The Modbus driver and simulator on one pseudo-terminal, and a stranger on the same line."""

import array
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.clock import SystemClock
from drivers.alarm.modbus import ModbusSettings
from drivers.alarm.modbus_bus import ModbusBus
from drivers.errors import BusyError, DeviceTimeoutError, PortLostError, ProtocolError
from drivers.readings import ContactsReading, PressCountsReading, Reading
from simulators.modbus import ModbusSimulator
from simulators.modbus_memory import LATCHES_AT, PACKED_AT
from simulators.truth import Truth

CLOCK = SystemClock()
TIOCGEXCL = 0x80045440  # asm-generic/ioctls.h


@pytest.fixture
def module(tmp_path: Path) -> Iterator[ModbusSimulator]:
    simulator = ModbusSimulator(tmp_path / "alarm", Truth(), baud=19200)
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def driver(module: ModbusSimulator) -> Iterator[ModbusBus]:
    settings = ModbusSettings(
        id="io",
        port=str(module.line.path),
        baud=19200,
        press_counters_at=0,
        worst_turnaround_seconds=0.5,
    )
    driver = ModbusBus([settings], CLOCK)
    driver.open()
    yield driver
    driver.close()


def poll(driver: ModbusBus, seconds: float = 3.0) -> list[Reading]:
    return list(driver.poll(deadline=CLOCK.monotonic() + seconds))


def inputs(driver: ModbusBus) -> tuple[bool, ...]:
    reading = poll(driver)[0]
    assert isinstance(reading, ContactsReading)
    return reading.inputs


def test_inputs_and_counters_are_read(module: ModbusSimulator, driver: ModbusBus) -> None:
    module.press(2)
    first, second = poll(driver)
    assert isinstance(first, ContactsReading)
    assert first.inputs == (False, False, True, False, False, False, False, False)
    assert isinstance(second, PressCountsReading)
    assert second.counts == (0, 0, 1, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("fault", ["garble", "truncate"])
def test_one_spoilt_reply_is_asked_for_again(
    module: ModbusSimulator, driver: ModbusBus, fault: str
) -> None:
    module.press(0)
    module.spoil(fault)
    assert inputs(driver)[0]


def test_two_garbled_replies_are_an_error_that_names_the_module(
    module: ModbusSimulator, driver: ModbusBus
) -> None:
    module.spoil("garble", "garble")
    with pytest.raises(ProtocolError, match=r"alarm module io, unit 1 on .*garbled"):
        poll(driver)
    assert inputs(driver) == (False,) * 8


def test_exception_6_is_busy(module: ModbusSimulator, driver: ModbusBus) -> None:
    module.spoil("busy")
    with pytest.raises(BusyError):
        poll(driver)


def test_a_late_reply_is_never_taken_for_the_next_answer(
    module: ModbusSimulator, driver: ModbusBus
) -> None:
    """The trap of RTU: the late "at rest" arrives after the button was pressed."""
    inputs(driver)
    module.spoil("late")
    with pytest.raises(DeviceTimeoutError):
        poll(driver)
    module.press(0)
    assert inputs(driver)[0]


def test_a_silent_module_costs_no_more_than_the_deadline(
    module: ModbusSimulator, driver: ModbusBus
) -> None:
    module.dead = True
    started = CLOCK.monotonic()
    with pytest.raises(DeviceTimeoutError):
        poll(driver, seconds=0.2)
    assert CLOCK.monotonic() - started < 1.0


def test_a_pulled_adapter_is_a_lost_port_and_comes_back(
    module: ModbusSimulator, driver: ModbusBus
) -> None:
    inputs(driver)
    module.line.unplug()
    with pytest.raises(PortLostError):
        poll(driver)
    with pytest.raises(PortLostError, match="cannot be opened"):
        driver.open()
    module.line.plug()
    driver.open()
    assert inputs(driver) == (False,) * 8


def test_a_pace_slower_than_silence_is_refused() -> None:
    """The alarm monitor calls 1.5 s without a reply trouble; every poll would make one."""
    with pytest.raises(ValidationError):
        ModbusSettings(id="io", port="/dev/null", polls_per_second=0.5)


def test_counters_are_read_at_their_own_pace_and_at_once_after_opening(
    module: ModbusSimulator, driver: ModbusBus
) -> None:
    assert [type(one) for one in poll(driver)] == [ContactsReading, PressCountsReading]
    assert [type(one) for one in poll(driver)] == [ContactsReading]
    driver.open()
    assert [type(one) for one in poll(driver)] == [ContactsReading, PressCountsReading]


def test_nobody_else_can_open_the_line(module: ModbusSimulator, driver: ModbusBus) -> None:
    """Root may open a port held with TIOCEXCL (tty_ioctl(4)), so root asks for the flag."""
    inputs(driver)
    held = array.array("i", [0])
    if os.geteuid() != 0:
        with pytest.raises(OSError, match="busy"):
            module.line.path.open("rb", buffering=0)
        return
    with module.line.path.open("rb", buffering=0) as other:
        fcntl.ioctl(other.fileno(), TIOCGEXCL, held)
    assert held[0] == 1


def test_a_line_let_go_of_is_free_though_another_holds_it_open(
    module: ModbusSimulator, driver: ModbusBus
) -> None:
    inputs(driver)
    driver.close()
    # The simulator's own end is open all the time, as a terminal program of root's may be.
    held = array.array("i", [1])
    with module.line.path.open("rb", buffering=0) as other:
        fcntl.ioctl(other.fileno(), TIOCGEXCL, held)
    assert held[0] == 0


def mbpoll(path: Path, *arguments: str, values: tuple[str, ...] = ()) -> str:
    command = ["mbpoll", "-m", "rtu", "-a", "1", "-b", "19200", "-P", "none", "-0", "-1"]
    done = subprocess.run(
        [*command, *arguments, str(path), *values],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.stdout + done.stderr


def test_libmodbus_reads_the_simulator(module: ModbusSimulator) -> None:
    module.press(2)
    module.press(7)
    said = mbpoll(module.line.path, "-t", "1", "-r", "0", "-c", "8")
    levels = [line.split()[-1] for line in said.splitlines() if line.startswith("[")]
    assert levels == ["0", "0", "1", "0", "0", "0", "0", "1"], said


def test_libmodbus_reads_the_counters(module: ModbusSimulator) -> None:
    for _ in range(3):
        module.press(1)
        module.release(1)
    said = mbpoll(module.line.path, "-t", "3", "-r", "0", "-c", "2")
    assert [line.split()[-1] for line in said.splitlines() if line.startswith("[")] == ["0", "3"]


def test_libmodbus_hears_the_exception(module: ModbusSimulator) -> None:
    assert "Illegal data address" in mbpoll(module.line.path, "-t", "1", "-r", "0", "-c", "20")


def test_libmodbus_sets_and_reads_coils_and_reads_holding_registers(
    module: ModbusSimulator,
) -> None:
    def read(*arguments: str) -> list[str]:
        said = mbpoll(module.line.path, *arguments)
        return [line.split()[-1] for line in said.splitlines() if line.startswith("[")]

    module.press(0)
    assert read("-t", "4", "-r", "0", "-c", "1") == ["1"]
    assert read("-t", "4", "-r", str(PACKED_AT), "-c", "1") == ["1"]
    assert "Written 1" in mbpoll(module.line.path, "-t", "0", "-r", "2", values=("1",))
    assert "Written 3" in mbpoll(module.line.path, "-t", "0", "-r", "4", values=("1", "0", "1"))
    assert read("-t", "0", "-r", "0", "-c", "8") == ["0", "0", "1", "0", "1", "0", "1", "0"]
    assert read("-t", "0", "-r", str(LATCHES_AT), "-c", "2") == ["1", "0"]
