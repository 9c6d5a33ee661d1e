"""Digital input module on Modbus RTU: the panic buttons' contacts and, if it has them, counters."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from drivers.alarm import modbus_frames as frames
from drivers.base import Clock, DeviceSettings
from drivers.errors import DeviceTimeoutError, DriverError, ProtocolError
from drivers.readings import ContactsReading, PressCountsReading, Reading
from drivers.serial_port import SerialPort

BITS_PER_CHARACTER = 11  # MSL 2.5.1: with start, parity or second stop bit
# Counters catch what polling cannot see; they need not be as quick as the inputs themselves.
COUNTERS_EVERY_SECONDS = 0.5


class ModbusSettings(DeviceSettings):
    """One module on one serial line."""

    id: str
    driver: Literal["modbus"] = "modbus"
    port: str
    baud: int = Field(default=9600, ge=1200, le=115200)
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    unit: int = Field(default=1, ge=1, le=247)
    inputs: int = Field(default=8, ge=1, le=64)
    press_counters_at: int | None = Field(default=None, ge=0, le=65535)
    polls_per_second: float = Field(default=10.0, ge=2, le=50)
    reply_timeout_seconds: float = Field(default=0.3, gt=0, le=5)
    worst_turnaround_seconds: float = Field(default=0.5, gt=0, le=5)


class ModbusDriver:
    """Polls the inputs of one module.

    RTU has no transaction id, so a late reply looks like the answer to the next request: after
    a missed reply the line is drained until it has been quiet for the worst turnaround.
    """

    def __init__(self, settings: ModbusSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._port = SerialPort(
            settings.port,
            settings.baud,
            clock,
            parity=settings.parity,
            stop_bits=settings.stop_bits,
        )
        # MSL 2.5.1.1: above 19200 baud the silence between frames is a fixed 1.75 ms.
        self._silence_seconds = max(3.5 * BITS_PER_CHARACTER / settings.baud, 0.00175)
        self._quiet_from = 0.0
        self._may_answer_late = True
        self._counters_due = 0.0

    @property
    def device_id(self) -> str:
        """Return the module's id."""
        return self._settings.id

    def open(self) -> None:
        """Open the line; whether a module lives on it only a valid reply tells."""
        self._port.open()
        self._may_answer_late = True
        self._counters_due = 0.0

    def close(self) -> None:
        """Release the line."""
        self._port.close()

    def poll(self, *, deadline: float) -> Iterator[Reading]:
        """Yield the inputs at once, then the counters when they are due."""
        started = self._clock.monotonic()
        count = self._settings.inputs
        data = self._read(frames.READ_DISCRETE_INPUTS, 0, count, (count + 7) // 8, deadline)
        yield ContactsReading(
            device_id=self.device_id,
            observed_at=self._clock.now(),
            inputs=frames.bits(data, count),
            reply_seconds=self._clock.monotonic() - started,
        )
        counters_at = self._settings.press_counters_at
        if counters_at is None or self._clock.monotonic() < self._counters_due:
            return
        data = self._read(frames.READ_INPUT_REGISTERS, counters_at, count, 2 * count, deadline)
        self._counters_due = self._clock.monotonic() + COUNTERS_EVERY_SECONDS
        yield PressCountsReading(
            device_id=self.device_id,
            observed_at=self._clock.now(),
            counts=frames.registers(data),
        )

    def _read(self, function: int, start: int, count: int, size: int, deadline: float) -> bytes:
        """Ask once, and once more after a garbled reply: noise is common, two in a row is not."""
        request = frames.read_request(self._settings.unit, function, start, count)
        try:
            return self._transact(request, size, deadline)
        except ProtocolError:
            try:
                return self._transact(request, size, deadline)
            except DriverError as error:
                raise self._named(error) from error
        except DriverError as error:
            raise self._named(error) from error

    def _transact(self, request: bytes, size: int, deadline: float) -> bytes:
        self._settle(deadline)
        self._port.discard_input()
        self._port.write(request)
        # The whole exchange on the wire, and the module's thinking time.
        wire = (len(request) + frames.HEADER_BYTES + size + frames.CRC_BYTES) * (
            BITS_PER_CHARACTER / self._settings.baud
        )
        until = min(deadline, self._clock.monotonic() + wire + self._settings.reply_timeout_seconds)
        self._may_answer_late = True
        reply = self._port.read(frames.HEADER_BYTES, deadline=until)
        if len(reply) == frames.HEADER_BYTES:
            reply += self._port.read(frames.rest_of_reply(reply), deadline=until)
        self._quiet_from = self._clock.monotonic()
        if not reply:
            raise DeviceTimeoutError("no reply")
        # A whole reply of ours, even garbled, leaves nothing on its way: ask again at once.
        self._may_answer_late = reply[:2] != request[:2] or len(reply) < frames.whole_reply(reply)
        return frames.reply_data(reply, request, size)

    def _settle(self, deadline: float) -> None:
        """Wait until nothing of an earlier exchange can be taken for the coming reply."""
        if self._may_answer_late:
            self._port.drain(
                self._settings.worst_turnaround_seconds if self._quiet_from else 0.05,
                deadline=deadline,
            )
            return
        left = self._quiet_from + self._silence_seconds - self._clock.monotonic()
        if left > 0:
            self._clock.sleep(left)

    def _named(self, error: DriverError) -> DriverError:
        where = f"alarm module {self.device_id}, unit {self._settings.unit} on {self._port.url}"
        return type(error)(f"{where}: {error}")
