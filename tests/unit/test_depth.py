"""Bounds and words against an independent, slower count."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from agent.monitors.depth import bounds, is_growing, judge, sample
from agent.monitors.ledger import LedgerDay

UNTIL = date(2026, 8, 31)


def reference(known: list[bool | None], target: int) -> tuple[int, int, int, int]:
    """`known[0]` is yesterday. Fill in every unknown day both ways and count by hand.

    Beyond the target what nobody knows cannot lengthen it, but whoever comes up to the edge from
    the far side of it may: where the four weeks behind it are not known, they may hold something.
    """
    results = []
    for filler in (False, True):
        filled = [filler if day is None else day for day in known[:target]]
        filled += [filler] * (target - len(filled))
        absent = filled.count(False)
        behind = [bool(day) for day in known[target:]]
        behind_is_known = all(
            back < len(known) and known[back] is not None for back in range(target, target + 28)
        )
        if filler and not behind_is_known:
            filled[-1] = True
        filled += behind
        depth = len(filled)
        while depth > 0 and not filled[depth - 1]:
            depth -= 1
        results.append((depth, absent))
    (low_depth, most_absent), (high_depth, least_absent) = results
    return low_depth, high_depth, least_absent, most_absent


SEEN = datetime(2026, 9, 1, tzinfo=UTC)


def as_days(known: Sequence[bool | None]) -> dict[date, LedgerDay]:
    return {
        UNTIL - timedelta(days=back): LedgerDay(present=present, grade="B", seen_at=SEEN)
        for back, present in enumerate(known)
        if present is not None
    }


DAYS = st.lists(st.sampled_from([True, True, False, None]), max_size=50)


@given(DAYS, st.integers(min_value=1, max_value=40))
def test_bounds_agree_with_a_count_by_hand(known: list[bool | None], target: int) -> None:
    found = bounds(as_days(known), until=UNTIL, target=target)
    expected = reference(known, target)
    assert found[:4] == expected


@given(DAYS, st.integers(min_value=1, max_value=12), st.sampled_from([0.0, 0.1, 0.5]))
def test_a_word_holds_however_the_unknown_days_turn_out(
    known: list[bool | None], target: int, ratio: float
) -> None:
    known = known[:8]
    known += [None] * (target - len(known))
    # Nothing is behind the target, and that is known: else no word but "unknown" is ever sure.
    known += [False] * (target + 28 - len(known))
    found = bounds(as_days(known), until=UNTIL, target=target)
    word = judge(found, target=target, max_missing_ratio=ratio, edge_checked=False)
    unknown = [back for back, day in enumerate(known) if day is None]
    if len(unknown) > 10:
        return
    outcomes = set()
    for fill in product([False, True], repeat=len(unknown)):
        filled = list(known)
        for back, present in zip(unknown, fill, strict=True):
            filled[back] = present
        exact = bounds(as_days(filled), until=UNTIL, target=target)
        outcomes.add(judge(exact, target=target, max_missing_ratio=ratio, edge_checked=False))
    assert "unknown" not in outcomes
    if word != "unknown":
        assert outcomes == {word}


def test_a_hole_does_not_end_the_depth() -> None:
    known = [True] * 10 + [False] * 2 + [True] * 18
    found = bounds(as_days(known), until=UNTIL, target=30)
    assert (found.depth_lower, found.missing_lower) == (30, 2)
    assert judge(found, target=30, max_missing_ratio=0.10, edge_checked=False) == "claimed"


def test_many_holes_inside_the_target_are_short_however_deep_it_is() -> None:
    known = [True] * 10 + [False] * 4 + [True] * 76
    found = bounds(as_days(known), until=UNTIL, target=30)
    assert found.depth_lower == 90
    assert judge(found, target=30, max_missing_ratio=0.10, edge_checked=False) == "short"


def test_29_days_are_not_30() -> None:
    known = [True] * 29 + [False] * 29
    found = bounds(as_days(known), until=UNTIL, target=30)
    assert judge(found, target=30, max_missing_ratio=0.10, edge_checked=False) == "short"
    assert judge(found, target=30, max_missing_ratio=0.10, edge_checked=False, slack=1) == "unknown"


def test_nothing_known_is_unknown() -> None:
    found = bounds({}, until=UNTIL, target=30)
    assert judge(found, target=30, max_missing_ratio=0.10, edge_checked=False) == "unknown"
    assert (found.depth_lower, found.depth_upper, found.unknown) == (0, 30, 30)


def looked_at(usable: bool | None, seconds: int = 86_400) -> LedgerDay:
    return LedgerDay(present=True, usable=usable, covered_seconds=seconds, grade="A", seen_at=SEEN)


def test_an_old_locked_clip_is_no_depth_but_no_hole_either() -> None:
    days = as_days([True] * 10 + [False] * 70 + [True])
    days[UNTIL] = looked_at(usable=True)
    days[UNTIL - timedelta(days=9)] = looked_at(usable=True)
    unsure = bounds(days, until=UNTIL, target=90)
    assert (unsure.depth_lower, unsure.depth_upper) == (10, 90)
    days[UNTIL - timedelta(days=80)] = looked_at(usable=False)
    sure = bounds({**days, **absent(range(81, 118))}, until=UNTIL, target=90)
    assert (sure.depth_lower, sure.depth_upper, sure.missing_lower) == (10, 10, 79)
    assert judge(sure, target=90, max_missing_ratio=0.1, edge_checked=True) == "short"


def absent(backs: Sequence[int]) -> dict[date, LedgerDay]:
    day = LedgerDay(present=False, grade="B", seen_at=SEEN)
    return {UNTIL - timedelta(days=back): day for back in backs}


def test_where_segments_are_to_be_had_the_calendar_alone_is_no_depth() -> None:
    days = as_days([True] * 40)
    assert bounds(days, until=UNTIL, target=30).depth_lower == 40
    days[UNTIL] = looked_at(usable=True)
    found = bounds(days, until=UNTIL, target=30)
    assert (found.depth_lower, found.depth_upper, found.grade) == (1, 40, "A")


def test_met_wants_the_edge_checked_and_every_day_known() -> None:
    days = as_days([True] * 30)
    days[UNTIL - timedelta(days=29)] = looked_at(usable=True)
    found = bounds(days, until=UNTIL, target=30)
    assert judge(found, target=30, max_missing_ratio=0.1, edge_checked=True) == "met"
    assert judge(found, target=30, max_missing_ratio=0.1, edge_checked=False) == "claimed"
    del days[UNTIL - timedelta(days=5)]
    unknown = bounds(days, until=UNTIL, target=30)
    assert judge(unknown, target=30, max_missing_ratio=0.1, edge_checked=True) == "claimed"
    assert judge(found, target=30, max_missing_ratio=0.1, edge_checked=True, slack=1) == "unknown"


def test_an_extent_is_a_claim_that_hides_its_holes() -> None:
    oldest = UNTIL - timedelta(days=34)
    days = {day: LedgerDay(present=True, grade="C", seen_at=SEEN) for day in (oldest, UNTIL)}
    found = bounds(days, until=UNTIL, target=30)
    assert (found.depth_lower, found.missing_lower, found.missing_upper) == (35, 0, 29)
    assert judge(found, target=30, max_missing_ratio=0.1, edge_checked=False) == "claimed"
    found = bounds(days, until=UNTIL, target=40)
    assert judge(found, target=40, max_missing_ratio=0.1, edge_checked=False) == "unknown"


def test_growing_is_a_new_channel_that_has_lost_nothing() -> None:
    since = UNTIL - timedelta(days=9)
    days = as_days([True] * 10 + [False] * 30)

    def grows() -> bool:
        return is_growing(days, since=since, until=UNTIL, ratio=0.1)

    assert grows()
    found = bounds(days, until=UNTIL, target=30)
    judged = judge(found, target=30, max_missing_ratio=0.1, edge_checked=False, growing=True)
    assert judged == "growing"
    days[UNTIL - timedelta(days=4)] = absent([4])[UNTIL - timedelta(days=4)]
    assert grows()  # one hole
    gone = days[UNTIL - timedelta(days=4)].model_copy(update={"lost": True})
    days[UNTIL - timedelta(days=4)] = gone
    assert not grows()
    days = as_days([True] * 6 + [False] * 34)  # its first days have been overwritten
    assert not grows()
    days = as_days([True] * 8 + [None, True])
    assert not grows()


def test_a_sample_says_how_much_of_the_days_looked_at_was_recorded() -> None:
    days = as_days([True] * 30)
    days[UNTIL] = looked_at(usable=True, seconds=43_200)
    days[UNTIL - timedelta(days=3)] = looked_at(usable=True, seconds=3_600)
    days[UNTIL - timedelta(days=40)] = looked_at(usable=True, seconds=1)  # beyond the target
    found = sample(days, until=UNTIL, target=30, thin_ratio=0.5)
    assert (found.days, found.thin_days, found.covered_ratio) == (2, 1, 0.271)
    assert sample({}, until=UNTIL, target=30, thin_ratio=0.5).covered_ratio is None


def test_a_hole_at_the_edge_is_not_the_end_unless_four_weeks_behind_it_are_known() -> None:
    days = as_days([True] * 29 + [False])
    found = bounds(days, until=UNTIL, target=30)
    assert (found.depth_lower, found.depth_upper) == (29, 30)
    assert judge(found, target=30, max_missing_ratio=0.1, edge_checked=True) == "unknown"
    days |= absent(range(30, 57))
    assert bounds(days, until=UNTIL, target=30).depth_upper == 30
    days |= absent([57])
    assert bounds(days, until=UNTIL, target=30).depth_upper == 29
