"""A school with readers and checkpoints for the patrol tests, lived through step by step."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from agent.county.contract import Event
from agent.county.event_data import DeviceEventData, ScanEventData, TourEventData
from agent.county.state_data import PatrolState, ReaderState
from agent.monitors import Instant
from agent.monitors.patrol import PatrolMonitor
from agent.monitors.readers import WatchedTime
from agent.policy_patrol import (
    CalendarPolicy,
    Checkpoint,
    GuardCard,
    PatrolPolicy,
    Post,
    Round,
)
from drivers.base import Clock
from drivers.nfc.sun import Refusal
from drivers.readings import Outage, ReaderReading, Reading, Reason, ScanReading

SHANGHAI = ZoneInfo("Asia/Shanghai")
POINTS = (
    Checkpoint(id="north", name="North wall", tag="nfca:AA"),
    Checkpoint(id="south", name="South wall", tag="nfca:BB"),
    Checkpoint(id="roof", name="Roof", tag="nfca:CC", mandatory=False),
)
NORTH, SOUTH, ROOF = (point.tag for point in POINTS)
HOUR = 3600


class MovableClock(Clock, Protocol):
    """The simulated clock of conftest."""

    def jump(self, seconds: float) -> None:
        """Set the wall clock."""


class School:
    """A site with one or more readers, lived through step by step."""

    def __init__(
        self,
        clock: MovableClock,
        *,
        tours: int = 2,
        readers: Sequence[str] = ("gate",),
        checkpoints: Sequence[Checkpoint] = POINTS,
        zone: ZoneInfo = SHANGHAI,
        day_starts: time = time(0, 0),
        min_gap_minutes: float = 0,
        guards: Sequence[GuardCard] = (),
        posts: Sequence[Post] = (),
        policy: PatrolPolicy | None = None,
        school: CalendarPolicy | None = None,
        rounds: Sequence[Round] = (),
        opens_by_card: bool = False,
        upload_hours: Mapping[str, float] | None = None,
    ) -> None:
        """`upload_hours`: of those of the readers at which wands are docked."""
        self.clock = clock
        self.docks = upload_hours or {}
        self.read_until: datetime | None = None
        self.readers = readers
        rules = policy or PatrolPolicy(
            tours_min_per_day=tours, day_starts=day_starts, min_gap_minutes=min_gap_minutes
        )
        self._made: Callable[[], PatrolMonitor] = lambda: PatrolMonitor(
            readers,
            checkpoints,
            rules,
            zone,
            guards,
            posts,
            school,
            rounds,
            opens_by_card=opens_by_card,
            upload_hours=upload_hours,
        )
        self.monitor = self._made()
        self.events: list[Event] = []
        self.journal: list[ScanReading] = []

    def again(self, kept: WatchedTime | None) -> "School":
        """Start the agent anew with its journal; what was told stays told."""
        self.monitor = self._made()
        since = self.monitor.restore_since(self.now)
        journal = [scan for scan in self.journal if scan.observed_at >= since]
        self.monitor.restore(journal, self.now, kept)
        return self

    @property
    def now(self) -> Instant:
        return Instant(self.clock.now(), self.clock.monotonic())

    def observe(self, reading: Reading) -> None:
        self.events += self.monitor.observe(reading, self.now)

    def hear(self) -> None:
        for reader in self.readers:
            until = self.read_until if reader in self.docks else None
            self.observe(
                ReaderReading(
                    device_id=reader,
                    observed_at=self.clock.now(),
                    firmware="1.6",
                    read_until=until,
                )
            )

    def scan(
        self,
        tag: str,
        reader: str = "gate",
        *,
        assurance: Literal["uid", "sun"] = "uid",
        refused: Refusal | None = None,
    ) -> None:
        scan = ScanReading(
            device_id=reader,
            observed_at=self.clock.now(),
            tag_id=tag,
            assurance=assurance,
            refused=refused,
        )
        self.journal.append(scan)
        self.observe(scan)

    def upload(
        self, *scans: tuple[str, datetime], guard_tag: str | None = None, dock: str = "dock"
    ) -> None:
        """Dock a wand that has made these scans, and hear that all of it has been read."""
        for number, (tag, at) in enumerate(scans, 1):
            scan = ScanReading(
                device_id=dock,
                observed_at=at,
                tag_id=tag,
                assurance="uid",
                wand="W1",
                guard_tag=guard_tag,
                device_time=at - timedelta(seconds=7),
                offset_seconds=7,
                token=f"W1//{tag}/{at.isoformat()}",
                more=number < len(scans),
            )
            self.journal.append(scan)
            self.observe(scan)
        self.read_until = self.clock.now()
        self.hear()
        self.tick()

    def lose(self, reader: str = "gate", reason: Reason = Reason.PORT_LOST) -> None:
        self.observe(Outage(device_id=reader, observed_at=self.clock.now(), reason=reason))

    def tick(self) -> None:
        self.events += self.monitor.tick(self.now)

    def live(self, seconds: float, step: float = 20) -> None:
        """Go on with every reader answering."""
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            self.hear()
            self.tick()
            self.clock.sleep(min(step, until - self.clock.monotonic()))
        self.hear()
        self.tick()

    def wait(self, seconds: float) -> None:
        """Go on with nobody saying anything."""
        self.clock.sleep(seconds)
        self.tick()

    def tour(self) -> None:
        """Walk a whole tour in ten minutes."""
        self.scan(NORTH)
        self.live(600)
        self.scan(SOUTH)
        self.live(120)

    def tours(self) -> list[TourEventData]:
        return [e.data for e in self.events if isinstance(e.data, TourEventData)]

    def scans(self) -> list[ScanEventData]:
        return [e.data for e in self.events if isinstance(e.data, ScanEventData)]

    def device_events(self) -> list[DeviceEventData]:
        return [e.data for e in self.events if isinstance(e.data, DeviceEventData)]

    def patrol(self) -> PatrolState:
        data = {state.id: state.data for state in self.monitor.states(self.now)}["site"]
        assert isinstance(data, PatrolState)
        return data

    def reader(self, reader: str = "gate") -> ReaderState:
        data = {state.id: state.data for state in self.monitor.states(self.now)}[reader]
        assert isinstance(data, ReaderState)
        return data

    def causes(self) -> list[str]:
        return [cause.code for cause in self.patrol().causes]


def settled(clock: MovableClock) -> School:
    """10:00 in Shanghai on 2 September; the day before was watched, today has its two tours."""
    school = School(clock)
    school.live(22 * HOUR)
    school.tour()
    school.tour()
    whole_day = WatchedTime(seconds={date(2026, 9, 1): 24 * HOUR}, until=clock.now())
    school.monitor.restore([], school.now, whole_day)
    school.live(2 * HOUR - 24 * 60)
    school.events.clear()
    return school
