"""A recorder's own wall clock, by how far it was ahead of ours at the last poll."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from drivers.base import Clock
from drivers.readings import Reason, Unknown


class WallClock:
    """What the recorder's screen shows now. `zone` is the recorder's."""

    def __init__(self, clock: Clock, zone: ZoneInfo) -> None:
        self.zone = zone
        self.offset: float | Unknown = Unknown(reason=Reason.NOT_YET)
        self._clock = clock

    def now(self) -> datetime | Unknown:
        """Return it naive, in whole seconds; Unknown while it could not be read."""
        if isinstance(self.offset, Unknown):
            return self.offset
        ours = self._clock.now().astimezone(self.zone).replace(tzinfo=None)
        return (ours + timedelta(seconds=self.offset)).replace(microsecond=0)

    def zone_shift(self) -> timedelta:
        """Return how far its zone is ahead of UTC now."""
        return self._clock.now().astimezone(self.zone).utcoffset() or timedelta()

    def take(self, wall: datetime, asked_at: datetime, round_trip_seconds: float) -> None:
        """Take in what it said its clock was, naive, to a question that left at `asked_at`."""
        seconds = (wall.replace(tzinfo=self.zone) - asked_at).total_seconds()
        self.offset = seconds - round_trip_seconds / 2
