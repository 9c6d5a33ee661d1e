"""One button's loop on modem lines: its two poles tell rest, press, cut and short apart."""

from collections.abc import Sequence

from agent.county.contract import Event, State
from agent.findings import Cause
from agent.monitors import Instant
from agent.monitors.alarm_link import AlarmLink
from agent.monitors.incidents import Incidents
from agent.policy import Button
from drivers.readings import ChallengeResult, LoopReading, LoopState, Reading

SILENT_AFTER_SECONDS = 1.5
_FAULTS = {LoopState.OPEN: "cut", LoopState.SHORT: "short"}
LINE_FAULTS = (*_FAULTS.values(), "challenge")


class ButtonLoop:
    """Implements Source. Its driver has waited the bouncing out: what it says is so."""

    sees_short_presses = True
    reads_levels = True

    def __init__(self, button: Button, incidents: Incidents) -> None:
        self.link = AlarmLink(button.id, silent_after_seconds=SILENT_AFTER_SECONDS, noun="loop")
        self.buttons: Sequence[Button] = (button,)
        self._button = button.id
        self._incidents = incidents

    def observe(self, reading: Reading, now: Instant) -> list[Event]:
        """Take in how the loop stands."""
        if not isinstance(reading, LoopReading):
            return []
        restored = self.link.replied(now, reading.longest_gap_seconds)
        events = self.restored(now) if restored else []
        if reading.state in (LoopState.REST, LoopState.PRESSED):
            active = reading.state is LoopState.PRESSED
            events += self._incidents.level(self._button, now, active=active)
        for state, fault in _FAULTS.items():
            events += self._set(fault, now, wrong=reading.state is state)
        if reading.challenge is not ChallengeResult.NOT_YET:
            failed = reading.challenge is ChallengeResult.FAILED
            events += self._set("challenge", now, wrong=failed)
        return events

    def lost(self, cause: Cause, now: Instant) -> list[Event]:
        """Say that the port is in trouble."""
        return [self._incidents.say("trouble", self._button, now, cause=cause)]

    def restored(self, now: Instant) -> list[Event]:
        """Say that it is well again."""
        return [self._incidents.say("restored", self._button, now)]

    def states(self) -> Sequence[State]:
        """Return no more: the button is all there is."""
        return ()

    def _set(self, fault: str, now: Instant, *, wrong: bool) -> list[Event]:
        if not wrong:
            return self._incidents.mended(self._button, fault, now)
        cause = Cause(code=f"loop.{fault}", params={"button": self._button})
        return self._incidents.fault(self._button, fault, cause, now)
