"""An alarm receiver: what the panels behind it report of their zones, in Contact ID."""

from collections.abc import Sequence
from datetime import timedelta

from agent.county.contract import Event, State
from agent.county.event_data import AlarmEventData
from agent.findings import Cause
from agent.monitors import Instant
from agent.monitors.alarm_link import AlarmLink
from agent.monitors.alarm_memory import LineMemory
from agent.monitors.contact_id import Kind, Meaning, cause, meaning
from agent.monitors.incidents import Incidents
from agent.policy import AlarmReceiver, Button, ZoneButton
from drivers.readings import ContactIdEvent, HeartbeatReading, Reading, ReceiverReading

# A receiver sends a line again within this when it heard no ACK; also across our restart.
RESEND_WITHIN = timedelta(seconds=60)
TOKENS_KEPT = 256
# Duress on purpose: whoever is forced to open the door must not be taken for a tester.
DURESS = frozenset({"121", "124", "125"})


class ReceiverZones:
    """Implements Source. Every line is an event, whatever it says: only then may it be ACKed."""

    sees_short_presses = True
    reads_levels = False

    def __init__(self, receiver: AlarmReceiver, incidents: Incidents) -> None:
        self.link = AlarmLink(
            receiver.id,
            silent_after_seconds=receiver.silent_after_seconds,
            noun="receiver",
            dead_after_misses=1,
        )
        self.buttons: Sequence[Button] = own_buttons(receiver)
        self._zones = receiver.buttons
        self._incidents = incidents
        self._tokens: list[str] = []

    def observe(self, reading: Reading, now: Instant) -> list[Event]:
        """Take in a line or a heartbeat."""
        if not isinstance(reading, ReceiverReading | HeartbeatReading):
            return []
        events = self.restored(now) if self.link.replied(now) else []
        if isinstance(reading, HeartbeatReading):
            self._nothing_waits(now)
            return events
        if reading.token in self._tokens:
            return events
        self._tokens = [*self._tokens[-TOKENS_KEPT + 1 :], reading.token]
        resend = reading.resend or self._said_before_restart(reading, now)
        raw = LineMemory(raw=reading.raw, at=now.wall)
        self._incidents.memory.lines[self.link.device_id] = raw
        if not isinstance(reading.event, ContactIdEvent):
            return [*events, self._line(reading.raw, now)]
        return events + self._event(reading.event, now, resend=resend)

    def lost(self, cause: Cause, now: Instant) -> list[Event]:
        """Say that the line to the receiver is in trouble."""
        return [
            self._incidents.say("trouble", button.id, now, cause=cause) for button in self.buttons
        ]

    def restored(self, now: Instant) -> list[Event]:
        """Say that it is well again."""
        return [self._incidents.say("restored", button.id, now) for button in self.buttons]

    def states(self) -> Sequence[State]:
        """Return no more: the receiver itself is one of its buttons."""
        return ()

    def _nothing_waits(self, now: Instant) -> None:
        """A heartbeat comes when nothing else is to be said: who never alarmed is at rest."""
        for button in self.buttons:
            if self._incidents.memory.buttons[button.id].active is None:
                self._incidents.level(button.id, now, active=False)
            self._incidents.heard(button.id)

    def _event(self, event: ContactIdEvent, now: Instant, *, resend: bool) -> list[Event]:
        button, means, why = self._button(event), meaning(event.code), cause(event)
        if event.qualifier == "status":
            return [self._incidents.say("note", button, now, cause=why)]
        opens = event.qualifier == "new"
        if means.kind is Kind.ALARM:
            return self._alarm(button, event, why, now, opens=opens, resend=resend)
        if means.kind in (Kind.TROUBLE, Kind.TAMPER):
            return self._fault(button, event, means, now, opens=opens)
        if means.kind is Kind.TEST and opens:
            return self._incidents.proven(button, now, cause=why)
        return [self._incidents.say("note", button, now, cause=why)]

    def _alarm(
        self,
        button: str,
        event: ContactIdEvent,
        why: Cause,
        now: Instant,
        *,
        opens: bool,
        resend: bool,
    ) -> list[Event]:
        memory = self._incidents.memory.buttons[button]
        memory.active = opens
        if not opens:
            return self._incidents.release(button, now)
        return self._incidents.press(
            button,
            now,
            cause=why,
            resend=resend,
            always_live=event.code in DURESS,
            always_told=True,
        )

    def _fault(
        self, button: str, event: ContactIdEvent, means: Meaning, now: Instant, *, opens: bool
    ) -> list[Event]:
        key = f"{means.kind}-{event.code}-{event.account}-{event.zone}"
        told = (
            self._incidents.fault(button, key, cause(event), now)
            if opens
            else self._incidents.mended(button, key, now)
        )
        # Said again, or over before we heard that it had begun: on record all the same.
        return told or [self._incidents.say("note", button, now, cause=cause(event))]

    def _button(self, event: ContactIdEvent) -> str:
        """Return the button of a zone; what is of none that is listed is the receiver's own."""
        for button in self._zones:
            if (
                event.account.upper() == button.account.upper()
                and button.partition in (None, event.partition)
                and button.zone in (None, event.zone)
            ):
                return button.id
        return self.link.device_id

    def _said_before_restart(self, reading: ReceiverReading, now: Instant) -> bool:
        before = self._incidents.memory.lines.get(self.link.device_id)
        return (
            before is not None
            and before.raw == reading.raw
            and timedelta(0) <= now.wall - before.at <= RESEND_WITHIN
        )

    def _line(self, raw: str, now: Instant) -> Event:
        why = Cause(
            code="receiver.not_understood",
            params={"receiver": self.link.device_id, "raw": raw},
        )
        data = AlarmEventData(what="line", button=self.link.device_id, raw=raw, cause=why)
        return Event(subject=self.link.device_id, time=now.wall, data=data)


def own_buttons(receiver: AlarmReceiver) -> Sequence[Button]:
    """Return a receiver's buttons, and itself for whatever belongs to none of them."""
    own = Button(id=receiver.id, name=receiver.name, wiring="supervised", latching=True)
    zones: Sequence[ZoneButton] = receiver.buttons
    return (*zones, own)
