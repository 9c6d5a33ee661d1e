from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from agent.county.event_data import AlarmEventData
from agent.findings import Verdict
from drivers.readings import ContactsReading, PressCountsReading, Reason
from tests.alarm_bench import DORM, OFFICE, Bench, said


def test_before_the_first_reply_nothing_is_known() -> None:
    state = Bench().state()
    assert (state.position, state.verdict) == ("unknown", Verdict.UNKNOWN)


def test_the_first_valid_reply_with_an_active_input_is_a_press() -> None:
    bench = Bench()
    assert bench.reply(True) == [("press", "gate", 1, 1)]
    assert bench.state().position == "pressed"


def test_one_active_sample_between_two_at_rest_is_a_press() -> None:
    bench = Bench()
    bench.reply(False)
    assert bench.reply(True) == [("press", "gate", 1, 1)]
    assert bench.reply(False) == []


def test_a_release_must_be_stable() -> None:
    bench = Bench()
    bench.reply(True)
    assert bench.reply(False, seconds=0.1) == []
    assert bench.reply(True, seconds=0.1) == []
    assert bench.reply(False, seconds=0.1) == []
    assert bench.reply(False, seconds=0.25) == [("release", "gate", 1, 1)]


def test_release_does_not_close_the_incident_and_the_next_press_joins_it() -> None:
    bench = Bench()
    bench.reply(True)
    bench.reply(False)
    bench.reply(False, seconds=1)
    assert bench.state().incident == 1
    assert bench.reply(True) == [("press", "gate", 1, 2)]


def test_an_open_incident_is_never_ok() -> None:
    bench = Bench()
    bench.reply(True)
    assert bench.state().verdict is Verdict.WARN
    assert "alarm.incident_open" in {cause.code for cause in bench.state().causes}


def test_a_press_already_stored_is_not_paged_again_after_a_restart() -> None:
    bench = Bench()
    bench.reply(True)
    again = bench.restart()
    assert again.reply(True) == []
    assert (again.state().position, again.state().incident) == ("pressed", 1)


def test_a_press_held_at_the_first_start_is_a_press() -> None:
    assert Bench().reply(True) == [("press", "gate", 1, 1)]


def test_a_press_while_we_were_away_is_found_by_its_counter() -> None:
    bench = Bench()
    bench.reply(False)
    bench.counts(7)
    again = bench.restart()
    again.reply(False)
    assert again.counts(9) == [("press", "gate", 1, 1), ("press", "gate", 1, 2)]


def test_a_counter_without_a_stored_baseline_is_only_a_baseline() -> None:
    bench = Bench()
    bench.reply(False)
    assert bench.counts(41) == []


def test_one_press_seen_by_level_and_counter_is_one_press() -> None:
    bench = Bench()
    bench.reply(False)
    bench.counts(7)
    assert bench.reply(True) == [("press", "gate", 1, 1)]
    assert bench.counts(8) == []
    assert bench.reply(True) == []


def test_a_press_the_counter_tells_first_is_one_press() -> None:
    bench = Bench()
    bench.reply(False)
    bench.counts(7)
    bench.reply(False)
    assert bench.counts(8) == [("press", "gate", 1, 1)]
    assert bench.reply(True) == []
    assert bench.counts(8) == []


def test_a_second_press_after_one_told_by_the_counter_is_not_swallowed() -> None:
    bench = Bench()
    bench.reply(False)
    bench.counts(7)
    bench.counts(8)
    bench.reply(False)  # the first was over before it could be seen
    assert bench.reply(True) == [("press", "gate", 1, 2)]


def test_a_counter_that_counts_on_release_does_not_double_the_press() -> None:
    bench = Bench()
    bench.reply(False)
    bench.counts(7)
    bench.reply(True)
    assert bench.counts(7) == []
    bench.reply(False)
    bench.reply(False, seconds=0.3)
    assert bench.counts(8) == []


def test_the_counter_wraps() -> None:
    bench = Bench()
    bench.reply(False)
    bench.counts(65535)
    assert bench.counts(0) == [("press", "gate", 1, 1)]


def test_a_counter_set_back_to_zero_is_a_module_restart_and_no_press() -> None:
    bench = Bench()
    bench.reply(False)
    bench.counts(5000)
    assert [word[0] for word in bench.counts(0)] == ["trouble", "restored"]


