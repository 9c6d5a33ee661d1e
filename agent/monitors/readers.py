"""NFC readers: who is heard, and for how long of each duty day all of them were. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import AwareDatetime, Field

from agent.county.contract import Event, State, as_word
from agent.county.event_data import DeviceEventData, PatrolDayEventData
from agent.county.state_data import ReaderState
from agent.findings import NOT_YET, Verdict, missing
from agent.monitors import Instant
from agent.monitors.day_windows import KeptWindow
from agent.monitors.duty_calendar import ONE_DAY, DutyCalendar
from agent.monitors.rounds import KeptRound
from drivers.readings import Frozen, Outage, ReaderReading, Reading, Reason, Unknown

# A reader is polled several times a second; within this the agent has opened a port anew.
MAX_AGE_SECONDS = 30
# Duty days worth keeping over a restart; older ones judge nothing any more.
KEPT_DAYS = 3


class WatchedTime(Frozen):
    """What must survive a restart to judge a day: seconds watched, and when watching ended."""

    seconds: Mapping[date, float] = Field(description="per duty day, all readers at once")
    until: AwareDatetime
    closed: date | None = Field(default=None, description="the last duty day that was told as over")
    days: Mapping[date, PatrolDayEventData] = Field(
        default={}, description="what the last of them were told to have come to"
    )
    docked: AwareDatetime | None = Field(
        default=None, description="up to when all scans of wands are known"
    )
    windows: Mapping[str, KeptWindow] = {}
    posts: Mapping[str, Mapping[str, KeptWindow]] = {}
    rounds: Mapping[str, KeptRound] = {}


@dataclass
class _Reader:
    heard: ReaderReading | None = None
    heard_monotonic: float = 0.0
    outage: Unknown | None = None

    def trouble(self, now: Instant) -> Unknown | None:
        """Return why nothing is known of the reader; None: it is being watched."""
        if self.outage is not None:
            return self.outage
        if self.heard is None:
            return NOT_YET
        if now.monotonic - self.heard_monotonic > MAX_AGE_SECONDS:
            return Unknown(reason=Reason.STALE)
        return None


class ReaderWatch:
    """Judges each reader by what it said last, and adds up the time all were watched.

    Time watched is what is counted: of a day this agent never lived through, or that a jump of
    the clock skipped, nothing is known.
    """

    def __init__(self, readers: Sequence[str], calendar: DutyCalendar) -> None:
        self._readers = {reader: _Reader() for reader in readers}
        self._lost: set[str] = set()
        self._calendar = calendar
        self._watched: defaultdict[date, float] = defaultdict(float)
        self._advanced: float | None = None

    def __contains__(self, device_id: str) -> bool:
        return device_id in self._readers

    def __len__(self) -> int:
        return len(self._readers)

    def restore(self, watched: WatchedTime) -> None:
        """Go on from what an earlier run knew."""
        self._watched.update(watched.seconds)

    def watched_time(self, now: Instant) -> WatchedTime:
        """Return what `restore` needs of this run."""
        first = self._calendar.day_of(now.wall) - (KEPT_DAYS - 1) * ONE_DAY
        kept = {day: seconds for day, seconds in self._watched.items() if day >= first}
        return WatchedTime(seconds=kept, until=now.wall)

    def blind_seconds(self, day: date) -> float:
        """Return for how long of a duty day that is over at least one reader was not watched."""
        length = self._calendar.start_of(day + ONE_DAY) - self._calendar.start_of(day)
        return max(0.0, length.total_seconds() - self._watched.get(day, 0.0))

    def observe(self, reading: Reading, now: Instant) -> Sequence[Event]:
        """Take in what a reader said or failed to say."""
        self._advance(now)
        reader = self._readers[reading.device_id]
        if isinstance(reading, Outage):
            reader.outage = Unknown(reason=reading.reason, detail=reading.detail)
            return self._edge(reading.device_id, now)
        if isinstance(reading, ReaderReading):
            reader.heard, reader.heard_monotonic, reader.outage = reading, now.monotonic, None
            return self._edge(reading.device_id, now)
        return ()

    def tick(self, now: Instant) -> Sequence[Event]:
        """Notice who has gone silent; one never heard yet is not lost."""
        return [
            event
            for device_id, reader in self._readers.items()
            if reader.heard is not None
            for event in self._edge(device_id, now)
        ]

    def unwatched(self, now: Instant) -> Sequence[str]:
        """Return the readers of which nothing is known now."""
        return [name for name, reader in self._readers.items() if reader.trouble(now) is not None]

    def evidence_at(self) -> datetime | None:
        """Return when a reader was last heard."""
        heard = [reader.heard.observed_at for reader in self._readers.values() if reader.heard]
        return max(heard, default=None)

    def states(self, now: Instant) -> Sequence[State]:
        """Return the state of each reader."""
        return [State(id=name, data=self._state(name, now)) for name in self._readers]

    def _state(self, name: str, now: Instant) -> ReaderState:
        reader = self._readers[name]
        trouble = reader.trouble(now)
        observed_at = reader.heard.observed_at if reader.heard else None
        if trouble is not None or reader.heard is None:
            return ReaderState(
                verdict=Verdict.UNKNOWN,
                causes=(missing(trouble or NOT_YET),),
                observed_at=observed_at,
                firmware="unknown",
            )
        return ReaderState(
            verdict=Verdict.OK, observed_at=observed_at, firmware=as_word(reader.heard.firmware)
        )

    def _edge(self, device_id: str, now: Instant) -> Sequence[Event]:
        trouble = self._readers[device_id].trouble(now)
        if (trouble is not None) == (device_id in self._lost):
            return ()
        if trouble is not None:
            self._lost.add(device_id)
            data = DeviceEventData(what="lost", device=device_id, cause=missing(trouble))
        else:
            self._lost.remove(device_id)
            data = DeviceEventData(what="restored", device=device_id)
        return [Event(subject=device_id, time=now.wall, data=data)]

    def _advance(self, now: Instant) -> None:
        """Account for the time since the last reading."""
        before, self._advanced = self._advanced, now.monotonic
        if before is not None and self._readers and not self.unwatched(now):
            self._watched[self._calendar.day_of(now.wall)] += now.monotonic - before
