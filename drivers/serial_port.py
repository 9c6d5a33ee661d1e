"""A serial port with one owner thread: the only door to pyserial."""

import contextlib
import fcntl
import termios

import serial

from drivers.base import Clock
from drivers.errors import PortLostError

# What pyserial raises when an adapter is pulled: SerialException and bare OSError, but also
# termios.error (pyserial#417), TypeError (a closed descriptor) and ValueError (rs485 on a pty).
_LOSSES = (OSError, termios.error, TypeError, ValueError)
# pyserial's RFC 2217 client agrees on all settings anew whenever a timeout is set, which takes
# longer than a byte, and refuses a write timeout: its reads are cut into slices of one length.
_RFC2217 = "rfc2217://"
_RFC2217_SLICE_SECONDS = 0.02


class SerialPort:
    """Bytes over a device path or pyserial URL; every failure becomes one PortLostError.

    Not thread-safe: open, use and close it on the thread that owns it.
    """

    def __init__(
        self,
        url: str,
        baud: int,
        clock: Clock,
        *,
        parity: str = "N",
        stop_bits: int = 1,
        data_bits: int = 8,
    ) -> None:
        self.url = url
        self.baud = baud
        self._parity = parity
        self._stop_bits = stop_bits
        self._data_bits = data_bits
        self._clock = clock
        self._serial: serial.Serial | None = None
        self._sliced = False

    @property
    def is_open(self) -> bool:
        """Tell whether we hold the port; whether anything lives behind it only a reply tells."""
        return self._serial is not None

    def open(self) -> None:
        """Open exclusively; the by-id link is resolved anew each time. Raises PortLostError."""
        self.close()
        is_rfc2217 = self.url.lower().startswith(_RFC2217)
        try:
            port = serial.serial_for_url(
                self.url,
                self.baud,
                bytesize=self._data_bits,
                parity=self._parity,
                stopbits=self._stop_bits,
                timeout=_RFC2217_SLICE_SECONDS if is_rfc2217 else 0,
                write_timeout=None if is_rfc2217 else 1.0,
                exclusive=True,
            )
            if isinstance(port, serial.Serial) and port.fd is not None:
                # flock keeps out only those who ask for it too; TIOCEXCL keeps out the rest.
                fcntl.ioctl(port.fd, termios.TIOCEXCL)
        except _LOSSES as error:
            raise PortLostError(f"serial port {self.url} cannot be opened: {error}") from error
        self._serial = port
        self._sliced = is_rfc2217

    def close(self) -> None:
        """Let go of the port at once, or a replugged adapter comes back under a new number."""
        port, self._serial = self._serial, None
        if port is not None:
            with contextlib.suppress(*_LOSSES):
                port.close()

    def write(self, data: bytes) -> None:
        """Write all of `data`. Raises PortLostError."""
        port = self._held()
        try:
            port.write(data)
        except _LOSSES as error:
            raise self._lost("writing", error) from error

    def read(self, size: int, *, deadline: float) -> bytes:
        """Read up to `size` bytes, fewer when monotonic `deadline` passes. Raises PortLostError."""
        port = self._held()
        data = b""
        try:
            while len(data) < size:
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    break
                if not self._sliced:
                    port.timeout = left
                data += port.read(size - len(data))
        except _LOSSES as error:
            raise self._lost("reading", error) from error
        return data

    def discard_input(self) -> None:
        """Throw away what has arrived and was not read. Raises PortLostError."""
        port = self._held()
        try:
            port.reset_input_buffer()
        except _LOSSES as error:
            raise self._lost("clearing", error) from error

    def drain(self, quiet_seconds: float, *, deadline: float) -> int:
        """Swallow input until the line was quiet that long or `deadline`; return how many bytes."""
        swallowed = 0
        while True:
            until = min(self._clock.monotonic() + quiet_seconds, deadline)
            got = self.read(1, deadline=until)
            if not got:
                return swallowed
            swallowed += 1
            self.discard_input()

    def _held(self) -> serial.Serial:
        if self._serial is None:
            raise PortLostError(f"serial port {self.url} is not open")
        return self._serial

    def _lost(self, doing: str, error: Exception) -> PortLostError:
        self.close()
        return PortLostError(f"serial port {self.url} was lost while {doing}: {error}")
