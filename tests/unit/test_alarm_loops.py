"""A button's loop on modem lines, as the monitor judges it."""

import pytest

from agent.findings import Verdict
from agent.monitors.incidents import AlarmRefusedError
from agent.policy import AlarmEquipment, Button
from drivers.readings import ChallengeResult, LoopState, Outage, Reason
from tests.alarm_bench import Bench, said

SITE = AlarmEquipment(loops=(Button(id="loop", name="Gate", wiring="supervised"),))


def causes(bench: Bench) -> set[str]:
    return {cause.code for cause in bench.state("loop").causes}


def test_pressed_and_let_go() -> None:
    bench = Bench(site=SITE)
    assert bench.state("loop").position == "unknown"
    assert bench.loop(LoopState.REST) == []
    assert (bench.state("loop").position, causes(bench)) == ("rest", {"alarm.not_tested"})
    assert bench.loop(LoopState.PRESSED) == [("press", "loop", 1, 1)]
    assert bench.loop(LoopState.REST) == [("release", "loop", 1, 1)]


@pytest.mark.parametrize(
    ("state", "cause"), [(LoopState.OPEN, "loop.cut"), (LoopState.SHORT, "loop.short")]
)
def test_a_cut_and_a_short_are_trouble_and_no_press(state: LoopState, cause: str) -> None:
    bench = Bench(site=SITE)
    bench.loop(LoopState.REST)
    assert bench.loop(state) == [("trouble", "loop", None, None)]
    assert bench.loop(state) == []
    told = bench.state("loop")
    assert (told.position, told.verdict, causes(bench)) == ("trouble", Verdict.FAIL, {cause})
    assert bench.loop(LoopState.REST) == [("restored", "loop", None, None)]
    assert bench.state("loop").position == "rest"


def test_a_cut_that_turns_into_a_short_ends_as_a_cut() -> None:
    bench = Bench(site=SITE)
    bench.loop(LoopState.REST)
    bench.loop(LoopState.OPEN)
    assert [word[0] for word in bench.loop(LoopState.SHORT)] == ["restored", "trouble"]
    assert causes(bench) == {"loop.short"}


def test_a_loop_that_does_not_follow_its_feed_is_trouble_until_it_does() -> None:
    bench = Bench(site=SITE)
    assert bench.loop(LoopState.REST, ChallengeResult.NOT_YET) == []
    assert bench.loop(LoopState.REST, ChallengeResult.FAILED) == [("trouble", "loop", None, None)]
    assert causes(bench) == {"loop.challenge"}
    assert bench.loop(LoopState.REST, ChallengeResult.NOT_YET) == []
    assert bench.loop(LoopState.REST, ChallengeResult.PASSED) == [("restored", "loop", None, None)]


def test_an_incident_over_a_cut_line_is_closed_only_with_a_reason() -> None:
    bench = Bench(site=SITE)
    bench.loop(LoopState.PRESSED)
    bench.loop(LoopState.OPEN)
    with pytest.raises(AlarmRefusedError, match="reason_needed"):
        bench.monitor.reset("loop", bench.now(), by="uid:0")
    incident, closed = bench.monitor.reset("loop", bench.now(), by="uid:0", reason="cable renewed")
    assert (incident, said(closed)[0][0]) == (1, "closed")


def test_a_trouble_that_outlives_a_restart_is_told_once() -> None:
    bench = Bench(site=SITE)
    bench.loop(LoopState.OPEN)
    again = bench.restart()
    assert again.loop(LoopState.OPEN) == []
    assert again.loop(LoopState.REST) == [("restored", "loop", None, None)]


def test_a_lost_port_is_trouble_at_once_and_silence_soon() -> None:
    bench = Bench(site=SITE)
    bench.loop(LoopState.REST)
    outage = Outage(device_id="loop", observed_at=bench.clock.now(), reason=Reason.PORT_LOST)
    assert said(bench.monitor.observe(outage, bench.now())) == [("trouble", "loop", None, None)]
    assert causes(bench) == {"loop.port_lost"}
    bench.loop(LoopState.REST)
    bench.tick(0)
    assert bench.tick(1.4) == []
    assert bench.tick(0.2) == [("trouble", "loop", None, None)]
    assert causes(bench) == {"loop.no_reply"}
