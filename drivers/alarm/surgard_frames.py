"""Sur-Gard MLR2 lines with Contact ID, as an alarm receiver sends them to automation.

Sources: "MLR2-E installation manual" and "MLR2-DG manual", both "Communication protocol with
central station computer" (MLR2); "MLR2000 manual" section 12; SIA DC-05-1999.09 (DC-05).
"""

import re
from collections import deque
from enum import Enum
from typing import Literal, NamedTuple

ACK = b"\x06"  # MLR2000 12.2
# MLR2000 12.2: asks for the line again. A receiver set to 7E1 takes an 8N1 NAK, whose parity is
# odd, for noise and resends when its timer ends; ACK has even parity and is right in both.
NAK = b"\x15"
DC4 = 0x14  # MLR2: the terminator of every line
# The lines in the manuals are under 40 bytes: more than this without an end is no line.
BUFFER_BYTES = 128

_EDGES = b"\r\n\0 "
# MLR2, "Contact-ID protocol": 5RRLs18AAAAQXYZGGCCC. 98 is DC-05's other message type; 1, 3 and 6
# are DC-05's own qualifiers, and what sends those may leave DC-05's check digit at the end.
# MLR2, "Supervisory heartbeat signal protocol": 1011sssssssssss@ssss.
_AT_THE_END = re.compile(
    r"5(?P<receiver>[0-9A-F]{2})(?P<line>[0-9A-Z]) ?(?P<format>18|98)(?P<account>[0-9A-F]{4})"
    r"(?P<qualifier>[ERP136])(?P<code>[0-9A-F]{3})(?P<partition>[0-9A-F]{2})(?P<zone>[0-9A-F]{3})"
    r"(?P<check>[0-9A-F]?)$"
    r"|1(?P<beat_receiver>[0-9A-F]{2})(?P<beat_line>[0-9A-Z]) +@ *$"
)
# Every other protocol: one character names it, then receiver and line number, then its own text.
_OTHER = re.compile(r"[0-46-9A-Z](?P<receiver>[0-9A-F]{2})(?P<line>[0-9A-Z])[ -~]+")

Qualifier = Literal["new", "restore", "status"]
# MLR2: E new event or opening, R new restore or closing, P previous event; DC-05: 1, 3, 6.
_QUALIFIERS: dict[str, Qualifier] = {
    "E": "new",
    "1": "new",
    "R": "restore",
    "3": "restore",
    "P": "status",
    "6": "status",
}


class Kind(Enum):
    """What a line is."""

    CONTACT_ID = "contact_id"
    HEARTBEAT = "heartbeat"
    OTHER = "other"
    GARBLED = "garbled"


class ContactId(NamedTuple):
    """The fields of a Contact ID message; digits as sent, `zone` is a user in some codes."""

    account: str
    qualifier: Qualifier
    code: str
    partition: str
    zone: str


class Line(NamedTuple):
    """One line; `text` is printable, and the same whenever the receiver sends it again."""

    kind: Kind
    text: str
    receiver: str = ""
    line: str = ""
    contact_id: ContactId | None = None


class LineReader:
    """Cuts what the line brings into lines at each DC4."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: deque[Line] = deque()
        self._overflowed = False

    @property
    def partial(self) -> bool:
        """Tell whether a line has begun that has not ended."""
        return bool(self._buffer.strip(_EDGES))

    def feed(self, data: bytes) -> None:
        """Take bytes as read; bit 7 may hold the parity of a line sent as 7E1."""
        for byte in data:
            if byte & 0x7F == DC4:
                self._end_of_line()
                continue
            self._buffer.append(byte & 0x7F)
            if len(self._buffer) > BUFFER_BYTES:
                del self._buffer[0]
                if not self._overflowed:
                    self._lines.append(Line(Kind.GARBLED, _printable(self._buffer)))
                self._overflowed = True

    def next(self) -> Line | None:
        """Return the oldest line not yet returned."""
        return self._lines.popleft() if self._lines else None

    def clear(self) -> None:
        """Forget the line that has begun."""
        self._buffer.clear()
        self._overflowed = False

    def _end_of_line(self) -> None:
        lines = parse(bytes(self._buffer))
        if self._overflowed:
            # The start is gone, so only what is known by its end can be told; the rest was named.
            lines = [line for line in lines if line.kind in (Kind.CONTACT_ID, Kind.HEARTBEAT)]
        self._lines.extend(lines)
        self.clear()


def parse(data: bytes) -> list[Line]:
    """Read what stood before a DC4: noise in front is passed over, lines that lost theirs kept."""
    rest = data.strip(_EDGES).decode("ascii", "replace")
    lines: list[Line] = []
    while found := _AT_THE_END.search(rest):
        lines.insert(0, _recognised(found))
        rest = rest[: found.start()].rstrip("\r\n\0 ")
    if lines or not rest:
        return lines
    other = _OTHER.fullmatch(rest)
    if other is None:
        return [Line(Kind.GARBLED, _printable(data.strip(_EDGES)))]
    return [Line(Kind.OTHER, rest, other["receiver"], other["line"])]


def _recognised(found: re.Match[str]) -> Line:
    text = found.group()
    if found["beat_receiver"] is not None:
        return Line(Kind.HEARTBEAT, text, found["beat_receiver"], found["beat_line"])
    letter = found["qualifier"]
    if found["check"]:
        digits = text[text.index(found["format"] + found["account"]) :]
        if letter in "ERP" or not _adds_up(digits):
            return Line(Kind.GARBLED, text)
    message = ContactId(
        found["account"],
        _QUALIFIERS[letter],
        found["code"],
        found["partition"],
        found["zone"],
    )
    return Line(Kind.CONTACT_ID, text, found["receiver"], found["line"], message)


def _adds_up(digits: str) -> bool:
    """DC-05: with the check digit all digits add up to a multiple of 15, a 0 counting as 10."""
    return sum(int(digit, 16) or 10 for digit in digits) % 15 == 0


def _printable(data: bytes | bytearray) -> str:
    shown = (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in data)
    return "".join(shown)
