"""Modbus RTU contact modules on one pseudo-terminal, with the faults that real ones have."""

import threading
import time
from pathlib import Path

from simulators.modbus_memory import ModuleMemory
from simulators.pty_line import PtyLine
from simulators.truth import Truth

# A reply as a real module might spoil it, once per entry.
# How long a good module thinks before it answers.
TURNAROUND_SECONDS = 0.004
FAULTS = ("garble", "truncate", "silent", "late", "busy", "babble", "refuse")
BABBLE = bytes(range(7, 247, 3))


class SimulatedModule:
    """One unit on the line; buttons are pressed and released from outside."""

    def __init__(self, memory: ModuleMemory, truth: Truth, name: str) -> None:
        self.memory = memory
        self.dead = False
        self.supply_lost = False
        self._truth = truth
        self._name = name
        self._lock = threading.Lock()
        self._faults: list[str] = []

    def press(self, number: int = 0) -> None:
        """Close the contact of input `number`."""
        with self._lock:
            self.memory.press(number)
        self._truth.record(self._name, "press", input=number)

    def release(self, number: int = 0) -> None:
        """Open the contact of input `number`."""
        with self._lock:
            self.memory.inputs[number] = False
        self._truth.record(self._name, "release", input=number)

    def chatter(self, number: int, times: int, seconds: float) -> None:
        """Press and release so many times, evenly, as a bad contact does."""
        for _ in range(times):
            self.press(number)
            time.sleep(seconds / times / 2)
            self.release(number)
            time.sleep(seconds / times / 2)

    def restart(self) -> None:
        """Lose power for a moment: the counters start again from zero, outputs are off."""
        with self._lock:
            self.memory.restart()
        self._truth.record(self._name, "module_restart")

    def spoil(self, *faults: str) -> None:
        """Spoil the next replies, one fault each."""
        with self._lock:
            self._faults.extend(faults)

    def answer(self, request: bytes) -> tuple[bytes, str]:
        """Return the reply without its check, and how it is to be spoilt."""
        with self._lock:
            fault = self._faults.pop(0) if self._faults else ""
            contacts = self.memory.inputs
            if self.supply_lost:
                # What feeds the contacts is gone: all of them read as open.
                self.memory.inputs = [False] * len(contacts)
            coils = list(self.memory.coils)
            reply = self.memory.answer(request)
            self.memory.inputs = contacts
            changed = [number for number, on in enumerate(self.memory.coils) if on != coils[number]]
        for number in changed:
            self._truth.record(self._name, "coil", coil=number, on=self.memory.coils[number])
        if fault in ("busy", "refuse"):
            code = 6 if fault == "busy" else 2
            reply = bytes((request[0], request[1] | 0x80, code))
        return reply, fault


class ModbusSimulator(SimulatedModule):
    """A line with its first module; `add` hangs more on it. Other units stay silent, as on a bus.

    `stuck` holds the line down; `echo` repeats what the master says, as some adapters do.
    """

    def __init__(
        self,
        path: Path,
        truth: Truth,
        *,
        baud: int = 9600,
        unit: int = 1,
        count: int = 8,
        spare: int = 0,
    ) -> None:
        super().__init__(ModuleMemory(unit, count, spare=spare), truth, path.name)
        self.line = PtyLine(path, baud, self._receive)
        self.late_seconds = 0.45
        self.turnaround_seconds = TURNAROUND_SECONDS
        self.echo = False
        self._units: dict[int, SimulatedModule] = {unit: self}
        self._buffer = b""
        self._stuck = threading.Event()

    def add(self, unit: int, count: int = 8) -> SimulatedModule:
        """Hang another module on the line."""
        name = f"{self._name}-{unit}"
        module = SimulatedModule(ModuleMemory(unit, count), self._truth, name)
        self._units[unit] = module
        return module

    def unit(self, number: int) -> SimulatedModule:
        """Return the module that answers to this unit number."""
        return self._units[number]

    def start(self) -> None:
        """Plug the adapter in."""
        self.line.plug()

    def stop(self) -> None:
        """Unplug it."""
        self._stuck.clear()
        self.line.unplug()

    def stick(self) -> None:
        """Hold the line down: the master reads zeros without end."""
        self._stuck.set()
        threading.Thread(target=self._hold_down, name="sim-stuck", daemon=True).start()

    def come_loose(self) -> None:
        """Let the line go."""
        self._stuck.clear()

    def _hold_down(self) -> None:
        while self._stuck.is_set() and self.line.send(b"\0" * 8):
            pass

    def _receive(self, data: bytes) -> None:
        if self.echo:
            self.line.send(data)
        self._buffer = (self._buffer + data)[-256:]
        while len(self._buffer) >= 8:
            length = 8 if self._buffer[1] != 15 else 9 + self._buffer[6]
            request = self._buffer[:length]
            if len(request) < length:
                return
            # Resynchronise byte by byte.
            if _check(request[:-2]) != request[-2:]:
                self._buffer = self._buffer[1:]
                continue
            self._buffer = self._buffer[length:]
            module = self._units.get(request[0])
            if module is not None and not module.dead and not self._stuck.is_set():
                self._reply(*module.answer(request[:-2]))

    def _reply(self, body: bytes, fault: str) -> None:
        if fault == "silent":
            return
        reply = body + _check(body)
        time.sleep(self.late_seconds if fault == "late" else self.turnaround_seconds)
        if fault == "garble":
            reply = reply[:-1] + bytes((reply[-1] ^ 0x55,))
        if fault == "truncate":
            reply = reply[:-3]
        if fault == "babble":
            reply = BABBLE
        self.line.send(reply)


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
