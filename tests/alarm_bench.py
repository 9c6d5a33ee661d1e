"""An alarm monitor on a bench, and short words for what its module says."""

from collections.abc import Sequence
from typing import Any

from agent.county.contract import AlarmEventData, ButtonState, Event
from agent.monitors import Instant
from agent.monitors.alarm import AlarmMonitor
from agent.monitors.alarm_memory import AlarmMemory
from agent.policy import AlarmEquipment, AlarmInputs, WiredButton
from drivers.readings import ContactsReading, Outage, PressCountsReading, Reason
from tests.simulated_clock import SimulatedClock

GATE = WiredButton(id="gate", name="Gate", input=0, wiring="no")
OFFICE = WiredButton(id="office", name="Office", input=1, wiring="nc")
DORM = WiredButton(id="dorm", name="Dormitory", input=2, wiring="nc")


def equipment(module: str, *buttons: WiredButton) -> AlarmEquipment:
    """Return one module with these buttons."""
    return AlarmEquipment(modules=(AlarmInputs(id=module, buttons=buttons),))


class Bench:
    """An alarm monitor, a clock, and short words for what the module says."""

    def __init__(self, *buttons: WiredButton, memory: AlarmMemory | None = None) -> None:
        self.clock = SimulatedClock()
        self.buttons = buttons or (GATE,)
        self.monitor = AlarmMonitor(equipment("io", *self.buttons), memory or AlarmMemory())

    def now(self) -> Instant:
        return Instant(self.clock.now(), self.clock.monotonic())

    def reply(self, *inputs: bool, seconds: float = 0.1) -> list[tuple[Any, ...]]:
        self.clock.advance(seconds)
        reading = ContactsReading(
            device_id="io", observed_at=self.clock.now(), inputs=inputs, reply_seconds=0.02
        )
        return said(self.monitor.observe(reading, self.now()))

    def counts(self, *counts: int) -> list[tuple[Any, ...]]:
        reading = PressCountsReading(device_id="io", observed_at=self.clock.now(), counts=counts)
        return said(self.monitor.observe(reading, self.now()))

    def miss(self, reason: Reason = Reason.TIMEOUT, seconds: float = 0.3) -> list[tuple[Any, ...]]:
        self.clock.advance(seconds)
        outage = Outage(device_id="io", observed_at=self.clock.now(), reason=reason)
        return said(self.monitor.observe(outage, self.now()))

    def state(self, button: str = "gate") -> ButtonState:
        for state in self.monitor.states(self.now()):
            if state.id == button and isinstance(state.data, ButtonState):
                return state.data
        raise AssertionError(f"no state of {button}")

    def restart(self) -> "Bench":
        memory = AlarmMemory.model_validate_json(self.monitor.memory.model_dump_json())
        again = Bench(*self.buttons, memory=memory)
        again.clock.jump((self.clock.now() - again.clock.now()).total_seconds())
        return again


def said(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    words: list[tuple[Any, ...]] = []
    for event in events:
        assert isinstance(event.data, AlarmEventData)
        words.append((event.data.what, event.data.button, event.data.incident, event.data.press))
    return words
