"""What a reader types: whole lines alone, out of any bytes, and the numbers they say."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.nfc.settings import UidFormat
from drivers.nfc.wedge_lines import EVENT, LEFT_SECONDS, LONGEST_LINE, Lines, fault_of, uid_of
from simulators.wedge import event, typed

FORMS: tuple[UidFormat, ...] = ("decimal10", "decimal8", "hex", "hex_reversed")
KEYPAD = dict(zip("7894561230\n", (71, 72, 73, 75, 76, 77, 79, 80, 81, 82, 96), strict=True))
DROPPED = event(0, 3, 0)
TORN = "a part of it was missed"


def lines(now: float = 0.0) -> Lines:
    """Lines of a device that was silent when it was opened."""
    made = Lines(now - 2 * LEFT_SECONDS)
    assert list(made.feed(b"", now)) == []
    return made


@pytest.mark.parametrize(
    ("form", "line", "uid"),
    [
        # The reference's own card faces: 0010597059 is 161,45763 and of the tag 3E00A1B2C3.
        ("decimal10", "0010597059", "00A1B2C3"),
        ("decimal10", "0001234567", "0012D687"),
        ("decimal10", "4294967295", "FFFFFFFF"),
        ("decimal10", "4294967296", None),
        ("decimal10", "001059705", None),
        ("decimal10", "00010597059", None),
        ("decimal10", "00A1B2C300", None),
        ("decimal10", "0000000000", None),
        ("decimal8", "16145763", "A1B2C3"),
        ("decimal8", "25565535", "FFFFFF"),
        ("decimal8", "25600000", None),
        ("decimal8", "16165536", None),
        ("decimal8", "00000000", None),
        ("decimal8", "0010597059", None),
        ("hex", "3E00A1B2C3", "3E00A1B2C3"),
        ("hex", "04A1B2C3D4E580", "04A1B2C3D4E580"),
        ("hex", "3E00A1B2C", None),
        ("hex", "A1B2", None),
        ("hex", "A1B2C3D4" * 3, None),
        ("hex", "00000000", None),
        ("hex_reversed", "C3B2A1003E", "3E00A1B2C3"),
    ],
)
def test_a_line_says_a_number_or_none(form: UidFormat, line: str, uid: str | None) -> None:
    found = uid_of(line, form)
    assert (found.hex().upper() if found is not None else None) == uid
    assert line in fault_of(line, form)


def test_keypad_digits_are_digits_and_letters_come_with_shift() -> None:
    pad = b"".join(event(1, KEYPAD[key], 1) + event(1, KEYPAD[key], 0) for key in "1234567890\n")
    row = typed("1234567890ABCDEF\n")
    num_lock, caps_lock = event(1, 69, 1), event(1, 58, 1)
    assert list(lines().feed(num_lock + pad + caps_lock + row, 0.0)) == [
        "1234567890",
        "1234567890ABCDEF",
    ]


def test_a_key_that_is_held_and_a_second_enter_are_nothing() -> None:
    held = event(1, 2, 1) + event(1, 2, 2) * 9 + event(1, 2, 0)
    assert list(lines().feed(held + typed("\n\n\n") + typed("2\n"), 0.0)) == ["1", "2"]


def test_what_is_left_for_a_second_is_dropped_and_told() -> None:
    found = lines()
    assert list(found.feed(typed("00105"), 0.0)) == []
    assert list(found.feed(b"", LEFT_SECONDS)) == []
    [left] = found.feed(b"", LEFT_SECONDS + 0.1)
    assert "no Enter" in fault_of(left, "decimal10")
    assert uid_of(left, "decimal10") is None
    assert list(found.feed(typed("\n0010597059\n"), LEFT_SECONDS + 0.2)) == ["0010597059"]


def test_what_nobody_looked_at_in_between_is_no_line() -> None:
    # 97059 may be the rest of 00105, and in hexadecimal its last bytes would be a number too.
    found = lines()
    assert list(found.feed(typed("3E00"), 0.0)) == []
    [line] = found.feed(typed("A1B2C3\n"), LEFT_SECONDS + 5)
    assert uid_of(line, "hex") is None
    assert TORN in fault_of(line, "hex")
    assert list(found.feed(typed("3E00A1B2C3\n"), LEFT_SECONDS + 6)) == ["3E00A1B2C3"]


def test_a_line_under_way_when_the_device_was_opened_is_none() -> None:
    found = Lines(0.0)
    [line] = found.feed(typed("A1B2C3\n"), 0.1)
    assert uid_of(line, "hex") is None
    assert TORN in fault_of(line, "hex")
    assert list(found.feed(typed("A1B2C3\n"), 0.2)) == ["A1B2C3"]


def test_a_line_of_which_the_kernel_lost_a_part_is_none() -> None:
    found = lines()
    torn = typed("3E00") + DROPPED + typed("A1B2C3\n")
    [line] = found.feed(torn + DROPPED, 0.0)
    assert uid_of(line, "hex") is None
    assert TORN in fault_of(line, "hex")
    [rest] = found.feed(b"", LEFT_SECONDS + 1)  # the whole line was lost: that is told too
    assert TORN in fault_of(rest, "hex")


@pytest.mark.parametrize("form", FORMS)
def test_other_keys_make_a_line_none_and_are_not_repeated(form: UidFormat) -> None:
    [line] = lines().feed(typed("123G45\n"), 0.0)
    assert uid_of(line, form) is None
    assert "123" not in fault_of(line, form)


def test_a_line_without_end_is_not_kept() -> None:
    found = lines()
    assert list(found.feed(typed("12" * 5000), 0.0)) == []
    assert len(found._line) == LONGEST_LINE
    [line] = found.feed(typed("\n"), 0.0)
    assert [uid_of(line, form) for form in FORMS] == [None] * 4


@given(st.lists(st.text("0123456789ABCDEF", min_size=1, max_size=20), max_size=4), st.data())
def test_lines_come_whole_however_reads_cut_them(texts: list[str], data: st.DataObject) -> None:
    found, got = lines(), list[str]()
    sent = b"".join(typed(text + "\n") for text in texts)
    while sent:
        size = data.draw(st.integers(1, len(sent)))
        got += found.feed(sent[:size], 0.0)
        sent = sent[size:]
    assert got == texts


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_no_noise_is_a_crash_or_is_kept(pieces: list[bytes]) -> None:
    found = lines()
    for piece in pieces:
        for line in found.feed(piece, 0.0):
            assert fault_of(line, "hex")
    assert len(found._data) < EVENT.size


PRESSES = {event(1, code, 1): text for text, code in KEYPAD.items()}
# Keys and pauses that make lines, half lines and no lines, and bytes out of step with both.
noise = st.one_of(
    st.sampled_from(sorted(PRESSES)),
    st.sampled_from([DROPPED, typed("G"), typed("A1B2C3"), typed("\n")]),
    st.sampled_from([typed(line) for line in ("0010597059\n", "16145763\n", "3E00A1B2C3\n")]),
    st.tuples(st.integers(0, 4), st.integers(0, 120), st.integers(-1, 2)).map(lambda e: event(*e)),
    st.binary(min_size=EVENT.size, max_size=EVENT.size),
)
looks = st.tuples(st.lists(noise, max_size=20).map(b"".join), st.sampled_from([0.0, 0.1, 1.5]))


@given(st.lists(looks, max_size=12), st.sampled_from(FORMS))
def test_only_a_whole_line_is_ever_a_number(
    looks: list[tuple[bytes, float]], form: UidFormat
) -> None:
    found, now, got = Lines(0.0), 0.0, list[str]()
    for data, pause in looks:
        now += pause
        got += [line for line in found.feed(data, now) if uid_of(line, form) is not None]
    assert got == [line for line in _whole(looks) if uid_of(line, form) is not None]


def _whole(looks: list[tuple[bytes, float]]) -> list[str]:
    """Tell the lines that were seen from their first key to their last, in one plain way."""
    letters = {code: text for text, code in KEYPAD.items()}
    letters |= {code: str(number) for number, code in zip(range(1, 10), range(2, 11), strict=True)}
    letters |= {11: "0", 28: "\n", 30: "A", 48: "B", 46: "C", 32: "D", 18: "E", 33: "F"}
    whole, line, good, last, now = list[str](), "", False, 0.0, 0.0
    for data, pause in looks:
        now += pause
        if now - last > LEFT_SECONDS and (line or not good):
            good, line, last = not data, "", now if data else last
        for _, _, kind, code, value in struct.iter_unpack("llHHi", data):
            dropped = (kind, code) == (0, 3)
            if not dropped and ((kind, value) != (1, 1) or code in {42, 54, 58, 69}):
                continue
            letter = "?" if dropped else letters.get(code, "?")
            if letter == "\n":
                if good and line:
                    whole.append(line)
                good, line = True, ""
            else:
                line, last = line + letter, now
    return whole
