"""One archive on a simulated recorder, surveyed over HTTP and judged: what a county is told."""

from dataclasses import dataclass, field
from datetime import UTC
from random import Random
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from agent.county.state_data import RecordingState
from agent.monitors import Instant
from agent.monitors.ledger import Ledgers
from agent.monitors.retention import RetentionMonitor
from agent.policy import Channel, RetentionPolicy
from agent.survey.archive import ArchiveSurvey
from agent.survey.view import Wanted
from drivers.recorder.gate import RecorderGate
from drivers.recorder.makers import DRIVERS
from drivers.recorder.settings import Maker, RecorderSettings
from simulators.archive import SimulatedChannel
from simulators.dahua import DahuaManners, DahuaSimulator
from simulators.hikvision import HikvisionSimulator
from simulators.hikvision_search import SearchManners
from simulators.onvif import OnvifSimulator
from simulators.truth import Truth as TruthLog
from tests.archives import NOW, Archive, Truth, random_archive
from tests.simulated_clock import SimulatedClock
from tests.unit.login_budgets import MemoryBudget
from tests.unit.quirk_sheets import MemoryQuirks

ZONE = ZoneInfo("Asia/Shanghai")
MAKERS: dict[type, Maker] = {
    HikvisionSimulator: "hikvision",
    DahuaSimulator: "dahua",
    OnvifSimulator: "onvif",
}
PASSWORD = SecretStr("secret")


def clock_at_night() -> SimulatedClock:
    """Return a clock that stands at the hour of the archives."""
    clock = SimulatedClock()
    clock.jump((NOW.replace(tzinfo=ZONE).astimezone(UTC) - clock.now()).total_seconds())
    return clock


@dataclass
class School:
    """A recorder, what the agent has of it, and a monitor; channels are watched for `targets`."""

    recorder: HikvisionSimulator | DahuaSimulator | OnvifSimulator
    targets: dict[int, int]
    clock: SimulatedClock
    policy: RetentionPolicy = field(default_factory=RetentionPolicy)
    budget: MemoryBudget = field(default_factory=MemoryBudget)

    def __post_init__(self) -> None:
        self.ledgers = Ledgers()
        gate = self.gate = RecorderGate(
            "nvr-1", "inspector", PASSWORD, self.budget, self.clock, request_gap_seconds=0
        )
        settings = RecorderSettings(
            id="nvr-1",
            driver=MAKERS[type(self.recorder)],
            host="127.0.0.1",
            http_port=self.recorder.port,
            username="inspector",
        )
        self.quirks = MemoryQuirks()
        self.driver = DRIVERS[MAKERS[type(self.recorder)]](
            settings, PASSWORD, gate, self.clock, self.quirks, zone=ZONE, channels=[*self.targets]
        )
        wanted = self.wanted = [Wanted(number, days) for number, days in self.targets.items()]
        self.survey = ArchiveSurvey(
            self.driver, wanted, self.ledgers, self.clock, ZONE, Random(self.recorder.port)
        )
        channels = [
            Channel(
                recorder="nvr-1",
                number=number,
                id=f"cam-{number}",
                name="",
                key_area=days == self.policy.key_area_min_days,
            )
            for number, days in self.targets.items()
        ]
        self.monitor = RetentionMonitor({"nvr-1": 60.0}, channels, self.policy, ZONE, self.ledgers)
        self._is_open = False

    def close(self) -> None:
        self.driver.close()

    @property
    def now(self) -> Instant:
        return Instant(self.clock.now(), self.clock.monotonic())

    def poll(self) -> list[object]:
        """Poll once, opened if need be; return the events. Raises DriverError."""
        if not self._is_open:
            self.driver.open()
            self._is_open = True
        readings = self.driver.poll(deadline=self.clock.monotonic() + 60)
        return [event for one in readings for event in self.monitor.observe(one, self.now)]

    def survey_once(self, *, missing_only: bool = False) -> list[object]:
        """Survey; return the events."""
        run = self.survey.run(self.clock.monotonic() + 1800, missing_only=missing_only)
        return [event for one in run for event in self.monitor.observe(one, self.now)]

    def recording(self, number: int) -> RecordingState:
        """Return what the county is told of a channel."""
        states = {state.id: state.data for state in self.monitor.states(self.now)}
        found = states[f"cam-{number}"]
        assert isinstance(found, RecordingState)
        return found


