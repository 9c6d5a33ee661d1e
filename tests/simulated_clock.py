from datetime import UTC, datetime, timedelta


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
