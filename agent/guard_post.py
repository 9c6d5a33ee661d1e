"""Joins the guard's signs to what they depend on: the disk, the broker, the outputs."""

from collections import deque
from collections.abc import Mapping

from agent.county.publisher import Publisher
from agent.guard import Guard, Signs, Stage
from agent.monitors.alarm_memory import ButtonMemory
from agent.settings import SiteSettings
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

    def change(self, signs: Signs, outputs: Mapping[str, OutputDriver]) -> None:
        """Tell the guard by these; every lamp is set anew, because its driver may be a new one."""
        self._guard.signs, self._outputs = signs, outputs
        self._lit = {}

    def pressed(self, row: Row, button: str, incident: int, at: float) -> None:
        """Note a press that is on its way."""
        self._guard.pressed(button, incident, row.id, at, recorded=row.durable)

    def recorded(self, row: str) -> None:
        """Note that a press is on disk."""
        self._recorded.append(row)

    def was_acknowledged(self, button: str) -> bool:
        """Tell whether the guard has been told so, and of nothing newer."""
        return self.stages.get(button) == "acknowledged"

    def announced(self, row: Row, button: str) -> None:
        """Note that an open incident is being announced again."""
        self._guard.announced(button, row.id)

    def sent(self, row: str) -> None:
        """Note that a broker which gives back what it takes has an alarm event."""
        self._sent.append(row)

    def answer(self, at: float, *, accepted: bool) -> None:
        """Tell what came of a guard's card."""
        self._guard.answer(at, accepted=accepted)

    def tick(self, buttons: Mapping[str, ButtonMemory], at: float) -> None:
        """Work out how far every alarm has got, and set lamps and buzzers that change."""
        while self._recorded:
            self._guard.recorded(self._recorded.popleft())
        while self._sent:
            self._guard.sent(self._sent.popleft())
        self.stages = self._guard.stages(buttons, at)
        lit = self._guard.outputs(self.stages, at, linked=self._publisher.trusted)
        for (module, output), on in lit.items():
            if self._lit.get((module, output)) is not on and module in self._outputs:
                self._outputs[module].set_output(output, on=on)
        self._lit = dict(lit)


def signs_of(site: SiteSettings) -> Signs:
    """Return what a site has to tell the guard with."""
    outputs = tuple(one for module in site.alarm_module for one in module.guard_outputs)
    return Signs(site.guard, outputs, bool(site.county_key))
