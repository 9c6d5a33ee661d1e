"""Contact ID as pysiaalarm reads it (over DC-09 there), against what we make of an MLR2 line."""

import pytest
from pysiaalarm.data.adm_mapping import ADM_MAPPING
from pysiaalarm.data.sia_codes import SIA_CODES
from pysiaalarm.event import SIAEvent

from agent.monitors.contact_id import Kind, meaning
from drivers.alarm.surgard_frames import LineReader

# Where we know better, and why.
OURS = {
    "374": "an exit error: somebody did not leave in time",
    "341": "DC-05 calls it sensor tamper of an expander",
}
TESTS = {"601", "602"}


def _crc(data: bytes) -> int:
    """CRC-16/ARC by its definition, bit by bit (SIA DC-09 5.5.1.2)."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value


@pytest.mark.parametrize(("letter", "digit"), [("E", "1"), ("R", "3")])
@pytest.mark.parametrize("code", ["120", "121", "131", "144", "301", "570", "602"])
def test_a_message_means_the_same_to_both(letter: str, digit: str, code: str) -> None:
    body = f'"ADM-CID"0007L0#1234[#1234|{digit}{code} 01 015]_01:52:30,11-25-2026'
    frame = f"{_crc(body.encode()):04X}{len(body):04X}{body}"
    theirs = SIAEvent.from_line(frame)
    reader = LineReader()
    reader.feed(f"5011 181234{letter}{code}01015\x14".encode())
    line = reader.next()
    assert line is not None
    ours = line.contact_id
    assert ours is not None
    assert (theirs.account, theirs.event_type, theirs.partition, theirs.ri) == (
        ours.account,
        ours.code,
        ours.partition,
        ours.zone,
    )
    assert ours.qualifier == {"1": "new", "3": "restore"}[str(theirs.event_qualifier)]


def test_what_they_call_an_alarm_is_one_to_us_and_nothing_else_is() -> None:
    seen = 0
    for code, by_qualifier in ADM_MAPPING.items():
        said = SIA_CODES[by_qualifier["1"]].type
        kind = meaning(code).kind
        if code in OURS:
            continue
        seen += 1
        assert (kind in (Kind.ALARM, Kind.TAMPER)) is said.endswith("Alarm"), (code, said, kind)
        assert (kind is Kind.TEST) is (code in TESTS), (code, said, kind)
    assert seen > 100
