from datetime import timedelta

import pytest

from agent.county.contract import State
from agent.county.state_data import DutyState, ReaderState
from agent.duties import SERVED_BY, duty_states
from agent.findings import Verdict, worst
from agent.states import StateBoard
from tests.simulated_clock import SimulatedClock


def reader(verdict: Verdict = Verdict.OK, *, moment: SimulatedClock | None = None) -> State:
    at = moment.now() if moment else None
    return State(id="r", data=ReaderState(verdict=verdict, firmware="1.6", observed_at=at))


def test_a_new_state_is_sent_and_an_unchanged_one_is_not(clock: SimulatedClock) -> None:
    board = StateBoard(clock)
    assert len(board.due([reader()])) == 1
    assert board.due([reader()]) == []


def test_a_changed_state_is_sent_at_once(clock: SimulatedClock) -> None:
    board = StateBoard(clock)
    board.due([reader()])
    assert len(board.due([reader(Verdict.FAIL)])) == 1


def test_a_new_measurement_of_the_same_is_no_change(clock: SimulatedClock) -> None:
    board = StateBoard(clock)
    board.due([reader(moment=clock)])
    clock.advance(1)
    assert board.due([reader(moment=clock)]) == []


def test_a_state_is_refreshed_well_before_its_validity_ends(clock: SimulatedClock) -> None:
    board = StateBoard(clock)
    state = reader()
    board.due([state])
    clock.advance(state.valid_for_seconds / 2)
    assert board.due([state]) == [state]


def test_a_jump_of_the_wall_clock_neither_hurries_nor_delays_a_refresh(
    clock: SimulatedClock,
) -> None:
    board = StateBoard(clock)
    board.due([reader()])
    clock.jump(86_400)
    assert board.due([reader()]) == []


def test_since_when_a_verdict_stands_is_told_by_the_clock_of_now(clock: SimulatedClock) -> None:
    board = StateBoard(clock)
    board.due([reader()])
    clock.advance(60)
    board.due([reader(moment=clock)])
    board.due([failed := reader(Verdict.FAIL)])
    clock.advance(90)
    board.due([failed])
    clock.jump(86_400)
    assert clock.now() - board.since(failed) == timedelta(seconds=90)
    board.forget([failed], [])
    board.due([failed])
    assert board.since(failed) == clock.now()


def test_after_a_new_connection_everything_is_sent_again(clock: SimulatedClock) -> None:
    board = StateBoard(clock)
    board.due([reader()])
    board.forget_sent()
    assert len(board.due([reader()])) == 1


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], Verdict.UNKNOWN),
        ([Verdict.OK, Verdict.OK], Verdict.OK),
        ([Verdict.OK, Verdict.WARN], Verdict.WARN),
        ([Verdict.WARN, Verdict.UNKNOWN], Verdict.UNKNOWN),
        ([Verdict.UNKNOWN, Verdict.FAIL], Verdict.FAIL),
    ],
)
def test_a_roll_up_takes_the_worst_and_nothing_is_unknown(
    verdicts: list[Verdict], expected: Verdict
) -> None:
    assert worst(verdicts) is expected


def duties(verdicts: dict[str, dict[str, Verdict]], **not_fitted: str) -> dict[str, DutyState]:
    states = duty_states(lambda kind: verdicts.get(kind, {}), not_fitted)
    return {state.id: state.data for state in states if isinstance(state.data, DutyState)}


def test_every_duty_of_the_county_has_a_state() -> None:
    assert set(duties({})) == {name.replace("_", "-") for name in SERVED_BY}


def test_a_duty_is_as_bad_as_the_worst_that_serves_it_and_names_it() -> None:
    duty = duties({"button": {"gate": Verdict.OK, "office": Verdict.FAIL}})["alarm"]
    assert duty.verdict is Verdict.FAIL
    assert [cause.params["object"] for cause in duty.causes] == ["office"]


def test_a_duty_nothing_serves_does_not_read_as_well() -> None:
    assert all(duty.verdict is Verdict.UNKNOWN for duty in duties({}).values())


def test_a_duty_of_which_a_device_was_left_out_does_not_read_as_well() -> None:
    verdicts = {"camera": {"cam-1": Verdict.OK}}
    states = duty_states(lambda kind: verdicts.get(kind, {}), {}, {"pictures"})
    found = {state.id: state.data for state in states}
    assert found["pictures"].verdict is Verdict.UNKNOWN
    assert found["pictures"].causes[0].code == "duty.device_left_out"


def test_a_duty_not_fitted_says_why() -> None:
    duty = duties({}, patrol="a kindergarten with one room")["patrol"]
    assert duty.not_fitted == "a kindergarten with one room"
    assert duty.verdict is not Verdict.OK
