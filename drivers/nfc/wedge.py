"""Reader that types like a keyboard ("wedge"): a tag's number, key by key, then Enter.

How the number is to be read is nowhere in it: readers of one make type it in half a dozen forms.
It is copied as easily as any number.
"""

import fcntl
import io
import os
import select
from collections.abc import Callable, Iterator
from typing import Protocol

from drivers.base import Clock
from drivers.errors import DeviceTimeoutError, PortLostError, ProtocolError
from drivers.nfc.settings import ReaderSettings
from drivers.nfc.wedge_lines import EVENT, Lines, fault_of, uid_of
from drivers.readings import ReaderReading, Reading, Reason, ScanReading, Unknown

# linux/input.h, _IOW('E', 0x90, int): what is typed comes to us alone, until the node is closed.
EVIOCGRAB = 0x40044590
GONE_SECONDS = 0.5
READ_BYTES = 64 * EVENT.size
_NO_FIRMWARE = Unknown(reason=Reason.NOT_SUPPORTED, detail="it only types")


class Node(Protocol):
    """An open input device. Its `read` does not wait: None is nothing yet, no bytes are its end."""

    def fileno(self) -> int:
        """Return its descriptor, to wait on."""

    def read(self, size: int, /) -> bytes | None:
        """Return what is there. Raises OSError when it was unplugged."""

    def close(self) -> None:
        """Let go of it."""


def open_grabbed(path: str) -> Node:
    """Open an input device for us alone, or its digits land in a console too. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        fcntl.ioctl(descriptor, EVIOCGRAB, 1)
    except OSError:
        os.close(descriptor)
        raise
    return io.FileIO(descriptor)


class WedgeDriver:
    """Reads which tags came into the field, once a presence."""

    def __init__(
        self,
        settings: ReaderSettings,
        clock: Clock,
        open_node: Callable[[str], Node] = open_grabbed,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._open_node = open_node
        self._node: Node | None = None
        self._lines = Lines(clock.monotonic())
        # Tag -> when it was last typed.
        self._near: dict[str, float] = {}
        self._heard_at: float | None = None
        # What is wrong with the newest line that is no number, until told; how many there were.
        self._fault = ""
        self._faults = 0

    @property
    def device_id(self) -> str:
        """Return the id the settings give the device."""
        return self._settings.id

    def open(self) -> None:
        """Open and grab the device; the by-id link is resolved anew. Raises PortLostError."""
        self.close()
        try:
            self._node = self._open_node(self._settings.port)
        except (OSError, ValueError) as error:
            raise PortLostError(
                f"input device {self._settings.port} cannot be opened: {error}"
            ) from error
        self._lines = Lines(self._clock.monotonic())

    def close(self) -> None:
        """Let go of the device."""
        node, self._node = self._node, None
        if node is not None:
            node.close()

    def poll(self, *, deadline: float) -> Iterator[Reading]:
        """Yield a ScanReading for each tag that came, then a ReaderReading. Raises DriverError."""
        if self._clock.monotonic() >= deadline:
            raise DeviceTimeoutError(f"{self.device_id}: no time was left to listen")
        until = min(deadline, self._clock.monotonic() + self._settings.poll_seconds)
        while (looked := self._clock.monotonic()) < until:
            data = self._read(until - looked)
            for line in self._lines.feed(data, self._clock.monotonic() if data else looked):
                yield from self._took(line)
            if not data:
                break
        self._tell_fault()
        yield self._alive()

    def _read(self, seconds: float) -> bytes:
        """Wait for events; return none when none came in time. Raises PortLostError."""
        node = self._node
        if node is None:
            raise PortLostError(f"input device {self._settings.port} is not open")
        try:
            if not select.select([node], [], [], seconds)[0]:
                return b""
            data = node.read(READ_BYTES)
        except (OSError, ValueError) as error:
            raise self._lost(str(error)) from error
        if data == b"":
            raise self._lost("the device is gone")
        return data or b""

    def _lost(self, why: str) -> PortLostError:
        self.close()
        return PortLostError(f"input device {self._settings.port} was lost while reading: {why}")

    def _took(self, line: str) -> Iterator[ScanReading]:
        """Take one line; a tag that is typed again and again is still the same presence."""
        now = self._clock.monotonic()
        self._heard_at = now
        form = self._settings.uid_format
        uid = uid_of(line, form)
        if uid is None:
            self._fault, self._faults = fault_of(line, form), self._faults + 1
            return
        tag = f"{self._settings.tag_tech}:{uid.hex().upper()}"
        self._near = {one: at for one, at in self._near.items() if now - at <= GONE_SECONDS}
        told = tag in self._near
        self._near[tag] = now
        if not told:
            yield ScanReading(
                device_id=self.device_id,
                observed_at=self._clock.now(),
                tag_id=tag,
                assurance="uid",
            )

    def _tell_fault(self) -> None:
        """Raise ProtocolError if a line was no number: a wrong form must not look like no scan."""
        fault, self._fault = self._fault, ""
        if fault:
            raise ProtocolError(
                f"{self.device_id}: the reader on {self._settings.port} {fault}; "
                f"lines that were no number so far: {self._faults}"
            )

    def _alive(self) -> ReaderReading:
        """Say that it is there, or raise: nobody knows of a reader that has been quiet for long."""
        now = self._clock.monotonic()
        if self._heard_at is None:
            self._heard_at = now
        quiet = now - self._heard_at
        if quiet > self._settings.quiet_hours * 3600:
            raise DeviceTimeoutError(
                f"{self.device_id}: the reader on {self._settings.port} has typed nothing for "
                f"{quiet / 3600:.0f} hours; hold any card to it to see whether it lives"
            )
        return ReaderReading(
            device_id=self.device_id, observed_at=self._clock.now(), firmware=_NO_FIRMWARE
        )
