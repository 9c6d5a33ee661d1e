"""Joins the guard's signs to what they depend on: the disk, the broker, the outputs."""

from collections import deque
from collections.abc import Mapping

from agent.county.publisher import Publisher
from agent.guard import Guard, Stage
from agent.monitors.alarm_memory import AlarmMemory
from agent.store.outbox import Row
from drivers.base import OutputDriver


class GuardPost:
    """Runs on the alarm loop; `recorded` and `sent` may be called on any thread."""

    def __init__(
        self, guard: Guard, outputs: Mapping[str, OutputDriver], publisher: Publisher
    ) -> None:
        self._guard = guard
        self._outputs = outputs
        self._publisher = publisher
        self._recorded: deque[str] = deque()
        self._sent: deque[str] = deque()
        self._lit: dict[tuple[str, int], bool] = {}
        self.stages: Mapping[str, Stage] = {}

    def pressed(self, row: Row, button: str, incident: int, at: float) -> None:
        """Note a press that is on its way."""
        self._guard.pressed(button, incident, row.id, at, recorded=row.durable)

    def recorded(self, row: str) -> None:
        """Note that a press is on disk."""
        self._recorded.append(row)

    def sent(self, row: str) -> None:
        """Note that a broker has taken an alarm event."""
        self._sent.append(row)

    def tick(self, memory: AlarmMemory, presses: Mapping[str, Row], at: float) -> None:
        """Work out how far every alarm has got, and set lamps and buzzers that change."""
        while self._recorded:
            self._guard.recorded(self._recorded.popleft())
        while self._sent:
            self._guard.confirmed(self._sent.popleft())
        trusted = self._publisher.trusted
        rows = {button: row.id for button, row in presses.items()}
        self.stages = self._guard.stages(memory, rows, at, trusted=trusted)
        lit = self._guard.outputs(self.stages, at, linked=trusted)
        for (module, output), on in lit.items():
            if self._lit.get((module, output)) is not on and module in self._outputs:
                self._outputs[module].set_output(output, on=on)
        self._lit = dict(lit)
