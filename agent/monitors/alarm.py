"""The one-button alarm: one state machine over all modules, with a latch that outlives restarts."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from statistics import quantiles
from typing import Literal

from agent.county.contract import AlarmEventData, ButtonState, Event, State
from agent.findings import Cause, Verdict
from agent.monitors import Instant
from agent.monitors.alarm_memory import AlarmMemory, ButtonMemory
from agent.policy import Button
from drivers.readings import ContactsReading, Outage, PressCountsReading, Reading, Reason

RELEASE_STABLE_SECONDS = 0.2
DEAD_AFTER_MISSES = 3
SILENT_AFTER_SECONDS = 1.5
NO_CONTACT_GOOD_FOR = timedelta(days=30)
COUNTER_MODULUS = 1 << 16
# A step larger than this is no row of presses but a counter that was set back by a restart.
COUNTER_STEP_MAX = 1000
REPLIES_KEPT = 200
ACKNOWLEDGED_KEPT = 100


class ResetRefusedError(Exception):
    """An incident cannot be closed now; `code` says why."""

    def __init__(self, code: str, button: str) -> None:
        super().__init__(f"{code}: {button}")
        self.code = code
        self.button = button


class _Module:
    """What is known of one module since the start; nothing of it outlives a restart."""

    def __init__(self, buttons: Sequence[Button]) -> None:
        self.buttons = buttons
        self.misses = 0
        self.missed_total = 0
        self.heard_last = False
        # Misses that each came right after a reply: it answers one question and not the next.
        self.halves = 0
        self.trouble: Cause | None = None
        self.last_reply: Instant | None = None
        self.reply_seconds: list[float] = []
        self.released_since: dict[str, float] = {}
        self.started = 0.0


class AlarmMonitor:
    """Implements Monitor. The first valid reply with an active input is a press: no second look."""

    def __init__(self, modules: Mapping[str, Sequence[Button]], memory: AlarmMemory) -> None:
        self.memory = memory
        self._modules = {module: _Module(buttons) for module, buttons in modules.items()}
        for buttons in modules.values():
            for button in buttons:
                memory.buttons.setdefault(button.id, ButtonMemory())
        self._blind_since = memory.watched_until
        self._announced = False

    def observe(self, reading: Reading, now: Instant) -> Sequence[Event]:
        """Take in one reply, or one miss, of a module."""
        module = self._modules.get(reading.device_id)
        if module is None:
            return ()
        if isinstance(reading, Outage):
            return self._missed(module, reading, now)
        if isinstance(reading, ContactsReading):
            # First of all: a reply that cannot be judged must not count as one.
            levels = self._levels(module, reading, now)
            return [*self._replied(module, reading, now), *levels]
        if isinstance(reading, PressCountsReading):
            return self._counts(module, reading, now)
        return ()

    def tick(self, now: Instant) -> Sequence[Event]:
        """Notice silence, whatever the port's thread is doing."""
        events: list[Event] = []
        for name, module in self._modules.items():
            module.started = module.started or now.monotonic
            heard = module.last_reply.monotonic if module.last_reply else module.started
            if module.trouble is None and now.monotonic - heard > SILENT_AFTER_SECONDS:
                cause = Cause(code="alarm.no_reply", params={"module": name})
                events += self._into_trouble(module, cause, now)
        return events

    def started(self, now: Instant, void: tuple[int, int] | None) -> Event:
        """Say that watching begins, how long nobody watched, and which numbers were never used."""
        blind = self.memory.watched_until
        return Event(
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
            if before.incident is not None:
                since.incident, since.presses = before.incident, before.presses + since.presses
            elif since.incident is not None:
                since.incident += old.incidents
        self.memory.incidents += old.incidents

    def states(self, now: Instant) -> Sequence[State]:
        """Return every button's state; unknown is never shown as rest."""
        return [
            State(id=button.id, data=self._state(module, button, now))
            for module in self._modules.values()
            for button in module.buttons
        ]

    def reset(
        self, button_id: str, now: Instant, *, by: str, reason: str = ""
    ) -> tuple[int, Event]:
        """Close the open incident of a button; return its number. Raises ResetRefusedError.

        With its input known to be at rest; otherwise only with a reason, which is on record.
        """
        found = [
            (module, button)
            for module in self._modules.values()
            for button in module.buttons
            if button.id == button_id
        ]
        if not found:
            raise ResetRefusedError("alarm.no_such_button", button_id)
        module, button = found[0]
        memory = self.memory.buttons[button_id]
        if memory.incident is None:
            raise ResetRefusedError("alarm.no_incident", button_id)
        known = module.trouble is None and module.last_reply is not None
        if known and memory.active:
            raise ResetRefusedError("alarm.still_pressed", button_id)
        if not known and not reason.strip():
            raise ResetRefusedError("alarm.reason_needed", button_id)
        incident = memory.incident
        closed = self._event("closed", button, now, by=by, reason=None if known else reason)
        memory.incident, memory.presses, memory.acknowledged_by = None, 0, None
        return incident, closed

    def acknowledge(self, incident: int, now: Instant, *, by: str) -> tuple[str, Sequence[Event]]:
        """Note that somebody at the county has seen an incident; the same again changes nothing.

        Returns the answer's code, and what happened.
        """
        open_now = {
            memory.incident: (button, memory)
            for module in self._modules.values()
            for button in module.buttons
            for memory in (self.memory.buttons[button.id],)
        }
        if incident in open_now:
            button, memory = open_now[incident]
            if memory.acknowledged_by is not None:
                return "command.done", ()
            memory.acknowledged_by = by
            self.memory.acknowledged = [*self.memory.acknowledged, incident][-ACKNOWLEDGED_KEPT:]
            return "command.done", [self._event("acknowledged", button, now, by=by)]
        if incident in self.memory.acknowledged:
            return "command.done", ()
        known = incident <= self.memory.incidents
        return ("command.incident_closed" if known else "command.no_such_incident"), ()

    def unanswered(self) -> Sequence[str]:
        """Return the buttons whose incident is open and acknowledged by nobody."""
        return [
            name
            for name, memory in self.memory.buttons.items()
            if memory.incident is not None and memory.acknowledged_by is None
        ]

    # -- readings

    def _missed(self, module: _Module, outage: Outage, now: Instant) -> Sequence[Event]:
        module.misses += 1
        module.missed_total += 1
        module.halves += module.heard_last
        module.heard_last = False
        if module.trouble is not None:
            return ()
        at_once = outage.reason in (Reason.PORT_LOST, Reason.NOT_SUPPORTED)
        if not at_once and module.misses < DEAD_AFTER_MISSES:
            return ()
        cause = Cause(
            code=f"alarm.{outage.reason}",
            params={"module": outage.device_id},
        )
        return self._into_trouble(module, cause, now)

    def _into_trouble(self, module: _Module, cause: Cause, now: Instant) -> list[Event]:
        module.trouble = cause
        module.released_since.clear()
        return [self._event("trouble", button, now, cause=cause) for button in module.buttons]

    def _replied(self, module: _Module, reading: ContactsReading, now: Instant) -> list[Event]:
        if module.heard_last:
            module.misses = module.halves = 0
        module.heard_last = True
        module.last_reply = now
        module.reply_seconds = [*module.reply_seconds[-REPLIES_KEPT + 1 :], reading.reply_seconds]
        self.memory.watched_until = now.wall
        if module.trouble is None or module.halves > 1:
            return []
        module.trouble = None
        module.misses = 0
        return [self._event("restored", button, now) for button in module.buttons]

    def _levels(self, module: _Module, reading: ContactsReading, now: Instant) -> list[Event]:
        events: list[Event] = []
        levels = {
            button.id: reading.inputs[button.input] is not (button.wiring == "nc")
            for button in module.buttons
        }
        # All normally closed contacts opening in one reply: pressed, or their supply was cut.
        closed = [button.id for button in module.buttons if button.wiring == "nc"]
        cut = len(closed) > 1 and all(
            levels[one] and not self.memory.buttons[one].active for one in closed
        )
        for button in module.buttons:
            memory = self.memory.buttons[button.id]
            if levels[button.id]:
                module.released_since.pop(button.id, None)
                if not memory.active and memory.told:
                    memory.active = True
                elif not memory.active:
                    memory.active = True
                    memory.seen += 1
                    cause = (
                        Cause(code="alarm.pressed_or_cut") if cut and button.id in closed else None
                    )
                    events.append(self._press(button, now, cause=cause))
            elif memory.active is None:
                memory.active = False
            elif memory.active:
                since = module.released_since.setdefault(button.id, now.monotonic)
                if now.monotonic - since >= RELEASE_STABLE_SECONDS:
                    del module.released_since[button.id]
                    memory.active = False
                    memory.proven_at = now.wall
                    events.append(self._event("release", button, now))
            memory.told = False
        return events

    def _counts(self, module: _Module, reading: PressCountsReading, now: Instant) -> list[Event]:
        events: list[Event] = []
        for button in module.buttons:
            memory = self.memory.buttons[button.id]
            count, before, memory.counter = (
                reading.counts[button.input],
                memory.counter,
                reading.counts[button.input],
            )
            if before is None:
                memory.seen = 0  # a baseline only; the level has been judged already
                continue
            step = (count - before) % COUNTER_MODULUS
            if step > COUNTER_STEP_MAX:
                events += self._module_restarted(button, count, now)
                continue
            unseen = max(0, step - memory.seen)
            # At most one press may be ahead of a counter that counts when the button is let go.
            memory.seen = min(1, max(0, memory.seen - step)) if memory.active else 0
            events += [self._press(button, now, cause=None) for _ in range(unseen)]
            memory.told = unseen > 0 and not memory.active
        return events

    def _module_restarted(self, button: Button, count: int, now: Instant) -> list[Event]:
        memory = self.memory.buttons[button.id]
        cause = Cause(code="alarm.module_restart")
        events = [self._event("trouble", button, now, cause=cause)]
        if count > memory.seen:
            events.append(self._press(button, now, cause=cause, certainty="possible"))
        events.append(self._event("restored", button, now))
        memory.seen = 0
        return events

    # -- what is said

    def _press(
        self,
        button: Button,
        now: Instant,
        *,
        cause: Cause | None,
        certainty: Literal["certain", "possible"] = "certain",
    ) -> Event:
        memory = self.memory.buttons[button.id]
        if memory.incident is None:
            self.memory.incidents += 1
            memory.incident = self.memory.incidents
            memory.presses = 0
        memory.presses += 1
        memory.last_press_at = now.wall
        memory.acknowledged_by = None  # a new press asks for attention again
        return self._event("press", button, now, cause=cause, certainty=certainty)

    def _event(
        self,
        what: Literal["press", "release", "trouble", "restored", "acknowledged", "closed"],
        button: Button,
        now: Instant,
        *,
        cause: Cause | None = None,
        certainty: Literal["certain", "possible"] = "certain",
        by: str | None = None,
        reason: str | None = None,
    ) -> Event:
        memory = self.memory.buttons[button.id]
        return Event(
            subject=button.id,
            time=now.wall,
            data=AlarmEventData(
                what=what,
                button=button.id,
                incident=memory.incident,
                press=memory.presses if memory.incident is not None else None,
                certainty=certainty,
                cause=cause,
                by=by,
                reason=reason,
            ),
        )

    def _state(self, module: _Module, button: Button, now: Instant) -> ButtonState:
        memory = self.memory.buttons[button.id]
        verdict, causes = self._judge(module, button, now)
        position: Literal["unknown", "rest", "pressed", "trouble"] = "unknown"
        if module.trouble is not None:
            position = "trouble"
        elif module.last_reply is not None and memory.active is not None:
            position = "pressed" if memory.active else "rest"
        milliseconds = [1000 * seconds for seconds in module.reply_seconds]
        cuts = quantiles(milliseconds, n=100) if len(milliseconds) > 1 else None
        return ButtonState(
            verdict=verdict,
            causes=tuple(causes),
            observed_at=module.last_reply.wall if module.last_reply else None,
            position=position,
            wiring=button.wiring,
            incident=memory.incident,
            presses=memory.presses if memory.incident is not None else 0,
            acknowledged_by=memory.acknowledged_by,
            last_press_at=memory.last_press_at,
            missed_polls=module.missed_total,
            reply_ms_p50=round(cuts[49], 1) if cuts else "unknown",
            reply_ms_p99=round(cuts[98], 1) if cuts else "unknown",
        )

    def _judge(self, module: _Module, button: Button, now: Instant) -> tuple[Verdict, list[Cause]]:
        memory = self.memory.buttons[button.id]
        if module.trouble is not None:
            return Verdict.FAIL, [module.trouble]
        if module.last_reply is None or memory.active is None:
            return Verdict.UNKNOWN, [Cause(code="unknown.not_yet")]
        causes: list[Cause] = []
        if memory.incident is not None:
            causes.append(Cause(code="alarm.incident_open", params={"incident": memory.incident}))
        proven = memory.proven_at
        if button.wiring == "no" and (proven is None or now.wall - proven > NO_CONTACT_GOOD_FOR):
            causes.append(Cause(code="alarm.not_tested"))
        return (Verdict.WARN if causes else Verdict.OK), causes
