"""Latches of the module itself: presses that no poll saw, told once."""

from drivers.readings import LatchesReading
from tests.alarm_bench import Bench, said


def latches(bench: Bench, *latched: bool, token: str = "1") -> list[str]:
    reading = LatchesReading(
        device_id="io", observed_at=bench.clock.now(), latched=latched, token=token
    )
    return [word[0] for word in said(bench.monitor.observe(reading, bench.now()))]


def test_a_latch_that_is_set_at_rest_is_a_press_told_once() -> None:
    bench = Bench()
    bench.reply(False)
    assert latches(bench, True) == ["press"]
    assert latches(bench, True) == []
    assert latches(bench, True, token="2") == []
    assert latches(bench, False, token="3") == []
    assert latches(bench, True, token="4") == ["press"]
    assert bench.state().presses == 2


def test_a_press_the_level_has_told_is_not_told_by_its_latch() -> None:
    bench = Bench()
    bench.reply(False)
    bench.reply(True)
    assert latches(bench, True) == []
    bench.reply(False)
    bench.reply(False, seconds=1)
    assert latches(bench, False, token="2") == []
    assert latches(bench, True, token="3") == ["press"]


def test_a_press_the_latch_tells_first_is_not_told_by_its_level() -> None:
    bench = Bench()
    bench.reply(False)
    assert latches(bench, True) == ["press"]
    assert bench.reply(True) == []
    assert bench.state().position == "pressed"


def test_a_latch_told_before_a_restart_and_not_yet_cleared_is_not_told_again() -> None:
    bench = Bench()
    bench.reply(False)
    latches(bench, True)
    again = bench.restart()
    again.reply(False)
    assert latches(again, True, token="1") == []


def test_a_latch_set_while_nobody_watched_is_a_press() -> None:
    bench = Bench()
    bench.reply(False)
    again = bench.restart()
    again.reply(False)
    assert latches(again, True) == ["press"]
