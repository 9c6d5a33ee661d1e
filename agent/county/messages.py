"""Messages as they go on the wire: one flat JSON object with CloudEvents 1.0 attribute names."""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

from agent.county.contract import Event, State, utc
from agent.county.topics import Topics
from agent.store.outbox import Lane, Row
from drivers.base import Clock

ClockQuality = Literal["ntp", "rtc", "unsync"]
LATE_SECONDS = 600
_MACHINE_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Composer:
    """Makes rows of what monitors hand on, for one run of the agent (`boot`)."""

    def __init__(self, topics: Topics, clock: Clock, quality: Callable[[], ClockQuality]) -> None:
        self.topics = topics
        self.boot = uuid.uuid4().hex[:12]
        self.machine_boot = _MACHINE_BOOT.read_text().strip()
        self._clock = clock
        self._quality = quality
        self._states = 0

    def event(self, event: Event, lane: Lane, stream: str, number: tuple[str, int]) -> Row:
        """Number an event; its id stays the same however often it is sent."""
        kind = event.data.kind
        body = {
            **self._attributes(f"event.{kind}.v1", event.subject, stream, number),
            "time": utc(event.time),
            "test": event.test,
            "data": event.data.model_dump(mode="json"),
        }
        return self._row(body, number, lane, self.topics.event(kind))

    def state(self, state: State) -> Row:
        """Number a state; its stream starts anew, with a new epoch, at every start."""
        self._states += 1
        number = (self.boot, self._states)
        body = {
            **self._attributes(f"state.{state.data.kind}.v1", state.id, "state", number),
            "time": utc(self._clock.now()),
            "valid_for_seconds": state.valid_for_seconds,
            "data": state.data.model_dump(mode="json"),
        }
        row = self._row(body, number, Lane.STATE, self.topics.state(state.data.kind, state.id))
        return replace(row, retain=True, valid_for_seconds=state.valid_for_seconds)

    def tombstone(self, kind: str, subject: str) -> Row:
        """Return what takes a retained state away: an empty payload (MQTT 5.0, 3.3.1.3)."""
        row = self._row({"id": str(uuid.uuid4())}, (self.boot, 0), Lane.STATE, "")
        return replace(row, body="", topic=self.topics.state(kind, subject), retain=True)

    def payload(self, row: Row) -> bytes:
        """Complete a row with what is only known now: `sent`, `late`, `durable`, `valid_until`."""
        if not row.body:
            return b""
        now = self._clock.now()
        extra: dict[str, object] = {"sent": utc(now)}
        if row.valid_for_seconds is None:
            extra["late"] = not row.again and self.age_seconds(row) > LATE_SECONDS
            extra["again"] = row.again
            extra["durable"] = row.durable
        else:
            extra["valid_until"] = utc(now + timedelta(seconds=self.validity_seconds(row)))
        return (row.body[:-1] + "," + json.dumps(extra)[1:]).encode()

    def age_seconds(self, row: Row) -> float:
        """Return a row's age: by monotonic time inside one boot of the machine, else by wall.

        A row of an earlier boot and from the future has no age that is known: it is old.
        """
        if row.machine_boot == self.machine_boot:
            return self._clock.monotonic() - row.created_monotonic
        age = self._clock.now().timestamp() - row.created_at
        return age if age >= 0 else float("inf")

    def validity_seconds(self, row: Row) -> int:
        """Return how long a state is still valid, at least one second."""
        return max(1, round((row.valid_for_seconds or 0) - self.age_seconds(row)))

    def _attributes(
        self, kind: str, subject: str, stream: str, number: tuple[str, int]
    ) -> dict[str, object]:
        return {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": "/" + self.topics.root,
            "type": f"campus.{kind}",
            "subject": subject,
            "stream": stream,
            "epoch": number[0],
            "seq": number[1],
            "boot": self.boot,
            "clock": self._quality(),
        }

    def _row(self, body: dict[str, object], number: tuple[str, int], lane: Lane, topic: str) -> Row:
        return Row(
            id=str(body["id"]),
            epoch=number[0],
            seq=number[1],
            lane=lane,
            topic=topic,
            body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
            created_at=self._clock.now().timestamp(),
            created_monotonic=self._clock.monotonic(),
            machine_boot=self.machine_boot,
        )
