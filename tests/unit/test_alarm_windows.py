"""Test windows: what is pressed for a test says so, and whatever is not named stays live."""

from datetime import timedelta

import pytest

from agent.county.contract import Event
from agent.county.event_data import AlarmEventData
from agent.county.state_data import TestWindowState
from agent.findings import Verdict
from agent.monitors.incidents import AlarmRefusedError
from tests.alarm_bench import DORM, GATE, OFFICE, Bench, equipment, said

LATCHING = GATE.model_copy(update={"latching": True})


def start(bench: Bench, *buttons: str, minutes: float = 15) -> list[Event]:
    return list(bench.monitor.start_test(buttons, bench.now(), by="t-7", minutes=minutes))


def data_of(events: list[Event]) -> AlarmEventData:
    [data] = [event.data for event in events]
    assert isinstance(data, AlarmEventData)
    return data


def window(bench: Bench) -> TestWindowState:
    [found] = [
        state.data
        for state in bench.monitor.states(bench.now())
        if isinstance(state.data, TestWindowState)
    ]
    return found


def test_a_press_inside_its_window_is_a_test_and_opens_nothing() -> None:
    bench = Bench()
    bench.reply(False)
    begun = start(bench, "gate")
    assert begun[0].test
    assert (data_of(begun).by, data_of(begun).buttons) == ("t-7", ("gate",))
    assert bench.reply(True) == [("press", "gate", None, 1)]
    assert bench.events[0].test
    assert bench.state().incident is None
    assert bench.state().in_test
    bench.reply(False)
    assert bench.reply(False, seconds=1) == [("release", "gate", None, None)]
    ended = bench.monitor.incidents.end_window(bench.now(), by="t-7", reason="ended")
    assert (data_of(ended).untested, data_of(ended).window) == ((), 1)
    assert bench.state().last_test_at is not None


def test_what_is_not_named_stays_live() -> None:
    bench = Bench(GATE, OFFICE)
    bench.reply(False, True)
    start(bench, "gate")
    assert bench.reply(False, False) == [("press", "office", 1, 1)]
    assert not bench.events[0].test


def test_the_window_is_a_state_and_names_its_presses() -> None:
    bench = Bench(GATE, OFFICE)
    bench.reply(False, True)
    assert (window(bench).open, window(bench).verdict) == (False, Verdict.OK)
    start(bench, "gate", "office", minutes=5)
    bench.reply(True, True)
    told = window(bench)
    assert (told.open, told.verdict, told.presses) == (True, Verdict.WARN, {"gate": 1})
    assert told.ends_at == bench.clock.now() - timedelta(seconds=0.1) + timedelta(minutes=5)
    events = bench.monitor.incidents.end_window(bench.now(), by="t-7", reason="ended")
    assert data_of(events[:1]).untested == ("office",)


def test_it_ends_by_itself_and_by_either_clock() -> None:
    by_monotonic, by_wall = Bench(), Bench()
    for bench in (by_monotonic, by_wall):
        bench.reply(False)
        start(bench, "gate", minutes=2)
    by_monotonic.clock.jump(-3600)
    for _ in range(119):
        by_monotonic.reply(False, seconds=1)
        assert [word[0] for word in by_monotonic.tick(0)] == []
    by_monotonic.reply(False, seconds=1)
    assert [word[0] for word in by_monotonic.tick(0)] == ["test_ended"]
    by_wall.clock.jump(121)
    assert [word[0] for word in by_wall.tick(0)] == ["test_ended"]


def test_a_press_still_on_when_it_ends_goes_out_live_with_its_own_number() -> None:
    bench = Bench(LATCHING)
    bench.reply(False)
    start(bench, "gate")
    bench.reply(True)
    assert bench.reply(True, seconds=100) == []
    events = bench.monitor.incidents.end_window(bench.now(), by="t-7", reason="ended")
    assert [event.test for event in events] == [True, False]
    assert said(events)[1] == ("press", "gate", 1, 1)
    assert bench.reply(True) == []


