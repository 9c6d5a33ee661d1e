"""The round trip: what we publish comes back from the broker, so it does more than say yes.

A broker may grant a subscription and deliver nothing, and over 3.1.1 it confirms what it drops.
"""

import json
import uuid
from typing import Literal

from agent.county.topics import Topics

ANSWER_SECONDS = 5.0
AGAIN_SECONDS = 300.0
AGAIN_AFTER_FAILURE_SECONDS = 30.0
# MQTT 5.0, 3.4.2.1: accepted, and nobody is subscribed.
NO_MATCHING_SUBSCRIBERS = 0x10

Result = Literal["running", "passed", "failed"]


class SelfTest:
    """One connection's; used by the publisher's thread alone."""

    def __init__(self, topics: Topics) -> None:
        self.topic = topics.selftest
        self.result: Result = "running"
        self.detail = ""
        self._nonce = b""
        self._sent_at: float | None = None
        self._due = 0.0

    def message(self, now: float) -> bytes | None:
        """Return what is to be published now, if anything."""
        if self._sent_at is not None or now < self._due:
            return None
        nonce = {"type": "campus.selftest.v1", "nonce": uuid.uuid4().hex}
        self._nonce = json.dumps(nonce).encode()
        self._sent_at = now
        return self._nonce

    def heard(self, payload: bytes, *, retained: bool, now: float) -> None:
        """Take in what came back; what was retained says nothing about this connection."""
        if not retained and self._sent_at is not None and payload == self._nonce:
            self._end("passed", "", now)

    def confirmed(self, reason: int, now: float) -> None:
        """Take in how the broker confirmed it."""
        if self._sent_at is None:
            return
        if reason == NO_MATCHING_SUBSCRIBERS:
            self._end("failed", "no matching subscribers", now)
        elif reason >= 0x80:
            self._end("failed", "publishing is not authorised", now)

    def refused(self, now: float) -> None:
        """Note that the broker refused the subscription."""
        self._end("failed", "subscribing is not authorised", now)

    def tick(self, now: float) -> None:
        """Give up waiting when it has taken too long."""
        if self._sent_at is not None and now - self._sent_at > ANSWER_SECONDS:
            self._end("failed", "nothing came back", now)

    def _end(self, result: Result, detail: str, now: float) -> None:
        self.result, self.detail = result, detail
        self._sent_at = None
        passed = result == "passed"
        self._due = now + (AGAIN_SECONDS if passed else AGAIN_AFTER_FAILURE_SECONDS)
