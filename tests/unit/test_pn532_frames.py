"""The PN532 codec against frames that real chips and independent programs have sent."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.nfc.pn532_frames import (
    LONGEST_BODY,
    Frame,
    FrameKind,
    FrameReader,
    Target,
    encode,
    reply_data,
    targets,
)

# Answers of real chips: sample output in the readme of the LPC1343 PN532 card example; the cards
# of "PN532 read and write commands (S50)" (jinmi8.com/doc/12721); a 4-byte ISO 14443-4 card with
# its ATS as a comment in a public STM32 project quotes it.
REAL_LISTS = [
    ("0000ff0cf4d54b0101000408049eb36e66a900", Target(0x08, bytes.fromhex("9eb36e66"))),
    ("0000ff0cf4d54b0101000218048a4cb5122300", Target(0x18, bytes.fromhex("8a4cb512"))),
    ("0000ff0cf4d54b010100040804fb0ee20bd800", Target(0x08, bytes.fromhex("fb0ee20b"))),
    (
        "0000ff0ff1d54b010100440007047bcb51962280c000",
        Target(0x00, bytes.fromhex("047bcb51962280")),
    ),
    (
        "0000ff1ce4d54b010100042804fde60899107880900220900000000000fde608995c00",
        Target(0x28, bytes.fromhex("fde60899")),
    ),
]


def read_all(chunks: Iterable[bytes]) -> list[Frame | str]:
    """Everything a line brought: frames, and `garbled` for each error."""
    reader = FrameReader()
    found: list[Frame | str] = []
    for chunk in chunks:
        reader.feed(chunk)
        while True:
            try:
                frame = reader.next()
            except ProtocolError:
                found.append("garbled")
                continue
            if frame is None:
                break
            found.append(frame)
    return found


def data_frame(body: bytes) -> bytes:
    """Write a frame as the manual's 6.2.1.1 and 6.2.1.2 draw it, by hand."""
    size = len(body)
    if size <= 255:
        head = [size, (0x100 - size) % 0x100]
    else:
        head = [0xFF, 0xFF, size // 256, size % 256, (0x200 - size // 256 - size % 256) % 0x100]
    checksum = (0x100 - sum(body) % 0x100) % 0x100
    return bytes([0, 0, 0xFF, *head, *body, checksum, 0])


@pytest.mark.parametrize(("wire", "card"), REAL_LISTS)
def test_real_answers_are_read(wire: str, card: Target) -> None:
    found = read_all([bytes.fromhex("0000ff00ff00"), bytes.fromhex(wire)])
    assert found[0] == Frame(FrameKind.ACK)
    assert isinstance(found[1], Frame)
    assert targets(reply_data(found[1], 0x4A)) == (card,)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("command", "params", "wire"),
    [
        (0x02, b"", "0000ff02fed4022a00"),  # nfcpy, pn532.init
        (0x14, bytes.fromhex("010000"), "0000ff05fbd4140100001700"),  # nfcpy, pn532.init
        (0x4A, bytes.fromhex("0100"), "0000ff04fcd44a0100e100"),  # jinmi8.com/doc/12721
        (0x40, bytes.fromhex("013004"), "0000ff05fbd440013004b700"),  # jinmi8.com/doc/12721
    ],
)
def test_commands_are_written_as_others_write_them(command: int, params: bytes, wire: str) -> None:
    assert encode(command, params).hex() == wire


def test_a_desfire_list_with_its_ats_is_read() -> None:
    # nfc-tools/libnfc#267, answer of a DESFire EV1 to 4a0100
    listed = bytes.fromhex("0101034420 07 041e2061801d80 067577810280")
    assert targets(listed) == (Target(0x20, bytes.fromhex("041e2061801d80")),)


def test_two_cards_in_one_list() -> None:
    listed = bytes.fromhex("02 01 0004 08 04 deadbeef 02 0044 00 07 04a1b2c3d4e580")
    assert [card.tag_id for card in targets(listed)] == ["nfca:DEADBEEF", "nfca:04A1B2C3D4E580"]


