"""The guard's lamps: a sign that cannot be set is told of."""

from agent.county.state_data import OutputState
from agent.findings import Verdict
from agent.policy import AlarmEquipment, AlarmInputs, GuardOutput
from drivers.readings import OutputReading, Reason, Unknown
from tests.alarm_bench import GATE, Bench

LAMP = GuardOutput(id="lamp", name="Lamp", output=2, shows="alarm", module="io")
SITE = AlarmEquipment(modules=(AlarmInputs(id="io", buttons=(GATE,), outputs=(LAMP,)),))


def lamp(bench: Bench) -> OutputState:
    [found] = [
        state.data
        for state in bench.monitor.states(bench.now())
        if isinstance(state.data, OutputState)
    ]
    return found


def was_set(bench: Bench, *, on: bool | Unknown, output: int = 2) -> None:
    reading = OutputReading(device_id="io", observed_at=bench.clock.now(), output=output, on=on)
    bench.monitor.observe(reading, bench.now())


def test_unknown_until_set_then_as_it_was_set() -> None:
    bench = Bench(site=SITE)
    assert (lamp(bench).verdict, lamp(bench).on) == (Verdict.UNKNOWN, "unknown")
    was_set(bench, on=True, output=0)
    assert lamp(bench).verdict is Verdict.UNKNOWN
    was_set(bench, on=True)
    assert (lamp(bench).verdict, lamp(bench).on) == (Verdict.OK, True)
    was_set(bench, on=False)
    assert (lamp(bench).verdict, lamp(bench).on) == (Verdict.OK, False)


def test_one_that_cannot_be_set_is_a_fail_with_its_reason_and_mends() -> None:
    bench = Bench(site=SITE)
    was_set(bench, on=True)
    was_set(bench, on=Unknown(reason=Reason.NOT_SUPPORTED))
    assert (lamp(bench).verdict, lamp(bench).on) == (Verdict.FAIL, "unknown")
    assert lamp(bench).causes[0].params == {"reason": "not_supported"}
    was_set(bench, on=True)
    assert lamp(bench).verdict is Verdict.OK


def test_what_it_showed_does_not_outlive_the_line() -> None:
    bench = Bench(site=SITE)
    bench.reply(False)
    was_set(bench, on=True)
    bench.miss(Reason.PORT_LOST)
    assert (lamp(bench).verdict, lamp(bench).on) == (Verdict.FAIL, "unknown")
    bench.reply(False)
    bench.reply(False)
    assert lamp(bench).verdict is Verdict.UNKNOWN
