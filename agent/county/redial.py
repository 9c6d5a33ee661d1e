"""Which broker is called when, and in which version of MQTT."""

import random
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import structlog

BACK_OFF_SECONDS = (0.5, 30.0)
# A broker that drops us sooner than this after its yes is not asked again in a hurry.
STEADY_SECONDS = 5.0
# While an alarm waits, a broker is tried this often, whatever the back-off says.
URGENT_SECONDS = 3.0
# Brokers cut an older connection when a newer one comes under the same client id, so two boxes
# with one id throw each other out without end: the mark of a copied disk image.
SHORT_SECONDS = 60.0
SHORT_CUTS = 3
SHORT_WITHIN_SECONDS = 300.0

log = structlog.get_logger()


class Ended(Protocol):
    """What must be known of a connection that is no more."""

    address: tuple[str, int]
    mqtt5: bool
    opened: bool
    answered: bool
    accepted: bool
    refused_version: bool
    cut: bool


class Redial:
    """Goes round the list; waits longer after each failure, never at the same pace as others."""

    def __init__(self, brokers: Sequence[tuple[str, int]]) -> None:
        self.brokers = list(brokers)
        self.mqtt5 = True
        self._turn = self._failures = 0
        self._at = 0.0
        self._began = 0.0
        self._cuts: deque[float] = deque(maxlen=SHORT_CUTS)

    def now(self, now: float) -> None:
        """Forget the back-off: the list is a new one."""
        self._at = now

    def due(self, now: float, *, urgent: bool) -> tuple[str, int] | None:
        """Return the broker to call now, if any."""
        hurry = urgent and now - self._began > URGENT_SECONDS
        if not self.brokers or not (hurry or now >= self._at):
            return None
        self._began = now
        return self.brokers[self._turn % len(self.brokers)]

    def ended(self, session: Ended, why: str, now: float) -> None:
        """Note how the last call ended, and plan the next."""
        if session.accepted or self._failures == 0:
            host, port = session.address
            log.warning("broker lost", broker=f"{host}:{port}", why=why)
        lasted = now - self._began
        if session.accepted and session.cut and lasted < SHORT_SECONDS:
            self._cuts.append(now)
        silent = session.opened and not session.answered
        # Not sticky: a broker that never answers MQTT 5 is asked by 3.1.1 once, then by 5 again.
        fall_back = session.mqtt5 and (silent or session.refused_version)
        self.mqtt5 = not fall_back
        steady = session.accepted and lasted > STEADY_SECONDS
        self._failures = 0 if steady else self._failures + 1
        if not fall_back:
            self._turn += 1
        low, high = BACK_OFF_SECONDS
        delay = 0.0 if fall_back else min(high, low * 2 ** min(self._failures, 8))
        # Jitter: a county power cut must not bring all sites back in the same second.
        self._at = now + delay * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def cut_short(self, now: float) -> int:
        """Return how often of late a broker ended what it had just accepted, from three on."""
        recent = sum(now - at < SHORT_WITHIN_SECONDS for at in self._cuts)
        return recent if recent >= SHORT_CUTS else 0
