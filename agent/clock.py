"""The real clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Wall clock in aware UTC, and time since boot that never goes back.

    CLOCK_BOOTTIME: unlike CLOCK_MONOTONIC it can be compared across restarts of the agent
    and goes on while the machine is suspended.
    """

    def now(self) -> datetime:
        """Return the wall clock as aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since the machine started."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
