"""Up to when a site knows its scans: those at readers at once, those of wands once docked. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from agent.monitors import Instant
from drivers.readings import ReaderReading, Reading, ScanReading


class WandWatch:
    """The places where wands are docked; with several of them, what all have brought is known.

    A wand that is not docked for `upload_hours` is waited for no longer.
    """

    def __init__(self, readers: Sequence[str], upload_hours: Mapping[str, float]) -> None:
        """`upload_hours`: of those of the readers that are such places."""
        self._docked: dict[str, datetime] = {}
        self._places = tuple(upload_hours)
        self._patience = timedelta(hours=max(upload_hours.values(), default=0.0))
        # Nobody scans but with a wand, so that nothing can be said before one is docked.
        self.alone = bool(readers) and set(readers) <= set(upload_hours)
        self._known: datetime | None = None

    def __bool__(self) -> bool:
        return bool(self._places)

    @property
    def docked(self) -> datetime | None:
        """Return up to when all scans of wands are known; None: none was ever docked."""
        return self._known

    def restore(self, docked: datetime | None) -> None:
        """Go on from what an earlier run knew."""
        self._known = docked

    def observe(self, reading: Reading) -> None:
        """Note up to when a place says that it has been read."""
        if not isinstance(reading, ReaderReading) or reading.device_id not in self._places:
            return
        if reading.read_until is not None:
            self._docked[reading.device_id] = reading.read_until
        if len(self._docked) == len(self._places):
            known = min(self._docked.values())
            self._known = known if self._known is None else max(known, self._known)

    def docked_until(self, now: Instant) -> Instant:
        """Return up to when scans of wands are known, or are not waited for any longer."""
        given_up = now.wall - self._patience
        wall = given_up if self._known is None else max(self._known, given_up)
        return _before(now, wall)

    def seen_until(self, now: Instant) -> Instant:
        """Return up to when it can be said of tours that they were walked, or were not."""
        return self.docked_until(now) if self.alone else now

    def given_up(self, now: Instant) -> bool:
        """Tell whether wands alone could tell what is not known now, and were not docked."""
        return self.alone and (self._known is None or self._known < now.wall - self._patience)

    def unseen_seconds(self, start: datetime, end: datetime) -> float:
        """Return how much of a span lies behind the last docking."""
        seen = start if self._known is None else min(max(self._known, start), end)
        return (end - seen).total_seconds()


def scanned_at(scan: ScanReading, now: Instant) -> Instant:
    """Return when a scan was made, by both clocks; a wand told it later."""
    if scan.wand is None:
        return Instant(scan.observed_at, now.monotonic)
    return _before(now, scan.observed_at)


def _before(now: Instant, wall: datetime) -> Instant:
    earlier = min(wall, now.wall)
    return Instant(earlier, now.monotonic - (now.wall - earlier).total_seconds())