def random_dahua(chance: Random, recorder: DahuaSimulator) -> list[str]:
    """Give the recorder the manners of some firmware; return what is odd about it."""
    recorder.manners = DahuaManners(
        line_end=chance.choice(["\r\n", "\n"]),
        padded_time=chance.random() < 0.7,
        search_base=chance.choice([0, 1]),
        reply_channel_base=chance.choice([0, 1]),
        paths_name_channels=chance.random() < 0.7,
        old_close=chance.random() < 0.3,
        end_is_error=chance.random() < 0.3,
    )
    return [repr(recorder.manners)]


def random_hikvision(chance: Random, recorder: HikvisionSimulator) -> list[str]:
    """Give the recorder the manners of some firmware; return what is odd about it."""
    notes: list[str] = []
    manners = recorder.search = SearchManners(
        dialects=chance.choice(["ABCD", "A", "B", "C", "D", "BC"]),
        page_max=chance.choice([20, 40, 64]),
        merge=chance.random() < 0.2,
        utc=chance.random() < 0.3,
    )
    if chance.random() < 0.2:
        manners.says_more = False
    elif chance.random() < 0.2:
        manners.repeats = True
    if chance.random() < 0.3:
        recorder.calendar = chance.choice(["off", "all_false", "same_for_all"])
        notes.append(f"calendar {recorder.calendar}")
    notes.append(repr(manners))
    return notes


@dataclass
class Trial:
    """One survey of one archive, and what was odd about both."""

    school: School
    archive: Archive
    notes: list[str]

    def close(self) -> None:
        self.school.close()
        self.school.recorder.stop()


def try_archive(chance: Random, log: TruthLog) -> Trial:
    """Put a random archive on a recorder with random manners, and survey it."""
    clock = clock_at_night()
    target = chance.choice([30, 30, 90])
    notes: list[str]
    recorder: HikvisionSimulator | DahuaSimulator
    if chance.random() < 0.3:
        # It has no word for a file that is locked.
        archive = random_archive(chance, target, locks=False)
        recorder = DahuaSimulator(log, now_utc=clock.now, monotonic=clock.monotonic)
        notes = random_dahua(chance, recorder)
    else:
        archive = random_archive(chance, target, locks=True)
        recorder = HikvisionSimulator(log, now_utc=clock.now, monotonic=clock.monotonic)
        notes = random_hikvision(chance, recorder)
    # A neighbour that records all the time, so that the firmware's manners can be learnt.
    recorder.channels = [
        SimulatedChannel(1, clips=archive.held),
        SimulatedChannel(2, depth_days=100),
    ]
    recorder.start()
    school = School(recorder, {1: archive.target, 2: 1}, clock)
    school.poll()
    school.survey_once()
    return Trial(school, archive, [*archive.notes, *notes])


def contradictions(state: RecordingState, truth: Truth, archive: Archive) -> list[str]:
    """Say where a state denies the truth; depth and its truth are told up to the target."""
    wrong = []
    target = archive.target
    depth = min(truth.depth_days, target)
    found = _bounds(state)
    if found is not None:
        if not min(found[0], target) <= depth <= found[1]:
            wrong.append("depth")
        if not found[2] <= truth.missing_days <= found[3]:
            wrong.append("missing")
    allowed = 0.10 * target
    really_short = truth.depth_days < target or truth.missing_days > allowed
    if state.word == "met" and really_short:
        wrong.append("false met")
    if state.word == "short" and not really_short:
        wrong.append("false short")
    return wrong


def is_tight(state: RecordingState, target: int) -> bool:
    """Tell whether the bounds leave nothing open inside the target."""
    found = _bounds(state)
    if found is None:
        return False
    return min(found[0], target) == min(found[1], target) and found[2] == found[3]


def _bounds(state: RecordingState) -> list[int] | None:
    """Return depth and missing days, each lower and upper; None where they are not known."""
    figures = [
        state.depth_days_lower,
        state.depth_days_upper,
        state.missing_days_lower,
        state.missing_days_upper,
    ]
    known = [one for one in figures if isinstance(one, int)]
    return known if len(known) == len(figures) else None
