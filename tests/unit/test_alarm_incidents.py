import pytest

from agent.county.event_data import AlarmEventData
from agent.monitors.incidents import AlarmRefusedError
from drivers.readings import Reason
from tests.alarm_bench import Bench, said


def test_a_reset_at_rest_closes_and_the_next_press_opens_a_new_incident() -> None:
    bench = Bench()
    bench.reply(True)
    bench.reply(False)
    bench.reply(False, seconds=1)
    incident, closed = bench.monitor.reset("gate", bench.now(), by="uid:1000")
    assert incident == 1
    assert said(closed) == [("closed", "gate", 1, 1)]
    assert isinstance(closed[0].data, AlarmEventData)
    assert (closed[0].data.by, closed[0].data.reason) == ("uid:1000", None)
    assert bench.state().incident is None
    assert bench.reply(True) == [("press", "gate", 2, 1)]


def test_a_reset_survives_a_restart() -> None:
    bench = Bench()
    bench.reply(True)
    bench.reply(False)
    bench.reply(False, seconds=1)
    bench.monitor.reset("gate", bench.now(), by="uid:1000")
    assert bench.restart().state().incident is None


def refusal(bench: Bench, button: str = "gate", reason: str = "") -> str:
    with pytest.raises(AlarmRefusedError) as refused:
        bench.monitor.reset(button, bench.now(), by="uid:1000", reason=reason)
    return refused.value.code


def test_a_button_still_pressed_cannot_be_reset_whatever_the_reason() -> None:
    bench = Bench()
    bench.reply(True)
    assert refusal(bench, reason="I say so") == "alarm.still_pressed"
    assert bench.state().incident == 1


def test_with_its_line_in_trouble_a_reset_needs_a_reason_and_keeps_it() -> None:
    bench = Bench()
    bench.reply(True)
    bench.miss(Reason.PORT_LOST)
    assert refusal(bench) == "alarm.reason_needed"
    assert refusal(bench, reason="  ") == "alarm.reason_needed"
    _, closed = bench.monitor.reset("gate", bench.now(), by="uid:0", reason="module replaced")
    assert isinstance(closed[0].data, AlarmEventData)
    assert closed[0].data.reason == "module replaced"


def test_after_a_start_the_input_is_not_known_to_be_at_rest() -> None:
    bench = Bench()
    bench.reply(True)
    assert refusal(bench.restart()) == "alarm.reason_needed"


def test_what_is_not_there_cannot_be_reset() -> None:
    bench = Bench()
    bench.reply(False)
    assert refusal(bench) == "alarm.no_incident"
    assert refusal(bench, "nowhere") == "alarm.no_such_button"


def test_an_acknowledgement_is_noted_once_and_answered_the_same_again() -> None:
    bench = Bench()
    bench.reply(True)
    assert list(bench.monitor.incidents.unanswered()) == ["gate"]
    code, events = bench.monitor.incidents.acknowledge(1, bench.now(), by="key:desk")
    assert (code, said(events)) == ("command.done", [("acknowledged", "gate", 1, 1)])
    assert bench.state().acknowledged_by == "key:desk"
    assert list(bench.monitor.incidents.unanswered()) == []
    assert bench.monitor.incidents.acknowledge(1, bench.now(), by="key:desk") == (
        "command.done",
        [],
    )
    assert (
        bench.restart().monitor.incidents.acknowledge(1, bench.now(), by="key:desk")[0]
        == "command.done"
    )


def test_an_acknowledgement_does_not_close_the_incident() -> None:
    bench = Bench()
    bench.reply(True)
    bench.monitor.incidents.acknowledge(1, bench.now(), by="key:desk")
    assert bench.state().incident == 1


def test_a_press_after_an_acknowledgement_asks_for_attention_again() -> None:
    bench = Bench()
    bench.reply(True)
    bench.monitor.incidents.acknowledge(1, bench.now(), by="key:desk")
    bench.reply(False)
    bench.reply(False, seconds=1)
    bench.reply(True)
    assert list(bench.monitor.incidents.unanswered()) == ["gate"]


def test_the_answer_to_a_late_acknowledgement_does_not_change_with_the_reset() -> None:
    bench = Bench()
    bench.reply(True)
    bench.reply(False)
    bench.reply(False, seconds=1)
    bench.monitor.incidents.acknowledge(1, bench.now(), by="key:desk")
    bench.monitor.reset("gate", bench.now(), by="uid:0")
    assert bench.monitor.incidents.acknowledge(1, bench.now(), by="key:desk") == (
        "command.done",
        [],
    )


def test_an_incident_closed_unseen_and_one_that_never_was_cannot_be_acknowledged() -> None:
    bench = Bench()
    bench.reply(True)
    bench.reply(False)
    bench.reply(False, seconds=1)
    bench.monitor.reset("gate", bench.now(), by="uid:0")
    assert (
        bench.monitor.incidents.acknowledge(1, bench.now(), by="k")[0] == "command.incident_closed"
    )
    assert (
        bench.monitor.incidents.acknowledge(2, bench.now(), by="k")[0] == "command.no_such_incident"
    )
