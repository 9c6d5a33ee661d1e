"""The real clock, and how far it can be trusted."""

import time
from datetime import UTC, datetime

from agent.county.messages import ClockQuality
from drivers.base import Clock
from drivers.host import kernel_clock_synchronised


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


def clock_quality(clock: Clock) -> ClockQuality:
    """Tell how far the wall clock can be trusted; before this release's year it cannot at all."""
    if kernel_clock_synchronised() is True:
        return "ntp"
    return "rtc" if clock.now() > datetime(2026, 1, 1, tzinfo=UTC) else "unsync"
