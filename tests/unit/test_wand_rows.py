"""What a wand's software exports: whole good rows are scans, and nothing else ever is."""

from datetime import UTC, datetime
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.nfc.wand_rows import MOST_BYTES, MOST_ROWS, Export, export_of
from drivers.nfc.wand_words import SENTENCES, Fault, list_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
HEADER = "device_id,seq,tag,guard_tag,device_time,battery"
GOOD = "W1,7,3E00A1B2C3,3E00000001,2026-09-01T10:00:00,87"
TEN = datetime(2026, 9, 1, 2, 0, tzinfo=UTC)


def read(text: str | bytes) -> Export:
    data = text.encode() if isinstance(text, str) else text
    return export_of(data, "em4100", SHANGHAI)


def test_a_whole_row_is_a_scan_at_the_sites_own_time() -> None:
    export = read(f"{HEADER}\n{GOOD}\n")
    [row] = export.rows
    assert (row.line, row.wand, row.seq) == (2, "W1", 7)
    assert (row.tag, row.guard_tag) == ("em4100:3E00A1B2C3", "em4100:3E00000001")
    assert row.device_time == TEN
    assert (export.rejected, export.refused, export.docked_at) == ([], None, None)


def test_what_may_be_left_out_is_and_columns_stand_in_any_order() -> None:
    [row] = read("Device_Time, tag ,device_id,weather\n2026-09-01 10:00:00,nfca:04aabb,W2,x\n").rows
    assert (row.seq, row.guard_tag, row.wand) == (None, None, "W2")
    assert (row.tag, row.device_time) == ("nfca:04AABB", TEN)


def test_a_time_with_a_zone_is_taken_as_it_is() -> None:
    [row] = read(f"{HEADER}\n{GOOD.replace('10:00:00', '02:00:00Z')}\n").rows
    assert row.device_time == TEN


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_the_encodings_of_this_countrys_programs_are_read(encoding: str) -> None:
    text = f"{HEADER},备注\r\n{GOOD},北墙\r\n"
    assert len(read(text.encode(encoding)).rows) == 1


def test_the_first_line_may_say_what_the_wands_clock_showed_at_docking() -> None:
    export = read(f"# docked_at=2026-09-01T10:00:00\n{HEADER}\n{GOOD}\n")
    assert export.docked_at == TEN
    assert [row.line for row in export.rows] == [3]


@pytest.mark.parametrize(
    ("spoilt", "fault"),
    [
        (GOOD + ",1", "bad_columns"),
        (GOOD.rpartition(",")[0], "bad_columns"),
        ('"' + GOOD, "bad_columns"),
        (GOOD.replace("W1", "W/1"), "bad_device"),
        (GOOD.replace("W1", ""), "bad_device"),
        (GOOD.replace(",7,", ",-7,"), "bad_seq"),
        (GOOD.replace(",7,", ",٧,"), "bad_seq"),
        (GOOD.replace("3E00A1B2C3", "3E00A1B2C"), "bad_tag"),
        (GOOD.replace("3E00A1B2C3", "0000000000"), "bad_tag"),
        (GOOD.replace("3E00A1B2C3", "=cmd()"), "bad_tag"),
        (GOOD.replace("3E00000001", "Wang"), "bad_guard"),
        (GOOD.replace("10:00:00", "10:00"), "bad_time"),
        (GOOD.replace("10:00:00", "25:00:00"), "bad_time"),
        (GOOD.replace("10:00:00", "10:00:00+99:99"), "bad_time"),
        (GOOD.replace("2026-09-01T10:00:00", "yesterday"), "bad_time"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_line_and_costs_no_other(spoilt: str, fault: str) -> None:
    export = read(f"{HEADER}\n{spoilt}\n{GOOD}\n")
    assert export.rejected == [(2, fault)]
    assert [row.line for row in export.rows] == [3]


def test_a_line_that_does_not_end_was_cut_off_however_good_it_looks() -> None:
    export = read(f"{HEADER}\n{GOOD}\n{GOOD}")
    assert [row.line for row in export.rows] == [2]
    assert export.rejected == [(3, "cut_off")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "bad_header"),
        (b"\n\n", "bad_header"),
        (GOOD.encode() + b"\n", "bad_header"),
        (b"device_id,tag\nW1,3E00A1B2C3\n", "bad_header"),
        (b"device_id,tag,tag,device_time\n", "bad_header"),
        (b"\xff\xfe\x00\n", "bad_encoding"),
        (f"# docked_at=soon\n{HEADER}\n".encode(), "bad_docking"),
        (f"# exported by X\n{HEADER}\n".encode(), "bad_docking"),
        (b" " * (MOST_BYTES + 1), "too_large"),
        (f"{HEADER}\n{(GOOD + chr(10)) * (MOST_ROWS + 1)}".encode(), "too_many"),
    ],
)
def test_a_file_that_cannot_be_understood_is_set_aside_whole(text: bytes, fault: Fault) -> None:
    assert read(text) == Export(refused=fault)


def test_a_file_of_the_most_rows_is_taken() -> None:
    assert len(read(f"{HEADER}\n{(GOOD + chr(10)) * MOST_ROWS}").rows) == MOST_ROWS


def test_a_wand_that_counts_from_the_beginning_again_has_new_scans() -> None:
    one, two = read(f"{HEADER}\n{GOOD}\n{GOOD.replace('09-01', '09-02')}\n").rows
    assert one.seq == two.seq
    assert one.key != two.key
    assert read(f"{HEADER}\n{GOOD}\n").rows[0].key == one.key


def test_every_reason_is_said_in_both_languages() -> None:
    assert set(SENTENCES) == set(get_args(Fault))
    listed = list_of([(0, "too_large"), (12, "bad_time")]).decode("utf-8-sig")
    head, first, second = listed.splitlines()
    assert head == "line,reason,原因"
    assert first == '0,"the file is larger than 5 MB","文件超过 5 MB"'
    assert second.startswith('12,"device_time is no time')


LINES = st.one_of(
    st.text(max_size=60),
    st.just(GOOD),
    st.just(HEADER),
    st.tuples(*[st.text(alphabet='W17,"AE:-T \r\0é京', max_size=9)] * 6).map(",".join),
    st.integers(0, len(GOOD)).map(lambda cut: GOOD[:cut]),
    st.integers(0, len(GOOD)).map(lambda cut: GOOD[cut:]),
)


@given(
    st.one_of(
        st.binary(max_size=300),
        st.lists(LINES).map(lambda all_: "\n".join(all_).encode("utf-8", "replace")),
    )
)
def test_whatever_the_bytes_only_whole_good_rows_are_scans(data: bytes) -> None:
    export = read(data)
    lines = data.split(b"\n")
    for row in export.rows:
        assert row.line < len(lines)
        line = lines[row.line - 1].decode("utf-8-sig", "replace")
        assert row.wand in line
        assert row.tag.rpartition(":")[2] in line.upper()
        assert (
            f"{row.device_time.astimezone(SHANGHAI):%Y-%m-%d}" in line or "Z" in line or "+" in line
        )
    told = {row.line for row in export.rows} | {line for line, _ in export.rejected}
    assert len(told) == len(export.rows) + len(export.rejected)
    assert not (export.refused and (export.rows or export.rejected))


@given(st.integers(0, len(f"{HEADER}\n{GOOD}\n")))
def test_a_file_cut_off_anywhere_gives_the_row_or_nothing(cut: int) -> None:
    whole = f"{HEADER}\n{GOOD}\n"
    assert read(whole[:cut]).rows in ((), [], read(whole).rows)
