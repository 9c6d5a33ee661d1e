"""Coded units out of RTP payloads: H.264 (RFC 6184) and H.265 (RFC 7798)."""

import struct
from collections.abc import Iterator
from typing import Literal, NamedTuple

from drivers.errors import ProtocolError

Codec = Literal["h264", "hevc"]

MAX_UNIT_BYTES = 4_000_000
# RFC 6184 table 1; RFC 7798 sections 4.4.2 and 4.4.3. The other packet kinds of both (MTAP, FU-B,
# PACI) belong to modes that no recorder offers.
_STAP_A, _FU_A = 24, 28
_AP, _FU = 48, 49
_START, _END = 0x80, 0x40
# Types that a decoder can begin with: ITU-T H.264 table 7-1 (IDR); H.265 table 7-1 (BLA to CRA).
_KEYS: dict[Codec, frozenset[int]] = {"h264": frozenset({5}), "hevc": frozenset(range(16, 22))}
START_CODE = b"\x00\x00\x00\x01"


class Packet(NamedTuple):
    """One RTP packet; `ntp` is the 64-bit time an ONVIF replay stamps it with, if it does."""

    payload: bytes
    marker: bool
    payload_type: int
    timestamp: int
    ntp: int | None


def read_packet(data: bytes) -> Packet:
    """Read an RTP packet (RFC 3550 section 5.1). Raises ProtocolError."""
    if len(data) < 12 or data[0] >> 6 != 2:
        raise ProtocolError("what came is no RTP packet")
    at = 12 + 4 * (data[0] & 0x0F)
    ntp = None
    if data[0] & 0x10:
        profile, words = struct.unpack_from(">HH", data, at) if len(data) >= at + 4 else (0, 0)
        # ONVIF Streaming Specification, RTP header extension.
        if profile == 0xABAC and words >= 3 and len(data) >= at + 12:
            (ntp,) = struct.unpack_from(">Q", data, at + 4)
        at += 4 + 4 * words
    end = len(data) - (data[-1] if data[0] & 0x20 else 0)
    if at > end:
        raise ProtocolError("an RTP packet is shorter than it says")
    timestamp = int.from_bytes(data[4:8], "big")
    return Packet(data[at:end], data[1] > 0x7F, data[1] & 0x7F, timestamp, ntp)


class Units:
    """Puts units together again; what lost its beginning is dropped."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._part: bytearray | None = None

    def take(self, payload: bytes) -> Iterator[bytes]:
        """Give the units that are whole with this payload. Raises ProtocolError."""
        head = 1 if self._codec == "h264" else 2
        if len(payload) <= head:
            return
        kind = unit_type(payload, self._codec)
        if kind in {_STAP_A, _AP} and (kind == _STAP_A) == (head == 1):
            yield from _joined(payload[head:])
        elif kind == (_FU_A if head == 1 else _FU):
            yield from self._piece(payload, head)
        else:
            yield payload

    def is_key(self, unit: bytes) -> bool:
        """Tell whether decoding can begin with this unit."""
        return unit_type(unit, self._codec) in _KEYS[self._codec]

    def _piece(self, payload: bytes, head: int) -> Iterator[bytes]:
        flags = payload[head]
        if flags & _START:
            if head == 1:
                begin = bytes([(payload[0] & 0xE0) | (flags & 0x1F)])
            else:
                begin = bytes([(payload[0] & 0x81) | ((flags & 0x3F) << 1), payload[1]])
            self._part = bytearray(begin)
        if self._part is None:
            return
        self._part += payload[head + 1 :]
        if len(self._part) > MAX_UNIT_BYTES:
            self._part = None
            raise ProtocolError(f"one picture is larger than {MAX_UNIT_BYTES} bytes")
        if flags & _END:
            yield bytes(self._part)
            self._part = None


def unit_type(unit: bytes, codec: Codec) -> int:
    """Return a unit's type (H.264 section 7.3.1, H.265 section 7.3.1.2)."""
    return unit[0] & 0x1F if codec == "h264" else (unit[0] >> 1) & 0x3F


def _joined(body: bytes) -> Iterator[bytes]:
    """Give the units that share a packet (RFC 6184 section 5.7.1, RFC 7798 section 4.4.2)."""
    while body:
        size = int.from_bytes(body[:2], "big")
        if len(body) < 2 or not 0 < size <= len(body) - 2:
            raise ProtocolError("units in one packet do not add up")
        yield body[2 : 2 + size]
        body = body[2 + size :]
