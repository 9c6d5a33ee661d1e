"""An RDM6300 on a pseudo-terminal: talks while a tag is near, and now and then for no reason."""

import threading
from functools import reduce
from operator import xor
from pathlib import Path

from simulators.pty_line import PtyLine
from simulators.truth import Truth

BAUD = 9600
REPEAT_SECONDS = 0.065


class Em4100Simulator:
    """`tap` holds a tag near; `noise`, `phantom` and `damage` are what poor supplies make."""

    def __init__(self, path: Path, truth: Truth) -> None:
        self.line = PtyLine(path, BAUD, lambda _: None)
        self._truth = truth
        self._name = path.name
        self._gone = threading.Event()

    def start(self) -> None:
        """Plug in."""
        self._gone.clear()
        self.line.plug()

    def stop(self) -> None:
        """Unplug."""
        self._gone.set()
        self.line.unplug()

    def tap(self, tag: str, seconds: float = 0.5) -> None:
        """Hold a tag (ten hexadecimal digits) near for so long."""
        self._truth.record(self._name, "tap", tag=tag)
        for _ in range(max(1, round(seconds / REPEAT_SECONDS))):
            self.line.send(frame(tag))
            if self._gone.wait(REPEAT_SECONDS - self.line.wire_seconds(14)):
                return

    def phantom(self, tag: str) -> None:
        """Send one whole frame of a tag that is not there."""
        self._truth.record(self._name, "phantom", tag=tag)
        self.line.send(frame(tag))

    def damage(self, tag: str) -> None:
        """Send frames whose checksum is wrong."""
        for _ in range(4):
            sent = bytearray(frame(tag))
            sent[12] = ord("0") if sent[12] != ord("0") else ord("1")
            self.line.send(bytes(sent))

    def noise(self, data: bytes) -> None:
        """Send anything."""
        self.line.send(data)


def frame(tag: str) -> bytes:
    """Write one frame as the data sheet has it."""
    check = reduce(xor, bytes.fromhex(tag))
    return b"\x02" + f"{tag}{check:02X}".encode() + b"\x03"
