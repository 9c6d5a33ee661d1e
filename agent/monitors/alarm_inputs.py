"""The inputs of one contact module: from levels and counters to presses."""

from collections.abc import Mapping, Sequence

from agent.county.contract import Event, State
from agent.findings import Cause
from agent.monitors import Instant
from agent.monitors.alarm_link import AlarmLink
from agent.monitors.contacts import Contacts
from agent.monitors.incidents import Incidents
from agent.monitors.outputs import Outputs
from agent.policy import AlarmInputs, WiredButton
from drivers.readings import (
    ContactsReading,
    LatchesReading,
    OutputReading,
    PressCountsReading,
    Reading,
)

RELEASE_STABLE_SECONDS = 0.2
SILENT_AFTER_SECONDS = 1.5
COUNTER_MODULUS = 1 << 16
# A step larger than this is no row of presses but a counter that was set back by a restart.
COUNTER_STEP_MAX = 1000
SUPPLY = "supply"


class ModuleInputs:
    """Implements Source. The first valid reply with an active input is a press: no second look."""

    reads_levels = True

    def __init__(self, wired: AlarmInputs, incidents: Incidents) -> None:
        self.link = AlarmLink(wired.id, silent_after_seconds=SILENT_AFTER_SECONDS)
        self.buttons: Sequence[WiredButton] = wired.buttons
        self.sees_short_presses = wired.sees_short_presses
        self._contacts = Contacts(wired.contacts, incidents.memory)
        self._outputs = Outputs(wired.outputs)
        self._incidents = incidents
        self._released_since: dict[str, float] = {}
        self._closed = [button for button in wired.buttons if button.wiring == "nc"]
        self._closed_inputs = [
            *(button.input for button in self._closed),
            *(contact.input for contact in wired.contacts if contact.normal == "closed"),
        ]

    def observe(self, reading: Reading, now: Instant) -> list[Event]:
        """Take in one reply of the module."""
        if isinstance(reading, ContactsReading):
            # First of all: a reply that cannot be judged must not count as one.
            levels = {button.id: _active(button, reading) for button in self.buttons}
            contacts = self._contacts.levels(reading)
            restored = self.link.replied(now, reading.reply_seconds)
            events = self.restored(now) if restored else []
            events += self._levels(levels, reading, now)
            return events + self._contacts.take(contacts, now)
        if isinstance(reading, PressCountsReading):
            return self._counts(reading, now)
        if isinstance(reading, LatchesReading):
            return self._latches(reading, now)
        if isinstance(reading, OutputReading):
            self._outputs.take(reading)
        return []

    def lost(self, cause: Cause, now: Instant) -> list[Event]:
        """Say that the line to the module is in trouble."""
        self._released_since.clear()
        self._outputs.lost()
        told = [
            self._incidents.say("trouble", button.id, now, cause=cause) for button in self.buttons
        ]
        return told + self._contacts.lost(cause, now)

    def restored(self, now: Instant) -> list[Event]:
        """Say that it is well again."""
        told = [self._incidents.say("restored", button.id, now) for button in self.buttons]
        return told + self._contacts.restored(now)

    def states(self) -> Sequence[State]:
        """Return the states of what is no panic button."""
        return [*self._contacts.states(self.link), *self._outputs.states(self.link)]

    def _levels(
        self, levels: Mapping[str, bool], reading: ContactsReading, now: Instant
    ) -> list[Event]:
        cut = self._supply_cut(reading)
        events: list[Event] = []
        for button in self.buttons:
            memory = self._incidents.memory.buttons[button.id]
            told, memory.told = memory.told, False
            if levels[button.id]:
                self._released_since.pop(button.id, None)
                if not memory.active and told:
                    memory.active = True
                    continue
                memory.seen += not memory.active
                memory.since_latch = memory.since_latch or not memory.active
                cause = (
                    Cause(code="alarm.pressed_or_cut") if cut and button in self._closed else None
                )
                events += self._incidents.level(button.id, now, active=True, cause=cause)
            elif not memory.active:
                events += self._incidents.level(button.id, now, active=False)
            else:
                since = self._released_since.setdefault(button.id, now.monotonic)
                if now.monotonic - since >= RELEASE_STABLE_SECONDS:
                    del self._released_since[button.id]
                    events += self._incidents.level(button.id, now, active=False)
        return events + self._supply(reading, now, cut=cut)

    def _supply_cut(self, reading: ContactsReading) -> bool:
        """Tell whether all normally closed contacts opened in this one reply."""
        memories = [self._incidents.memory.buttons[button.id] for button in self._closed]
        return (
            len(self._closed_inputs) > 1
            and bool(memories)
            and not any(reading.inputs[number] for number in self._closed_inputs)
            and not any(memory.active for memory in memories)
        )

    def _supply(self, reading: ContactsReading, now: Instant, *, cut: bool) -> list[Event]:
        """Pressed or cut: nobody knows, so it is both, until one of the contacts is closed."""
        events: list[Event] = []
        if cut:
            cause = Cause(code="alarm.supply", params={"module": self.link.device_id})
            for button in self._closed:
                events += self._incidents.fault(button.id, SUPPLY, cause, now)
        elif any(reading.inputs[number] for number in self._closed_inputs):
            for button in self._closed:
                events += self._incidents.mended(button.id, SUPPLY, now)
        return events

    def _counts(self, reading: PressCountsReading, now: Instant) -> list[Event]:
        events: list[Event] = []
        for button in self.buttons:
            memory = self._incidents.memory.buttons[button.id]
            count, before = reading.counts[button.input], memory.counter
            memory.counter = count
            if before is None:
                memory.seen = 0  # a baseline only; the level has been judged already
                # On disk at once: without it the next start could not tell what it has missed.
                self._incidents.unsaved = True
                continue
            step = (count - before) % COUNTER_MODULUS
            if step > COUNTER_STEP_MAX:
                events += self._module_restarted(button.id, count, now)
                continue
            unseen = max(0, step - memory.seen)
            # At most one press may be ahead of a counter that counts when the button is let go.
            memory.seen = min(1, max(0, memory.seen - step)) if memory.active else 0
            for _ in range(unseen):
                events += self._incidents.press(button.id, now)
            memory.told = unseen > 0 and not memory.active
        return events

    def _latches(self, reading: LatchesReading, now: Instant) -> list[Event]:
        """A latch that is set is a press, unless the level has told of it or it was told before."""
        events: list[Event] = []
        for button in self.buttons:
            memory = self._incidents.memory.buttons[button.id]
            latched = reading.latched[button.input]
            if latched and not memory.latched and not memory.since_latch:
                memory.told = not memory.active
                events += self._incidents.press(button.id, now)
            memory.latched = latched
            memory.since_latch = memory.since_latch and latched
        return events

    def _module_restarted(self, button: str, count: int, now: Instant) -> list[Event]:
        memory = self._incidents.memory.buttons[button]
        cause = Cause(code="alarm.module_restart")
        events = [self._incidents.say("trouble", button, now, cause=cause)]
        if count > memory.seen:
            events += self._incidents.press(button, now, cause=cause, certainty="possible")
        events.append(self._incidents.say("restored", button, now, cause=cause))
        memory.seen = 0
        return events


def _active(button: WiredButton, reading: ContactsReading) -> bool:
    """Tell whether a button's contact is in its active state; IndexError if untold."""
    return reading.inputs[button.input] is not (button.wiring == "nc")
