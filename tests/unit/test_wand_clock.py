"""A wand's clock against ours: drift between two dockings, and what is wrong with it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from drivers.nfc.wand_clock import Docking, Timed, timed
from drivers.nfc.wand_rows import Row

MIDNIGHT = datetime(2026, 9, 1, tzinfo=UTC)


def at(hours: float, seconds: float = 0) -> datetime:
    return MIDNIGHT + timedelta(hours=hours, seconds=seconds)


def docked(hours: float, offset: float) -> Docking:
    """Dock at a time of the wand's; ours is ahead of it."""
    return Docking(device_at=at(hours), host_at=at(hours, offset))


def rows(*hours: float, seq: Sequence[int | None] | None = None) -> list[Row]:
    numbers = seq or [None] * len(hours)
    return [
        Row(line, "W1", number, "em4100:01", None, at(hour))
        for line, (hour, number) in enumerate(zip(hours, numbers, strict=True), 2)
    ]


def times(of: list[Row], docking: Docking | None, last: Docking | None) -> list[Timed]:
    return [one for _, one in timed(of, docking, last)]


def test_the_first_docking_shifts_all_by_what_it_shows() -> None:
    one, two = times(rows(1, 9), docked(10, 30), None)
    assert (one.at, one.offset_seconds) == (at(1, 30), 30)
    assert (two.at, two.remarks) == (at(9, 30), ())


def test_drift_is_spread_over_the_time_between_two_dockings() -> None:
    found = times(rows(0, 6, 12, 24), docked(24, 48), docked(0, 0))
    assert [one.offset_seconds for one in found] == [0, 12, 24, 48]
    assert [one.at for one in found] == [at(0), at(6, 12), at(12, 24), at(24, 48)]


def test_before_the_last_docking_its_own_offset_holds() -> None:
    [one] = times(rows(-5), docked(24, 48), docked(0, 10))
    assert one.offset_seconds == 10


def test_without_what_its_clock_showed_times_are_as_they_are() -> None:
    [one] = times(rows(3), None, docked(0, 500))
    assert (one.at, one.offset_seconds, one.remarks) == (at(3), None, ())


@pytest.mark.parametrize(("offset", "off"), [(60, False), (61, True), (-60, False), (-61, True)])
def test_a_clock_that_is_off_by_more_than_a_minute_is_marked(offset: float, off: bool) -> None:
    [one] = times(rows(3), docked(10, offset), None)
    assert ("clock_off" in one.remarks) == off


@pytest.mark.parametrize(("offset", "jumped"), [(70, False), (71, True), (-50, False), (-51, True)])
def test_a_clock_that_jumped_since_the_last_docking_is_marked(offset: float, jumped: bool) -> None:
    [one] = times(rows(3), docked(10, offset), docked(0, 10))
    assert ("clock_jumped" in one.remarks) == jumped


def test_a_clock_that_was_set_back_takes_the_offset_of_now() -> None:
    [one] = times(rows(3), docked(5, 7200), docked(6, 0))
    assert one.offset_seconds == 7200
    assert one.remarks == ("clock_off", "clock_jumped")


def test_time_that_runs_backwards_by_the_wands_numbers_is_marked() -> None:
    found = times(rows(1, 3, 2, 4, seq=[1, 2, 3, 4]), None, None)
    assert [one.remarks for one in found] == [(), (), ("out_of_sequence",), ()]
    # In another order of lines, and without numbers, nothing is known to be wrong.
    assert all(not one.remarks for one in times(rows(3, 1, seq=[2, 1]), None, None))
    assert all(not one.remarks for one in times(rows(3, 1), None, None))
