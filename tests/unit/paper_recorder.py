"""A recorder on paper: what it answers is a table, and every question is written down."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from drivers.base import Evidence, StreamKind
from drivers.readings import Reading, Reason, Unknown
from drivers.recordings import Extent, PlaybackAddress, Segment, Segments
from tests.simulated_clock import SimulatedClock

DAY = timedelta(days=1)
BUSY = Unknown(reason=Reason.BUSY)


class PaperRecorder:
    """Meets drivers.base.RecorderDriver; attributes may be set between surveys.

    `held` are the days with video, `lies` what its calendar says instead of some of them.
    """

    def __init__(self, clock: SimulatedClock, wall: datetime, held: set[date]) -> None:
        self.clock = clock
        self.wall: datetime | Unknown = wall
        self.held = held
        self.lies: dict[date, bool] = {}
        self.locked: set[date] = set()
        self.gives: frozenset[Evidence] = frozenset({"calendar", "segments"})
        self.no_calendar: Unknown | None = None
        self.no_segments: Unknown | None = None
        self.no_playback: Unknown | None = None
        self.claims: Mapping[int, Extent] | Unknown = {}
        self.seconds_each = 0.0
        self.asked: list[tuple[object, ...]] = []
        self.newest_first = False  # and no more than a page of it
        self.calendar_right: bool | None = None
        self.span_days = 7

    device_id = "nvr-1"
    maker = "paper"
    listed: Mapping[int, str] = {}

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def poll(self, *, deadline: float) -> Sequence[Reading]:
        del deadline
        return []

    def month_days(
        self, channel: int, year: int, month: int, *, deadline: float
    ) -> Mapping[int, bool] | Unknown:
        del deadline
        self._ask("month", channel, year, month)
        if self.no_calendar is not None:
            return self.no_calendar
        if self.calendar_right is False:
            return Unknown(reason=Reason.INCONSISTENT)
        days = [date(year, month, 1) + n * DAY for n in range(31)]
        return {d.day: self.lies.get(d, d in self.held) for d in days if d.month == month}

    def segments(
        self,
        channel: int,
        start: datetime,
        end: datetime,
        *,
        deadline: float,
        pages: int = 200,
    ) -> Segments | Unknown:
        del deadline
        self._ask("segments" if pages > 1 else "oldest", channel, start.date(), end.date())
        if self.no_segments is not None:
            return self.no_segments
        clips = [
            Segment(midnight, midnight + DAY, day in self.locked)
            for day in sorted(self.held | self.locked)
            if start.date() <= day <= end.date()
            for midnight in [datetime.combine(day, datetime.min.time())]
        ]
        if pages == 1 and self.newest_first:
            return Segments(tuple(clips[-2:]), complete=False)
        return Segments(tuple(clips), complete=True)

    def live_path(self, channel: int, stream: StreamKind) -> str | Unknown:
        return f"/live/{channel}/{stream}"

    def playback(
        self, channel: int, start: datetime, end: datetime, *, deadline: float
    ) -> PlaybackAddress | Unknown:
        del deadline
        if self.no_playback is not None:
            return self.no_playback
        return PlaybackAddress(f"/play/{channel}/{start:%Y%m%dT%H%M%S}/{end:%H%M%S}", start)

    def extents(self, *, deadline: float) -> Mapping[int, Extent] | Unknown:
        del deadline
        self._ask("extents")
        return self.claims

    def snapshot(self, channel: int, *, deadline: float) -> bytes | Unknown:
        del channel, deadline
        return Unknown(reason=Reason.NOT_SUPPORTED)

    def wall_clock(self) -> datetime | Unknown:
        return self.wall

    def judge_calendar(self, *, right: bool) -> None:
        self.calendar_right = right

    def count(self, kind: str) -> int:
        """Tell how often it was asked for this."""
        return sum(question[0] == kind for question in self.asked)

    def _ask(self, *question: object) -> None:
        self.asked.append(question)
        self.clock.advance(self.seconds_each)
