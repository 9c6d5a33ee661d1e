"""Bounds and words against an independent, slower count."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from agent.monitors.depth import bounds, judge

UNTIL = date(2026, 8, 31)


def reference(known: list[bool | None], target: int) -> tuple[int, int, int, int]:
    """`known[0]` is yesterday. Fill in every unknown day both ways and count by hand."""
    results = []
    for filler in (False, True):
        filled = [filler if day is None else day for day in known]
        filled += [filler] * (target - len(filled))
        depth = len(filled)
        while depth > 0 and not filled[depth - 1]:
            depth -= 1
        absent = 0
        for day in filled[:target]:
            if not day:
                absent += 1
        results.append((depth, absent))
    (low_depth, most_absent), (high_depth, least_absent) = results
    return low_depth, high_depth, least_absent, most_absent


def window(known: list[bool | None]) -> list[bool | None]:
    """Leave out what lies beyond the oldest known day: nobody asked for it."""
    while known and known[-1] is None:
        known = known[:-1]
    return known


def as_days(known: Sequence[bool | None]) -> dict[date, bool]:
    return {
        UNTIL - timedelta(days=back): present
        for back, present in enumerate(known)
        if present is not None
    }


DAYS = st.lists(st.sampled_from([True, True, False, None]), max_size=50)


@given(DAYS, st.integers(min_value=1, max_value=40))
def test_bounds_agree_with_a_count_by_hand(known: list[bool | None], target: int) -> None:
    known = window(known)
    found = bounds(as_days(known), until=UNTIL, target=target)
    expected = reference(known, target)
    assert found[:4] == expected


@given(DAYS, st.integers(min_value=1, max_value=12), st.sampled_from([0.0, 0.1, 0.5]))
def test_a_word_holds_however_the_unknown_days_turn_out(
    known: list[bool | None], target: int, ratio: float
) -> None:
    known = window(known[:8])
    found = bounds(as_days(known), until=UNTIL, target=target)
    word = judge(found, target=target, max_missing_ratio=ratio)
    known += [None] * (target - len(known))
    unknown = [back for back, day in enumerate(known) if day is None]
    if len(unknown) > 10:
        return
    outcomes = set()
    for fill in product([False, True], repeat=len(unknown)):
        filled = list(known)
        for back, present in zip(unknown, fill, strict=True):
            filled[back] = present
        exact = bounds(as_days(filled), until=UNTIL, target=target)
        outcomes.add(judge(exact, target=target, max_missing_ratio=ratio))
    assert "unknown" not in outcomes
    if word != "unknown":
        assert outcomes == {word}


def test_a_hole_does_not_end_the_depth() -> None:
    known = [True] * 10 + [False] * 2 + [True] * 18
    found = bounds(as_days(known), until=UNTIL, target=30)
    assert (found.depth_lower, found.missing_lower) == (30, 2)
    assert judge(found, target=30, max_missing_ratio=0.10) == "claimed"


def test_many_holes_inside_the_target_are_short_however_deep_it_is() -> None:
    known = [True] * 10 + [False] * 4 + [True] * 76
    found = bounds(as_days(known), until=UNTIL, target=30)
    assert found.depth_lower == 90
    assert judge(found, target=30, max_missing_ratio=0.10) == "short"


def test_29_days_are_not_30() -> None:
    known = [True] * 29 + [False]
    found = bounds(as_days(known), until=UNTIL, target=30)
    assert judge(found, target=30, max_missing_ratio=0.10) == "short"
    assert judge(found, target=30, max_missing_ratio=0.10, slack=1) == "unknown"


def test_nothing_known_is_unknown() -> None:
    found = bounds({}, until=UNTIL, target=30)
    assert judge(found, target=30, max_missing_ratio=0.10) == "unknown"
    assert (found.depth_lower, found.depth_upper, found.unknown) == (0, 30, 30)
