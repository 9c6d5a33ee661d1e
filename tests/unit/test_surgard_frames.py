"""The MLR2 codec against lines and messages that manuals of three makers print."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.alarm.surgard_frames import BUFFER_BYTES, ContactId, Kind, Line, LineReader

DC4 = b"\x14"
# MLR2-E installation manual, "Contact-ID protocol", its example: account 1234, duress, group 01,
# zone 001, receiver 01, line 1 (the manual writes s for a space and [DC4] for the end).
DURESS = "5011s181234E12101001[DC4]".replace("s", " ").replace("[DC4]", "\x14").encode()
# MLR2-DG manual, "Supervisory heartbeat signal protocol".
HEARTBEAT = b"1011sssssssssss@ssss[DC4]".replace(b"s", b" ").replace(b"[DC4]", DC4)
# MLR2-DG manual, example of a partial arming: account 0012, group 1, user 128.
PARTIAL = b"1011ssssss0012sC1128[DC4]".replace(b"s", b" ").replace(b"[DC4]", DC4)
# Cooper Security "Menvier M2000 engineering manual", 2-5, Contact ID examples 1 and 2: system
# tamper of account 1234, ward 01, zone 015, and its restore, each with its check digit.
TAMPER = "1234 18 1137 01 015 2"
TAMPER_RESTORE = "1234 18 3137 01 015 F"


def lines_of(*chunks: bytes) -> list[Line]:
    """Everything the line brought, fed as it came."""
    reader = LineReader()
    found: list[Line] = []
    for chunk in chunks:
        reader.feed(chunk)
        while (line := reader.next()) is not None:
            found.append(line)
    return found


def kinds(data: bytes) -> list[Kind]:
    return [line.kind for line in lines_of(data)]


def on_the_line(message: str) -> bytes:
    """Put a message of DC-05's own form on an MLR2 line: there the type goes before the account."""
    account, message_type, *rest = message.split(" ")
    return f"5011 {message_type}{account}{''.join(rest)}\x14".encode()


def test_the_manuals_alarm_is_read() -> None:
    (line,) = lines_of(DURESS)
    assert (line.kind, line.receiver, line.line) == (Kind.CONTACT_ID, "01", "1")
    assert line.contact_id == ContactId("1234", "new", "121", "01", "001")
    assert len(DURESS) == 21


def test_the_manuals_heartbeat_is_read() -> None:
    (line,) = lines_of(HEARTBEAT)
    assert (line.kind, line.receiver, line.line) == (Kind.HEARTBEAT, "01", "1")


def test_a_line_of_another_protocol_is_kept_as_it_is() -> None:
    (line,) = lines_of(PARTIAL)
    assert line == Line(Kind.OTHER, "1011      0012 C1128", "01", "1")


@pytest.mark.parametrize(
    ("message", "qualifier"), [(TAMPER, "new"), (TAMPER_RESTORE, "restore")], ids=["new", "restore"]
)
def test_published_messages_with_their_check_digits_are_read(message: str, qualifier: str) -> None:
    (line,) = lines_of(on_the_line(message))
    assert line.contact_id is not None
    assert line.contact_id == ContactId("1234", line.contact_id.qualifier, "137", "01", "015")
    assert line.contact_id.qualifier == qualifier


@pytest.mark.parametrize("digit", sorted(set("0123456789ABCDEF") - {"2"}))
def test_a_wrong_check_digit_is_no_message(digit: str) -> None:
    assert kinds(on_the_line(TAMPER[:-1] + digit)) == [Kind.GARBLED]


def test_a_check_digit_of_ten_may_be_sent_as_0_or_a() -> None:
    # DC-05: 0 counts as 10. 1+2+3+4 +1+8 +1 +1+2+10 +10+1 +10+10+1 = 65, and 10 to 75.
    for digit in "0A":
        assert kinds(on_the_line("1234 18 1120 01 001 " + digit)) == [Kind.CONTACT_ID]


@pytest.mark.parametrize(
    ("letter", "qualifier"),
    [
        ("E", "new"),
        ("1", "new"),
        ("R", "restore"),
        ("3", "restore"),
        ("P", "status"),
        ("6", "status"),
    ],
)
@pytest.mark.parametrize("message_type", ["18", "98"])
def test_every_qualifier_and_message_type_is_read(
    letter: str, qualifier: str, message_type: str
) -> None:
    (line,) = lines_of(f"5A2B {message_type}0BF7{letter}12002123\x14".encode())
    assert line.contact_id is not None
    assert line.contact_id.qualifier == qualifier
    assert (line.receiver, line.line) == ("A2", "B")
    assert line.contact_id[2:] == ("120", "02", "123")


