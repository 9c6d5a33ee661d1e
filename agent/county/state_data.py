"""What the county's states hold, one model a kind."""

from datetime import date
from typing import ClassVar, Literal

from pydantic import AwareDatetime, Field

from agent.county.contract import Count, Measure, StateData, Word
from drivers.readings import Frozen


class ButtonState(StateData):
    """One panic button. `position` unknown is never to be read as rest."""

    kind = "button"
    volatile = frozenset({"observed_at", "missed_polls", "reply_ms_p50", "reply_ms_p99"})
    position: Literal["unknown", "rest", "pressed", "trouble", "tamper"]
    wiring: Literal["supervised", "nc", "no"]
    link: Literal["unknown", "up", "down"] = Field(description="the line to its device")
    guard: Literal["off", "pressed", "recorded", "sent", "acknowledged", "telephone"] = Field(
        default="off", description="what lamp and buzzer tell the guard of an open incident"
    )
    in_test: bool = Field(description="a test window covers it: presses are marked `test`")
    incident: int | None = Field(description="open incident; null: none")
    presses: int = Field(description="presses of the open incident")
    acknowledged_by: str | None = Field(description="who at the county has seen it; null: nobody")
    last_press_at: AwareDatetime | None
    last_test_at: AwareDatetime | None = Field(
        description="when a press and its release were last seen, or a test was reported good"
    )
    ok_until: AwareDatetime | None = Field(
        description="when it must be tested again; null: now, it never was"
    )
    missed_polls: int
    reply_ms_p50: Measure
    reply_ms_p99: Measure


class TestWindowState(StateData):
    """Whether buttons are being tested; while they are, their presses are marked `test`."""

    __test__: ClassVar[bool] = False  # pytest: its name is the field's own word

    kind = "test-window"
    open: bool
    window: int | None
    by: str | None
    buttons: tuple[str, ...]
    ends_at: AwareDatetime | None
    presses: dict[str, int] = Field(description="test presses so far, by button")


class ContactState(StateData):
    """One contact that is no panic button: a fault relay, a door, mains."""

    kind = "contact"
    position: Literal["unknown", "normal", "active", "trouble"]
    contact_kind: str
    normal: Literal["open", "closed"]
    since: AwareDatetime | None = Field(description="when it came to be as it is")


class OutputState(StateData):
    """One lamp or buzzer of the guard. A flashing one is told of as it was last set."""

    kind = "output"
    volatile = frozenset({"observed_at", "on"})
    shows: Literal["alarm", "buzzer", "county_link"]
    on: bool | Literal["unknown"]


class ReaderState(StateData):
    """One NFC reader."""

    kind = "reader"
    firmware: Word


class PatrolWindow(Frozen):
    """How it stands with one of the day's times for a tour."""

    window: str = Field(description="as 06:00-07:30, in the site's own time")
    word: Literal["planned", "due", "late", "done", "missed", "not_observed"]


class PatrolState(StateData):
    """The duty day so far, and what is to be walked next."""

    kind = "patrol"
    volatile = frozenset({"observed_at", "minutes_left"})
    duty_day: date
    tours_done: int
    tours_min_per_day: int
    open_tour: str | None
    last_scan_at: AwareDatetime | None
    due_from: AwareDatetime | None = Field(
        default=None, description="when the next tour may begin; none: all are walked"
    )
    due_until: AwareDatetime | None = Field(default=None, description="by when it must be complete")
    minutes_left: int | None = Field(default=None, description="until then")
    windows: tuple[PatrolWindow, ...] = ()


class PostState(StateData):
    """A place that is to be manned."""

    kind = "post"
    tapped_at: AwareDatetime | None = Field(description="when its tag was last read")
    due_at: AwareDatetime | None = Field(
        description="by when it is to be read again; none: not today or tomorrow"
    )
    every_hours: float | None = Field(description="none: at its times alone")
    times: tuple[str, ...] = Field(default=(), description="as 07:00-08:00, in the site's own time")


class RoundState(StateData):
    """Points to be visited once in a period of the calendar."""

    kind = "round"
    period: str = Field(description="2026-W48, 2026-11, 2026-Q4 or 2026")
    ends_on: date
    done: bool
    left: tuple[str, ...] = Field(description="the checkpoints still to be visited")


