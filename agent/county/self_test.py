"""The round trip: what we publish comes back from the broker, so its yes means something.

A broker may grant a subscription and deliver nothing, and over 3.1.1 it confirms what it drops.
"""

import json
import uuid
from collections import deque
from typing import Literal, Protocol

from agent.county.topics import Topics

ANSWER_SECONDS = 5.0
AGAIN_SECONDS = 300.0
AGAIN_AFTER_FAILURE_SECONDS = 30.0
# MQTT 3.1.1, 3.3.5: a broker may close the connection on what it does not allow. Done twice, it
# is left alone for that long, or the test would keep the alarms from getting through.
CUTS_UNTIL_AVOIDED = 2
AVOIDED_SECONDS = 600.0
# MQTT 5.0, 3.4.2.1: accepted, and nobody is subscribed; from 0x80 on: refused.
NO_MATCHING_SUBSCRIBERS = 0x10
REFUSED = 0x80
TAKEN_KEPT = 256

Result = Literal["running", "passed", "failed"]


class Connection(Protocol):
    """What the test needs of a session."""

    refused_subscriptions: set[int]

    def subscribe(self, topic: str) -> int | None:
        """Ask for a subscription; returns the packet id it may be refused under."""

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int | None:
        """Publish; returns the packet id that will be confirmed."""


class SelfTest:
    """Tests every connection, one after another; used by the publisher's thread alone.

    `detail` is a code of the text catalogue, `mid` the packet whose confirmation is awaited.
    """

    def __init__(self, topics: Topics) -> None:
        self.topic = topics.selftest
        self.result: Result = "running"
        self.detail = ""
        self.mid: int | None = None
        self._subscription: int | None = None
        self._nonce = b""
        self._reason = 0
        self._waiting_since: float | None = None
        self._due = 0.0
        self._cuts = 0
        self._avoided_until = 0.0
        # Alarms this connection has confirmed, and that no passed test vouches for yet.
        self._taken: deque[str] = deque(maxlen=TAKEN_KEPT)

    @property
    def waiting(self) -> bool:
        """Tell whether something of ours is on its way."""
        return self._waiting_since is not None

    @property
    def unconfirmed(self) -> bool:
        """Tell whether it takes one of the packets that the broker allows unconfirmed."""
        return self.mid is not None

    def connected(self, now: float) -> None:
        """Begin anew: nothing is known of this connection."""
        self.result, self.detail, self._due = "running", "", now
        if self._cuts >= CUTS_UNTIL_AVOIDED and now < self._avoided_until:
            self._end("failed", "selftest.cut", self._avoided_until)

    def disconnected(self, now: float) -> None:
        """Forget what the connection has said."""
        if self.waiting and self.mid is not None:
            self._cuts += 1
            self._avoided_until = now + AVOIDED_SECONDS
        self._waiting_since = self.mid = None
        self.result = "running"
        self._taken.clear()

    def step(self, session: Connection, now: float, *, room: bool) -> None:
        """Publish when it is time and there is room; judge what became of it."""
        later = now + AGAIN_AFTER_FAILURE_SECONDS
        if self._waiting_since is None:
            if now >= self._due and room and self.mid is None:
                self._begin(session, now)
        elif self._subscription in session.refused_subscriptions:
            self._end("failed", "selftest.not_readable", later)
        elif self._reason == NO_MATCHING_SUBSCRIBERS:
            self._end("failed", "selftest.no_subscribers", later)
        elif self._reason >= REFUSED:
            self._end("failed", "selftest.not_writable", later)
        elif now - self._waiting_since > ANSWER_SECONDS:
            self._end("failed", "selftest.silent", later)

    def heard(self, payload: bytes, *, retained: bool, now: float) -> None:
        """Take in what came back; what was retained says nothing about this connection."""
        if self.waiting and not retained and payload == self._nonce:
            self._cuts = 0
            self._end("passed", "", now + AGAIN_SECONDS)

    def confirmed(self, reason: int) -> None:
        """Take in how the broker confirmed it."""
        self.mid, self._reason, self._cuts = None, reason, 0

    def taken(self, row: str) -> None:
        """Note an alarm that the broker has confirmed."""
        self._taken.append(row)

    def vouched(self) -> list[str]:
        """Return, once, the confirmed alarms that the broker can be believed to have."""
        if self.result != "passed":
            return []
        rows = list(self._taken)
        self._taken.clear()
        return rows

    def _begin(self, session: Connection, now: float) -> None:
        # Anew each time: who was refused before may have been given the right since.
        self._subscription = session.subscribe(self.topic)
        self._nonce = json.dumps({"type": "campus.selftest.v1", "nonce": uuid.uuid4().hex}).encode()
        self._reason = 0
        self._waiting_since = now
        self.mid = session.publish(self.topic, self._nonce, retain=False)

    def _end(self, result: Result, detail: str, due: float) -> None:
        self.result, self.detail, self._due = result, detail, due
        self._waiting_since = None
