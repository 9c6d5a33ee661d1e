"""What every test may use: the simulated clock, the hypothesis profiles, free ports."""

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings

settings.register_profile("gate", max_examples=60, deadline=None)
settings.register_profile("deep", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


class SimulatedClock:
    """A clock that moves only when told to, or when somebody sleeps on it."""

    def __init__(self) -> None:
        self._now = datetime(2026, 9, 1, 2, 0, tzinfo=UTC)
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._monotonic += seconds
        self._now += timedelta(seconds=seconds)

    def jump(self, seconds: float) -> None:
        """Set the wall clock, as a person or NTP would; monotonic time does not notice."""
        self._now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def free_port() -> Callable[[], int]:
    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return find
