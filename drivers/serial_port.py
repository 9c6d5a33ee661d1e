"""A serial port with one owner thread: the only door to pyserial."""

import contextlib
import errno
import fcntl
import os
import select
import sys
import termios
from typing import Literal

import serial
import serial.rfc2217

from drivers.base import Clock
from drivers.errors import DriverError, PortLostError, UnsupportedDeviceError
from drivers.readings import ModemLine

# What pyserial raises when an adapter is pulled: SerialException and bare OSError, but also
# termios.error (pyserial#417), TypeError (a closed descriptor) and ValueError (rs485 on a pty).
_LOSSES = (OSError, termios.error, TypeError, ValueError)
# pyserial's RFC 2217 client agrees on all settings anew whenever a timeout is set, which takes
# longer than a byte, and refuses a write timeout: its reads are cut into slices of one length.
_RFC2217 = "rfc2217://"
_RFC2217_SLICE_SECONDS = 0.02

_BITS_PER_CHARACTER = 10  # the least: with start and stop bit

# A terminal server acknowledges what it is told within this, or the line to it is lost.
ANSWER_SECONDS = 1.0

# Which bit tells of which input: ioctl_tty(2) TIOCMGET, and NOTIFY-MODEMSTATE of RFC 2217 3.
_TTY_BITS: dict[ModemLine, int] = {
    "cts": termios.TIOCM_CTS,
    "dsr": termios.TIOCM_DSR,
    "cd": termios.TIOCM_CD,
    "ri": termios.TIOCM_RI,
}
_RFC2217_BITS: dict[ModemLine, int] = {"cts": 0x10, "dsr": 0x20, "ri": 0x40, "cd": 0x80}


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
        feed: Literal["dtr", "rts"] | None = None,
        data_bits: int = 8,
        low_latency: bool = False,
    ) -> None:
        self.url = url
        self.baud = baud
        self._parity = parity
        self._stop_bits = stop_bits
        self._feed = feed
        self._data_bits = data_bits
        self._low_latency = low_latency
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
                f"{self.url}?timeout={ANSWER_SECONDS}" if is_rfc2217 else self.url,
                self.baud,
                bytesize=self._data_bits,
                parity=self._parity,
                stopbits=self._stop_bits,
                timeout=_RFC2217_SLICE_SECONDS if is_rfc2217 else 0,
                # pyserial's RFC 2217 client refuses a write timeout; its socket has one of 5 s.
                write_timeout=None if is_rfc2217 else 1.0,
                exclusive=True,
                do_not_open=True,
            )
            if self._feed is not None:
                # The other output stays down: what comes back must come from the feed.
                port.dtr, port.rts = self._feed == "dtr", self._feed == "rts"
            port.open()
            if isinstance(port, serial.Serial) and port.fd is not None:
                # flock keeps out only those who ask for it too; TIOCEXCL keeps out the rest.
                fcntl.ioctl(port.fd, termios.TIOCEXCL)
                if self._low_latency:
                    # FTDI holds what it received for 16 ms unless told not to (pyserial#290);
                    # ports that have no such setting need none.
                    with contextlib.suppress(*_LOSSES):
                        port.set_low_latency_mode(True)
        except _LOSSES as error:
            raise PortLostError(f"serial port {self.url} cannot be opened: {error}") from error
        self._serial = port
        self._sliced = is_rfc2217

    def close(self) -> None:
        """Let go of the port at once, or a replugged adapter comes back under a new number."""
        port, self._serial = self._serial, None
        if port is None:
            return
        # pyserial 3.5 does not close the socket of an RFC 2217 connection that was reset.
        connection = getattr(port, "_socket", None)
        with contextlib.suppress(*_LOSSES):
            if isinstance(port, serial.Serial) and port.fd is not None:
                # It outlives us where anything else holds the terminal open, and locks us out.
                fcntl.ioctl(port.fd, termios.TIOCNXCL)
        with contextlib.suppress(*_LOSSES):
            port.close()
        if connection is not None:
            connection.close()

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
                if data:
                    # The rest is on the wire: one wait for all of it, not one for each byte.
                    rest = (size - len(data)) * _BITS_PER_CHARACTER / self.baud
                    self._clock.sleep(min(rest, left))
                    left = max(0.0, deadline - self._clock.monotonic())
                data += self._some(port, size - len(data), left)
        except _LOSSES as error:
            raise self._lost("reading", error) from error
        return data

    def _some(self, port: serial.Serial, size: int, seconds: float) -> bytes:
        """Wait for the first bytes and return what is there.

        A terminal is read directly: pyserial sets it up anew for every other timeout.
        """
        descriptor = port.fd if isinstance(port, serial.Serial) else None
        if descriptor is None:
            if not self._sliced:
                port.timeout = seconds
            read: bytes = port.read(size)
            return read
        if not select.select([descriptor], [], [], seconds)[0]:
            return b""
        data = os.read(descriptor, size)
        if not data:
            raise OSError("the device is gone")
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

    def read_lines(self) -> frozenset[ModemLine]:
        """Return the modem inputs asserted at one instant.

        Raises PortLostError, or UnsupportedDeviceError where the port has no modem lines.
        """
        port = self._held()
        try:
            # pyserial's RFC 2217 client hands out the last lines it heard of for ever; only
            # reading tells that the connection is gone. Nobody sends anything worth keeping.
            port.read(64)
            if isinstance(port, serial.rfc2217.Serial):
                bits, table = port.get_modem_state(), _RFC2217_BITS
            else:
                answer = fcntl.ioctl(port.fileno(), termios.TIOCMGET, bytes(4))
                bits, table = int.from_bytes(answer, sys.byteorder), _TTY_BITS
        except _LOSSES as error:
            raise self._no_lines(error) from error
        return frozenset(line for line, bit in table.items() if bits & bit)

    def set_feed(self, *, on: bool) -> None:
        """Raise or drop the output that feeds a loop; a terminal server must acknowledge it.

        Raises PortLostError, or UnsupportedDeviceError where the port has no modem lines.
        """
        port = self._held()
        try:
            setattr(port, self._feed or "dtr", on)
        except _LOSSES as error:
            raise self._no_lines(error) from error

    def _no_lines(self, error: Exception) -> DriverError:
        if isinstance(error, OSError) and error.errno in (errno.ENOTTY, errno.EINVAL):
            self.close()
            return UnsupportedDeviceError(
                f"serial port {self.url} has no modem lines: use a real RS-232 port or adapter"
            )
        return self._lost("using its modem lines", error)

    def _held(self) -> serial.Serial:
        if self._serial is None:
            raise PortLostError(f"serial port {self.url} is not open")
        return self._serial

    def _lost(self, doing: str, error: Exception) -> PortLostError:
        self.close()
        return PortLostError(f"serial port {self.url} was lost while {doing}: {error}")
