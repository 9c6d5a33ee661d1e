"""SUN messages: the published example, our simulated tag's, and everything that is neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.nfc.ndef import (
    DONE,
    READ_FILE,
    SELECT_APPLICATION,
    SELECT_FILE,
    ndef_file,
    sun_message,
)
from drivers.nfc.sun import (
    Picc,
    SunCheck,
    SunKeys,
    SunMessage,
    cmac,
    file_key,
    is_genuine,
    picc_of,
)
from simulators.ntag424 import Ntag424

# AN12196, and the example of every public SUN server: both keys zero.
PUBLISHED = SunMessage(
    bytes.fromhex("EF963FF7828658A599F3041510671E88"), bytes.fromhex("94EED9EE65337086")
)
ZERO_KEY = bytes(16)
KEYS = SunKeys(bytes(range(16)), bytes(range(16, 32)))
UID = bytes.fromhex("04A1B2C3D4E580")

keys = st.binary(min_size=16, max_size=16)
uids = st.binary(min_size=7, max_size=7)


class Counters:
    """What FileCounters does, without a file."""

    def __init__(self) -> None:
        self.last: dict[bytes, int] = {}

    def grew(self, uid: bytes, counter: int) -> bool:
        grew = counter > self.last.get(uid, -1)
        if grew:
            self.last[uid] = counter
        return grew


def tag(uid: bytes = UID, *, of: SunKeys = KEYS, counter: int = 0) -> Ntag424:
    return Ntag424(uid, of.meta, of.master, counter=counter)


def said(by: Ntag424) -> SunMessage:
    return SunMessage(*by.message())


def test_the_published_message_is_read_and_genuine() -> None:
    picc = picc_of(PUBLISHED, ZERO_KEY)
    assert picc == Picc(bytes.fromhex("04DE5F1EACC040"), 61)
    assert is_genuine(PUBLISHED, picc, ZERO_KEY)


@given(st.integers(0, 24 * 8 - 1))
def test_no_bit_of_the_published_message_may_change(bit: int) -> None:
    whole = bytearray(PUBLISHED.picc_data + PUBLISHED.mac)
    whole[bit // 8] ^= 1 << bit % 8
    message = SunMessage(bytes(whole[:16]), bytes(whole[16:]))
    picc = picc_of(message, ZERO_KEY)
    # Only five bytes of the plain text are random, and a flipped bit spoils all sixteen.
    assert picc is None or not is_genuine(message, picc, ZERO_KEY)


def test_tag_keys_are_derived_as_nxp_does_it() -> None:
    # AN10922, example of AES-128: UID, application, "NXP Abu".
    derived = cmac(
        bytes.fromhex("00112233445566778899AABBCCDDEEFF"),
        bytes.fromhex("0104782E21801D803042F54E585020416275"),
    )
    assert derived.hex() == "a8dd63a3b89d54b37ca802473fda9175"
    assert file_key(ZERO_KEY, UID) == cmac(ZERO_KEY, b"\x01" + UID + b"campus-agent")


@given(keys, keys, uids, st.integers(0, 0xFFFFFE))
def test_what_a_tag_says_is_believed_once(
    meta: bytes, master: bytes, uid: bytes, counter: int
) -> None:
    site = SunKeys(meta, master)
    check = SunCheck(site, Counters())
    message = said(tag(uid, of=site, counter=counter))
    assert check.refusal(message, uid) is None
    assert check.refusal(message, uid) == "replayed"


@given(st.integers(0, 24 * 8 - 1))
def test_a_flipped_bit_is_not_believed_and_spoils_no_counter(bit: int) -> None:
    counters = Counters()
    check = SunCheck(KEYS, counters)
    whole = bytearray(b"".join(said(tag())))
    whole[bit // 8] ^= 1 << bit % 8
    assert check.refusal(SunMessage(bytes(whole[:16]), bytes(whole[16:])), UID) == "bad_mac"
    assert counters.last == {}


@given(st.binary(max_size=40), st.binary(max_size=20))
def test_any_bytes_are_refused(picc_data: bytes, mac: bytes) -> None:
    assert SunCheck(KEYS, Counters()).refusal(SunMessage(picc_data, mac), UID) == "bad_mac"


def test_an_older_message_and_another_tags_are_replays() -> None:
    check, real = SunCheck(KEYS, Counters()), tag()
    older, newer = said(real), said(real)
    assert check.refusal(newer, UID) is None
    assert check.refusal(older, UID) == "replayed"
    other = bytes.fromhex("04FFFFFFFFFF80")
    assert check.refusal(said(real), other) == "replayed", "copied onto a card with its own number"
    assert check.refusal(said(tag(other)), other) is None, "each tag has its own counter"


def test_another_sites_tag_is_not_believed() -> None:
    for stranger in (SunKeys(KEYS.meta, bytes(16)), SunKeys(bytes(16), KEYS.master)):
        assert SunCheck(KEYS, Counters()).refusal(said(tag(of=stranger)), UID) == "bad_mac"


def test_keys_do_not_show_in_text() -> None:
    assert "1011" not in repr(KEYS)
    assert "\\x10" not in repr(KEYS)


# ---- the way to the message


def file_with(url: str) -> bytes:
    record = bytes([0xD1, 0x01, len(url) + 1, 0x55, 0x04]) + url.encode()
    return len(record).to_bytes(2, "big") + record


PICC, MAC = PUBLISHED.picc_data.hex().upper(), PUBLISHED.mac.hex().upper()


@pytest.mark.parametrize(
    "url",
    [
        f"school.example/t?picc_data={PICC}&cmac={MAC}",
        f"school.example/?e={PICC.lower()}&m={MAC.lower()}",
        f"school.example?site=7&picc={PICC}&v=1&c={MAC}#x",
    ],
)
def test_the_message_is_found_in_a_url(url: str) -> None:
    assert sun_message(file_with(url)) == PUBLISHED


@pytest.mark.parametrize(
    "url",
    [
        "",
        "school.example/t",
        f"school.example/t?picc_data={PICC}",
        f"school.example/t?cmac={MAC}&picc_data={PICC}",
        f"school.example/t?picc_data={PICC[:-1]}&cmac={MAC}",
        f"school.example/t?picc_data={PICC}0&cmac={MAC}",
        f"school.example/t?picc_data={PICC}&cmac={MAC}0",
        f"school.example/t?picc_data={PICC}#&cmac={MAC}",
        f"school.example/t?picc_data={'G' * 32}&cmac={MAC}",
    ],
)
def test_what_is_no_message_is_none(url: str) -> None:
    assert sun_message(file_with(url)) is None


def test_the_message_must_lie_within_the_length_the_file_gives() -> None:
    file = file_with(f"school.example/t?picc_data={PICC}&cmac={MAC}")
    assert sun_message(b"\x00\x10" + file[2:]) is None
    assert sun_message(b"\xff\xff" + file[2:]) == PUBLISHED, "read as far as it goes"


@given(st.binary(max_size=300))
def test_any_file_is_read_or_has_no_message(file: bytes) -> None:
    assert sun_message(file) is None


@given(st.lists(st.none() | st.binary(max_size=260), min_size=3, max_size=3))
def test_any_answers_of_a_tag_make_a_file_or_none(answers: list[bytes | None]) -> None:
    left = iter(answers)
    file = ndef_file(lambda _: next(left))
    assert file is None or file == b"" or answers[2] == file + DONE


def test_the_file_is_asked_for_step_by_step_and_no_further() -> None:
    for refused in range(3):
        sent: list[bytes] = []

        def exchange(apdu: bytes, sent: list[bytes] = sent, refused: int = refused) -> bytes:
            sent.append(apdu)
            return b"\x6a\x82" if len(sent) > refused else DONE

        assert ndef_file(exchange) == b""
        assert sent == [SELECT_APPLICATION, SELECT_FILE, READ_FILE][: refused + 1]


def test_the_simulated_tag_says_what_is_read() -> None:
    real = tag(counter=41)
    file = ndef_file(real.answer)
    assert file is not None
    message = sun_message(file)
    assert message is not None
    assert picc_of(message, KEYS.meta) == Picc(UID, 42)
