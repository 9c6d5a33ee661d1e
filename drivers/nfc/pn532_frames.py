"""PN532 frames and replies as bytes; no I/O. Sections: PN532 user manual (UM0701)."""

from enum import Enum
from typing import NamedTuple

from drivers.errors import ProtocolError

START_CODE = b"\x00\xff"  # 6.2.1: any number of 00 may come before it
ACK = bytes.fromhex("0000ff00ff00")  # 6.2.1.3; sent by the host it aborts a command
WAKE_UP = bytes.fromhex("5555") + bytes(14)  # 7.2.11: rising edges, then time for the oscillator
TFI_TO_CHIP = 0xD4  # 6.2.1.1
TFI_FROM_CHIP = 0xD5
SYNTAX_ERROR_TFI = 0x7F  # 6.2.1.5: the body of an error frame
LONGEST_BODY = 265  # 6.2.1.2: TFI and 264 bytes of data
UID_LENGTHS = (4, 7, 10)  # ISO/IEC 14443-3, cascade levels: single, double, triple size
RANDOM_UID_FIRST_BYTE = 0x08  # ISO/IEC 14443-3, UID contents: drawn anew at each use
SAK_ISO14443_4 = 0x20  # ISO/IEC 14443-3, coding of SAK: the card takes RATS
CASCADE_TAG = b"\x88"  # ISO/IEC 14443-3, UID contents: more of the UID follows a level later


class FrameKind(Enum):
    """What a frame is, before its body is looked at."""

    ACK = "ack"
    NACK = "nack"
    SYNTAX_ERROR = "syntax error"
    DATA = "data"


class Frame(NamedTuple):
    """One frame whose checksums hold; `body` is TFI and data, empty for ACK and NACK."""

    kind: FrameKind
    body: bytes = b""


class Target(NamedTuple):
    """One ISO 14443 A card as InListPassiveTarget lists it."""

    sak: int
    uid: bytes

    @property
    def tag_id(self) -> str:
        """Return the canonical identity of the tag."""
        return f"nfca:{self.uid.hex().upper()}"

    @property
    def is_random(self) -> bool:
        """Tell whether the UID names nothing: phones and private cards draw a new one each time."""
        return len(self.uid) == 4 and self.uid[0] == RANDOM_UID_FIRST_BYTE

    @property
    def takes_apdus(self) -> bool:
        """Tell whether it speaks ISO 14443-4."""
        return bool(self.sak & SAK_ISO14443_4)

    @property
    def cascaded_uid(self) -> bytes:
        """Return the UID as InListPassiveTarget takes it to select this card alone (7.3.5)."""
        levels = [self.uid[at : at + 3] for at in range(0, len(self.uid) - 4, 3)]
        return b"".join(CASCADE_TAG + level for level in levels) + self.uid[-4:]


def encode(command: int, params: bytes = b"") -> bytes:
    """Write a command as a normal information frame (6.2.1.1)."""
    body = bytes([TFI_TO_CHIP, command]) + params
    length = len(body)
    if length > 255:
        raise ValueError(f"a normal frame holds 255 bytes, not {length}")
    return bytes(
        [0x00, *START_CODE, length, -length & 0xFF, *body, -sum(body) & 0xFF, 0x00],
    )


def shortened(data: bytes, limit: int = 24) -> str:
    """Quote bytes for a person."""
    return data[:limit].hex(" ") + (" ..." if len(data) > limit else "")


