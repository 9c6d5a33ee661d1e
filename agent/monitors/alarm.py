"""The one-button alarm: all lines to buttons, one state machine, a latch that outlives restarts."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal, Protocol

from agent.county.contract import Event, State
from agent.county.event_data import AlarmEventData
from agent.county.state_data import ButtonState, ContactState, TestWindowState
from agent.findings import Cause, Verdict
from agent.monitors import Instant
from agent.monitors.alarm_inputs import ModuleInputs
from agent.monitors.alarm_link import AlarmLink
from agent.monitors.alarm_loops import LINE_FAULTS, ButtonLoop
from agent.monitors.alarm_memory import AlarmMemory
from agent.monitors.alarm_receivers import ReceiverZones
from agent.monitors.incidents import AlarmRefusedError, Incidents
from agent.monitors.test_window import LONGEST_MINUTES
from agent.policy import AlarmEquipment, AlarmInputs, AlarmReceiver, Button
from drivers.readings import Outage, Reading

TESTED_GOOD_FOR = timedelta(days=30)


class Source(Protocol):
    """One device that tells of buttons."""

    link: AlarmLink
    sees_short_presses: bool
    reads_levels: bool  # else it hears of changes, and of a release perhaps never

    @property
    def buttons(self) -> Sequence[Button]:
        """Return the buttons it tells of."""

    def observe(self, reading: Reading, now: Instant) -> list[Event]:
        """Take in what the device said."""

    def lost(self, cause: Cause, now: Instant) -> list[Event]:
        """Say of all that hangs on it that its line is in trouble."""

    def restored(self, now: Instant) -> list[Event]:
        """Say that the line is well again."""

    def states(self) -> Sequence[State]:
        """Return the states of what is no panic button."""


Line = AlarmInputs | Button | AlarmReceiver


class AlarmMonitor:
    """Implements Monitor; called on the alarm loop alone."""

    def __init__(self, equipment: AlarmEquipment, memory: AlarmMemory) -> None:
        self.memory = memory
        self._restarted_in_window = memory.window is not None
        self.incidents = Incidents(memory)
        self._lines: Mapping[str, Line] = {}
        self._sources: dict[str, Source] = {}
        self._watched_by: dict[str, Source] = {}
        self.change(equipment)

    def change(self, equipment: AlarmEquipment) -> None:
        """Watch these lines from now on; what is known of those that stay as they were stands."""
        lines: list[Line] = [*equipment.modules, *equipment.loops, *equipment.receivers]
        before, self._lines = self._lines, {line.id: line for line in lines}
        self._sources = {
            name: self._sources[name] if before.get(name) == line else _source(line, self.incidents)
            for name, line in self._lines.items()
        }
        sources = self._sources.items()
        self._watched_by = {button.id: source for _, source in sources for button in source.buttons}
        self.incidents.watch(
            [button for _, source in sources for button in source.buttons],
            anew=[
                button.id
                for name, source in sources
                if before.get(name) != self._lines[name]
                for button in source.buttons
            ],
        )

    def observe(self, reading: Reading, now: Instant) -> Sequence[Event]:
        """Take in one reply, or one miss, of a device."""
        source = self._sources.get(reading.device_id)
        if source is None:
            return ()
        if isinstance(reading, Outage):
            lost = source.link.missed(reading)
            return source.lost(source.link.trouble, now) if lost and source.link.trouble else ()
        events = source.observe(reading, now)
        self.memory.watched_until = now.wall
        return events

    def tick(self, now: Instant) -> Sequence[Event]:
        """Notice silence, and what else comes with time."""
        events = self.incidents.tick(now)
        for source in self._sources.values():
            if source.link.silent(now) and source.link.trouble is not None:
                events += source.lost(source.link.trouble, now)
        return events

    def started(self, now: Instant, void: tuple[int, int] | None) -> Sequence[Event]:
        """Say that watching begins, how long nobody watched, and which numbers were never used."""
        blind = self.memory.watched_until
        begun = Event(
            subject="agent",
            time=now.wall,
            data=AlarmEventData(
                what="started",
                blind_seconds=(
                    "unknown"  # also when the clock was set back: 0 would read as well
                    if blind is None or blind > now.wall
                    else round((now.wall - blind).total_seconds(), 1)
                ),
                void_from=void[0] if void else None,
                void_to=void[1] if void else None,
            ),
        )
        return [begun, *self.window_left_open(now)]

    def window_left_open(self, now: Instant) -> Sequence[Event]:
        """End the test window of before the restart: whoever opened it may have gone."""
        if not self._restarted_in_window:
            return []
        self._restarted_in_window = False
        return self.incidents.end_window(now, by="agent", reason="restart")

    def void(self, now: Instant, numbers: tuple[int, int]) -> Event:
        """Say which numbers were never used, when the disk told so only after `started`."""
        data = AlarmEventData(what="void", void_from=numbers[0], void_to=numbers[1])
        return Event(subject="agent", time=now.wall, data=data)

    def store_lost(self, now: Instant, *, salvaged: int) -> Event:
        """Say that the store was corrupt: incidents may have been open that nobody knows of."""
        data = AlarmEventData(
            what="incidents_lost", count=salvaged, cause=Cause(code="alarm.store_lost")
        )
        return Event(subject="agent", time=now.wall, data=data)

    def recall(self, old: AlarmMemory) -> None:
        """Take in what the disk told late: what was open stays open, what was seen since stands."""
        for button, before in old.buttons.items():
            since = self.memory.buttons.get(button)
            if since is None or (since.active is None and since.incident is None):
                self.memory.buttons[button] = before
                continue
            since.counter, since.seen = before.counter, before.seen + since.presses
            since.proven_at = since.proven_at or before.proven_at
            since.last_press_at = since.last_press_at or before.last_press_at
            since.faults = {**before.faults, **since.faults}
            if before.incident is not None:
                since.incident, since.presses = before.incident, before.presses + since.presses
            elif since.incident is not None:
                since.incident += old.incidents
        self.memory.incidents += old.incidents
        self.memory.windows += old.windows
        if old.window is not None and self.memory.window is None:
            self.memory.window, self._restarted_in_window = old.window, True
        self.memory.contacts = {**old.contacts, **self.memory.contacts}
        self.memory.lines = {**old.lines, **self.memory.lines}

    def states(self, now: Instant) -> Sequence[State]:
        """Return every button's state; unknown is never shown as rest."""
        found: list[State] = []
        for source in self._sources.values():
            found += [
                State(id=button.id, data=self._state(source, button, now))
                for button in source.buttons
            ]
            found += source.states()
        return [*found, State(id="alarm", data=self._window_state())]

    def contact_position(self, contact: str) -> str | None:
        """Return how a contact that is no button stands now; None: there is none of that name."""
        for state in (one for source in self._sources.values() for one in source.states()):
            if state.id == contact and isinstance(state.data, ContactState):
                return state.data.position
        return None

    def reset(
        self, button: str, now: Instant, *, by: str, reason: str = ""
    ) -> tuple[int, Sequence[Event]]:
        """Close the open incident of a button; return its number. Raises AlarmRefusedError."""
        memory = self.memory.buttons.get(button)
        incident = memory.incident if memory is not None else None
        known = button in self._watched_by and self._known(button)
        closed = self.incidents.reset(button, now, known=known, by=by, reason=reason)
        if memory is not None and not self._watched_by[button].reads_levels:
            memory.active = False
        return incident or 0, closed

    def start_test(
        self, buttons: Sequence[str], now: Instant, *, by: str, minutes: float
    ) -> Sequence[Event]:
        """Open a test window; with no button named, for none. Raises AlarmRefusedError."""
        if not buttons:
            raise AlarmRefusedError("alarm.test_no_buttons")
        if not by.strip():
            raise AlarmRefusedError("alarm.test_no_name")
        if not 0 < minutes <= LONGEST_MINUTES:
            raise AlarmRefusedError("alarm.test_too_long")
        return self.incidents.open_window(buttons, now, by=by, minutes=minutes)

    def _known(self, button: str) -> bool:
        """Tell whether it is known where the button's contact stands."""
        memory, source = self.memory.buttons[button], self._watched_by[button]
        return (
            source.link.known
            and memory.active is not None
            and (source.reads_levels or not memory.active)
            and not any(fault in memory.faults for fault in LINE_FAULTS)
        )

    def _state(self, source: Source, button: Button, now: Instant) -> ButtonState:
        memory, link = self.memory.buttons[button.id], source.link
        verdict, causes = self._judge(source, button, now)
        position: Literal["unknown", "rest", "pressed", "trouble", "tamper"] = "unknown"
        if link.trouble is not None or any(fault in memory.faults for fault in LINE_FAULTS):
            position = "trouble"
        elif any(key.startswith("tamper") for key in memory.faults):
            position = "tamper"
        elif link.last_reply is not None and memory.active is not None:
            position = "pressed" if memory.active else "rest"
        milliseconds = link.reply_milliseconds()
        return ButtonState(
            verdict=verdict,
            causes=tuple(causes),
            observed_at=link.last_reply.wall if link.last_reply else None,
            position=position,
            wiring=button.wiring,
            link="down" if link.trouble else "up" if link.last_reply else "unknown",
            in_test=self.incidents.window.covers(button.id),
            incident=memory.incident,
            presses=memory.presses if memory.incident is not None else 0,
            acknowledged_by=memory.acknowledged_by,
            last_press_at=memory.last_press_at,
            last_test_at=memory.proven_at,
            ok_until=memory.proven_at + TESTED_GOOD_FOR if memory.proven_at else None,
            missed_polls=link.missed_total,
            reply_ms_p50=milliseconds[0] if milliseconds else "unknown",
            reply_ms_p99=milliseconds[1] if milliseconds else "unknown",
        )

    def _judge(self, source: Source, button: Button, now: Instant) -> tuple[Verdict, list[Cause]]:
        memory = self.memory.buttons[button.id]
        if source.link.trouble is not None:
            return Verdict.FAIL, [source.link.trouble]
        if memory.faults:
            return Verdict.FAIL, list(memory.faults.values())
        if source.link.last_reply is None or memory.active is None:
            return Verdict.UNKNOWN, [Cause(code="unknown.not_yet")]
        causes: list[Cause] = []
        if memory.incident is not None:
            causes.append(Cause(code="alarm.incident_open", params={"incident": memory.incident}))
        proven = memory.proven_at
        if proven is None or now.wall - proven > TESTED_GOOD_FOR:
            plain = "alarm.not_tested_no" if button.wiring == "no" else "alarm.not_tested"
            causes.append(Cause(code=plain))
        if not source.sees_short_presses:
            causes.append(Cause(code="alarm.short_presses"))
        return (Verdict.WARN if causes else Verdict.OK), causes

    def _window_state(self) -> TestWindowState:
        window = self.memory.window
        return TestWindowState(
            verdict=Verdict.OK if window is None else Verdict.WARN,
            causes=()
            if window is None
            else (Cause(code="alarm.testing", params={"by": window.by}),),
            observed_at=None,
            open=window is not None,
            window=window.number if window else None,
            by=window.by if window else None,
            buttons=tuple(window.buttons) if window else (),
            ends_at=window.ends_at if window else None,
            presses=dict(window.presses) if window else {},
        )


def _source(line: Line, incidents: Incidents) -> Source:
    if isinstance(line, AlarmInputs):
        return ModuleInputs(line, incidents)
    if isinstance(line, AlarmReceiver):
        return ReceiverZones(line, incidents)
    return ButtonLoop(line, incidents)
