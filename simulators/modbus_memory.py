"""What a contact module holds, and how it answers: its half of the Modbus application protocol."""

from collections.abc import Sequence

# Where this module keeps what: one maker's table as good as another's.
LATCHES_AT = 0x0100
PACKED_AT = 0x0200
ONE_EACH_AT = 0x0300
WIDE_COUNTERS_AT = 0x0400
COILS = 16

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3


class ModuleMemory:
    """Inputs, counters, latches and coils of one unit; addresses it has not got are refused.

    Discrete inputs from 0; coils: outputs from 0, latches at 0100. Input and holding registers:
    press counters from 0, inputs packed at 0200, one register an input at 0300, counters of 32
    bits (high word first) at 0400.
    """

    def __init__(self, unit: int, count: int, *, spare: int = 0) -> None:
        self.unit = unit
        self.inputs = [False] * count
        self.spare = spare  # addresses behind the inputs that read as off
        self.presses = [0] * count
        self.latches = [False] * count
        self.coils = [False] * COILS
        self.written: dict[int, int] = {}

    def press(self, number: int) -> None:
        """Close a contact; its counter steps and its latch is set."""
        if not self.inputs[number]:
            self.presses[number] += 1
            self.latches[number] = True
        self.inputs[number] = True

    def restart(self) -> None:
        """Forget all but the contacts, as after a loss of power."""
        self.presses = [0] * len(self.presses)
        self.latches = [False] * len(self.latches)
        self.coils = [False] * COILS

    def answer(self, request: bytes) -> bytes:
        """Return the reply to one request, both without their check."""
        function, at, word = request[1], _word(request[2:4]), _word(request[4:6])
        match function:
            case 1 | 2:
                return self._bits(function, at, word)
            case 3 | 4:
                return self._registers(function, at, word)
            case 5:
                return self._set_coil(request, at, word)
            case 6:
                self.written[at] = word
                return request
            case 15:
                return self._set_coils(request, at, word)
        return self._exception(function, ILLEGAL_FUNCTION)

    def _bits(self, function: int, at: int, count: int) -> bytes:
        table: Sequence[bool] = [*self.inputs, *[False] * self.spare]
        if function == 1:
            table, at = (self.latches, at - LATCHES_AT) if at >= LATCHES_AT else (self.coils, at)
        if count < 1 or at + count > len(table):
            return self._exception(function, ILLEGAL_ADDRESS)
        packed = bytearray((count + 7) // 8)
        for offset, on in enumerate(table[at : at + count]):
            packed[offset // 8] |= on << offset % 8
        return bytes((self.unit, function, len(packed))) + bytes(packed)

    def _registers(self, function: int, at: int, count: int) -> bytes:
        words = self._table(at)
        begin = at & 0xFF
        if count < 1 or begin + count > len(words):
            return self._exception(function, ILLEGAL_ADDRESS)
        data = b"".join(word.to_bytes(2, "big") for word in words[begin : begin + count])
        return bytes((self.unit, function, len(data))) + data

    def _table(self, at: int) -> list[int]:
        match at & 0xFF00:
            case 0:
                return [presses & 0xFFFF for presses in self.presses]
            case block if block == PACKED_AT:
                number = sum(on << place for place, on in enumerate(self.inputs))
                return [number >> shift & 0xFFFF for shift in range(0, len(self.inputs), 16)]
            case block if block == ONE_EACH_AT:
                return [int(on) for on in self.inputs]
            case block if block == WIDE_COUNTERS_AT:
                wide = [(presses >> 16 & 0xFFFF, presses & 0xFFFF) for presses in self.presses]
                return [word for pair in wide for word in pair]
        return []

    def _set_coil(self, request: bytes, at: int, value: int) -> bytes:
        if value not in (0xFF00, 0):
            return self._exception(5, ILLEGAL_VALUE)
        return request if self._set(at, on=value != 0) else self._exception(5, ILLEGAL_ADDRESS)

    def _set_coils(self, request: bytes, at: int, count: int) -> bytes:
        states = [bool(request[7 + place // 8] >> place % 8 & 1) for place in range(count)]
        done = [self._set(at + place, on=on) for place, on in enumerate(states)]
        return request[:6] if all(done) else self._exception(15, ILLEGAL_ADDRESS)

    def _set(self, at: int, *, on: bool) -> bool:
        table, place = (self.latches, at - LATCHES_AT) if at >= LATCHES_AT else (self.coils, at)
        if place >= len(table):
            return False
        table[place] = on
        return True

    def _exception(self, function: int, code: int) -> bytes:
        return bytes((self.unit, function | 0x80, code))


def _word(data: bytes) -> int:
    return int.from_bytes(data, "big")
