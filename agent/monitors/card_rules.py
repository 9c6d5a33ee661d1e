"""What guards ask for with their cards at a reader, and what speaks against it. Pure.

A plain number can be copied, so two of them are never enough; a card that has shown that it is no
copy, or the key switch, must be part of it.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from agent.monitors import Instant
from agent.policy_patrol import GuardAtReader
from drivers.readings import ScanReading

# A scan that took longer to get here may be about another incident than the one that is open now.
LATE_SECONDS = 5.0

KeySwitch = Literal["on", "off", "unknown"]
Verb = Literal["reset", "test"]


class Asked(NamedTuple):
    """What is asked for, by whose cards; `refusal` is the code of what speaks against it."""

    verb: Verb
    cards: tuple[str, ...]
    refusal: str = ""


class _First(NamedTuple):
    """The first of two cards."""

    guard: str
    assurance: Literal["uid", "sun"]
    observed_at: datetime
    monotonic: float


class CardRules:
    """Knows no incident and no contact: how they stand is handed in with every scan."""

    def __init__(
        self,
        policy: GuardAtReader,
        guards: Mapping[str, str],
        others: Collection[str],
        fold_seconds: float,
    ) -> None:
        self._done: dict[str, float] = {}
        self._reset_at: float | None = None
        self._first: dict[str, _First] = {}
        self.change(policy, guards, others, fold_seconds)

    def change(
        self,
        policy: GuardAtReader,
        guards: Mapping[str, str],
        others: Collection[str],
        fold_seconds: float,
    ) -> None:
        """Go by these from now on: `guards` by tag, `others` are the tags that are no card."""
        self.policy = policy
        self._guards = guards
        self._others = others
        self._fold_seconds = fold_seconds

    def read(
        self,
        scan: ScanReading,
        now: Instant,
        *,
        incident_open: bool,
        key: KeySwitch,
        lay_there: bool = False,
    ) -> Asked | None:
        """Return what a scan asks for; None: nothing, it is a card or a tag by itself.

        `lay_there`: nobody has seen the card come, the reader or the agent has just begun to look.
        """
        verb, way = self.policy.way(incident_open=incident_open)
        if way == "off" or scan.tag_id in self._others:
            return None
        guard = self._guards.get(scan.tag_id)
        if guard is not None and self._is_folded(guard, verb, now):
            return None
        first = self._first_of(scan, guard, now) if way == "two_cards" else None
        if guard is not None and scan.refused is None and not lay_there:
            self._first[scan.device_id] = _First(
                guard, scan.assurance, scan.observed_at, now.monotonic
            )
        # A guard's card with the key off is that of a guard who sets out, unless an alarm is open.
        meant = key == "on" or (verb == "reset" and incident_open and guard is not None)
        if not (meant if way == "key" else first is not None):
            return None
        cards: tuple[str, ...] = () if guard is None else (guard,)
        if first is not None and guard is not None:
            cards = (first.guard, guard)
        refusal = _untrusted(scan, guard, now, lay_there=lay_there)
        if not refusal and verb == "reset" and not incident_open:
            refusal = "card.no_incident"
        if not refusal and first is None and key != "on":
            refusal = "card.key_off" if key == "off" else "card.key_unknown"
        if not refusal and first is not None and "sun" not in (first.assurance, scan.assurance):
            refusal = "card.copyable"
        return Asked(verb, cards, refusal)

    def done(self, asked: Asked, now: Instant) -> None:
        """Note that what was asked for was done: within the fold time it is not done again."""
        for guard in asked.cards:
            self._done[guard] = now.monotonic
        if asked.verb == "reset":
            self._reset_at = now.monotonic
        self._first.clear()

    def _is_folded(self, guard: str, verb: Verb, now: Instant) -> bool:
        """Tell whether a card has done something just now, or would test what was just reset."""
        since = [self._done.get(guard), self._reset_at if verb == "test" else None]
        return any(at is not None and now.monotonic - at < self._fold_seconds for at in since)

    def _first_of(self, scan: ScanReading, guard: str | None, now: Instant) -> _First | None:
        """Return the card of another guard that was read there shortly before, by both clocks."""
        first = self._first.get(scan.device_id)
        if first is None or first.guard == guard:
            return None
        # Scans that had to wait together come at one instant; they were not read at one.
        apart = abs((scan.observed_at - first.observed_at).total_seconds())
        longest = max(apart, now.monotonic - first.monotonic)
        return first if longest <= self.policy.within_seconds else None


def _untrusted(scan: ScanReading, guard: str | None, now: Instant, *, lay_there: bool) -> str:
    """Return the code of why a scan is not taken for the card of a guard who is there now."""
    if guard is None:
        return "card.unknown"
    if scan.refused is not None:
        return "card.bad_proof"
    if lay_there:
        return "card.lay_there"
    late = abs((now.wall - scan.observed_at).total_seconds()) > LATE_SECONDS
    return "card.late" if late else ""
