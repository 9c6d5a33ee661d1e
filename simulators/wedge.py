"""A reader that types, as its input device tells it: presses and releases, key by key.

The device is a named pipe: it gives the same bytes, and ends when it is unplugged, but cannot be
grabbed; the driver is to be given `open_pipe` for it.
"""

import io
import os
import struct
from pathlib import Path

from simulators.truth import Truth

# linux/input-event-codes.h, in the order of the number row; and the letters a number may have.
_KEYS = {
    **{digit: code for code, digit in enumerate("1234567890", start=2)},
    "A": 30,
    "B": 48,
    "C": 46,
    "D": 32,
    "E": 18,
    "F": 33,
    "G": 34,
    "\n": 28,
}
_SHIFT = 42
_SYN, _KEY, _MSC = 0, 1, 4
_MSC_SCAN = 4
_USB_USAGE = 0x70000


class WedgeSimulator:
    """`tap` holds a tag near; `type` types anything."""

    def __init__(self, path: Path, truth: Truth) -> None:
        self.path = path
        self._truth = truth
        self._pipe: int | None = None

    def start(self) -> None:
        """Plug in."""
        os.mkfifo(self.path)
        # For reading too, so that it opens before anybody reads it.
        self._pipe = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    def stop(self) -> None:
        """Unplug; a second time does nothing."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            self.path.unlink()
            os.close(pipe)

    def tap(self, number: str) -> None:
        """Hold a tag near whose number is typed so."""
        self._truth.record(self.path.name, "tap", tag=number)
        self.type(number + "\n")

    def type(self, text: str) -> None:
        """Type; letters as capitals."""
        if self._pipe is not None:
            os.write(self._pipe, typed(text))


def open_pipe(path: str) -> io.FileIO:
    """Open what stands in for an input device."""
    return io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK))


def typed(text: str) -> bytes:
    """Write what a kernel reports while this is typed."""
    return b"".join(_stroke(_KEYS[letter], shift=letter.isalpha()) for letter in text)


def event(kind: int, code: int, value: int) -> bytes:
    """Write one event; its time is nobody's affair."""
    return struct.pack("llHHi", 1, 500_000, kind, code, value)


def _stroke(code: int, *, shift: bool) -> bytes:
    scan = event(_MSC, _MSC_SCAN, _USB_USAGE + code)
    ends = event(_SYN, 0, 0)
    down, up = event(_KEY, code, 1), event(_KEY, code, 0)
    before = event(_KEY, _SHIFT, 1) + ends if shift else b""
    after = event(_KEY, _SHIFT, 0) + ends if shift else b""
    return before + scan + down + ends + scan + up + ends + after
