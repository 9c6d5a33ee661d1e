"""RTP payloads put together again, whatever a device sends; GStreamer's are in the integration."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.rtp_units import MAX_UNIT_BYTES, Codec, Units, read_packet

CODECS: tuple[Codec, ...] = ("h264", "hevc")
# Written out by hand from the figures of RFC 6184 (5.7.1, 5.8) and RFC 7798 (4.4.2, 4.4.3).
SINGLE = {"h264": b"\x65IDR", "hevc": b"\x26\x01IDR"}
JOINED = {
    "h264": b"\x78" + b"\x00\x03\x67AB" + b"\x00\x02\x68C",
    "hevc": b"\x60\x01" + b"\x00\x04\x42\x01AB" + b"\x00\x03\x44\x01C",
}
OF_JOINED = {"h264": [b"\x67AB", b"\x68C"], "hevc": [b"\x42\x01AB", b"\x44\x01C"]}
CUT: dict[Codec, list[bytes]] = {
    "h264": [b"\x7c\x85one", b"\x7c\x05two", b"\x7c\x45three"],
    "hevc": [b"\x62\x01\x93one", b"\x62\x01\x13two", b"\x62\x01\x53three"],
}
OF_CUT = {"h264": b"\x65onetwothree", "hevc": b"\x26\x01onetwothree"}


def taken(codec: Codec, payloads: Sequence[bytes]) -> list[bytes]:
    units = Units(codec)
    return [unit for payload in payloads for unit in units.take(payload)]


@pytest.mark.parametrize("codec", CODECS)
def test_units_alone_joined_and_cut(codec: Codec) -> None:
    assert taken(codec, [SINGLE[codec]]) == [SINGLE[codec]]
    assert taken(codec, [JOINED[codec]]) == OF_JOINED[codec]
    assert taken(codec, CUT[codec]) == [OF_CUT[codec]]
    units = Units(codec)
    assert units.is_key(SINGLE[codec])
    assert units.is_key(OF_CUT[codec])
    assert not any(map(units.is_key, OF_JOINED[codec]))


@pytest.mark.parametrize("codec", CODECS)
def test_a_unit_without_its_beginning_is_dropped(codec: Codec) -> None:
    assert taken(codec, [*CUT[codec][1:], SINGLE[codec]]) == [SINGLE[codec]]


@pytest.mark.parametrize("codec", CODECS)
def test_a_unit_without_end_is_bounded(codec: Codec) -> None:
    units = Units(codec)
    first, middle, _ = CUT[codec]
    assert list(units.take(first)) == []
    piece = middle + b"x" * 1_000_000
    for _ in range(MAX_UNIT_BYTES // 1_000_000 - 1):
        assert list(units.take(piece)) == []
    with pytest.raises(ProtocolError, match="larger"):
        list(units.take(piece))


@pytest.mark.parametrize("codec", CODECS)
def test_joined_units_that_do_not_add_up_are_refused(codec: Codec) -> None:
    for broken in (JOINED[codec][:-1], JOINED[codec] + b"\x00", JOINED[codec] + b"\x00\x00"):
        with pytest.raises(ProtocolError):
            taken(codec, [broken])


@given(st.sampled_from(CODECS), st.lists(st.binary(max_size=40), max_size=20))
def test_whatever_comes_gives_units_or_one_sentence(codec: Codec, payloads: list[bytes]) -> None:
    units = Units(codec)
    for payload in payloads:
        try:
            found = list(units.take(payload))
        except ProtocolError:
            continue
        assert all(len(unit) >= 1 for unit in found)
        assert sum(map(len, found)) <= sum(map(len, payloads)) + 2


def test_a_packet_is_read_with_its_extension_and_its_padding() -> None:
    ntp = 0xE1_23_45_67_80_00_00_00
    head = struct.pack(">BBHII", 0xB1, 0xE0, 7, 9000, 1) + b"CSRC"
    extension = struct.pack(">HHQI", 0xABAC, 3, ntp, 0)
    packet = read_packet(head + extension + b"data" + b"\x00\x00\x03")
    assert packet == (b"data", True, 0x60, 9000, ntp)


def test_another_extension_is_passed_over() -> None:
    head = struct.pack(">BBHII", 0x90, 0x60, 7, 9000, 1)
    packet = read_packet(head + struct.pack(">HHI", 0xBEDE, 1, 0) + b"data")
    assert (packet.payload, packet.ntp) == (b"data", None)


@given(st.binary(max_size=60))
def test_whatever_comes_is_a_packet_or_none(data: bytes) -> None:
    try:
        packet = read_packet(data)
    except ProtocolError:
        return
    assert data[0] >> 6 == 2
    assert packet.payload in data
