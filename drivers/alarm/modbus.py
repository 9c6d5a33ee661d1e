"""Contact module on Modbus RTU: the buttons' inputs, their counters and latches, its outputs."""

import threading
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from drivers.alarm import modbus_frames as frames
from drivers.alarm.modbus_line import ModbusLine
from drivers.base import Clock, DeviceSettings
from drivers.errors import (
    DeviceTimeoutError,
    DriverError,
    PortLostError,
    UnsupportedDeviceError,
)
from drivers.readings import (
    ContactsReading,
    LatchesReading,
    OutputReading,
    PressCountsReading,
    Reading,
    Reason,
    Unknown,
)

# Counters and latches catch what polling cannot see; they need not be as quick as the inputs.
MEMORY_EVERY_SECONDS = 0.5
# A module that lost its power for a moment shows nothing of it, and its outputs are off.
OUTPUTS_AGAIN_SECONDS = 10.0
QUICK_BAUD = 19_200
COIL_ON = {"ff00": 0xFF00, "0100": 0x0100}
# What all modules of one port must have in common.
LINE_KEYS = ("baud", "parity", "stop_bits", "local_echo")
_FUNCTIONS = {
    "coils": frames.READ_COILS,
    "discrete_inputs": frames.READ_DISCRETE_INPUTS,
    "holding_registers": frames.READ_HOLDING_REGISTERS,
    "input_registers": frames.READ_INPUT_REGISTERS,
}


class ModbusSettings(DeviceSettings):
    """One module; several may share a port, each with its own `unit`."""

    id: str
    driver: Literal["modbus"] = "modbus"
    port: str
    baud: int = Field(default=9600, ge=1200, le=115200)
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    local_echo: bool = False
    unit: int = Field(default=1, ge=1, le=247)
    inputs: int = Field(default=8, ge=1, le=64)
    inputs_from: Literal["discrete_inputs", "coils", "input_registers", "holding_registers"] = (
        "discrete_inputs"
    )
    inputs_at: int = Field(default=0, ge=0, le=65_535)
    one_register_each: bool = False
    press_counters_at: int | None = Field(default=None, ge=0, le=65_535)
    press_counters_from: Literal["input_registers", "holding_registers"] = "input_registers"
    press_counter_bits: Literal[16, 32] = 16
    latches_at: int | None = Field(default=None, ge=0, le=65_535)
    latches_from: Literal["coils", "discrete_inputs"] = "coils"
    outputs: int = Field(default=0, ge=0, le=64)
    outputs_at: int = Field(default=0, ge=0, le=65_535)
    coil_on: Literal["ff00", "0100"] = "ff00"
    polls_per_second: float | None = Field(
        default=None, ge=2, le=50, description="default: 20 at 19200 baud or more, else 10"
    )
    reply_timeout_seconds: float = Field(default=0.2, gt=0, le=5)
    worst_turnaround_seconds: float = Field(default=0.5, gt=0, le=5)

    @property
    def polls(self) -> float:
        """Return how often a second the inputs are read."""
        return self.polls_per_second or (20.0 if self.baud >= QUICK_BAUD else 10.0)

    @property
    def line(self) -> tuple[object, ...]:
        """Return what all modules of one port must have in common."""
        return (self.port, *(getattr(self, key) for key in LINE_KEYS))


