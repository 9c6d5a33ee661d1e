from hypothesis import given
from hypothesis import strategies as st

from agent.text.columns import padded, width, wrapped

TEXT = st.text("ab 中文，。（é\u0301")


def test_a_chinese_character_is_two_columns_wide() -> None:
    assert width("ab报警") == 6
    assert width("e\u0301") == 1
    assert padded("报警", 6) == "报警  "
    assert padded("longer", 3) == "longer"


def test_lines_break_between_words_and_between_chinese() -> None:
    assert wrapped("one two three", 7) == ["one two", "three"]
    assert wrapped("巡更，已完成", 6) == ["巡更，", "已完成"]
    assert wrapped("巡更，已完成", 5) == ["巡", "更，", "已完", "成"]
    assert wrapped("unbreakable", 4) == ["unbr", "eaka", "ble"]
    assert wrapped("", 4) == [""]


@given(TEXT, st.integers(4, 20))
def test_nothing_is_lost_and_nothing_too_wide(text: str, columns: int) -> None:
    lines = wrapped(text, columns)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(width(line) <= columns for line in lines)
