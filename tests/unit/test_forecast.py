"""How many days a recorder will hold, against a disk that is written to and overwritten by hand."""

from collections.abc import Iterable
from datetime import date, timedelta

import pytest

from agent.findings import Verdict
from agent.monitors.forecast import NIGHTS, Forecast, forecast, with_depth
from drivers.recorder.readings import RecordedDay, StorageReading, Volume
from tests.unit.retention_site import YESTERDAY, Site

DAY = timedelta(days=1)
START = date(2026, 8, 1)


def disk(capacity: float, rates: Iterable[float]) -> list[int]:
    """Write `rates` a day on a disk that overwrites its oldest; return how many days it held."""
    held: list[float] = []
    depths: list[int] = []
    for rate in rates:
        held.append(rate)
        while sum(held) > capacity:
            surplus = sum(held) - capacity
            held[0] -= surplus
            if held[0] <= 0:
                held.pop(0)
        depths.append(len(held))
    return depths


def seen(depths: Iterable[int]) -> dict[date, int]:
    return {START + number * DAY: depth for number, depth in enumerate(depths)}


def test_a_recorder_that_writes_as_ever_holds_what_it_holds() -> None:
    found = forecast(seen(disk(40, [1] * 70)[-14:]))
    assert found is not None
    assert (found.holds_days, found.missed_on(30), found.missed_on(40)) == (40, None, None)


@pytest.mark.parametrize("more", [1.25, 1.5, 2.0])
@pytest.mark.parametrize("nights", [8, 14])
def test_a_recorder_that_writes_more_comes_to_hold_less(more: float, nights: int) -> None:
    before, after = [1.0] * 60, [more] * 120
    depths = disk(40, [*before, *after])
    found = forecast(seen(depths[60 : 60 + nights]))
    assert found is not None
    assert found.holds_days == pytest.approx(40 / more, abs=3)
    target = round(40 / more) + 4
    misses = next(number for number, depth in enumerate(depths[60:]) if depth < target)
    missed_on = found.missed_on(target)
    assert missed_on is not None
    assert abs((missed_on - (START + misses * DAY)).days) <= 3


def test_one_that_is_not_full_yet_tells_nothing() -> None:
    assert forecast(seen(disk(40, [1] * 30)[-14:])) is None


def test_a_few_nights_tell_nothing() -> None:
    assert forecast(seen([40] * (NIGHTS - 1))) is None
    assert forecast({}) is None


def test_one_night_that_was_read_wrongly_does_not_turn_it() -> None:
    found = forecast(seen([40] * 6 + [38] + [40] * 7))
    assert found is not None
    assert found.holds_days == 40


@pytest.mark.parametrize("before", [2000, 90, 12])
def test_after_a_jump_counting_begins_anew(before: int) -> None:
    """A clip with a wrong date that has gone, a disk that was added or lost."""
    assert forecast(seen([before] * 10 + [40] * (NIGHTS - 1))) is None
    found = forecast(seen([before] * 10 + [40] * 10))
    assert found is not None
    assert found.holds_days == 40


def test_the_deepest_channel_of_a_night_counts_and_old_nights_are_forgotten() -> None:
    depths = with_depth(with_depth({}, START, 12), START, 40)
    assert depths == {START: 40}
    assert with_depth(depths, START, 9) == {START: 40}
    later = START + 60 * DAY
    assert with_depth(depths, later, 40) == {later: 40}


def test_a_target_is_missed_only_by_who_meets_it() -> None:
    falling = Forecast(depth_days=40, holds_days=20, a_day=-0.5, on=START)
    assert falling.missed_on(30) == START + 22 * DAY
    assert (falling.missed_on(20), falling.missed_on(41)) == (None, None)


def test_a_school_is_warned_before_a_target_is_missed() -> None:
    site = Site()
    site.see(site.recorder())
    oldest = [YESTERDAY - (40 - number // 2) * DAY for number in range(12)]
    for number, day in enumerate(oldest):
        until = YESTERDAY + number * DAY
        edge, target = until - 29 * DAY, [until - n * DAY for n in range(30)]
        site.see(*site.months(2, target, until=until), site.looked_at(2, until, edge))
        site.see(
            site.evidence(2, "A", {day + number * DAY: RecordedDay(present=True, usable=True)})
        )
        site.wait(86_400)
        site.see(site.recorder())
    state = site.recording()
    assert (state.word, state.verdict) == ("met", Verdict.WARN)
    assert state.missed_on is not None
    [cause] = [one for one in state.causes if one.code == "recording.will_be_short"]
    assert cause.params["target_days"] == 30
    holds = site.recorder_state().holds_days
    assert isinstance(holds, int)
    assert 20 <= holds < 30
    disks = (Volume(id="1", condition="ok", writable=True, redundant=False, capacity_bytes=10**13),)
    site.see(StorageReading(device_id="nvr-1", observed_at=site.wall, volumes=disks))
    codes = {one.code for one in site.recorder_state().causes}
    assert "recorder.disk_short" in codes


def test_a_calendar_says_nothing_of_the_oldest() -> None:
    site = Site()
    site.see(site.recorder(), *site.months(2, [YESTERDAY - n * DAY for n in range(60)]))
    assert site.ledgers.recorder("nvr-1").depths == {}


def test_a_channel_that_is_short_is_not_told_that_it_will_be() -> None:
    site = Site()
    site.see(site.recorder())
    for number in range(12):
        until = YESTERDAY + number * DAY
        held = [until - n * DAY for n in range(10)]
        site.see(*site.months(2, held, until=until), site.looked_at(2, until))
        oldest = until - (40 - number // 2) * DAY
        site.see(site.evidence(1, "A", {oldest: RecordedDay(present=True, usable=True)}))
        site.wait(86_400)
        site.see(site.recorder())
    state = site.recording()
    assert (state.word, state.missed_on) == ("short", None)
    assert "recording.will_be_short" not in {one.code for one in state.causes}
