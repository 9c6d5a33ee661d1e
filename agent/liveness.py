"""Who keeps whom alive: our own loops moving, and nothing else, feeds the systemd watchdog."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from drivers.base import Clock


@dataclass
class Beat:
    """One loop's pulse. A loop that waits for a disk or a device says so and is not stuck."""

    name: str
    clock: Clock
    limit_seconds: float
    at: float = 0.0
    waiting_for: str | None = None
    longest_delay: float = 0.0

    def __call__(self) -> None:
        """Say that the loop moves."""
        self.at = self.clock.monotonic()

    def late(self, seconds: float) -> None:
        """Say by how much the loop has come too late to something it does at fixed times."""
        self.longest_delay = max(self.longest_delay, seconds)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Mark I/O that may hang through no fault of ours."""
        self()
        self.waiting_for = what
        try:
            yield
        finally:
            self.waiting_for = None
            self()

    def stuck_seconds(self) -> float:
        """Return how long the loop has not moved; 0 while it waits for I/O or is in time."""
        age = self.clock.monotonic() - self.at
        return age if self.waiting_for is None and age > self.limit_seconds else 0.0

    def io_seconds(self) -> float:
        """Return how long it has been waiting for I/O; 0 when it is not."""
        return self.clock.monotonic() - self.at if self.waiting_for else 0.0


class Liveness:
    """All beats of the process; the main thread asks it before it feeds the watchdog."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._beats: list[Beat] = []

    def beat(self, name: str, *, limit_seconds: float = 10.0) -> Beat:
        """Register a loop; it must beat at least every `limit_seconds`."""
        beat = Beat(name, self._clock, limit_seconds, at=self._clock.monotonic())
        with self._lock:
            self._beats.append(beat)
        return beat

    def stuck(self) -> list[str]:
        """Name the loops that do not move."""
        with self._lock:
            return [beat.name for beat in self._beats if beat.stuck_seconds()]

    def longest_delay(self) -> float:
        """Return the longest delay of any loop since this was last asked."""
        with self._lock:
            longest = max((beat.longest_delay for beat in self._beats), default=0.0)
            for beat in self._beats:
                beat.longest_delay = 0.0
        return longest

    def slow_io(self, limit_seconds: float) -> list[str]:
        """Name what loops have been waiting for longer than that."""
        with self._lock:
            return [
                f"{beat.name}: {beat.waiting_for}"
                for beat in self._beats
                if beat.io_seconds() > limit_seconds
            ]


def notify(message: str, address: str | None = None) -> bool:
    """Send one datagram of the sd_notify(3) protocol; False when nobody asked for it or hears."""
    address = address if address is not None else os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    # sd_notify(3): a leading @ means the abstract namespace.
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.settimeout(1.0)
        try:
            channel.sendto(message.encode(), target)
        except OSError:
            return False
    return True