class RecorderState(StateData):
    """One recorder: who it is, and how far its clock is off (device minus agent)."""

    kind = "recorder"
    volatile = frozenset({"observed_at", "clock_offset_seconds"})
    maker: Word
    model: Word
    firmware: Word
    serial_number: Word
    clock_offset_seconds: Measure
    channels_online: Count
    channels_total: int
    holds_days: Count = Field(
        default="unknown",
        description="days it will hold at the rate of today; known after a week of nights",
    )


class RecordingState(StateData):
    """Days really held of one channel; every figure has a lower and an upper bound."""

    kind = "recording"
    word: Literal["met", "claimed", "growing", "short", "unknown"]
    key_area: bool
    retention_min_days: int
    depth_days_lower: Count
    depth_days_upper: Count
    missing_days_lower: Count
    missing_days_upper: Count
    grade: Literal["A", "B", "C"] | None = Field(
        description="what the lower depth rests on: segments looked at, calendar, device's claim"
    )
    surveyed_until: date | None
    sampled_days: int = Field(default=0, description="days of the target whose segments were seen")
    thin_days: int = Field(default=0, description="of these, days of which little was recorded")
    covered_ratio: Measure = Field(
        default="unknown", description="recorded part of the sampled days: an estimate"
    )
    met_on: date | None = Field(
        default=None, description="with `growing`: the day on which the target will be reached"
    )
    missed_on: date | None = Field(
        default=None, description="with `met`: the day on which the target will be missed"
    )
    proven_days: Count = Field(
        default="unknown", description="how far back a recording was last played and looked at"
    )
    proven_on: date | None = Field(default=None, description="the day of that proof")


class PoliceLinkState(StateData):
    """What a recorder says of its registration with the police platform (GB/T 28181)."""

    kind = "police-link"
    registered: bool | Literal["unknown"]
    server: Word
    device_id: Word
    key_channels_linked: Count = Field(
        default="unknown", description="channels of key areas that are in the link"
    )


class CameraState(StateData):
    """One camera: its stream, layer by layer, and its picture."""

    kind = "camera"
    volatile = frozenset({"observed_at", "fps", "bitrate_kbps", "gop_frames", "learned_checks"})
    online: bool | Literal["unknown"]
    layer: Word
    fault: Word | None
    codec: Word
    width: Count
    height: Count
    fps: Measure
    bitrate_kbps: Measure
    gop_frames: Count
    picture: Literal["good", "faulty", "unknown"]
    reference: Literal["learning", "ready", "unknown"] = Field(
        default="unknown",
        description="whether it is known what this camera is used to show at this hour",
    )
    learned_checks: Count = "unknown"


class HostState(StateData):
    """The mini-PC itself."""

    kind = "host"
    volatile = frozenset(
        {
            "observed_at",
            "disk_free_bytes",
            "disk_free_ratio",
            "memory_available_ratio",
            "load_per_cpu",
            "temperature_celsius",
            "uptime_seconds",
        }
    )
    disk_free_bytes: Count
    disk_free_ratio: Measure
    memory_available_ratio: Measure
    load_per_cpu: Measure
    temperature_celsius: Measure
    uptime_seconds: Measure
    clock: Literal["ntp", "rtc", "unsync", "unknown"]
    missing_serial_devices: tuple[str, ...]


class OwnFigures(Frozen):
    """What the agent takes of its machine, and how it keeps its own pace."""

    memory_bytes: Count = Field(
        default="unknown", description="of all its processes; shared pages by their share"
    )
    threads: Count = "unknown"
    descriptors: Count = "unknown"
    worker_restarts: Count = "unknown"
    longest_loop_delay_seconds: Measure = "unknown"


class AgentState(StateData):
    """The agent itself: whether what it says can be relied on to reach you."""

    kind = "agent"
    volatile = frozenset({"observed_at", "own"})
    version: Word
    started_at: AwareDatetime
    alarms_durable: bool = Field(description="false: alarm events would not survive a power cut")
    events_durable: bool
    unsaved: int = Field(description="events in memory only, because the disk does not take them")
    own: OwnFigures = OwnFigures()


class DutyState(StateData):
    """One duty the county sets: the worst of all that serves it, or why there is nothing."""

    kind = "duty"
    not_fitted: str | None = Field(default=None, description="the site's own reason")


STATES: tuple[type[StateData], ...] = (
    ButtonState,
    TestWindowState,
    ContactState,
    OutputState,
    ReaderState,
    PatrolState,
    PostState,
    RoundState,
    RecorderState,
    RecordingState,
    PoliceLinkState,
    CameraState,
    HostState,
    AgentState,
    DutyState,
)
