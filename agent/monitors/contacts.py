"""Contacts that are no panic buttons: told of once they have stood long enough."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from agent.county.contract import Event, State
from agent.county.event_data import ContactEventData
from agent.county.state_data import ContactState
from agent.findings import Cause, Verdict
from agent.monitors import Instant
from agent.monitors.alarm_link import AlarmLink
from agent.monitors.alarm_memory import AlarmMemory
from agent.policy import Contact
from drivers.readings import ContactsReading


class Contacts:
    """Those of one module."""

    def __init__(self, contacts: Sequence[Contact], memory: AlarmMemory) -> None:
        self._contacts = contacts
        self._memory = memory
        # What each shows now, and since when, by both clocks.
        self._shown: dict[str, tuple[bool, Instant]] = {}
        self._since: dict[str, datetime] = {}

    def levels(self, reading: ContactsReading) -> Mapping[str, bool]:
        """Tell for every contact whether it is active; IndexError if untold."""
        return {
            contact.id: reading.inputs[contact.input] is not (contact.normal == "closed")
            for contact in self._contacts
        }

    def take(self, levels: Mapping[str, bool], now: Instant) -> list[Event]:
        """Take in what they show; return those that have changed for good."""
        events: list[Event] = []
        for contact in self._contacts:
            active = levels[contact.id]
            shown, since = self._shown.get(contact.id, (None, now))
            if shown is not active:
                self._shown[contact.id] = (active, now)
                since = now
            told = self._memory.contacts.get(contact.id)
            if told is active or now.monotonic - since.monotonic < contact.delay_seconds:
                continue
            self._memory.contacts[contact.id] = active
            self._since[contact.id] = since.wall
            if active or told is not None:
                events.append(_event(contact, "active" if active else "normal", now))
        return events

    def lost(self, cause: Cause, now: Instant) -> list[Event]:
        """Say that nobody knows how they are."""
        self._shown.clear()
        return [_event(contact, "trouble", now, cause) for contact in self._contacts]

    def restored(self, now: Instant) -> list[Event]:
        """Say that they can be read again."""
        return [_event(contact, "restored", now) for contact in self._contacts]

    def states(self, link: AlarmLink) -> Sequence[State]:
        """Return the state of each; what the module last said does not outlive its silence."""
        return [State(id=one.id, data=self._state(one, link)) for one in self._contacts]

    def _state(self, contact: Contact, link: AlarmLink) -> ContactState:
        told = self._memory.contacts.get(contact.id)
        position: Literal["unknown", "normal", "active", "trouble"] = "unknown"
        verdict = Verdict.UNKNOWN
        causes: tuple[Cause, ...] = (Cause(code="unknown.not_yet"),)
        if link.trouble is not None:
            position, verdict, causes = "trouble", Verdict.FAIL, (link.trouble,)
        elif link.last_reply is not None and contact.id in self._shown and told is not None:
            position, verdict, causes = "normal", Verdict.OK, ()
            if told:
                position, verdict = "active", Verdict(contact.when_active)
                causes = (Cause(code="contact.active", params={"kind": contact.kind}),)
        return ContactState(
            verdict=verdict,
            causes=causes,
            observed_at=link.last_reply.wall if link.last_reply else None,
            position=position,
            contact_kind=contact.kind,
            normal=contact.normal,
            since=self._since.get(contact.id),
        )


def _event(
    contact: Contact,
    what: Literal["active", "normal", "trouble", "restored"],
    now: Instant,
    cause: Cause | None = None,
) -> Event:
    data = ContactEventData(what=what, contact=contact.id, contact_kind=contact.kind, cause=cause)
    return Event(subject=contact.id, time=now.wall, data=data)
