from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.alarm.loop_states import SettledLoop, loop_state
from drivers.readings import LoopState, ModemLine

REST, PRESSED, OPEN, SHORT = LoopState


@pytest.mark.parametrize(
    ("lines", "two", "closed", "opened"),
    [
        ({"cts"}, REST, REST, REST),
        ({"dsr"}, PRESSED, PRESSED, PRESSED),
        (set(), OPEN, PRESSED, REST),
        ({"cts", "dsr"}, SHORT, REST, PRESSED),
        ({"cts", "cd", "ri"}, REST, REST, REST),
    ],
)
def test_what_the_poles_show(
    lines: set[ModemLine], two: LoopState, closed: LoopState, opened: LoopState
) -> None:
    assert loop_state(lines, "cts", "dsr") is two
    assert loop_state(lines, "cts", None) is closed
    assert loop_state(lines, None, "dsr") is opened


def _by_looking_back(
    samples: Sequence[tuple[float, LoopState]], press_samples: int
) -> list[LoopState | None]:
    """The rules again, slowly: every sample looks back over all before it."""
    state: LoopState | None = None
    states = []
    for last, (at, seen) in enumerate(samples):
        same = last
        while same > 0 and samples[same - 1][1] == seen:
            same -= 1
        bad = last
        while bad > 0 and samples[bad - 1][1] in (OPEN, SHORT):
            bad -= 1
        if seen == PRESSED and last - same + 1 >= press_samples:
            state = PRESSED
        if seen == REST and (state is None or at - samples[same][0] >= 0.2):
            state = REST
        if seen in (OPEN, SHORT) and at - samples[bad][0] > 0.15:
            state = seen
        states.append(state)
    return states


@given(
    st.lists(st.tuples(st.sampled_from((0.02, 0.05, 0.13, 0.3)), st.sampled_from(LoopState))),
    st.sampled_from((1, 2)),
)
def test_any_row_of_samples_settles_as_the_rules_say(
    steps: list[tuple[float, LoopState]], press_samples: int
) -> None:
    samples = []
    at = 0.0
    for gap, seen in steps:
        at += gap
        samples.append((at, seen))
    settled = SettledLoop(press_samples)
    states, before = [], None
    for at, seen in samples:
        assert settled.take(seen, at) is (settled.state is not before)
        before = settled.state
        states.append(settled.state)
    assert states == _by_looking_back(samples, press_samples)