@pytest.mark.parametrize(
    ("uid", "random"),
    [("08a1b2c3", True), ("deadbeef", False), ("08a1b2c3d4e5f6", False)],
)
def test_only_single_size_uids_starting_with_08_are_random(uid: str, random: bool) -> None:
    assert Target(0, bytes.fromhex(uid)).is_random is random


@pytest.mark.parametrize(
    "listed",
    [
        "",  # not even a count
        "01",  # a card announced and not there
        "0101000408",  # ends before the UID's length
        "010100040804deadbe",  # ends within the UID
        "010100040805deadbeef00",  # five bytes are no UID
        "010200040804deadbeef",  # the first card is number 2
        "010100040804deadbeef0000",  # longer than its cards, and no ISO 14443-4 card
        "00ff",  # no card, and yet more
    ],
)
def test_malformed_lists_are_refused(listed: str) -> None:
    with pytest.raises(ProtocolError):
        targets(bytes.fromhex(listed))


@pytest.mark.parametrize(
    "frame",
    [
        Frame(FrameKind.SYNTAX_ERROR, b"\x7f"),
        Frame(FrameKind.DATA, b"\xd4\x02"),  # the adapter echoes us
        Frame(FrameKind.DATA, b"\xd5\x15"),  # the answer to another command
        Frame(FrameKind.DATA, b"\xd5"),
        Frame(FrameKind.NACK),
    ],
)
def test_other_answers_are_no_answer(frame: Frame) -> None:
    with pytest.raises(ProtocolError):
        reply_data(frame, 0x02)


def test_the_error_frame_of_the_manual_is_known() -> None:
    assert read_all([bytes.fromhex("0000ff01ff7f8100")]) == [Frame(FrameKind.SYNTAX_ERROR, b"\x7f")]


@given(st.binary(min_size=1, max_size=LONGEST_BODY))
def test_every_body_length_is_read_back(body: bytes) -> None:
    kind = FrameKind.SYNTAX_ERROR if body == b"\x7f" else FrameKind.DATA
    assert read_all([data_frame(body)]) == [Frame(kind, body)]


@given(st.lists(st.binary(max_size=20)))
def test_any_bytes_in_any_pieces_mean_the_same(chunks: list[bytes]) -> None:
    assert read_all(chunks) == read_all([b"".join(chunks)])


@given(st.binary(min_size=2, max_size=200), st.data())
def test_a_flipped_bit_never_yields_another_frame(body: bytes, data: st.DataObject) -> None:
    wire = bytearray(data_frame(b"\xd5" + body))
    bit = data.draw(st.integers(0, len(wire) * 8 - 1))
    wire[bit // 8] ^= 1 << bit % 8
    first = next((found for found in read_all([bytes(wire)]) if found != "garbled"), None)
    # Bytes behind a broken start code are read as new and may hold a frame of their own.
    inner = read_all([body])
    assert first is None or first == Frame(FrameKind.DATA, b"\xd5" + body) or first in inner


@given(st.binary(max_size=30).filter(lambda noise: b"\x00\xff" not in noise + b"\x00"))
def test_noise_before_a_frame_is_skipped(noise: bytes) -> None:
    assert read_all([noise + data_frame(b"\xd5\x03")]) == [Frame(FrameKind.DATA, b"\xd5\x03")]


@given(st.binary(min_size=1, max_size=LONGEST_BODY))
def test_it_never_waits_for_bytes_behind_the_frame(body: bytes) -> None:
    reader, wire, at = FrameReader(), data_frame(body), 0
    while (frame := reader.next()) is None:
        wanted = reader.missing
        assert at + wanted < len(wire), "it would block on bytes that never come"
        reader.feed(wire[at : at + wanted])
        at += wanted
    assert frame.body == body


@given(st.binary(max_size=60))
def test_any_list_is_read_or_refused(listed: bytes) -> None:
    try:
        cards = targets(listed)
    except ProtocolError:
        return
    assert len(cards) == listed[0]
    assert all(card.uid in listed for card in cards)


def test_leftover_quotes_what_the_line_brought() -> None:
    reader = FrameReader()
    reader.feed(b"\x01\x02\x00\x00\xff\x04")
    assert reader.next() is None
    assert reader.leftover.hex() == "0102ff04"
    reader.clear()
    assert reader.leftover == b""
