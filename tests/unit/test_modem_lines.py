from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.alarm.loop_states import loop_state
from drivers.alarm.modem_lines import ModemLinesDriver, ModemLinesSettings
from drivers.errors import DeviceTimeoutError
from drivers.readings import ChallengeResult, LoopReading, LoopState, ModemLine
from drivers.serial_port import SerialPort
from tests.simulated_clock import SimulatedClock

REST, PRESSED, OPEN, SHORT = LoopState
BOTH: dict[str, ModemLine] = {"closed_at_rest": "cts", "open_at_rest": "dsr"}
# The two poles of a button on CTS and DSR, as each state of the loop shows them.
POLES: dict[LoopState, frozenset[ModemLine]] = {
    REST: frozenset({"cts"}),
    PRESSED: frozenset({"dsr"}),
    OPEN: frozenset(),
    SHORT: frozenset({"cts", "dsr"}),
}
World = Callable[[float], Iterable[ModemLine]]


class LoopOnFakePort(SerialPort):
    """Shows what `world` closes while the feed is up, `lag` seconds late, and notes every feed."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__("/dev/fake", 9600, clock)
        self.clock = clock
        self.world: World = lambda _: POLES[REST]
        self.stuck: frozenset[ModemLine] = frozenset()
        self.stuck_for_drops = 1_000
        self.lag = 0.0
        self.fed: list[tuple[float, bool]] = []

    def open(self) -> None:
        self.fed.clear()

    def set_feed(self, *, on: bool) -> None:
        self.fed.append((self.clock.monotonic(), on))

    def read_lines(self) -> frozenset[ModemLine]:
        now = self.clock.monotonic()
        fed = [on for at, on in self.fed if at <= now - self.lag]
        stuck = self.stuck if len(self.drops) <= self.stuck_for_drops else frozenset()
        return stuck | (frozenset(self.world(now)) if fed and fed[-1] else frozenset())

    @property
    def drops(self) -> list[float]:
        return [at for at, on in self.fed if not on]


class Bench:
    """A driver on a fake port; `at` of a script counts from the end of open()."""

    def __init__(self, clock: SimulatedClock, **settings: object) -> None:
        self.clock = clock
        wanted = {"id": "loop", "port": "/dev/fake", **(settings or BOTH)}
        self.driver = ModemLinesDriver(ModemLinesSettings.model_validate(wanted), clock)
        self.port = LoopOnFakePort(clock)
        self.driver._port = self.port
        self.opened = clock.monotonic() + 0.2
        self.told: LoopState | None = None

    def script(self, *steps: tuple[float, LoopState]) -> None:
        """Let the loop be at rest, and from each instant on as the step says."""

        def world(now: float) -> Iterable[ModemLine]:
            past = [state for at, state in steps if now >= self.opened + at - 1e-9]
            return POLES[past[-1] if past else REST]

        self.port.world = world

    def run(self, seconds: float) -> list[tuple[float, LoopState]]:
        """Poll for that long; return each change of state and when it was told."""
        changes: list[tuple[float, LoopState]] = []
        for at, reading in self.readings(seconds):
            if reading.state is not self.told:
                changes.append((at, reading.state))
            self.told = reading.state
        return changes

    def readings(self, seconds: float) -> list[tuple[float, LoopReading]]:
        found = []
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            for reading in self.driver.poll(deadline=self.clock.monotonic() + 1):
                assert isinstance(reading, LoopReading)
                found.append((self.clock.monotonic() - self.opened, reading))
        return found


@pytest.fixture
def bench(clock: SimulatedClock) -> Bench:
    """Both poles, told to be at rest, and challenges too rare to be in the way."""
    made = Bench(clock, **BOTH, challenge_seconds=3600)
    made.driver.open()
    made.run(0.1)
    made.opened = clock.monotonic()
    return made


# ---- debounce


@pytest.mark.parametrize("state", LoopState)
def test_the_first_readings_tell_how_the_loop_is_found(
    clock: SimulatedClock, state: LoopState
) -> None:
    bench = Bench(clock)
    bench.port.world = lambda _: POLES[state]
    bench.driver.open()
    [(_, told)] = bench.run(0.2)
    assert told is state


def test_with_two_poles_one_look_makes_a_press(bench: Bench) -> None:
    bench.script((0.1, PRESSED), (0.12, REST))
    [(pressed_at, state), (released_at, _)] = bench.run(0.6)
    assert state is PRESSED
    assert pressed_at == pytest.approx(0.1, abs=0.021)
    assert released_at - pressed_at >= 0.2


def test_a_bare_line_must_be_seen_twice(clock: SimulatedClock) -> None:
    bench = Bench(clock, open_at_rest="dsr")
    bench.driver.open()
    bench.script((0.1, PRESSED), (0.119, REST), (0.3, PRESSED), (0.339, REST))
    assert [state for _, state in bench.run(1)] == [REST, PRESSED, REST]
    bench.script((1.3, PRESSED), (1.319, REST))
    assert bench.run(1) == []


def test_a_cut_normally_closed_line_is_a_press(clock: SimulatedClock) -> None:
    bench = Bench(clock, closed_at_rest="cd")
    bench.port.world = lambda now: ["cd"] if now < bench.opened + 0.5 else []
    bench.driver.open()
    assert [state for _, state in bench.run(1)] == [REST, PRESSED]


def test_a_release_must_stand_for_200_ms(bench: Bench) -> None:
    bench.script((0.1, PRESSED), (0.3, REST), (0.48, PRESSED), (0.6, REST))
    changes = bench.run(1.2)
    assert [state for _, state in changes] == [PRESSED, REST]
    assert changes[-1][0] == pytest.approx(0.82, abs=0.03)


def test_a_button_on_its_way_is_no_trouble(bench: Bench) -> None:
    bench.script((0.1, OPEN), (0.24, PRESSED), (1, OPEN), (1.14, REST))
    assert [state for _, state in bench.run(1.6)] == [PRESSED, REST]


@pytest.mark.parametrize("trouble", [OPEN, SHORT])
def test_trouble_is_what_stays_longer_than_150_ms(bench: Bench, trouble: LoopState) -> None:
    bench.script((0.1, trouble), (2, REST))
    [(told_at, state), (mended_at, _)] = bench.run(3)
    assert state is trouble
    assert 0.25 < told_at < 0.3
    assert mended_at == pytest.approx(2.2, abs=0.03)


def test_a_loop_between_two_troubles_is_in_trouble(bench: Bench) -> None:
    bench.script(*((0.1 * step, (OPEN, SHORT)[step % 2]) for step in range(1, 20)))
    changes = bench.run(0.6)
    assert changes[0][1] in (OPEN, SHORT)
    assert changes[0][0] < 0.3


def test_a_press_is_told_also_out_of_trouble(bench: Bench) -> None:
    bench.script((0.1, OPEN), (0.5, PRESSED))
    changes = bench.run(1)
    assert [state for _, state in changes] == [OPEN, PRESSED]
    assert changes[-1][0] == pytest.approx(0.5, abs=0.021)


LINES = st.frozensets(st.sampled_from(("cts", "dsr", "cd", "ri")))


@given(st.lists(LINES, min_size=1), LINES)
def test_whatever_the_lines_do_only_what_was_seen_is_told(
    rows: list[frozenset[ModemLine]], stuck: frozenset[ModemLine]
) -> None:
    clock = SimulatedClock()
    bench = Bench(clock)
    shown: list[LoopState] = []

    def world(now: float) -> Iterable[ModemLine]:
        lines = rows[int(max(0, now - bench.opened) / 0.07) % len(rows)]
        shown.append(loop_state(lines | stuck, "cts", "dsr"))
        return lines

    bench.port.world, bench.port.stuck = world, stuck
    bench.driver.open()
    for _ in range(10):
        try:
            told = [reading for _, reading in bench.readings(0.2)]
        except DeviceTimeoutError:
            continue
        assert {reading.state for reading in told} <= set(shown)
        if not stuck & {"cts", "dsr"}:
            assert all(reading.challenge is not ChallengeResult.FAILED for reading in told)


# ---- blind after opening


def test_lines_are_not_believed_right_after_opening(clock: SimulatedClock) -> None:
    bench = Bench(clock)
    bench.script((-0.2, PRESSED), (-0.01, REST))
    bench.driver.open()
    assert [state for _, state in bench.run(1)] == [REST]
    [at, on] = bench.port.fed[0]
    assert on
    assert at == pytest.approx(bench.opened - 0.2)


def test_opened_anew_nothing_is_remembered(clock: SimulatedClock) -> None:
    bench = Bench(clock)
    bench.driver.open()
    bench.run(0.5)
    bench.port.world = lambda _: POLES[PRESSED]
    bench.run(0.5)
    bench.driver.close()
    bench.port.world = lambda _: POLES[REST]
    bench.driver.open()
    [(_, first), *_] = bench.readings(0.1)
    assert (first.state, first.challenge) == (REST, ChallengeResult.NOT_YET)


# ---- the challenge


def test_the_feed_is_dropped_at_the_start_and_every_minute(clock: SimulatedClock) -> None:
    bench = Bench(clock, **BOTH, challenge_seconds=60)
    bench.driver.open()
    results = [reading.challenge for _, reading in bench.readings(150)]
    assert results[0] is ChallengeResult.NOT_YET
    assert results[1] is ChallengeResult.PASSED
    first, second, third = bench.port.drops
    assert first - bench.opened < 0.1
    assert second - first == pytest.approx(60, abs=0.2)
    assert third - second == pytest.approx(60, abs=0.2)


def test_the_feed_is_down_no_longer_than_it_takes(clock: SimulatedClock) -> None:
    bench = Bench(clock)
    bench.port.lag = 0.016
    bench.driver.open()
    assert [state for _, state in bench.run(1)] == [REST]
    [down] = [at for at, on in bench.port.fed if not on]
    up = next(at for at, on in bench.port.fed if on and at > down)
    assert 0.016 <= up - down <= 0.05


def test_a_line_that_stays_on_without_feed_fails_twice(clock: SimulatedClock) -> None:
    bench = Bench(clock, **BOTH, challenge_seconds=5)
    bench.port.stuck = POLES[REST]
    bench.driver.open()
    told = bench.readings(4)
    readings = [reading for _, reading in told]
    assert len(bench.port.drops) == 2
    failed_at = [at for at, reading in told if reading.challenge is ChallengeResult.FAILED]
    assert failed_at[0] + bench.opened <= bench.port.drops[1] + 0.06
    assert bench.port.drops[1] - bench.port.drops[0] == pytest.approx(0.05, abs=0.01)
    assert {reading.challenge for reading in readings[1:]} == {ChallengeResult.FAILED}
    bench.port.stuck = frozenset()
    assert bench.readings(3)[-1][1].challenge is ChallengeResult.PASSED


def test_a_line_that_goes_off_at_the_second_drop_is_no_failure(clock: SimulatedClock) -> None:
    bench = Bench(clock)
    bench.port.stuck, bench.port.stuck_for_drops = POLES[REST], 1
    bench.driver.open()
    assert bench.readings(1)[-1][1].challenge is ChallengeResult.PASSED
    assert len(bench.port.drops) == 2


def test_nothing_is_challenged_that_is_off_already(clock: SimulatedClock) -> None:
    bench = Bench(clock, open_at_rest="dsr", challenge_seconds=1)
    bench.driver.open()
    assert {reading.challenge for _, reading in bench.readings(3)} == {ChallengeResult.NOT_YET}
    assert bench.port.drops == []


def test_a_button_on_its_way_is_not_challenged(clock: SimulatedClock) -> None:
    bench = Bench(clock, **BOTH, challenge_seconds=1)
    bench.driver.open()
    bench.script((0.8, OPEN), (0.9, PRESSED), (1.3, REST))
    bench.run(2)
    assert [round(at - bench.opened, 1) for at in bench.port.drops] == [0.0, 1.5]


def test_a_press_right_after_another_is_not_lost_to_a_challenge(clock: SimulatedClock) -> None:
    bench = Bench(clock, **BOTH, challenge_seconds=1)
    bench.port.lag = 0.03
    bench.driver.open()
    steps = [(at / 10, (REST, PRESSED)[at % 4 == 0]) for at in range(4, 100)]
    bench.script(*steps)
    presses = sum(state is PRESSED for _, state in steps)
    assert [state for _, state in bench.run(10)].count(PRESSED) == presses


@pytest.mark.parametrize("poles", [BOTH, {"closed_at_rest": "cts"}])
def test_what_the_lines_do_without_feed_is_not_the_button(
    clock: SimulatedClock, poles: dict[str, str]
) -> None:
    bench = Bench(clock, **poles, challenge_seconds=1)
    bench.port.lag = 0.04
    bench.driver.open()
    assert [state for _, state in bench.run(10)] == [REST]
    assert len(bench.port.drops) >= 9


def test_a_press_that_begins_in_a_challenge_is_told_after_it(clock: SimulatedClock) -> None:
    bench = Bench(clock, **BOTH, challenge_seconds=5)
    bench.driver.open()
    bench.run(4)
    second_drop = bench.port.drops[0] + 5
    bench.port.lag = 0.03
    bench.port.world = lambda now: POLES[PRESSED if now > second_drop + 0.01 else REST]
    changes = bench.run(2)
    assert [state for _, state in changes] == [PRESSED]
    assert changes[0][0] + bench.opened < second_drop + 0.2


def test_a_cable_cut_in_a_challenge_is_told_after_it(clock: SimulatedClock) -> None:
    bench = Bench(clock, **BOTH, challenge_seconds=5)
    bench.driver.open()
    bench.run(4)
    second_drop = bench.port.drops[0] + 5
    bench.port.world = lambda now: POLES[OPEN if now > second_drop else REST]
    changes = bench.run(2)
    assert [state for _, state in changes] == [OPEN]
    assert changes[0][0] + bench.opened < second_drop + 0.5


# ---- pace and deadlines


def test_a_terminal_server_is_asked_twice_a_second_to_confirm_the_feed(bench: Bench) -> None:
    bench.port.fed.clear()
    bench.port.fed.append((bench.clock.monotonic(), True))
    bench.run(10)
    raised = [at for at, on in bench.port.fed if on]
    assert max(after - at for at, after in pairwise(raised)) < 0.53
    assert 18 <= len(raised) <= 21


def test_a_loop_on_its_way_is_watched_and_nothing_else(bench: Bench) -> None:
    moves = [(0.13 * move, (REST, OPEN)[move % 2]) for move in range(3, 80)]
    bench.script(*moves)
    bench.run(10)
    asked = [(at - bench.opened) / 0.13 for at, _ in bench.port.fed if at > bench.opened + 0.4]
    assert len(asked) > 10
    # Open after every odd move; the look that shows it comes up to 20 ms later.
    assert [at for at in asked if int(at) % 2 and 0.2 < at % 1 < 0.98] == []


def test_readings_come_five_times_a_second_and_say_how_long_nobody_looked(bench: Bench) -> None:
    readings = [reading for _, reading in bench.readings(2)]
    assert len(readings) in (10, 11)
    assert max(reading.longest_gap_seconds for reading in readings) < 0.03
    bench.clock.advance(3)
    assert bench.readings(0.1)[0][1].longest_gap_seconds >= 3
    assert bench.readings(0.1)[0][1].longest_gap_seconds < 0.03


def test_lines_that_did_not_settle_in_time_are_a_timeout(clock: SimulatedClock) -> None:
    bench = Bench(clock)
    bench.port.world = lambda _: POLES[OPEN]
    bench.driver.open()
    with pytest.raises(DeviceTimeoutError, match="loop"):
        list(bench.driver.poll(deadline=clock.monotonic() + 0.1))
    assert [state for _, state in bench.run(0.1)] == [OPEN]