def test_a_counter_set_back_and_not_zero_is_possibly_a_press() -> None:
    bench = Bench()
    bench.reply(False)
    bench.counts(5000)
    reading = PressCountsReading(device_id="io", observed_at=bench.clock.now(), counts=(2,))
    events = bench.monitor.observe(reading, bench.now())
    press = [event.data for event in events if said([event])[0][0] == "press"]
    assert isinstance(press[0], AlarmEventData)
    assert press[0].certainty == "possible"


def test_three_misses_are_trouble_and_a_reply_restores() -> None:
    bench = Bench()
    bench.reply(False)
    assert bench.miss() == []
    assert bench.miss() == []
    assert bench.miss() == [("trouble", "gate", None, None)]
    assert (bench.state().position, bench.state().verdict) == ("trouble", Verdict.FAIL)
    assert bench.reply(False) == [("restored", "gate", None, None)]
    assert bench.state().position == "rest"


def test_a_lost_port_is_trouble_at_once() -> None:
    bench = Bench()
    bench.reply(False)
    assert bench.miss(Reason.PORT_LOST) == [("trouble", "gate", None, None)]


def test_silence_alone_is_trouble_in_two_seconds() -> None:
    bench = Bench()
    bench.reply(False)
    bench.clock.advance(1.6)
    assert said(bench.monitor.tick(bench.now())) == [("trouble", "gate", None, None)]


def test_a_press_during_trouble_is_seen_when_the_line_returns() -> None:
    bench = Bench()
    bench.reply(False)
    bench.miss(Reason.PORT_LOST)
    assert bench.reply(True) == [("restored", "gate", None, None), ("press", "gate", 1, 1)]


def test_a_normally_closed_contact_is_active_when_it_opens() -> None:
    bench = Bench(OFFICE)
    assert bench.reply(False, True) == []
    assert bench.reply(False, False) == [("press", "office", 1, 1)]


def test_all_normally_closed_contacts_opening_at_once_may_be_a_cut_supply() -> None:
    bench = Bench(OFFICE, DORM)
    bench.reply(False, True, True)
    bench.clock.advance(0.1)
    reading = ContactsReading(
        device_id="io",
        observed_at=bench.clock.now(),
        inputs=(False, False, False),
        reply_seconds=0.02,
    )
    data = [event.data for event in bench.monitor.observe(reading, bench.now())]
    causes = [one.cause.code for one in data if isinstance(one, AlarmEventData) and one.cause]
    assert causes == ["alarm.pressed_or_cut"] * 2 + ["alarm.supply"] * 2
    assert bench.state("office").verdict is Verdict.FAIL
    assert bench.reply(False, False, True)[:2] == [
        ("restored", "office", 1, 1),
        ("restored", "dorm", 2, 1),
    ]


def test_a_plain_no_contact_is_not_ok_until_it_has_been_seen_to_work() -> None:
    bench = Bench()
    bench.reply(False)
    assert {cause.code for cause in bench.state().causes} == {"alarm.not_tested_no"}
    bench.reply(True)
    bench.reply(False)
    bench.reply(False, seconds=1)
    assert {cause.code for cause in bench.state().causes} == {"alarm.incident_open"}
    bench.clock.jump(timedelta(days=31).total_seconds())
    assert "alarm.not_tested_no" in {cause.code for cause in bench.state().causes}


def test_blind_seconds_run_from_the_last_valid_reply_of_the_run_before() -> None:
    bench = Bench()
    bench.reply(False)
    again = bench.restart()
    again.clock.advance(42)
    event = again.monitor.started(again.now(), (3, 5))[0]
    assert isinstance(event.data, AlarmEventData)
    assert event.data.blind_seconds == pytest.approx(42)
    assert (event.data.void_from, event.data.void_to) == (3, 5)


def test_blind_seconds_of_a_first_start_are_unknown() -> None:
    bench = Bench()
    data = bench.monitor.started(bench.now(), None)[0].data
    assert isinstance(data, AlarmEventData)
    assert data.blind_seconds == "unknown"


def events(bench: Bench, polls: int, *per_poll: Callable[[], list[tuple[Any, ...]]]) -> list[str]:
    return [word[0] for _ in range(polls) for step in per_poll for word in step()]


def test_reply_times_are_told_by_rank_over_the_last_two_hundred() -> None:
    bench = Bench()
    times = [*([5.0] * 50), *(number / 1000 for number in range(200, 0, -1))]
    for seconds in times:
        reading = ContactsReading(
            device_id="io", observed_at=bench.clock.now(), inputs=(False,), reply_seconds=seconds
        )
        bench.clock.advance(0.1)
        bench.monitor.observe(reading, bench.now())
    assert (bench.state().reply_ms_p50, bench.state().reply_ms_p99) == (100.0, 198.0)
