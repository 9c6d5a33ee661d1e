"""Reader of 125 kHz tags that only talks (RDM6300 and its kin): a frame again and again.

Format: RDM6300 data sheet, "Output data format". Such tags can be copied by anybody: a scan of one
says that a copy of it was there.
"""

import re
from collections.abc import Iterator, Sequence

from drivers.base import Clock
from drivers.errors import DeviceTimeoutError
from drivers.nfc.settings import ReaderSettings
from drivers.readings import ReaderReading, Reading, Reason, ScanReading, Unknown
from drivers.serial_port import SerialPort

START, END = b"\x02", b"\x03"
FRAME_BYTES = 14
# Start, ten hexadecimal digits (version and number), two of their exclusive or, end.
_FRAME = re.compile(rb"\x02([0-9A-F]{10})([0-9A-F]{2})\x03")
# Repeated every 65 ms while the tag is near; one alone may be a phantom, of a poor supply
# (esprfid/esp-rfid#411).
PAIR_SECONDS = 0.3
GONE_SECONDS = 0.5
READ_BYTES = 256
_NO_FIRMWARE = Unknown(reason=Reason.NOT_SUPPORTED, detail="it only talks")


class Frames:
    """Finds whole frames in whatever the line brings."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Give the tags of whole frames, ten digits each; what does not add up is passed over."""
        self._data += data
        while (found := _FRAME.search(self._data)) is not None:
            self._data = self._data[found.end() :]
            digits = found[1].decode()
            if _adds_up(found[1], found[2]) and int(digits, 16):
                yield digits
        # What may still become a frame begins with its start.
        self._data = self._data[-(FRAME_BYTES - 1) :]


class Em4100Driver:
    """Reads which tags came into the field, once a presence."""

    def __init__(self, settings: ReaderSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._port = SerialPort(settings.port, settings.speed, clock)
        self._frames = Frames()
        # Tag -> when it was last heard, and whether its presence was told.
        self._near: dict[str, tuple[float, bool]] = {}
        self._heard_at: float | None = None

    @property
    def device_id(self) -> str:
        """Return the id the settings give the device."""
        return self._settings.id

    def open(self) -> None:
        """Open the port; whether anything lives behind it shows when a card is held to it."""
        self._port.open()
        self._frames = Frames()

    def close(self) -> None:
        """Let go of the port."""
        self._port.close()

    def poll(self, *, deadline: float) -> Iterator[Reading]:
        """Yield a ScanReading for each tag that came, then a ReaderReading. Raises DriverError."""
        if self._clock.monotonic() >= deadline:
            raise DeviceTimeoutError(f"{self.device_id}: no time was left to listen")
        until = min(deadline, self._clock.monotonic() + self._settings.poll_seconds)
        while (now := self._clock.monotonic()) < until:
            data = self._port.read(1, deadline=until)
            data += self._port.read(READ_BYTES, deadline=min(until, now + 0.02)) if data else b""
            for digits in self._frames.feed(data):
                yield from self._took(digits)
        self._forget_gone()
        yield self._alive()

    def _took(self, digits: str) -> Sequence[ScanReading]:
        """Take one frame; its tag is there when a second one like it follows."""
        now = self._clock.monotonic()
        self._heard_at = now
        before = self._near.get(digits)
        paired = before is not None and now - before[0] <= PAIR_SECONDS
        told = before is not None and before[1]
        self._near[digits] = (now, told or paired)
        if told or not paired:
            return ()
        return [
            ScanReading(
                device_id=self.device_id,
                observed_at=self._clock.now(),
                tag_id=f"em4100:{digits}",
                assurance="uid",
            )
        ]

    def _forget_gone(self) -> None:
        now = self._clock.monotonic()
        self._near = {tag: one for tag, one in self._near.items() if now - one[0] <= GONE_SECONDS}

    def _alive(self) -> ReaderReading:
        """Say that it is there, or raise: nobody knows of a reader that has been quiet for long."""
        now = self._clock.monotonic()
        if self._heard_at is None:
            self._heard_at = now
        quiet = now - self._heard_at
        if quiet > self._settings.quiet_hours * 3600:
            raise DeviceTimeoutError(
                f"{self.device_id}: the reader on {self._port.url} has said nothing for "
                f"{quiet / 3600:.0f} hours; hold any card to it to see whether it lives"
            )
        return ReaderReading(
            device_id=self.device_id, observed_at=self._clock.now(), firmware=_NO_FIRMWARE
        )


def _adds_up(digits: bytes, checksum: bytes) -> bool:
    total = 0
    for byte in bytes.fromhex(digits.decode()):
        total ^= byte
    return total == int(checksum, 16)
