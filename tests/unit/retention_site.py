"""A recorder with two channels, a clock, and the surveys it would give."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from agent.county.contract import Event
from agent.county.event_data import RecordingEventData
from agent.county.state_data import RecorderState, RecordingState
from agent.monitors import Instant
from agent.monitors.ledger import Ledgers
from agent.monitors.retention import RetentionMonitor
from agent.policy import Channel, RetentionPolicy
from drivers.readings import Reading, Reason, Unknown
from drivers.recorder.readings import (
    ChannelReading,
    Grade,
    RecordedDay,
    RecordedDaysReading,
    RecorderReading,
)

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 9, 10, 18, 30, tzinfo=UTC)  # 02:30 on 11 September at the recorder
YESTERDAY = date(2026, 9, 10)
CHANNELS = (
    Channel(recorder="nvr-1", number=1, id="gate-cam", name="Gate", key_area=True),
    Channel(recorder="nvr-1", number=2, id="yard-cam", name="Yard"),
)


class Site:
    """One recorder, two channels and a clock."""

    def __init__(
        self, ledgers: Ledgers | None = None, channels: Sequence[Channel] = CHANNELS
    ) -> None:
        self.ledgers = ledgers or Ledgers()
        self.monitor = RetentionMonitor(
            {"nvr-1": 60.0}, channels, RetentionPolicy(), ZONE, self.ledgers
        )
        self.wall, self.monotonic = START, 5000.0

    @property
    def now(self) -> Instant:
        return Instant(self.wall, self.monotonic)

    def wait(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.monotonic += seconds

    def see(self, *readings: Reading) -> list[Event]:
        return [event for one in readings for event in self.monitor.observe(one, self.now)]

    def tick(self) -> list[Event]:
        return list(self.monitor.tick(self.now))

    def recorder(self, offset: float | Unknown = 0.0) -> RecorderReading:
        return RecorderReading(
            device_id="nvr-1",
            observed_at=self.wall,
            maker="hikvision",
            model="DS",
            firmware="V4",
            serial_number=Unknown(reason=Reason.NOT_MEASURED),
            clock_offset_seconds=offset,
            device_today=offset
            if isinstance(offset, Unknown)
            else self.wall.astimezone(ZONE).replace(tzinfo=None) + timedelta(seconds=offset),
        )

    def channel(
        self, number: int, *, online: bool | Unknown = True, condition: str = "connect"
    ) -> ChannelReading:
        return ChannelReading(
            device_id="nvr-1",
            observed_at=self.wall,
            channel=number,
            name="",
            online=online,
            condition=condition,
        )

    def months(
        self, number: int, present: Iterable[date], *, until: date = YESTERDAY, months: int = 5
    ) -> list[RecordedDaysReading]:
        """What a calendar says of the months up to `until`, all days listed, the newest first."""
        held, found = set(present), []
        year, month = until.year, until.month
        for _ in range(months):
            first = date(year, month, 1)
            days = [first + timedelta(days=n) for n in range(31)]
            found.append(
                RecordedDaysReading(
                    device_id="nvr-1",
                    observed_at=self.wall,
                    channel=number,
                    grade="B",
                    days={
                        day: RecordedDay(present=day in held) for day in days if day.month == month
                    },
                )
            )
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        return found

    def looked_at(
        self, number: int, *days: date, seconds: int = 86_400, locked: bool = False
    ) -> RecordedDaysReading:
        """What the segments of some days show."""
        return self.evidence(
            number,
            "A",
            {
                day: RecordedDay(
                    present=seconds > 0, usable=seconds > 0 and not locked, covered_seconds=seconds
                )
                for day in days
            },
        )

    def evidence(
        self, number: int, grade: Grade, days: dict[date, RecordedDay] | Unknown
    ) -> RecordedDaysReading:
        return RecordedDaysReading(
            device_id="nvr-1", observed_at=self.wall, channel=number, grade=grade, days=days
        )

    def recording(self, channel: str = "yard-cam") -> RecordingState:
        states = {state.id: state.data for state in self.monitor.states(self.now)}
        data = states[channel]
        assert isinstance(data, RecordingState)
        return data

    def recorder_state(self) -> RecorderState:
        data = self.monitor.states(self.now)[0].data
        assert isinstance(data, RecorderState)
        return data


def surveyed(present: Iterable[date], *, offset: float | Unknown = 0.0) -> Site:
    site = Site()
    site.see(site.recorder(offset), *site.months(2, present))
    return site


def last(count: int, until: date = YESTERDAY) -> list[date]:
    return [until - timedelta(days=back) for back in range(count)]


def codes(state: RecordingState | RecorderState) -> set[str]:
    return {cause.code for cause in state.causes}


def words(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [
        (event.data.channel, event.data.word)
        for event in events
        if isinstance(event.data, RecordingEventData)
    ]
