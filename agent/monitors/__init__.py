"""Monitors: from readings to findings, events and states. No I/O, no threads, time is handed in."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from agent.county.contract import Event, State
from drivers.readings import Reading


class Instant(NamedTuple):
    """Now, by both clocks: `wall` may jump, `monotonic` (seconds) never does."""

    wall: datetime
    monotonic: float


class Monitor(Protocol):
    """Watches some devices. Called by one loop at a time, so it needs no locks."""

    def observe(self, reading: Reading, now: Instant) -> Sequence[Event]:
        """Take in one reading (or Outage) of a device it watches; return what just happened."""

    def tick(self, now: Instant) -> Sequence[Event]:
        """Judge again because time has passed: silence makes `unknown`."""

    def states(self, now: Instant) -> Sequence[State]:
        """Return the present state of everything it watches, known or not."""
