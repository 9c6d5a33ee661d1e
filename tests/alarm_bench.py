"""An alarm monitor on a bench, and short words for what its module says."""

from collections.abc import Sequence
from typing import Any, Literal

from agent.county.contract import Event
from agent.county.event_data import AlarmEventData
from agent.county.state_data import ButtonState
from agent.monitors import Instant
from agent.monitors.alarm import AlarmMonitor
from agent.monitors.alarm_memory import AlarmMemory
from agent.policy import AlarmEquipment, AlarmInputs, WiredButton
from drivers.readings import (
    ChallengeResult,
    ContactIdEvent,
    ContactsReading,
    HeartbeatReading,
    LoopReading,
    LoopState,
    Outage,
    PressCountsReading,
    Reason,
    ReceiverReading,
)
from tests.simulated_clock import SimulatedClock

GATE = WiredButton(id="gate", name="Gate", input=0, wiring="no")
OFFICE = WiredButton(id="office", name="Office", input=1, wiring="nc")
DORM = WiredButton(id="dorm", name="Dormitory", input=2, wiring="nc")


def equipment(module: str, *buttons: WiredButton) -> AlarmEquipment:
    """Return one module with these buttons."""
    return AlarmEquipment(modules=(AlarmInputs(id=module, buttons=buttons),))


class Bench:
    """An alarm monitor, a clock, and short words for what the module says."""

    def __init__(
        self,
        *buttons: WiredButton,
        memory: AlarmMemory | None = None,
        site: AlarmEquipment | None = None,
    ) -> None:
        self.clock = SimulatedClock()
        self.events: list[Event] = []  # the newest, whole
        self.site = site or equipment("io", *(buttons or (GATE,)))
        self.monitor = AlarmMonitor(self.site, memory or AlarmMemory())

    def _heard(self, events: Sequence[Event]) -> list[tuple[Any, ...]]:
        self.events = list(events)
        return said(events)

    def now(self) -> Instant:
        return Instant(self.clock.now(), self.clock.monotonic())

    def reply(self, *inputs: bool, seconds: float = 0.1) -> list[tuple[Any, ...]]:
        self.clock.advance(seconds)
        reading = ContactsReading(
            device_id="io", observed_at=self.clock.now(), inputs=inputs, reply_seconds=0.02
        )
        return self._heard(self.monitor.observe(reading, self.now()))

    def counts(self, *counts: int) -> list[tuple[Any, ...]]:
        reading = PressCountsReading(device_id="io", observed_at=self.clock.now(), counts=counts)
        return self._heard(self.monitor.observe(reading, self.now()))

    def miss(self, reason: Reason = Reason.TIMEOUT, seconds: float = 0.3) -> list[tuple[Any, ...]]:
        self.clock.advance(seconds)
        outage = Outage(device_id="io", observed_at=self.clock.now(), reason=reason)
        return self._heard(self.monitor.observe(outage, self.now()))

    def loop(
        self,
        state: LoopState,
        challenge: ChallengeResult = ChallengeResult.PASSED,
        seconds: float = 0.2,
    ) -> list[tuple[Any, ...]]:
        self.clock.advance(seconds)
        reading = LoopReading(
            device_id="loop",
            observed_at=self.clock.now(),
            lines=(),
            state=state,
            challenge=challenge,
            longest_gap_seconds=0.02,
        )
        return self._heard(self.monitor.observe(reading, self.now()))

    def tick(self, seconds: float = 0.25) -> list[tuple[Any, ...]]:
        self.clock.advance(seconds)
        return self._heard(self.monitor.tick(self.now()))

    def line(
        self,
        code: str,
        qualifier: Literal["new", "restore", "status"] = "new",
        *,
        account: str = "1234",
        partition: str = "01",
        zone: str = "001",
        token: str = "",
        resend: bool = False,
        seconds: float = 1.0,
    ) -> list[tuple[Any, ...]]:
        """Let the receiver report; without a token of its own it is another line every time."""
        self.clock.advance(seconds)
        event = ContactIdEvent(
            account=account, qualifier=qualifier, code=code, partition=partition, zone=zone
        )
        reading = ReceiverReading(
            device_id="host",
            observed_at=self.clock.now(),
            receiver="01",
            line="1",
            event=event,
            raw=f"5011 18{account}{qualifier}{code}{partition}{zone}",
            token=token or str(self.clock.monotonic()),
            resend=resend,
        )
        return self._heard(self.monitor.observe(reading, self.now()))

    def heartbeat(self, seconds: float = 1.0) -> list[tuple[Any, ...]]:
        self.clock.advance(seconds)
        reading = HeartbeatReading(
            device_id="host", observed_at=self.clock.now(), receiver="01", line="1"
        )
        return self._heard(self.monitor.observe(reading, self.now()))

    def state(self, button: str = "gate") -> ButtonState:
        for state in self.monitor.states(self.now()):
            if state.id == button and isinstance(state.data, ButtonState):
                return state.data
        raise AssertionError(f"no state of {button}")

    def restart(self) -> "Bench":
        memory = AlarmMemory.model_validate_json(self.monitor.memory.model_dump_json())
        again = Bench(memory=memory, site=self.site)
        again.clock.jump((self.clock.now() - again.clock.now()).total_seconds())
        return again


def said(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    words: list[tuple[Any, ...]] = []
    for event in events:
        assert isinstance(event.data, AlarmEventData)
        words.append((event.data.what, event.data.button, event.data.incident, event.data.press))
    return words
