"""The alarm monitor when disk, line and module are at their worst."""

from collections.abc import Callable
from typing import Any

import pytest

from agent.county.event_data import AlarmEventData
from agent.findings import Verdict
from agent.monitors.alarm import AlarmMonitor
from drivers.readings import ContactsReading, Reason
from tests.alarm_bench import DORM, GATE, OFFICE, Bench, equipment, said


def test_a_memory_told_late_keeps_its_incident_open_and_counts_on() -> None:
    before = Bench(GATE, OFFICE)
    before.reply(True, True)
    before.counts(7, 0)
    late = Bench(GATE, OFFICE)
    late.reply(True, False)
    late.reply(True, False)
    old = before.restart().monitor.memory
    late.monitor.recall(old)
    assert (late.state().incident, late.state().presses) == (1, 2)
    assert late.state("office").incident == 3  # 1 of the old store, and the second of this run
    late.reply(False, True)
    late.reply(False, True, seconds=1)
    assert late.reply(False, False) == [("press", "office", 3, 2)]


def test_a_memory_told_late_finds_the_presses_its_counter_has_kept() -> None:
    before = Bench()
    before.reply(False)
    before.counts(7)
    late = Bench()
    late.reply(False)
    late.counts(8)  # a baseline only: nothing was known
    late.monitor.recall(before.restart().monitor.memory)
    assert late.counts(8) == [("press", "gate", 1, 1)]


def test_a_memory_told_late_is_all_that_is_known_of_a_button_not_heard_yet() -> None:
    before = Bench()
    before.reply(True)
    late = Bench()
    late.monitor.recall(before.restart().monitor.memory)
    assert late.state().incident == 1
    assert late.reply(True) == []


def events(bench: Bench, polls: int, *per_poll: Callable[[], list[tuple[Any, ...]]]) -> list[str]:
    return [word[0] for _ in range(polls) for step in per_poll for word in step()]


def test_counters_the_module_has_not_got_are_one_trouble_and_no_flood() -> None:
    """Inputs answer, then the counters are refused, ten times a second for ever."""
    bench = Bench()
    said_so = events(
        bench, 100, lambda: bench.reply(False), lambda: bench.miss(Reason.NOT_SUPPORTED, 0.01)
    )
    assert said_so.count("trouble") <= 2
    assert bench.state().position == "trouble"


def test_counters_that_never_answer_are_trouble_though_the_inputs_do() -> None:
    bench = Bench()
    said_so = events(bench, 20, lambda: bench.reply(False), bench.miss)
    assert said_so == ["trouble"]
    assert events(bench, 3, lambda: bench.reply(False)) == ["restored"]


def test_a_press_is_seen_while_the_counters_are_trouble() -> None:
    bench = Bench()
    events(bench, 10, lambda: bench.reply(False), lambda: bench.miss(Reason.NOT_SUPPORTED, 0.01))
    assert ("press", "gate", 1, 1) in bench.reply(True)


def test_one_miss_now_and_then_is_no_trouble() -> None:
    bench = Bench()
    ten = [lambda: bench.reply(False)] * 9
    assert events(bench, 20, *ten, lambda: bench.miss(seconds=0.1)) == []


def test_a_clock_set_back_makes_the_blind_time_unknown_and_not_zero() -> None:
    bench = Bench()
    bench.reply(False)
    again = bench.restart()
    again.clock.jump(-3600)
    data = again.monitor.started(again.now(), None)[0].data
    assert isinstance(data, AlarmEventData)
    assert data.blind_seconds == "unknown"


def test_a_reply_that_does_not_tell_an_input_is_not_shown_as_rest() -> None:
    bench = Bench(GATE, OFFICE)
    with pytest.raises(IndexError):
        bench.reply(False)  # eight inputs in the settings, fewer on the wire
    assert bench.state("office").position == "unknown"
    assert bench.state("office").verdict is Verdict.UNKNOWN


def causes(bench: Bench, *inputs: bool) -> list[str | None]:
    bench.clock.advance(0.1)
    reading = ContactsReading(
        device_id="io", observed_at=bench.clock.now(), inputs=inputs, reply_seconds=0.02
    )
    data = [event.data for event in bench.monitor.observe(reading, bench.now())]
    return [
        one.cause.code if one.cause else None for one in data if isinstance(one, AlarmEventData)
    ]


def test_one_normally_closed_contact_alone_is_a_press_and_no_cut_supply() -> None:
    bench = Bench(GATE, OFFICE)
    bench.reply(False, True)
    assert causes(bench, False, False) == [None]


def test_a_contact_that_was_open_already_does_not_speak_for_a_cut_supply() -> None:
    bench = Bench(OFFICE, DORM)
    bench.reply(False, False, True)
    assert causes(bench, False, False, False) == [None]


def test_a_press_before_the_baseline_does_not_hide_the_next() -> None:
    bench = Bench()
    bench.reply(True)
    bench.counts(1)  # the baseline holds that press already
    bench.reply(False)
    bench.reply(False, seconds=1)
    assert bench.counts(2) == [("press", "gate", 1, 2)]


def test_a_press_the_counter_never_counted_does_not_hide_one_that_it_did() -> None:
    bench = Bench()
    bench.reply(False)
    bench.counts(7)
    bench.reply(True)  # seen by level; a worn counter missed it
    bench.reply(False)
    bench.reply(False, seconds=1)
    assert bench.counts(7) == []
    bench.reply(False, seconds=1)
    assert bench.counts(8) == [("press", "gate", 1, 2)]


def test_a_module_restart_after_a_press_that_was_seen_is_no_second_press() -> None:
    bench = Bench()
    bench.reply(False)
    bench.counts(5000)
    bench.reply(True)  # after the restart, and counted by the module as its first
    assert [word[0] for word in bench.counts(1)] == ["trouble", "restored"]


def test_a_module_that_never_answers_is_trouble_by_silence_alone() -> None:
    bench = Bench()
    for _ in range(20):
        bench.clock.advance(0.25)
        if said(bench.monitor.tick(bench.now())):
            break
    assert bench.state().position == "trouble"


def test_a_release_begun_before_the_line_went_is_not_finished_by_the_time_it_was_away() -> None:
    bench = Bench()
    bench.reply(True)
    bench.reply(False)
    bench.miss(Reason.PORT_LOST, seconds=5)
    assert bench.reply(False, seconds=5) == [("restored", "gate", 1, 1)]


def test_the_presses_of_a_new_incident_are_counted_from_one() -> None:
    bench = Bench()
    for _ in range(2):
        bench.reply(True)
        bench.reply(False)
        bench.reply(False, seconds=1)
    assert bench.state().presses == 2
    memory = bench.monitor.memory.buttons["gate"]
    memory.incident = None
    bench.monitor = AlarmMonitor(equipment("io", GATE), bench.monitor.memory)
    assert bench.reply(True) == [("press", "gate", 2, 1)]
