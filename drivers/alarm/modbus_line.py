"""One RS-485 line and its Modbus modules: one exchange at a time, framed by length."""

from collections.abc import Callable

from drivers.alarm import modbus_frames as frames
from drivers.base import Clock
from drivers.errors import DeviceTimeoutError, ProtocolError
from drivers.serial_port import SerialPort

BITS_PER_CHARACTER = 11  # MSL 2.5.1: with start, parity or second stop bit
# What was said before we opened: long enough for a module's turnaround, short for the buttons.
FIRST_DRAIN_SECONDS = 0.05


class ModbusLine:
    """Used by one thread. RTU has no transaction id, so it keeps book of who may answer late."""

    def __init__(self, port: SerialPort, clock: Clock, *, local_echo: bool) -> None:
        self.port = port
        self._clock = clock
        self._local_echo = local_echo
        # MSL 2.5.1.1: above 19200 baud the silence between frames is a fixed 1.75 ms.
        self._silence_seconds = max(3.5 * BITS_PER_CHARACTER / port.baud, 0.00175)
        self._quiet_from = 0.0
        # Until when a unit may still answer what it was asked: others are asked meanwhile, whose
        # answers carry another address, but it may not be.
        self._late_until: dict[int, float] = {}
        self._fresh = True

    def open(self) -> None:
        """Open the port. Raises PortLostError."""
        self.port.open()
        self._fresh = True

    def close(self) -> None:
        """Release the port."""
        self.port.close()

    def busy_until(self, unit: int) -> float:
        """Return when a unit may be asked again, by monotonic time."""
        return self._late_until.get(unit, 0.0)

    def read(
        self, request: bytes, data_bytes: int, *, timeout: float, worst: float, deadline: float
    ) -> bytes:
        """Ask and return the data; once more after a garbled reply: noise is common.

        `timeout` is how long an answer may take, `worst` how late one may still come. Raises
        DriverError.
        """
        size = frames.HEADER_BYTES + data_bytes + frames.CRC_BYTES

        def ask() -> bytes:
            reply = self._exchange(request, size, timeout, worst, deadline)
            return frames.reply_data(reply, request, data_bytes)

        return _twice(ask)

    def write(self, request: bytes, *, timeout: float, worst: float, deadline: float) -> None:
        """Write and check that it was answered by itself; once more after a garbled reply."""

        def ask() -> bytes:
            reply = self._exchange(request, frames.ECHO_BYTES, timeout, worst, deadline)
            frames.check_written(reply, request)
            return reply

        _twice(ask)

    def _exchange(
        self, request: bytes, size: int, timeout: float, worst: float, deadline: float
    ) -> bytes:
        unit = request[0]
        self._settle(unit, deadline)
        self.port.discard_input()
        self.port.write(request)
        wire = (len(request) + size) * BITS_PER_CHARACTER / self.port.baud
        until = min(deadline, self._clock.monotonic() + wire + timeout)
        try:
            if self._local_echo:
                self._swallow_echo(request, until)
            reply = self.port.read(frames.HEADER_BYTES, deadline=until)
            if len(reply) == frames.HEADER_BYTES:
                reply += self.port.read(frames.rest_of_reply(reply), deadline=until)
        finally:
            self._quiet_from = self._clock.monotonic()
            self._late_until[unit] = self._quiet_from + worst
        if not reply:
            raise DeviceTimeoutError("no reply")
        # A whole reply of ours, even garbled, leaves nothing on its way: ask again at once.
        if reply[:2] == request[:2] and len(reply) >= frames.whole_reply(reply):
            del self._late_until[unit]
        return reply

    def _swallow_echo(self, request: bytes, until: float) -> None:
        echo = self.port.read(len(request), deadline=until)
        if echo and echo != request:
            raise ProtocolError(f"local echo {echo.hex(' ')} is not what was sent")
        if not echo:
            raise DeviceTimeoutError("no reply, and no local echo of our own words")

    def _settle(self, unit: int, deadline: float) -> None:
        """Wait until nothing of an earlier exchange can be taken for the coming reply."""
        now = self._clock.monotonic()
        if self._fresh:
            self._fresh = False
            self.port.drain(FIRST_DRAIN_SECONDS, deadline=deadline)
            return
        late = self._late_until.pop(unit, 0.0)
        if late > now:
            # Quiet for all that time, not only until then: one late word may follow another.
            self.port.drain(late - now, deadline=deadline)
            return
        left = self._quiet_from + self._silence_seconds - now
        if left > 0:
            self._clock.sleep(left)


def _twice(ask: Callable[[], bytes]) -> bytes:
    try:
        return ask()
    except ProtocolError:
        return ask()
