"""Frames of readers that only talk: as the data sheet has them, and out of any noise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.nfc.em4100 import FRAME_BYTES, Frames

# The reference's own examples: card faces 0010597059 and 0001234567.
EXAMPLES = {
    "3E00A1B2C3": bytes.fromhex("0233453030413142324333454503"),
    "010012D687": bytes.fromhex("0230313030313244363837343203"),
}


@pytest.mark.parametrize("tag", EXAMPLES)
def test_a_frame_of_the_data_sheet_is_read(tag: str) -> None:
    assert list(Frames().feed(EXAMPLES[tag])) == [tag]


def test_what_does_not_add_up_or_is_nothing_is_passed_over() -> None:
    good = EXAMPLES["3E00A1B2C3"]
    wrong = good[:12] + b"F" + good[13:]
    nothing = b"\x02" + b"0" * 12 + b"\x03"
    lower = good.lower()
    assert list(Frames().feed(wrong + nothing + lower + good)) == ["3E00A1B2C3"]


@given(st.lists(st.sampled_from(sorted(EXAMPLES)), max_size=6), st.data())
def test_frames_come_whole_however_the_line_cuts_them(tags: list[str], data: st.DataObject) -> None:
    frames, found = Frames(), list[str]()
    sent = b"".join(EXAMPLES[tag] for tag in tags)
    while sent:
        size = data.draw(st.integers(1, len(sent)))
        found += frames.feed(sent[:size])
        sent = sent[size:]
    assert found == tags


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_no_noise_is_a_tag_and_none_is_kept(pieces: list[bytes]) -> None:
    frames = Frames()
    found = [tag for piece in pieces for tag in frames.feed(piece)]
    line = b"".join(pieces)
    for tag in found:  # only where a whole frame was really there
        assert b"\x02" + tag.encode() in line
    assert len(frames._data) < FRAME_BYTES


@given(st.binary(max_size=60).filter(lambda noise: b"\x02" not in noise), st.binary(max_size=5))
def test_a_frame_after_noise_is_found(noise: bytes, cut: bytes) -> None:
    start = b"\x02" + cut.replace(b"\x02", b"")[:3]
    assert list(Frames().feed(noise + start + EXAMPLES["3E00A1B2C3"]))[-1] == "3E00A1B2C3"