@pytest.mark.parametrize(
    "data",
    [
        DURESS.replace(b" ", b""),
        b"\r\n" + DURESS,
        DURESS.replace(DC4, b"\r\n" + DC4),
        DURESS + b"\r\n",
        bytes(byte | 0x80 for byte in DURESS),
        b"\x00\xff~#5" + DURESS,
        b"9" * 300 + DURESS,
        DC4 + DC4 + DURESS + DC4,
    ],
    ids=["no space", "CR LF", "CR LF inside", "CR LF after", "bit 7", "noise", "flood", "DC4s"],
)
def test_look_alikes_are_read_as_the_same_line(data: bytes) -> None:
    found = [line for line in lines_of(data) if line.kind is not Kind.GARBLED]
    assert [line.contact_id for line in found] == [lines_of(DURESS)[0].contact_id]
    if b" " in data:
        assert found[0].text == lines_of(DURESS)[0].text


@pytest.mark.parametrize("separator", [b"\x14", b"\x14\r\n", b"", b"\r\n"])
def test_glued_lines_are_all_read_in_order(separator: bytes) -> None:
    restore = DURESS.replace(b"E", b"R")
    data = separator.join(line.rstrip(DC4) for line in (DURESS, HEARTBEAT, restore)) + DC4
    first, second, third = lines_of(data)
    assert first == lines_of(DURESS)[0]
    assert second.kind is Kind.HEARTBEAT
    assert third == lines_of(restore)[0]


def even_parity(data: bytes) -> bytes:
    return bytes(byte | 0x80 if byte.bit_count() % 2 else byte for byte in data)


def test_7e1_read_as_8n1_is_the_same_line() -> None:
    assert lines_of(even_parity(DURESS + HEARTBEAT)) == lines_of(DURESS + HEARTBEAT)


@pytest.mark.parametrize(
    "data",
    [
        DURESS.replace(b"E", b"X"),
        DURESS.replace(b"12101001", b"1210100"),
        DURESS.replace(b"001\x14", b"0015\x14"),
        DURESS[2:],
        HEARTBEAT.replace(b"@", b"\x01"),
        PARTIAL.replace(b"C", b"\x1b"),
        b"abc" + DC4,
    ],
    ids=["qualifier", "short", "long", "cut", "heartbeat", "other", "letters"],
)
def test_a_damaged_line_is_garbled_and_never_guessed(data: bytes) -> None:
    assert kinds(data) == [Kind.GARBLED]


def test_a_flood_is_named_once_and_kept_short() -> None:
    reader = LineReader()
    for _ in range(1000):
        reader.feed(b"\xff" * 50)
    line = reader.next()
    assert line is not None
    assert line.kind is Kind.GARBLED
    assert len(line.text) <= 4 * BUFFER_BYTES
    assert reader.next() is None
    reader.feed(DC4 + DURESS)
    after = [line.kind for line in iter(reader.next, None)]
    assert after == [Kind.CONTACT_ID]


def test_a_line_too_long_to_be_one_is_named_once_and_never_taken_for_another() -> None:
    assert kinds(b"9" * 300 + DC4) == [Kind.GARBLED]


def test_the_reader_tells_that_a_line_has_begun() -> None:
    reader = LineReader()
    reader.feed(DURESS[:5])
    assert reader.partial
    reader.feed(DURESS[5:] + b"\r\n")
    assert not reader.partial


noise = st.lists(
    st.binary(max_size=30)
    | st.integers(100, 140).map(lambda count: b"1" * count)
    | st.sampled_from([DURESS, HEARTBEAT, PARTIAL, DURESS[:9], DURESS[9:], DC4, b"5011 18"]),
    max_size=8,
)
SHAPE = re.compile(r"5[0-9A-F]{2}[0-9A-Z] ?[19]8[0-9A-F]{4}[ERP136][0-9A-F]{8,9}")


@given(noise)
def test_nothing_breaks_the_reader_and_no_alarm_is_invented(chunks: list[bytes]) -> None:
    arrived = "".join(chr(byte & 0x7F) for byte in b"".join(chunks))
    at = 0
    for line in lines_of(*chunks):
        assert line.text.isprintable()
        if line.kind is Kind.CONTACT_ID:
            assert SHAPE.fullmatch(line.text)
            at = arrived.index(line.text, at) + len(line.text)


@given(noise)
def test_how_the_bytes_are_cut_up_does_not_matter(chunks: list[bytes]) -> None:
    data = b"".join(chunks)
    whole = lines_of(data)
    single = lines_of(*(bytes((byte,)) for byte in data))
    assert whole == single


@given(noise)
def test_an_alarm_behind_any_noise_is_read(chunks: list[bytes]) -> None:
    found = lines_of(*chunks, DC4, DURESS)
    assert found[-1] == lines_of(DURESS)[0]