class ModbusModule:
    """One module on a line that it shares; used by the line's owner thread but for two methods.

    Implements Confirming and OutputDriver, which may be called on any thread.
    """

    def __init__(self, settings: ModbusSettings, line: ModbusLine, clock: Clock) -> None:
        self.settings = settings
        self._line = line
        self._clock = clock
        self._memory_due = 0.0
        # Every second request asks for a byte or register more, so that a late answer never has
        # the length of the one that is awaited; False once the module has refused that.
        self._may_pad = True
        self._padded = False
        self._pads = False
        self._latched: tuple[bool, ...] = ()
        self._token = 0
        self._lock = threading.Lock()
        self._confirmed: str | None = None
        self._wanted: dict[int, bool] = {}
        self._shown: dict[int, bool] = {}
        self._outputs_due = 0.0

    def confirm(self, token: str) -> None:
        """Note that latched presses are on disk: their latches are cleared, and read again."""
        with self._lock:
            self._confirmed = token

    def set_output(self, output: int, *, on: bool) -> None:
        """Ask for an output's state; it is set between two polls, and again after a loss."""
        with self._lock:
            self._wanted[output] = on

    def forget(self) -> None:
        """Read and set everything again: the line was lost, or the module."""
        self._memory_due = self._outputs_due = 0.0
        self._shown.clear()

    def put_out(self, deadline: float) -> None:
        """Switch off what is on: a lamp that nobody drives any more tells lies. Raises DriverError.

        An output that was asked for keeps its wish, and is set again after the next `open`.
        """
        for output, on in self._shown.items():
            if on:
                self._write(self.settings.outputs_at + output, 0, deadline)

    def poll(self, *, deadline: float) -> Iterator[Reading]:
        """Yield the inputs at once, then counters and latches when due; set an output at most.

        Raises DriverError.
        """
        try:
            yield self._inputs(deadline)
        except DriverError as error:
            self.forget()
            raise self._named(error) from error
        if self._clock.monotonic() >= self._memory_due:
            self._memory_due = self._clock.monotonic() + MEMORY_EVERY_SECONDS
            try:
                yield from self._memory(deadline)
            except DriverError as error:
                raise self._named(error) from error
        yield from self._set_outputs(deadline)

    def _inputs(self, deadline: float) -> ContactsReading:
        started = self._clock.monotonic()
        self._padded = self._may_pad and not self._padded
        try:
            inputs = self._read_inputs(deadline, padded=self._padded)
            self._pads = self._pads or self._padded
        except (UnsupportedDeviceError, DeviceTimeoutError) as error:
            if not self._padded or self._pads:
                raise
            # It has not got so many, and says so or says nothing: never again.
            self._may_pad = self._padded = False
            if isinstance(error, DeviceTimeoutError):
                raise
            inputs = self._read_inputs(deadline, padded=False)
        return ContactsReading(
            device_id=self.settings.id,
            observed_at=self._clock.now(),
            inputs=inputs,
            reply_seconds=self._clock.monotonic() - started,
        )

    def _read_inputs(self, deadline: float, *, padded: bool) -> tuple[bool, ...]:
        count, source = self.settings.inputs, self.settings.inputs_from
        if source in ("discrete_inputs", "coils"):
            asked = (count + 7) // 8 * 8 + 8 if padded else count
            data = self._read(source, self.settings.inputs_at, asked, (asked + 7) // 8, deadline)
            return frames.bits(data, count)
        words = count if self.settings.one_register_each else (count + 15) // 16
        asked = words + padded
        data = self._read(source, self.settings.inputs_at, asked, 2 * asked, deadline)
        if self.settings.one_register_each:
            return tuple(word != 0 for word in frames.registers(data)[:count])
        return frames.register_bits(data, count)

    def _memory(self, deadline: float) -> Iterator[Reading]:
        settings = self.settings
        if settings.press_counters_at is not None:
            each = settings.press_counter_bits // 16
            asked = each * settings.inputs
            at = settings.press_counters_at
            data = self._read(settings.press_counters_from, at, asked, 2 * asked, deadline)
            # High word first (MAP 4.2 for bytes; makers follow it for words): the low one counts.
            counts = frames.registers(data)[each - 1 :: each]
            yield PressCountsReading(
                device_id=settings.id, observed_at=self._clock.now(), counts=counts
            )
        if settings.latches_at is not None:
            yield from self._latches(settings.latches_at, deadline)

    def _latches(self, at: int, deadline: float) -> Iterator[Reading]:
        with self._lock:
            confirmed = self._confirmed == str(self._token)
        if confirmed and any(self._latched):
            for number, latched in enumerate(self._latched):
                if latched:
                    self._write(at + number, 0, deadline)
        count = self.settings.inputs
        data = self._read(self.settings.latches_from, at, count, (count + 7) // 8, deadline)
        latched_now = frames.bits(data, count)
        if latched_now != self._latched or confirmed:
            self._token += 1
        was, self._latched = self._latched, latched_now
        if any(was) or any(latched_now):
            yield LatchesReading(
                device_id=self.settings.id,
                observed_at=self._clock.now(),
                latched=latched_now,
                token=str(self._token),
            )

    def _set_outputs(self, deadline: float) -> Iterator[OutputReading]:
        """Set one output that is due. One that cannot be set keeps no button from being read."""
        now = self._clock.monotonic()
        if now >= self._outputs_due:
            self._outputs_due = now + OUTPUTS_AGAIN_SECONDS
            self._shown.clear()
        with self._lock:
            due = [one for one in self._wanted.items() if self._shown.get(one[0]) != one[1]]
        if not due:
            return
        output, on = due[0]
        self._shown[output] = on
        shown: bool | Unknown = on
        try:
            value = COIL_ON[self.settings.coil_on] if on else 0
            self._write(self.settings.outputs_at + output, value, deadline)
        except PortLostError as error:
            raise self._named(error) from error
        except DriverError as error:
            shown = Unknown(reason=Reason(error.reason), detail=str(self._named(error)))
        yield OutputReading(
            device_id=self.settings.id, observed_at=self._clock.now(), output=output, on=shown
        )

    def _read(self, source: str, at: int, count: int, size: int, deadline: float) -> bytes:
        return self._line.read(
            frames.read_request(self.settings.unit, _FUNCTIONS[source], at, count),
            size,
            timeout=self.settings.reply_timeout_seconds,
            worst=self.settings.worst_turnaround_seconds,
            deadline=deadline,
        )

    def _write(self, coil: int, value: int, deadline: float) -> None:
        self._line.write(
            frames.write_coil_request(self.settings.unit, coil, value),
            timeout=self.settings.reply_timeout_seconds,
            worst=self.settings.worst_turnaround_seconds,
            deadline=deadline,
        )

    def _named(self, error: DriverError) -> DriverError:
        where = f"alarm module {self.settings.id}, unit {self.settings.unit} on "
        return type(error)(f"{where}{self.settings.port}: {error}")
