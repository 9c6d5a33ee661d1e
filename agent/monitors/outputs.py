"""The guard's lamps and buzzers: whether each shows what it was set to."""

from collections.abc import Sequence

from agent.county.contract import State
from agent.county.state_data import OutputState
from agent.findings import Cause, Verdict
from agent.monitors.alarm_link import AlarmLink
from agent.policy import GuardOutput
from drivers.readings import OutputReading, Unknown


class Outputs:
    """Those of one module; a lamp that cannot be set tells the guard nothing, or a lie."""

    def __init__(self, outputs: Sequence[GuardOutput]) -> None:
        self._outputs = outputs
        self._set: dict[int, OutputReading] = {}

    def take(self, reading: OutputReading) -> None:
        """Take in how setting an output went."""
        self._set[reading.output] = reading

    def lost(self) -> None:
        """Forget what they show: a module that was away may have lost its power."""
        self._set.clear()

    def states(self, link: AlarmLink) -> Sequence[State]:
        """Return the state of each."""
        return [State(id=one.id, data=self._state(one, link)) for one in self._outputs]

    def _state(self, output: GuardOutput, link: AlarmLink) -> OutputState:
        reading = self._set.get(output.output)
        verdict, on = Verdict.OK, reading.on if reading is not None else None
        causes: tuple[Cause, ...] = ()
        if link.trouble is not None:
            verdict, causes, on = Verdict.FAIL, (link.trouble,), None
        elif isinstance(on, Unknown):
            cause = Cause(code="output.not_set", params={"reason": str(on.reason)})
            verdict, causes = Verdict.FAIL, (cause,)
        elif on is None:
            verdict, causes = Verdict.UNKNOWN, (Cause(code="unknown.not_yet"),)
        return OutputState(
            verdict=verdict,
            causes=causes,
            observed_at=reading.observed_at if reading is not None else None,
            shows=output.shows,
            on=on if isinstance(on, bool) else "unknown",
        )
