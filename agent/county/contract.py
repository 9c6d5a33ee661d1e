"""The county's contract: what may be published. Codes and figures; sentences only at the edge.

Nothing here can hold a picture, and people appear by code, never by name.
"""

from datetime import date, datetime
from typing import ClassVar, Literal

from pydantic import AwareDatetime, Field

from agent.findings import Cause, Verdict
from drivers.readings import Frozen

Measure = float | Literal["unknown"]
Count = int | Literal["unknown"]
Word = str


class EventData(Frozen):
    """What happened; `kind` is the last level of the event's topic."""

    kind: ClassVar[str]


AlarmWhat = Literal[
    "press",
    "presses",
    "release",
    "proven",
    "trouble",
    "tamper",
    "restored",
    "acknowledged",
    "closed",
    "test_started",
    "test_ended",
    "note",
    "line",
    "incidents_lost",
    "started",
    "void",
]
Certainty = Literal["certain", "possible"]


class AlarmEventData(EventData):
    """A fact of the alarm path; `incident` counts for the life of the store, a test has none."""

    kind = "alarm"
    what: AlarmWhat
    button: str | None = None
    incident: int | None = None
    press: int | None = Field(
        default=None, description="presses so far of this incident, or of this test window"
    )
    count: int | None = Field(
        default=None,
        description="with `presses`: how many, each counted and none told by itself; with "
        "`incidents_lost`: how many events could still be read",
    )
    attention: bool | None = Field(
        default=None,
        description="with `press`: somebody is to look anew: it opens an incident, follows an "
        "acknowledgement, or comes over a minute after the last",
    )
    resend: bool = Field(
        default=False, description="with `press`: an alarm receiver may have said it twice"
    )
    certainty: Certainty = "certain"
    cause: Cause | None = None
    by: str | None = Field(
        default=None, description="who, by code: with `acknowledged`, `closed` and test windows"
    )
    reason: str | None = Field(
        default=None,
        description="with `closed`: why, when the input was not known to be at rest; "
        "with `test_ended`: ended, expired or restart",
    )
    window: int | None = Field(default=None, description="number of the test window")
    buttons: tuple[str, ...] | None = Field(
        default=None, description="with test windows: which buttons; all others stay live"
    )
    untested: tuple[str, ...] | None = Field(
        default=None, description="with `test_ended`: buttons of the window never pressed in it"
    )
    ends_at: AwareDatetime | None = Field(default=None, description="with `test_started`")
    raw: str | None = Field(
        default=None, description="with `line`: what an alarm receiver said, not understood"
    )
    blind_seconds: Measure | None = Field(
        default=None, description="with `started`: how long nobody watched the inputs"
    )
    void_from: int | None = Field(
        default=None,
        description="with `started` and `void`: first sequence number that was never used",
    )
    void_to: int | None = None


class ContactEventData(EventData):
    """A contact that is no panic button changed."""

    kind = "contact"
    what: Literal["active", "normal", "trouble", "restored"]
    contact: str
    contact_kind: str
    cause: Cause | None = None


class DeviceEventData(EventData):
    """A device other than an alarm input went away or came back."""

    kind = "device"
    what: Literal["lost", "restored"]
    device: str
    cause: Cause | None = None


class ScanEventData(EventData):
    """A tag was read at a reader: at a checkpoint, or one that no checkpoint owns."""

    kind = "scan"
    reader: str
    checkpoint: str | None
    tag_id: str
    assurance: Literal["uid", "cmac"]
    folded: bool = Field(default=False, description="repeat of the same tag within the fold time")


class TourEventData(EventData):
    """A tour was completed, or ended without being complete."""

    kind = "tour"
    what: Literal["completed", "incomplete"]
    tour: str
    duty_day: date
    number: int = Field(description="completed tours of the duty day so far, this one included")
    started_at: AwareDatetime
    missed_checkpoints: tuple[str, ...] = ()


class CameraEventData(EventData):
    """A camera's verdict changed; all causes that now hold."""

    kind = "camera"
    what: Literal["fault", "cleared"]
    camera: str
    verdict: Verdict
    causes: tuple[Cause, ...] = ()


class RecordingEventData(EventData):
    """The retention verdict of a channel changed."""

    kind = "recording"
    what: Literal["changed"] = "changed"
    channel: str
    word: Literal["met", "claimed", "growing", "short", "unknown"]
    verdict: Verdict
    causes: tuple[Cause, ...] = ()


class AuditEventData(EventData):
    """A command of the county was obeyed or refused."""

    kind = "audit"
    what: Literal["accepted", "refused"]
    verb: str
    code: str
    request: str | None = Field(default=None, description="the command's id, where it was readable")
    key: str | None = Field(default=None, description="the name of the key it claims")


class AgentEventData(EventData):
    """The agent about itself."""

    kind = "agent"
    what: Literal["started", "missed_run"]
    causes: tuple[Cause, ...] = ()
    void_from: int | None = Field(
        default=None, description="with `started`: first sequence number that was never used"
    )
    void_to: int | None = None


class StateData(Frozen):
    """The newest known state of one object; `verdict` and `causes` are always there."""

    kind: ClassVar[str]
    # Fields whose change alone is not worth a message before the next refresh.
    volatile: ClassVar[frozenset[str]] = frozenset({"observed_at"})

    verdict: Verdict
    causes: tuple[Cause, ...] = ()
    observed_at: AwareDatetime | None = Field(
        default=None, description="when the newest evidence was measured; null: never"
    )


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


class PatrolState(StateData):
    """The duty day so far."""

    kind = "patrol"
    duty_day: date
    tours_done: int
    tours_min_per_day: int
    open_tour: str | None
    last_scan_at: AwareDatetime | None


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
    grade: Literal["A", "B", "C"] | None
    surveyed_until: date | None


class CameraState(StateData):
    """One camera: its stream, layer by layer, and its picture."""

    kind = "camera"
    volatile = frozenset({"observed_at", "fps", "bitrate_kbps", "gop_frames"})
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


class AgentState(StateData):
    """The agent itself: whether what it says can be relied on to reach you."""

    kind = "agent"
    version: Word
    started_at: AwareDatetime
    alarms_durable: bool = Field(description="false: alarm events would not survive a power cut")
    events_durable: bool
    unsaved: int = Field(description="events in memory only, because the disk does not take them")


class DutyState(StateData):
    """One duty the county sets: the worst of all that serves it, or why there is nothing."""

    kind = "duty"
    not_fitted: str | None = Field(default=None, description="the site's own reason")


class Event(Frozen):
    """An event as a monitor hands it on: not yet numbered, stored or sent."""

    subject: str
    time: AwareDatetime
    data: EventData
    test: bool = False


class State(Frozen):
    """A state as a monitor hands it on; `valid_for_seconds` runs from its publication."""

    id: str
    data: StateData
    valid_for_seconds: int = 180


def as_word(value: object) -> str:
    """Write a measured word for the wire: Unknown becomes `unknown`."""
    return value if isinstance(value, str) else "unknown"


def utc(moment: datetime) -> str:
    """Write an instant for the wire: UTC, milliseconds, `Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