class FrameReader:
    """Finds frames in a byte stream, whatever lies between them. One line, one reader."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._noise = bytearray()

    @property
    def leftover(self) -> bytes:
        """Return bytes that came and belong to no whole frame, the oldest 64 at most."""
        pending = self._buffer.lstrip(b"\x00")
        return bytes(self._noise + pending)[:64]

    @property
    def missing(self) -> int:
        """Return how many more bytes are sure to come before a frame can be whole."""
        head = self._head()
        return 1 if head is None else max(1, sum(head) + 1 - len(self._buffer))

    def feed(self, data: bytes) -> None:
        """Take in bytes from the line."""
        self._buffer += data

    def clear(self) -> None:
        """Forget everything that came so far."""
        self._buffer.clear()
        self._noise.clear()

    def next(self) -> Frame | None:
        """Return the next whole frame, or None until more bytes come. Raises ProtocolError.

        After the error the bytes behind the bad start code are looked at as new.
        """
        self._skip_to_start()
        if len(self._buffer) < 4 or not self._buffer.startswith(START_CODE):
            return None
        first, second = self._buffer[2], self._buffer[3]
        if (first, second) == (0x00, 0xFF):
            return self._taken(FrameKind.ACK, 4)
        if (first, second) == (0xFF, 0x00):  # 6.2.1.4
            return self._taken(FrameKind.NACK, 4)
        head = self._head()
        if head is None:
            return None
        start, length = head
        if not 1 <= length <= LONGEST_BODY:
            raise self._garbled("the length checksum is wrong")
        if len(self._buffer) < start + length + 1:
            return None
        body = bytes(self._buffer[start : start + length])
        if (sum(body) + self._buffer[start + length]) & 0xFF:
            raise self._garbled("the data checksum is wrong")
        kind = FrameKind.SYNTAX_ERROR if body == bytes([SYNTAX_ERROR_TFI]) else FrameKind.DATA
        return self._taken(kind, start + length + 1, body)

    def _head(self) -> tuple[int, int] | None:
        """Return where the body starts and its length (0: bad checksum); None: not yet known."""
        buffer = self._buffer
        if len(buffer) < 4 or not buffer.startswith(START_CODE):
            return None
        if buffer[2] == 0xFF and buffer[3] == 0xFF:  # 6.2.1.2: extended frame
            if len(buffer) < 7:
                return None
            length = buffer[4] << 8 | buffer[5]
            return 7, 0 if (buffer[4] + buffer[5] + buffer[6]) & 0xFF else length
        return 4, 0 if (buffer[2] + buffer[3]) & 0xFF else buffer[2]

    def _skip_to_start(self) -> None:
        at = self._buffer.find(START_CODE)
        if at < 0:
            # The last byte may be the first half of a start code.
            at = len(self._buffer) - 1 if self._buffer.endswith(b"\x00") else len(self._buffer)
        self._noise += self._buffer[:at].replace(b"\x00", b"")
        del self._noise[64:]
        del self._buffer[:at]

    def _taken(self, kind: FrameKind, size: int, body: bytes = b"") -> Frame:
        del self._buffer[:size]
        self._noise.clear()
        return Frame(kind, body)

    def _garbled(self, why: str) -> ProtocolError:
        quoted = shortened(bytes(self._buffer))
        del self._buffer[: len(START_CODE)]
        return ProtocolError(f"{why} in {quoted}")


def reply_data(frame: Frame, command: int) -> bytes:
    """Return what `command` was answered. Raises ProtocolError."""
    if frame.kind is FrameKind.SYNTAX_ERROR:
        raise ProtocolError(f"the chip calls command {command:02x} a syntax error")
    if frame.kind is not FrameKind.DATA or not frame.body.startswith(
        bytes([TFI_FROM_CHIP, command + 1])
    ):
        got = shortened(frame.body) or frame.kind.value
        raise ProtocolError(f"the answer to command {command:02x} is something else: {got}")
    return frame.body[2:]


def targets(data: bytes) -> tuple[Target, ...]:
    """Read InListPassiveTarget's answer for 106 kbit/s type A (7.3.5). Raises ProtocolError.

    An ATS is only there when the chip has sent RATS by itself: once, for a sole ISO 14443-4 card.
    """
    if not data:
        raise ProtocolError("the list of cards is empty, without even a count")
    found: list[Target] = []
    at = 1
    for number in range(1, data[0] + 1):
        # Each card brings its number, two bytes of ATQA, SAK, the UID's length and the UID.
        if len(data) < at + 5 or data[at] != number:
            raise ProtocolError(f"the list of cards ends early: {shortened(data)}")
        sak, length = data[at + 3], data[at + 4]
        uid = data[at + 5 : at + 5 + length]
        if length not in UID_LENGTHS or len(uid) < length:
            raise ProtocolError(f"the list of cards has a UID of no known size: {shortened(data)}")
        found.append(Target(sak, uid))
        at += 5 + length
    rest = data[at:]
    if rest and not (found and found[-1].sak & SAK_ISO14443_4 and rest[0] == len(rest)):
        raise ProtocolError(f"the list of cards is too long: {shortened(data)}")
    return tuple(found)
