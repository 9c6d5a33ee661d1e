"""What the county's events hold, one model a kind."""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, Field

from agent.county.contract import EventData, Measure
from agent.findings import Cause, Verdict

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
    assurance: Literal["uid", "sun"] = Field(
        description="what it is known by: a number that can be copied, or proof (SUN) that it is "
        "no copy"
    )
    refused: Literal["bad_mac", "replayed", "not_sun"] | None = Field(
        default=None,
        description="why it is not taken for that tag, and no visit: its proof is wrong, was used "
        "before or is another tag's, or there is none where the checkpoint asks for one",
    )
    folded: bool = Field(default=False, description="repeat of the same tag within the fold time")
    guard: str | None = Field(default=None, description="whose card it is, when it is a guard's")
    post: str | None = Field(default=None, description="the post whose tag it is")
    too_fast: bool = Field(
        default=False,
        description="nobody walks so quickly from the checkpoint before: kept, and no visit",
    )
    out_of_order: bool = Field(
        default=False, description="another checkpoint must come first: kept, and no visit"
    )
    wand: str | None = Field(
        default=None, description="the wand it was read with, docked at that reader later"
    )
    guard_tag: str | None = Field(
        default=None, description="with `wand`: the card of whoever carried it"
    )
    device_time: AwareDatetime | None = Field(
        default=None,
        description="with `wand`: by its own clock; the time of the event is that, put right",
    )
    offset_seconds: float | None = Field(
        default=None,
        description="with `wand`: what its time was put right by; none: nobody knows what its "
        "clock showed at docking",
    )
    remarks: tuple[Literal["clock_off", "clock_jumped", "out_of_sequence"], ...] = Field(
        default=(),
        description="with `wand`: its clock is off by more than a minute, by more than a minute "
        "more or less than at the docking before, or ran backwards",
    )
    too_late: bool = Field(
        default=False,
        description="with `wand`: docked when that day could not be counted any more: kept, and "
        "no visit",
    )


class TourEventData(EventData):
    """A tour was completed, or ended without being complete; a later one takes its place."""

    kind = "tour"
    what: Literal["completed", "incomplete", "replaced"] = Field(
        description="`replaced`: a wand was docked late, and by its scans that tour is no tour of "
        "its own; it counts no more"
    )
    tour: str
    duty_day: date
    number: int = Field(description="completed tours of the duty day so far, this one included")
    started_at: AwareDatetime
    missed_checkpoints: tuple[str, ...] = ()
    guard: str | None = Field(default=None, description="who walked it; none: no card was read")
    too_soon: bool = Field(
        default=False, description="after the tour before it: completed, and it does not count"
    )
    window: str | None = Field(default=None, description="the time it was for, as 06:00-07:30")
    outside: bool = Field(
        default=False, description="every window: completed, and it does not count"
    )
    late_upload: bool = Field(
        default=False, description="known since a wand was docked, which may be long after it"
    )


class PatrolWindowEventData(EventData):
    """The time for a tour is over, or nearly: `late` until `closes_at`, then it is `missed`.

    It stays so for ever; `made_good` says that a wand that was docked late has a tour for it.
    """

    kind = "patrol-window"
    what: Literal["late", "missed", "not_observed", "made_good"]
    window: str = Field(description="as 06:00-07:30, in the site's own time")
    duty_day: date
    closes_at: AwareDatetime


class PatrolDayEventData(EventData):
    """A duty day is over: what it came to. A later one of the same day takes its place."""

    kind = "patrol-day"
    what: Literal["met", "missed", "not_observed"]
    duty_day: date
    tours_done: int
    tours_min_per_day: int
    blind_minutes: int = Field(
        description="for how long not every reader was watched; with `not_observed`: too long to "
        "say that tours were missed"
    )
    correction: bool = Field(
        default=False, description="told otherwise before: a wand was docked late"
    )


class PostEventData(EventData):
    """A post was left unmanned, or somebody is there again; or one of its times is over."""

    kind = "post"
    what: Literal["unmanned", "manned", "not_observed"]
    post: str
    window: str | None = Field(
        default=None, description="the time, as 07:00-08:00; none: of a post that has none"
    )
    duty_day: date | None = Field(default=None, description="of the window")
    tapped_at: AwareDatetime | None = Field(description="when its tag was last read before")


class RoundEventData(EventData):
    """A round of the calendar is complete, or its period is over without it."""

    kind = "round"
    what: Literal["done", "missed"]
    round: str
    period: str = Field(description="2026-W48, 2026-11, 2026-Q4 or 2026")
    left: tuple[str, ...] = Field(description="the checkpoints that were not visited")


class CameraEventData(EventData):
    """A camera's verdict changed; all causes that now hold. Many at once are one event."""

    kind = "camera"
    what: Literal["fault", "cleared"]
    camera: str
    verdict: Verdict
    causes: tuple[Cause, ...] = ()
    cameras: tuple[str, ...] = Field(
        default=(),
        description="a third of the site's cameras or more: then `camera` is `cameras`, and the"
        " causes are those most of them share, without figures",
    )


class RecordingEventData(EventData):
    """The retention verdict of a channel changed, days have gone, or one does not play."""

    kind = "recording"
    what: Literal["changed", "lost", "unproven"] = "changed"
    channel: str
    word: Literal["met", "claimed", "growing", "short", "unknown"]
    verdict: Verdict
    causes: tuple[Cause, ...] = ()
    lost_days: tuple[date, ...] = Field(
        default=(), description="with `lost`: days inside the target, by the recorder's calendar"
    )
    day: date | None = Field(
        default=None, description="with `unproven`: the day whose playback failed, again"
    )


class AuditEventData(EventData):
    """A command of the county, or of a guard with a card at a reader, was obeyed or refused."""

    kind = "audit"
    what: Literal["accepted", "refused"]
    verb: str = Field(description="with a `reader`: reset or test")
    code: str
    request: str | None = Field(default=None, description="the command's id, where it was readable")
    key: str | None = Field(default=None, description="the name of the key it claims")
    reader: str | None = Field(default=None, description="where a card was held; none: no card")
    cards: tuple[str, ...] = Field(
        default=(), description="with `reader`: whose cards; empty: a tag that is of no guard"
    )
    button: str | None = Field(default=None, description="with `reader`: whose incident")


class AgentEventData(EventData):
    """The agent about itself."""

    kind = "agent"
    what: Literal["started", "missed_run", "reloaded", "reload_refused", "dropped"]
    causes: tuple[Cause, ...] = ()
    void_from: int | None = Field(
        default=None, description="with `started`: first sequence number that was never used"
    )
    void_to: int | None = None
    dropped_count: int | None = Field(
        default=None,
        description="with `dropped`: how many events were given up undelivered for want of room",
    )
    dropped_epoch: str | None = Field(default=None, description="epoch of their numbers")
    dropped_first: int | None = Field(
        default=None, description="lowest of their numbers; not all up to the highest are lost"
    )
    dropped_last: int | None = None
    dropped_kinds: dict[str, int] | None = Field(default=None, description="how many of each kind")


EVENTS: tuple[type[EventData], ...] = (
    AlarmEventData,
    ContactEventData,
    DeviceEventData,
    ScanEventData,
    TourEventData,
    PatrolDayEventData,
    PatrolWindowEventData,
    PostEventData,
    RoundEventData,
    CameraEventData,
    RecordingEventData,
    AuditEventData,
    AgentEventData,
)
