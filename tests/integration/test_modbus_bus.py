"""Register profiles, several modules on a bus, outputs and latches, over a pseudo-terminal."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from drivers.alarm import modbus as modbus_module
from drivers.alarm import modbus_bus as bus_module
from drivers.alarm.modbus import ModbusSettings
from drivers.alarm.modbus_bus import ModbusBus
from drivers.errors import DeviceTimeoutError, DriverError, UnsupportedDeviceError
from drivers.readings import (
    ContactsReading,
    LatchesReading,
    Outage,
    OutputReading,
    PressCountsReading,
    Reading,
    Reason,
    Unknown,
)
from simulators.modbus import ModbusSimulator
from simulators.modbus_memory import LATCHES_AT, ONE_EACH_AT, PACKED_AT, WIDE_COUNTERS_AT
from simulators.truth import Truth
from tests.waiting import wait_until

CLOCK = SystemClock()


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def line(tmp_path: Path, truth: Truth) -> Iterator[ModbusSimulator]:
    simulator = ModbusSimulator(tmp_path / "alarm", truth, baud=19200, count=8, spare=8)
    simulator.start()
    yield simulator
    simulator.stop()


def bus(line: ModbusSimulator, *more: dict[str, object]) -> ModbusBus:
    words = {"id": "io", "port": str(line.line.path), "baud": 19200}
    made = ModbusBus([ModbusSettings.model_validate({**words, **one}) for one in more], CLOCK)
    made.open()
    return made


def is_on(line: ModbusSimulator, coil: int) -> bool:
    return line.memory.coils[coil]


def is_latched(line: ModbusSimulator, number: int) -> bool:
    return line.memory.latches[number]


def poll(driver: ModbusBus, seconds: float = 3.0) -> list[Reading]:
    return list(driver.poll(deadline=CLOCK.monotonic() + seconds))


def contacts(readings: list[Reading], device: str = "io") -> tuple[bool, ...]:
    [found] = [
        one.inputs
        for one in readings
        if isinstance(one, ContactsReading) and one.device_id == device
    ]
    return found


@pytest.mark.parametrize(
    "profile",
    [
        {},
        {"inputs_from": "input_registers", "inputs_at": PACKED_AT},
        {"inputs_from": "holding_registers", "inputs_at": PACKED_AT},
        {
            "inputs_from": "input_registers",
            "inputs_at": ONE_EACH_AT,
            "one_register_each": True,
        },
        {"inputs_from": "coils", "inputs_at": LATCHES_AT},
    ],
)
def test_inputs_are_found_where_the_maker_put_them(
    line: ModbusSimulator, profile: dict[str, object]
) -> None:
    driver = bus(line, profile)
    line.press(2)
    line.press(7)
    for _ in range(3):
        inputs = contacts(poll(driver))
        assert [number for number, on in enumerate(inputs) if on] == [2, 7]
    driver.close()


@pytest.mark.parametrize(
    "profile",
    [
        {"press_counters_at": 0, "press_counters_from": "holding_registers"},
        {"press_counters_at": WIDE_COUNTERS_AT, "press_counter_bits": 32},
    ],
)
def test_counters_are_found_where_the_maker_put_them(
    line: ModbusSimulator, profile: dict[str, object]
) -> None:
    line.memory.presses[3] = 65_535 + 41
    driver = bus(line, profile)
    line.press(3)
    [counts] = [one.counts for one in poll(driver) if isinstance(one, PressCountsReading)]
    assert counts == (0, 0, 0, 41, 0, 0, 0, 0)
    driver.close()


def test_two_requests_in_a_row_have_answers_of_different_length(line: ModbusSimulator) -> None:
    asked: list[bytes] = []
    answer = line.answer

    def listen(request: bytes) -> tuple[bytes, str]:
        asked.append(request)
        return answer(request)

    line.answer = listen  # type: ignore[method-assign]  # to hear what is asked
    driver = bus(line, {})
    for _ in range(4):
        poll(driver)
    assert [request[5] for request in asked] == [16, 8, 16, 8]
    driver.close()
    line.memory.spare = 0
    driver = bus(line, {})
    asked.clear()
    for _ in range(3):
        assert contacts(poll(driver)) == (False,) * 8
    assert [request[5] for request in asked] == [16, 8, 8, 8]
    driver.close()


def test_a_module_that_is_silent_when_asked_for_too_much_is_learnt(line: ModbusSimulator) -> None:
    answer = line.answer
    line.answer = lambda request: (  # type: ignore[method-assign]  # a module of another make
        (b"", "silent") if request[5] > 8 else answer(request)
    )
    driver = bus(line, {"worst_turnaround_seconds": 0.1})
    with pytest.raises(DeviceTimeoutError):
        poll(driver)
    for _ in range(3):
        assert contacts(poll(driver)) == (False,) * 8
    driver.close()


@pytest.mark.parametrize("fault", ["babble", "refuse", "truncate", "garble"])
def test_a_fault_that_stays_is_an_error_and_passes(
    line: ModbusSimulator, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "DEAD_EVERY_SECONDS", 0.5)
    driver = bus(line, {"worst_turnaround_seconds": 0.1})
    poll(driver)
    line.spoil(fault, fault, fault, fault)
    errors: list[DriverError] = []

    def answered() -> bool:
        try:
            return contacts(poll(driver)) == (False,) * 8
        except DriverError as error:
            errors.append(error)
            return False

    wait_until(lambda: answered() and bool(errors))
    assert all("alarm module io, unit 1 on" in str(error) for error in errors)
    driver.close()


def test_a_line_that_is_held_down_costs_no_more_than_its_deadline(line: ModbusSimulator) -> None:
    driver = bus(line, {})
    poll(driver)
    line.stick()
    started = time.monotonic()
    with pytest.raises(DriverError):
        poll(driver, seconds=1.0)
    assert time.monotonic() - started < 3
    line.come_loose()
    driver.close()


def test_what_a_module_has_not_got_is_asked_for_seldom(line: ModbusSimulator) -> None:
    asked: list[bytes] = []
    answer = line.answer

    def listen(request: bytes) -> tuple[bytes, str]:
        asked.append(request)
        return answer(request)

    line.answer = listen  # type: ignore[method-assign]  # to hear what is asked
    driver = bus(line, {"inputs": 32})
    for _ in range(5):
        with pytest.raises(UnsupportedDeviceError, match="check how many inputs"):
            poll(driver)
    assert len(asked) <= 2
    driver.close()


def test_wrong_counters_do_not_keep_the_button_from_being_read(line: ModbusSimulator) -> None:
    driver = bus(line, {"press_counters_at": 4000})
    line.press(0)
    for _ in range(3):
        readings = driver.poll(deadline=CLOCK.monotonic() + 2)
        assert isinstance(next(readings), ContactsReading)
        with pytest.raises(UnsupportedDeviceError):
            next(readings)
        time.sleep(0.5)
    driver.close()


def test_a_dead_module_costs_its_neighbours_next_to_nothing(line: ModbusSimulator) -> None:
    other = line.add(2)
    driver = bus(line, {}, {"id": "io-2", "unit": 2})
    both = poll(driver)
    assert contacts(both, "io") == contacts(both, "io-2") == (False,) * 8
    other.dead = True
    outages = 0
    longest, last = 0.0, time.monotonic()
    until = time.monotonic() + 4
    while time.monotonic() < until:
        for reading in poll(driver):
            if isinstance(reading, Outage):
                outages += 1
                assert (reading.device_id, reading.reason) == ("io-2", Reason.TIMEOUT)
                assert "unit 2" in reading.detail
            elif reading.device_id == "io":
                longest, last = max(longest, time.monotonic() - last), time.monotonic()
        time.sleep(0.02)
    assert 3 <= outages <= 4  # three quick misses, then every five seconds
    assert longest < 0.5
    other.dead = False
    wait_until(lambda: any(one.device_id == "io-2" for one in poll(driver)), 10)
    driver.close()


def test_a_late_answer_is_never_taken_for_a_neighbours_or_for_the_next(
    line: ModbusSimulator,
) -> None:
    other = line.add(2)
    driver = bus(line, {}, {"id": "io-2", "unit": 2})
    poll(driver)
    other.spoil("late")  # at rest, it says, and says it when the button is down
    until = time.monotonic() + 3
    pressed = False
    told: list[tuple[bool, ...]] = []
    while time.monotonic() < until:
        for reading in poll(driver):
            if isinstance(reading, Outage) and not pressed:
                pressed = True
                other.press(0)
            elif isinstance(reading, ContactsReading) and reading.device_id == "io-2" and pressed:
                told.append(reading.inputs)
            elif isinstance(reading, ContactsReading) and reading.device_id == "io":
                assert not any(reading.inputs)
    assert pressed
    assert told
    assert all(inputs[0] for inputs in told)
    driver.close()


def test_local_echo_is_swallowed_and_without_it_says_so(line: ModbusSimulator) -> None:
    line.echo = True
    driver = bus(line, {"local_echo": True})
    line.press(1)
    assert contacts(poll(driver))[1]
    driver.close()
    line.echo = False
    driver = bus(line, {"local_echo": True, "worst_turnaround_seconds": 0.1})
    with pytest.raises(DriverError, match="local echo"):
        poll(driver)
    driver.close()


def test_an_output_is_set_between_two_polls_and_again_after_a_restart(
    line: ModbusSimulator, truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modbus_module, "OUTPUTS_AGAIN_SECONDS", 0.5)
    driver = bus(line, {"outputs": 4, "outputs_at": 3})
    driver.modules[0].set_output(2, on=True)
    heard = poll(driver)
    assert isinstance(heard[0], ContactsReading)  # the button first
    assert isinstance(heard[1], OutputReading)
    assert (heard[1].output, heard[1].on) == (2, True)
    assert is_on(line, 5)
    assert [type(one) for one in poll(driver)] == [ContactsReading]
    line.restart()
    assert not is_on(line, 5)
    wait_until(lambda: bool(poll(driver)) and is_on(line, 5))
    driver.modules[0].set_output(2, on=False)
    poll(driver)
    assert not is_on(line, 5)
    assert [(one["coil"], one["on"]) for one in truth.lines("coil")] == [
        (5, True),
        (5, True),
        (5, False),
    ]
    driver.close()


def test_a_lamp_goes_out_when_nobody_drives_it_and_on_again_with_the_next_start(
    line: ModbusSimulator,
) -> None:
    driver = bus(line, {"outputs": 4})
    driver.modules[0].set_output(1, on=True)
    poll(driver)
    assert is_on(line, 1)
    driver.close()
    assert not is_on(line, 1)
    driver.close()
    driver.open()
    poll(driver)
    assert is_on(line, 1)
    line.line.unplug()
    driver.close()


def test_an_output_that_is_refused_says_so_and_keeps_no_button_from_being_read(
    line: ModbusSimulator,
) -> None:
    driver = bus(line, {"outputs": 64, "coil_on": "0100"})
    driver.modules[0].set_output(0, on=True)
    line.press(0)
    heard = poll(driver)
    assert contacts(heard)[0]
    refused = heard[1]
    assert isinstance(refused, OutputReading)
    assert isinstance(refused.on, Unknown)
    assert refused.on.reason is Reason.NOT_SUPPORTED
    assert contacts(poll(driver))[0]
    driver.close()


def test_a_latch_keeps_a_press_that_no_poll_saw_until_it_is_confirmed(
    line: ModbusSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modbus_module, "MEMORY_EVERY_SECONDS", 0.0)
    driver = bus(line, {"latches_at": LATCHES_AT})
    assert [type(one) for one in poll(driver)] == [ContactsReading]
    line.press(4)
    line.release(4)

    def latches() -> LatchesReading | None:
        found = [one for one in poll(driver) if isinstance(one, LatchesReading)]
        return found[0] if found else None

    first, again = latches(), latches()
    assert first is not None
    assert again is not None
    assert first.latched == (False,) * 4 + (True,) + (False,) * 3
    assert first.token == again.token
    assert is_latched(line, 4)
    driver.modules[0].confirm("another")
    latches()
    assert is_latched(line, 4)
    driver.modules[0].confirm(first.token)
    cleared = latches()
    assert cleared is not None
    assert not any(cleared.latched)
    assert not is_latched(line, 4)
    assert latches() is None
    driver.close()