def test_a_press_held_five_seconds_on_a_button_that_does_not_latch_is_meant() -> None:
    bench = Bench()
    bench.reply(False)
    start(bench, "gate")
    bench.reply(True)
    assert bench.reply(True, seconds=4.9) == []
    assert bench.reply(True, seconds=0.2) == [("press", "gate", 1, 1)]
    assert bench.reply(True, seconds=10) == []
    assert bench.state().incident == 1


def test_a_restart_ends_the_window_and_says_so() -> None:
    bench = Bench()
    bench.reply(False)
    start(bench, "gate")
    again = bench.restart()
    events = list(again.monitor.started(again.now(), None))
    assert [word[0] for word in said(events)] == ["started", "test_ended"]
    assert data_of(events[1:]).reason == "restart"
    assert again.reply(False) == []
    assert again.reply(True) == [("press", "gate", 1, 1)]


@pytest.mark.parametrize("still_pressed", [True, False])
def test_a_test_press_over_a_restart_goes_live_only_if_it_is_still_there(
    still_pressed: bool,
) -> None:
    bench = Bench(LATCHING)
    bench.reply(False)
    start(bench, "gate")
    bench.reply(True)
    again = bench.restart()
    again.monitor.started(again.now(), None)
    assert again.tick() == []
    live = [*again.reply(still_pressed), *again.reply(still_pressed, seconds=1)]
    assert (("press", "gate", 1, 1) in live) is still_pressed


@pytest.mark.parametrize(
    ("buttons", "by", "minutes", "code"),
    [
        (("gate", "attic"), "t-7", 15, "alarm.no_such_button"),
        ((), "t-7", 15, "alarm.test_no_buttons"),
        (("gate",), " ", 15, "alarm.test_no_name"),
        (("gate",), "t-7", 15.1, "alarm.test_too_long"),
        (("gate",), "t-7", 0, "alarm.test_too_long"),
        (("gate", "office"), "t-7", 15, "alarm.test_incident_open"),
    ],
)
def test_a_window_that_may_not_be_opened(
    buttons: tuple[str, ...], by: str, minutes: float, code: str
) -> None:
    bench = Bench(GATE, OFFICE, DORM)
    bench.reply(False, False, True)
    with pytest.raises(AlarmRefusedError) as refused:
        bench.monitor.start_test(buttons, bench.now(), by=by, minutes=minutes)
    assert refused.value.code == code
    assert not window(bench).open


def test_one_window_at_a_time_and_none_to_end() -> None:
    bench = Bench(GATE, OFFICE)
    bench.reply(False, True)
    with pytest.raises(AlarmRefusedError, match="no_test"):
        bench.monitor.incidents.end_window(bench.now(), by="t-7", reason="ended")
    start(bench, "gate")
    with pytest.raises(AlarmRefusedError, match="test_already"):
        start(bench, "office")


def test_a_button_nobody_tested_for_30_days_is_a_warning() -> None:
    bench = Bench(OFFICE, site=equipment("io", OFFICE.model_copy(update={"input": 0})))
    bench.reply(True)
    assert {cause.code for cause in bench.state("office").causes} == {"alarm.not_tested"}
    start(bench, "office")
    bench.reply(False)
    bench.reply(True)
    bench.reply(True, seconds=1)
    state = bench.state("office")
    assert state.verdict is Verdict.OK
    assert state.last_test_at is not None
    assert state.ok_until == state.last_test_at + timedelta(days=30)
    bench.monitor.incidents.end_window(bench.now(), by="t-7", reason="ended")
    bench.clock.jump(31 * 86_400)
    assert bench.state("office").verdict is Verdict.WARN


def test_a_window_the_disk_told_of_late_is_ended_then() -> None:
    before = Bench()
    before.reply(False)
    start(before, "gate")
    late = Bench()
    late.reply(False)
    late.monitor.recall(before.restart().monitor.memory)
    [ended] = late.monitor.window_left_open(late.now())
    assert isinstance(ended.data, AlarmEventData)
    assert (ended.data.what, ended.data.reason) == ("test_ended", "restart")
    assert late.monitor.window_left_open(late.now()) == []
    assert late.reply(True) == [("press", "gate", 1, 1)]
