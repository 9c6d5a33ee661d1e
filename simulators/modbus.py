"""A Modbus RTU digital input module with press counters, on a pseudo-terminal."""

import threading
import time
from pathlib import Path

from simulators.pty_line import PtyLine
from simulators.truth import Truth

# A reply as a real module might spoil it, once per entry.
FAULTS = ("garble", "truncate", "silent", "late", "busy")


class ModbusSimulator:
    """One module with `count` inputs; buttons are pressed and released from outside.

    Answers functions 02 (inputs), 04 (input registers: press counters from address 0) and
    exceptions as the application protocol says; stays silent for other units, as a bus does.
    """

    def __init__(
        self, path: Path, truth: Truth, *, baud: int = 9600, unit: int = 1, count: int = 8
    ) -> None:
        self.line = PtyLine(path, baud, self._receive)
        self.late_seconds = 0.45
        self.turnaround_seconds = 0.004
        self.dead = False
        self._truth = truth
        self._unit = unit
        self._lock = threading.Lock()
        self._inputs = [False] * count
        self._presses = [0] * count
        self._faults: list[str] = []
        self._buffer = b""
        self._name = path.name

    def start(self) -> None:
        """Plug the module in."""
        self.line.plug()

    def stop(self) -> None:
        """Unplug it."""
        self.line.unplug()

    def press(self, number: int = 0) -> None:
        """Close the contact of input `number`."""
        with self._lock:
            if not self._inputs[number]:
                self._presses[number] = (self._presses[number] + 1) & 0xFFFF
            self._inputs[number] = True
        self._truth.record(self._name, "press", input=number)

    def release(self, number: int = 0) -> None:
        """Open the contact of input `number`."""
        with self._lock:
            self._inputs[number] = False
        self._truth.record(self._name, "release", input=number)

    def restart(self) -> None:
        """Lose power for a moment: the counters start again from zero."""
        with self._lock:
            self._presses = [0] * len(self._presses)
        self._truth.record(self._name, "module_restart")

    def spoil(self, *faults: str) -> None:
        """Spoil the next replies, one fault each."""
        with self._lock:
            self._faults.extend(faults)

    def _receive(self, data: bytes) -> None:
        self._buffer = (self._buffer + data)[-64:]
        # Requests of this module's functions are eight bytes; resynchronise byte by byte.
        while len(self._buffer) >= 8:
            request = self._buffer[:8]
            if _check(request[:6]) != request[6:]:
                self._buffer = self._buffer[1:]
                continue
            self._buffer = self._buffer[8:]
            if request[0] == self._unit and not self.dead:
                self._answer(request)

    def _answer(self, request: bytes) -> None:
        with self._lock:
            fault = self._faults.pop(0) if self._faults else ""
            body = self._body(request[1], *_two_words(request[2:6]))
        if fault == "silent":
            return
        if fault == "busy":
            body = bytes((self._unit, request[1] | 0x80, 6))
        reply = body + _check(body)
        time.sleep(self.late_seconds if fault == "late" else self.turnaround_seconds)
        if fault == "garble":
            reply = reply[:-1] + bytes((reply[-1] ^ 0x55,))
        if fault == "truncate":
            reply = reply[:-3]
        self.line.send(reply)

    def _body(self, function: int, start: int, count: int) -> bytes:
        if function not in (2, 4):
            return bytes((self._unit, function | 0x80, 1))
        if count < 1 or start + count > len(self._inputs):
            return bytes((self._unit, function | 0x80, 2))
        if function == 4:
            words = b"".join(
                number.to_bytes(2, "big") for number in self._presses[start : start + count]
            )
            return bytes((self._unit, 4, len(words))) + words
        packed = bytearray((count + 7) // 8)
        for offset, closed in enumerate(self._inputs[start : start + count]):
            packed[offset // 8] |= closed << offset % 8
        return bytes((self._unit, 2, len(packed))) + bytes(packed)


def _two_words(data: bytes) -> tuple[int, int]:
    return int.from_bytes(data[:2], "big"), int.from_bytes(data[2:], "big")


def _check(data: bytes) -> bytes:
    """CRC by the book, bit by bit: slower than the driver's table, and written apart from it."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0xA001
    return bytes((register & 0xFF, register >> 8))
