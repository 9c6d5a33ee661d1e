"""Where guards' cards arrive that close an incident or begin a test: judged, done, audited."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Literal

import structlog

from agent.alarm_lane import AlarmLane
from agent.county.contract import Event
from agent.county.event_data import AuditEventData
from agent.devices import Post
from agent.loop import Loop
from agent.monitors import Instant
from agent.monitors.card_rules import Asked, CardRules, KeySwitch
from agent.monitors.incidents import AlarmRefusedError
from agent.policy_patrol import GuardAtReader
from agent.settings import SiteSettings
from drivers.base import Clock
from drivers.readings import Outage, ReaderReading, Reading, ScanReading

# A card seen so soon after its reader began to look was put there before: by nobody knows whom.
SETTLE_SECONDS = 3.0
KEY: Mapping[str, KeySwitch] = {"active": "on", "normal": "off"}

log = structlog.get_logger()


class CardDesk:
    """What `passing` returns is called by the readers' threads, the rest on the alarm loop.

    So a scan waits for no loop but the one that owns the incidents, and that one waits for none.
    Nothing is ever read from the journal: no restart repeats what a card has done.
    """

    def __init__(
        self,
        site: SiteSettings,
        alarm: AlarmLane,
        alarm_loop: Loop,
        announce: Callable[[Event], None],
        clock: Clock,
    ) -> None:
        self._alarm = alarm
        self._loop = alarm_loop
        self._announce = announce
        self._clock = clock
        self._rules = CardRules(*_told_by(site))

    def change(self, site: SiteSettings) -> None:
        """Go by these settings from now on; any thread may call."""
        told = _told_by(site)
        self._loop.ask(lambda: self._rules.change(*told))

    def passing(self, post: Post) -> Post:
        """Return `post`, with every scan shown to the alarm loop on its way."""
        looks_since: dict[str, float] = {}  # each reader's own thread touches its own entry alone

        def passed(reading: Reading) -> None:
            post(reading)
            now = self._clock.monotonic()
            if isinstance(reading, Outage):
                looks_since.pop(reading.device_id, None)
            elif isinstance(reading, ReaderReading):
                looks_since.setdefault(reading.device_id, now)
            elif isinstance(reading, ScanReading):
                since = looks_since.get(reading.device_id, now)
                self._show(reading, lay_there=now - since < SETTLE_SECONDS)

        return passed

    def _show(self, scan: ScanReading, *, lay_there: bool) -> None:
        self._loop.ask(lambda: self.read(scan, lay_there=lay_there)).add_done_callback(_log_fault)

    def read(self, scan: ScanReading, *, lay_there: bool = False) -> None:
        """Do what a scan asks for, if it may; on the alarm loop."""
        asked = self._rules.read(
            scan,
            self._now(),
            incident_open=bool(self._alarm.open_incidents),
            key=self._key(),
            lay_there=lay_there,
        )
        if asked is None:
            return
        if asked.refusal:
            well = self._audit(scan, asked, asked.refusal)
        elif asked.verb == "reset":
            told = [self._reset(scan, asked, button) for button in self._alarm.open_incidents]
            well = all(told)
        else:
            well = self._test(scan, asked)
        if well:  # else a second try is for what is left
            self._rules.done(asked, self._now())
        self._alarm.answer_guard(accepted=well)

    def _reset(self, scan: ScanReading, asked: Asked, button: str) -> bool:
        try:
            self._alarm.reset(button, by=_by(asked), reason="")
        except AlarmRefusedError as error:
            return self._audit(scan, asked, error.code, button)
        return self._audit(scan, asked, "command.done", button)

    def _test(self, scan: ScanReading, asked: Asked) -> bool:
        minutes = self._rules.policy.test_minutes
        try:
            self._alarm.start_test(self._alarm.buttons, by=_by(asked), minutes=minutes)
        except AlarmRefusedError as error:
            return self._audit(scan, asked, error.code)
        return self._audit(scan, asked, "command.done")

    def _audit(self, scan: ScanReading, asked: Asked, code: str, button: str | None = None) -> bool:
        """Put on record who asked for what where, and what came of it; tell whether it was done."""
        what: Literal["accepted", "refused"] = "accepted" if code == "command.done" else "refused"
        data = AuditEventData(
            what=what,
            verb=asked.verb,
            code=code,
            reader=scan.device_id,
            cards=asked.cards,
            button=button,
        )
        log.info("card", component="cards", what=data.model_dump(exclude_none=True))
        self._announce(Event(subject=scan.device_id, time=self._clock.now(), data=data))
        return what == "accepted"

    def _key(self) -> KeySwitch:
        contact = self._rules.policy.key_contact
        position = None if contact is None else self._alarm.contact_position(contact)
        return KEY.get(position or "", "unknown")

    def _now(self) -> Instant:
        return Instant(self._clock.now(), self._clock.monotonic())


def _told_by(
    site: SiteSettings,
) -> tuple[GuardAtReader, Mapping[str, str], frozenset[str], float]:
    """Return what the rules go by."""
    guards = {card.tag: card.id for card in site.guard_card}
    places = [checkpoint.tag for checkpoint in site.checkpoint]
    others = frozenset([*places, *(post.tag for post in site.post)])
    return site.guard_at_reader, guards, others, site.patrol.fold_seconds


def _by(asked: Asked) -> str:
    """Name the guards by code, as an alarm event does."""
    return "card:" + "+".join(asked.cards)


def _log_fault(done: "Future[None]") -> None:
    """A fault of ours costs one scan and is on record."""
    error = done.exception()
    if error is not None:
        log.error("card not judged", component="cards", exc_info=error)
