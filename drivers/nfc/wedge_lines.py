"""What a reader types, as whole lines, and the numbers they say.

Events: linux/input.h; codes: linux/input-event-codes.h.
"""

import re
import struct
from collections.abc import Iterator, Mapping

from drivers.nfc.settings import UidFormat

# struct input_event: seconds, microseconds, type, code, value.
EVENT = struct.Struct("llHHi")
EV_SYN, EV_KEY = 0x00, 0x01
SYN_DROPPED = 3
PRESSED = 1  # 0 is a release, 2 the kernel's own repeat of a held key

# KEY_0, KEY_1 to KEY_9; KEY_KP0 to KEY_KP9; KEY_A to KEY_F.
_CODES = (
    *(11, *range(2, 11)),
    *(82, 79, 80, 81, 75, 76, 77, 71, 72, 73),
    *(30, 48, 46, 32, 18, 33),
)
_DIGITS = dict(zip(_CODES, "0123456789" * 2 + "ABCDEF", strict=True))
_ENTER = frozenset({28, 96})  # KEY_ENTER, KEY_KPENTER
# KEY_LEFTSHIFT, KEY_RIGHTSHIFT, KEY_CAPSLOCK, KEY_NUMLOCK: how capitals and keypads are typed.
_SHIFTS = frozenset({42, 54, 58, 69})
# Stand in a line for what makes it none: a key that is in no number, or that the kernel lost; what
# may have been typed unseen; the Enter that did not come.
_FOREIGN, _UNSEEN, _UNENDED = "?", "^", "$"
LONGEST_LINE = 32

_HEX = re.compile(r"(?:[0-9A-F]{2}){3,10}")  # bytes: what is left of a number in 3 + 5, a long UID
_FORMS: Mapping[UidFormat, re.Pattern[str]] = {
    "decimal10": re.compile(r"[0-9]{10}"),
    "decimal8": re.compile(r"[0-9]{8}"),
    "hex": _HEX,
    "hex_reversed": _HEX,
}

# A number is typed in a fraction of it.
LEFT_SECONDS = 1.0


class Lines:
    """Finds whole lines in whatever the device types; one that was under way at first is none."""

    def __init__(self, now: float) -> None:
        self._data = b""
        self._line = _UNSEEN
        self._typed_at = now

    def feed(self, data: bytes, now: float) -> Iterator[str]:
        """Give the lines typed, marks in those that are not whole; no data: nobody was typing."""
        if now - self._typed_at > LEFT_SECONDS and self._line:
            if data:
                # Nobody looked meanwhile: it may be the rest of this line, or another one.
                self._add(_UNSEEN, now)
            elif left := self._take().strip(_UNSEEN):
                yield left + _UNENDED
        self._data += data
        whole = len(self._data) - len(self._data) % EVENT.size
        events, self._data = self._data[:whole], self._data[whole:]
        for _, _, kind, code, value in EVENT.iter_unpack(events):
            if (kind, code) == (EV_SYN, SYN_DROPPED):
                # The kernel's buffer ran over while nobody read: keys are missing here.
                self._add(_FOREIGN, now)
            elif (kind, value) != (EV_KEY, PRESSED) or code in _SHIFTS:
                continue
            elif code not in _ENTER:
                self._add(_DIGITS.get(code, _FOREIGN), now)
            elif line := self._take():  # some readers end a line twice
                yield line

    def _add(self, character: str, now: float) -> None:
        self._line = (self._line + character)[:LONGEST_LINE]
        self._typed_at = now

    def _take(self) -> str:
        line, self._line = self._line, ""
        return line


def uid_of(line: str, form: UidFormat) -> bytes | None:
    """Return the number a line says, most significant byte first; None: it says none."""
    if _FORMS[form].fullmatch(line) is None:
        return None
    try:
        if form == "decimal10":
            uid = int(line).to_bytes(4, "big")
        elif form == "decimal8":
            uid = int(line[:3]).to_bytes(1, "big") + int(line[3:]).to_bytes(2, "big")
        else:
            uid = bytes.fromhex(line)[:: -1 if form == "hex_reversed" else 1]
    except OverflowError:
        return None
    return uid if any(uid) else None


def fault_of(line: str, form: UidFormat) -> str:
    """Say what is wrong with a line; what somebody typed on a real keyboard is not repeated."""
    if not line.removesuffix(_UNENDED).isalnum():
        return "typed what is not digits alone, or a part of it was missed"
    if line.endswith(_UNENDED):
        return "typed digits and no Enter: have it end every number with one"
    return f"typed {line}, which is no tag's number in the form {form}: see uid_format"
