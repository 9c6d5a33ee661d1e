"""Incidents: every press is one's own numbered event, and only a person ends what it opened."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from agent.county.contract import Event
from agent.county.event_data import AlarmEventData, AlarmWhat, Certainty
from agent.findings import Cause
from agent.monitors import Instant
from agent.monitors.alarm_memory import AlarmMemory, ButtonMemory
from agent.monitors.test_window import TestWindow
from agent.policy import Button

ACKNOWLEDGED_KEPT = 100
# A press this long after the last asks for attention again.
ATTENTION_AFTER = timedelta(seconds=60)
# A test press held this long on a button that does not latch is meant.
HELD_SECONDS = 5.0

CHATTER_PRESSES = 10
CHATTER_WINDOW_SECONDS = 60.0
CHATTER_OVER_PRESSES = 2
SUMMARY_SECONDS = 60.0
CHATTER = "chatter"


class AlarmRefusedError(Exception):
    """What was asked of the alarm cannot be done now; `code` says why."""

    def __init__(self, code: str, button: str = "") -> None:
        super().__init__(f"{code}: {button}")
        self.code = code
        self.button = button


class _Rhythm:
    """How often a button was pressed lately."""

    def __init__(self) -> None:
        self.at: deque[float] = deque()
        self.summary_due = 0.0

    def lately(self, now: Instant) -> int:
        """Return how many presses the last minute saw."""
        while self.at and now.monotonic - self.at[0] >= CHATTER_WINDOW_SECONDS:
            self.at.popleft()
        return len(self.at)


class Incidents:
    """What happened to the buttons, whatever line told of it."""

    def __init__(self, memory: AlarmMemory) -> None:
        self.memory = memory
        # Set when something was remembered that no event tells of.
        self.unsaved = False
        self.window = TestWindow(memory)
        self._buttons: Mapping[str, Button] = {}
        self._rhythms: dict[str, _Rhythm] = {}
        # Since when a button is held in a test, by monotonic time.
        self._held: dict[str, float] = {}
        # Buttons that were heard of since the start; of the others the memory may be outdated.
        self._heard: set[str] = set()

    def watch(self, buttons: Sequence[Button], *, anew: Iterable[str]) -> None:
        """Take these for the site's buttons; those `anew` have not been heard of yet."""
        self._buttons = {button.id: button for button in buttons}
        self._heard -= set(anew)
        for button in buttons:
            self._rhythms.setdefault(button.id, _Rhythm())
            self.memory.buttons.setdefault(button.id, ButtonMemory())

    @property
    def buttons(self) -> Mapping[str, ButtonMemory]:
        """Return what is remembered of the buttons the site has; it may have had others."""
        return {button: self.memory.buttons[button] for button in self._buttons}

    # -- what the lines tell

    def heard(self, button: str) -> None:
        """Note that what is remembered of a button still holds."""
        self._heard.add(button)

    def level(
        self, button: str, now: Instant, *, active: bool, cause: Cause | None = None
    ) -> list[Event]:
        """Take in a button's contact; a release is handed in once it is stable."""
        memory = self.memory.buttons[button]
        self._heard.add(button)
        if active:
            if memory.active:
                return self._meant(button, now)
            memory.active = True
            return self.press(button, now, cause=cause)
        if not memory.active:
            memory.active = False
            return []
        memory.active = False
        return self.release(button, now)

    def press(
        self,
        button: str,
        now: Instant,
        *,
        cause: Cause | None = None,
        certainty: Certainty = "certain",
        resend: bool = False,
        always_live: bool = False,
        always_told: bool = False,
    ) -> list[Event]:
        """Count a press: of a test if a window covers the button, else of an incident.

        `always_live` lets no test window have it, `always_told` folds it into no summary.
        """
        memory = self.memory.buttons[button]
        self._heard.add(button)
        memory.testing = self.window.covers(button) and not always_live
        if memory.testing:
            self._held[button] = now.monotonic
            number = self.window.count(button)
            return [
                self._event(
                    "press",
                    button,
                    now,
                    test=True,
                    press=number,
                    cause=cause,
                    certainty=certainty,
                    resend=resend,
                )
            ]
        attention = self._attention(memory, now)
        opens = memory.incident is None
        if memory.incident is None:
            self.memory.incidents += 1
            memory.incident = self.memory.incidents
            memory.presses = 0
        memory.presses += 1
        memory.last_press_at = now.wall
        memory.acknowledged_by = None  # a new press asks for attention again
        told = self._event(
            "press",
            button,
            now,
            cause=cause,
            certainty=certainty,
            resend=resend,
            attention=attention,
        )
        if always_told:
            return [told]
        return self._unless_chatter(button, told, now, opens=opens)

    def release(self, button: str, now: Instant) -> list[Event]:
        """Note that a button was let go; its incident stays."""
        memory = self.memory.buttons[button]
        test, memory.testing = memory.testing, False
        self._held.pop(button, None)
        if CHATTER in memory.faults:
            return []
        memory.proven_at = now.wall
        return [self._event("release", button, now, test=test)]

    def proven(self, button: str, now: Instant, *, cause: Cause) -> list[Event]:
        """Note a test that the device made by itself, or reported as good."""
        self.memory.buttons[button].proven_at = now.wall
        return [self._event("proven", button, now, test=True, cause=cause)]

    def fault(self, button: str, key: str, cause: Cause, now: Instant) -> list[Event]:
        """Note that something is wrong with a button, until `mended`; once is enough."""
        faults = self.memory.buttons[button].faults
        if key in faults:
            return []
        faults[key] = cause
        what: AlarmWhat = "tamper" if key.startswith("tamper") else "trouble"
        return [self._event(what, button, now, cause=cause)]

    def mended(self, button: str, key: str, now: Instant) -> list[Event]:
        """Note that it is over."""
        cause = self.memory.buttons[button].faults.pop(key, None)
        return [] if cause is None else [self._event("restored", button, now, cause=cause)]

    def say(
        self, what: AlarmWhat, button: str, now: Instant, *, cause: Cause | None = None
    ) -> Event:
        """Tell of a button what changes nothing about it."""
        return self._event(what, button, now, cause=cause)

    def tick(self, now: Instant) -> list[Event]:
        """End a test window whose time is up, and tell of presses that were only counted."""
        events: list[Event] = []
        if self.window.is_over(now):
            events += self.end_window(now, by="agent", reason="expired")
        for button in self._buttons:
            events += self._meant(button, now)
            events += self._summarise(button, now)
        return events

    # -- what people do

    def reset(self, button: str, now: Instant, *, known: bool, by: str, reason: str) -> list[Event]:
        """Close the open incident of a button. Raises AlarmRefusedError.

        With its input `known` and at rest; otherwise only with a reason, which is on record.
        """
        if button not in self._buttons:
            raise AlarmRefusedError("alarm.no_such_button", button)
        memory = self.memory.buttons[button]
        if memory.incident is None:
            raise AlarmRefusedError("alarm.no_incident", button)
        if known and memory.active:
            raise AlarmRefusedError("alarm.still_pressed", button)
        if not known and not reason.strip():
            raise AlarmRefusedError("alarm.reason_needed", button)
        told = self._counted(button, now)
        told.append(self._event("closed", button, now, by=by, reason=None if known else reason))
        memory.incident, memory.presses, memory.acknowledged_by = None, 0, None
        return told

    def acknowledge(self, incident: int, now: Instant, *, by: str) -> tuple[str, list[Event]]:
        """Note that somebody at the county has seen an incident; the same again changes nothing.

        Returns the answer's code, and what happened.
        """
        for button in self._buttons:
            memory = self.memory.buttons[button]
            if memory.incident != incident:
                continue
            if memory.acknowledged_by is not None:
                return "command.done", []
            memory.acknowledged_by = by
            self.memory.acknowledged = [*self.memory.acknowledged, incident][-ACKNOWLEDGED_KEPT:]
            return "command.done", [self._event("acknowledged", button, now, by=by)]
        if incident in self.memory.acknowledged:
            return "command.done", []
        known = incident <= self.memory.incidents
        return ("command.incident_closed" if known else "command.no_such_incident"), []

    def open_window(
        self, buttons: Sequence[str], now: Instant, *, by: str, minutes: float
    ) -> list[Event]:
        """Open a test window for some buttons. Raises AlarmRefusedError."""
        for button in buttons:
            if button not in self._buttons:
                raise AlarmRefusedError("alarm.no_such_button", button)
            memory = self.memory.buttons[button]
            if memory.incident is not None:
                raise AlarmRefusedError("alarm.test_incident_open", button)
            if memory.active:
                raise AlarmRefusedError("alarm.still_pressed", button)
        if self.window.memory.window is not None:
            raise AlarmRefusedError("alarm.test_already", self.window.memory.window.by)
        window = self.window.open(buttons, now, by=by, minutes=minutes)
        data = AlarmEventData(
            what="test_started",
            window=window.number,
            by=by,
            buttons=tuple(window.buttons),
            ends_at=window.ends_at,
        )
        return [Event(subject="alarm", time=now.wall, data=data, test=True)]

    def end_window(self, now: Instant, *, by: str, reason: str) -> list[Event]:
        """End the test window; a button still held goes out live. Raises AlarmRefusedError."""
        window = self.window.close()
        if window is None:
            raise AlarmRefusedError("alarm.no_test")
        data = AlarmEventData(
            what="test_ended",
            window=window.number,
            by=by,
            reason=reason,
            buttons=tuple(window.buttons),
            untested=tuple(one for one in window.buttons if not window.presses.get(one)),
        )
        ended = Event(subject="alarm", time=now.wall, data=data, test=True)
        held = [event for button in window.buttons for event in self._meant(button, now)]
        return [ended, *held]

    def unanswered(self) -> Sequence[str]:
        """Return the buttons whose incident is open and acknowledged by nobody."""
        return [
            button
            for button in self._buttons
            if self.memory.buttons[button].incident is not None
            and self.memory.buttons[button].acknowledged_by is None
        ]

    # -- inside

    def _attention(self, memory: ButtonMemory, now: Instant) -> bool:
        last = memory.last_press_at
        return (
            memory.incident is None
            or memory.acknowledged_by is not None
            or last is None
            or not timedelta(0) <= now.wall - last < ATTENTION_AFTER
        )

    def _meant(self, button: str, now: Instant) -> list[Event]:
        """Turn a test press live that outlasts its window, or is held too long to be a test."""
        memory = self.memory.buttons[button]
        if not (memory.testing and memory.active and button in self._heard):
            return []
        held = now.monotonic - self._held.setdefault(button, now.monotonic) >= HELD_SECONDS
        if self.window.covers(button) and (self._buttons[button].latching or not held):
            return []
        self._held.pop(button, None)
        return self.press(button, now, always_live=True)

    def _unless_chatter(
        self, button: str, told: Event, now: Instant, *, opens: bool
    ) -> list[Event]:
        """Tell of a press; of one too many only that they are too many. No incident goes untold."""
        rhythm = self._rhythms[button]
        rhythm.at.append(now.monotonic)
        memory = self.memory.buttons[button]
        calm = rhythm.lately(now) <= CHATTER_PRESSES and CHATTER not in memory.faults
        if opens or calm:
            return [told]
        memory.untold += 1
        self.unsaved = True
        begun = self.fault(button, CHATTER, Cause(code="alarm.chatter"), now)
        if begun:
            rhythm.summary_due = now.monotonic + SUMMARY_SECONDS
        return begun

    def _summarise(self, button: str, now: Instant) -> list[Event]:
        rhythm = self._rhythms[button]
        if CHATTER not in self.memory.buttons[button].faults:
            return []
        over = rhythm.lately(now) <= CHATTER_OVER_PRESSES
        if not over and now.monotonic < rhythm.summary_due:
            return []
        rhythm.summary_due = now.monotonic + SUMMARY_SECONDS
        events = self._counted(button, now)
        return events + (self.mended(button, CHATTER, now) if over else [])

    def _counted(self, button: str, now: Instant) -> list[Event]:
        """Tell of the presses that were only counted."""
        memory = self.memory.buttons[button]
        count, memory.untold = memory.untold, 0
        return [self._event("presses", button, now, count=count)] if count else []

    def _event(
        self,
        what: AlarmWhat,
        button: str,
        now: Instant,
        *,
        test: bool = False,
        press: int | None = None,
        cause: Cause | None = None,
        certainty: Certainty = "certain",
        by: str | None = None,
        reason: str | None = None,
        count: int | None = None,
        resend: bool = False,
        attention: bool | None = None,
    ) -> Event:
        memory = self.memory.buttons[button]
        if memory.incident is not None and not test:
            press = memory.presses
        window = self.memory.window
        data = AlarmEventData(
            what=what,
            button=button,
            incident=memory.incident if not test else None,
            press=press,
            window=window.number if test and window is not None else None,
            certainty=certainty,
            cause=cause,
            by=by,
            reason=reason,
            count=count,
            resend=resend,
            attention=attention,
        )
        return Event(subject=button, time=now.wall, data=data, test=test)
