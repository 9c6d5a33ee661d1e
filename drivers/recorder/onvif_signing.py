"""By whose clock an ONVIF question is signed, so that a wrong clock is not a wrong password."""

from datetime import datetime, timedelta

from drivers.base import Clock
from drivers.errors import DriverError
from drivers.readings import Unknown
from drivers.recorder.soap import ClockRefusedError, NotAuthorizedError, Said, Soap
from drivers.recorder.wall_clock import WallClock

# Devices take a few seconds to five minutes of difference.
_NEAR_SECONDS = 300.0


class Signing:
    """Signs by the recorder's clock; by ours where its UTC looks like local time.

    A recorder that fills its UTC with local time refuses its own time (OpenIPC/majestic-webui#292,
    home-assistant/core#34522), one that is really hours off refuses ours: only that pair is tried
    both ways, so that a wrong password costs one refusal everywhere else.
    """

    def __init__(self, soap: Soap, clock: Clock, wall: WallClock) -> None:
        self.device_offset = 0.0
        self._soap = soap
        self._clock = clock
        self._wall = wall
        self._by_agent: bool | None = None

    def ask(self, path: str, service: str, name: str, inner: str, *, deadline: float) -> Said:
        """Ask one question signed by the clock the recorder goes by. Raises DriverError."""
        clocks = [self._by_agent] if self._by_agent is not None else [False]
        if self._looks_local and self._by_agent is None:
            clocks = [True, False]
        refused: DriverError | None = None
        for by_agent in clocks:
            try:
                said = self._soap.ask(
                    path,
                    service,
                    name,
                    inner,
                    created=self._now(by_agent),
                    deadline=deadline,
                    last_try=by_agent == clocks[-1],
                )
            except (NotAuthorizedError, ClockRefusedError) as error:
                refused = error
                continue
            self._by_agent = by_agent
            return said
        self._by_agent = None
        assert refused is not None  # noqa: S101 - there is at least one clock to sign by
        raise refused

    def true_offset(self, offset: float | Unknown) -> float | Unknown:
        """Return how far the recorder's clock is off, its UTC put right where it is local time."""
        if isinstance(offset, Unknown) or not (self._by_agent and self._looks_local):
            return offset
        return offset - self._zone_seconds

    @property
    def _zone_seconds(self) -> float:
        return self._wall.zone_shift().total_seconds()

    @property
    def _looks_local(self) -> bool:
        near_zone = abs(self.device_offset - self._zone_seconds) < _NEAR_SECONDS
        return near_zone and abs(self._zone_seconds) > _NEAR_SECONDS

    def _now(self, by_agent: bool | None) -> datetime:
        now = self._clock.now()
        return now if by_agent else now + timedelta(seconds=self.device_offset)
