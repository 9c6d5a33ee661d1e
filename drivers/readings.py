"""Readings: one fact from one device at one instant, measured values without a verdict."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from drivers.errors import DriverError


class Reason(StrEnum):
    """Why a measurement is missing."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    PORT_LOST = "port_lost"
    BUSY = "busy"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    AUTH_REJECTED = "auth_rejected"
    AUTH_LOCKED = "auth_locked"
    FORBIDDEN = "forbidden"
    NOT_SUPPORTED = "not_supported"
    INCONSISTENT = "inconsistent"
    CLOCK_UNTRUSTED = "clock_untrusted"
    PAUSED = "paused"
    NOT_YET = "not_yet"
    STALE = "stale"
    NOT_MEASURED = "not_measured"
    INTERNAL = "internal"


class Frozen(BaseModel):
    """Base of everything that crosses an edge: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Unknown(Frozen):
    """A measurement that is missing, and why: never 0, never "offline", never a pass."""

    reason: Reason
    detail: str = ""


_NOT_MEASURED = Unknown(reason=Reason.NOT_MEASURED)


def unknown(error: DriverError) -> Unknown:
    """Return what an error leaves of a measurement."""
    return Unknown(reason=Reason(error.reason), detail=str(error))


class Reading(Frozen):
    """`observed_at` is the agent's aware UTC time at which the device said it."""

    device_id: str
    observed_at: AwareDatetime


class Outage(Reading):
    """The device could not be read at this instant; nothing is known of what it would have said."""

    kind: Literal["outage"] = "outage"
    reason: Reason
    detail: str = ""


class ContactsReading(Reading):
    """All inputs of one contact module in one reply, lowest-numbered first, electrical level."""

    kind: Literal["contacts"] = "contacts"
    inputs: tuple[bool, ...]
    reply_seconds: float


class PressCountsReading(Reading):
    """The module's own edge counters, one an input, 16 bits, read after its inputs were."""

    kind: Literal["press_counts"] = "press_counts"
    counts: tuple[int, ...]


class LatchesReading(Reading):
    """The module's own latches, one an input: set by a press, until `token` is confirmed."""

    kind: Literal["latches"] = "latches"
    latched: tuple[bool, ...]
    token: str


class OutputReading(Reading):
    """What an output is known to show since it was last set, or why that is not known."""

    kind: Literal["output"] = "output"
    output: int
    on: bool | Unknown


ModemLine = Literal["cts", "dsr", "cd", "ri"]


class LoopState(StrEnum):
    """What the poles of one button show, the feed being up; `open` and `short` are of no button.

    With one pole there is no third state: one that is closed at rest reads a cut wire as `pressed`,
    one that is open at rest reads it as `rest`.
    """

    REST = "rest"
    PRESSED = "pressed"
    OPEN = "open"
    SHORT = "short"


class ChallengeResult(StrEnum):
    """Whether what comes back over the loop at rest goes away with its feed.

    It stays `not_yet` where nothing comes back: off rest, and with one pole that is open at rest.
    """

    NOT_YET = "not_yet"
    PASSED = "passed"
    FAILED = "failed"


class LoopReading(Reading):
    """A button's loop over RS-232 modem lines, its contacts' bouncing waited out.

    `lines` are the inputs asserted at this instant, `longest_gap_seconds` is how long nobody
    looked at them at a time since the last reading.
    """

    kind: Literal["loop"] = "loop"
    lines: tuple[ModemLine, ...]
    state: LoopState
    challenge: ChallengeResult
    longest_gap_seconds: float


class ContactIdEvent(Frozen):
    """A Contact ID message; digits as sent. `zone` is a user where the code speaks of one.

    `new` opens (or is an opening), `restore` closes, `status` repeats what was reported before.
    """

    account: str
    qualifier: Literal["new", "restore", "status"]
    code: str
    partition: str
    zone: str


class ReceiverReading(Reading):
    """One line of an alarm receiver; it is kept there until its `token` is confirmed.

    `resend`: the same line came within the last minute. With the token of that line it is the same
    event again; with a new one it is that event again, or a second one just like it: its ACK had
    gone out, and Contact ID has no numbers that could tell.
    """

    kind: Literal["receiver"] = "receiver"
    receiver: str
    line: str
    event: ContactIdEvent | Unknown
    raw: str
    token: str
    resend: bool

    @property
    def understood(self) -> bool:
        """Tell whether the line is Contact ID; what is not is `raw` alone, and confirmed too."""
        return isinstance(self.event, ContactIdEvent)


class HeartbeatReading(Reading):
    """The alarm receiver says that it is there and has nothing else to say."""

    kind: Literal["heartbeat"] = "heartbeat"
    receiver: str
    line: str


class ReaderReading(Reading):
    """The NFC reader answered and can see cards.

    Of wands: their files can be taken in, and all scans up to `read_until`, when one was docked
    last, have been told.
    """

    kind: Literal["reader"] = "reader"
    firmware: str | Unknown
    read_until: AwareDatetime | None = None


class ScanReading(Reading):
    """A tag came into the reader's field: once per presence, not once per poll.

    `tag_id` is `tech:UIDHEX`, upper case, MSB first, such as `nfca:04A1B2C3D4E580`. `sun`: it has
    shown a message that no other tag can make, or tried to: one that was `refused` proves nothing.
    Of a wand, which tells it hours later, `observed_at` is its `device_time` put right by
    `offset_seconds`; `token` names the scan for ever, and is kept there until it is confirmed;
    `more` of the same docking follow, in the order of their times.
    """

    kind: Literal["scan"] = "scan"
    tag_id: str
    assurance: Literal["uid", "sun"]
    refused: Literal["bad_mac", "replayed"] | None = None
    wand: str | None = None
    guard_tag: str | None = None
    device_time: AwareDatetime | None = None
    offset_seconds: float | None = None
    remarks: tuple[Literal["clock_off", "clock_jumped", "out_of_sequence"], ...] = ()
    token: str | None = None
    more: bool = False


class StreamLayer(StrEnum):
    """How far a probe came, in the order a stream comes up; `snapshot`: there is none to ask."""

    NETWORK = "network"
    PORT = "port"
    AUTH = "auth"
    DESCRIBE = "describe"
    FIRST_PACKET = "first_packet"
    FIRST_KEY_FRAME = "first_key_frame"
    PLAYING = "playing"
    SNAPSHOT = "snapshot"


class StreamFault(StrEnum):
    """What stopped a probe, or what was wrong with a stream that played."""

    REFUSED = "refused"
    TIMEOUT = "timeout"
    SILENT = "silent"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    BUSY = "busy"
    MALFORMED = "malformed"
    NO_KEY_FRAME = "no_key_frame"
    STALLED = "stalled"
    ENDED_EARLY = "ended_early"


class StreamReading(Reading):
    """One probe of one camera stream; `layer` is the last one reached, `fault` what ended it."""

    kind: Literal["stream"] = "stream"
    layer: StreamLayer
    fault: StreamFault | None
    codec: str | Unknown
    width: int | Unknown
    height: int | Unknown
    fps: float | Unknown
    bitrate_kbps: float | Unknown
    gop_frames: int | Unknown
    open_seconds: float | Unknown
    detail: str = ""


Mode = Literal["colour", "grey"]


class PictureReading(Reading):
    """Features of the key frame a probe brought home, at most 640x360; luma is 0 to 255.

    From `learned_checks` on: how it compares with what its camera is used to show, and in
    `view_usual`, by how much healthy pictures of it differed from what was learned; `kept_ratio` is
    the part of the view that is where it was. `still_levels`
    is the largest difference from the check before, `still_ratio` how often there is none now,
    `shake_pixels` how far it jumps between two key frames, in pixels of a picture 640 wide.
    """

    kind: Literal["picture"] = "picture"
    luma_mean: float
    luma_std: float
    luma_p2: float
    luma_p98: float
    saturated_ratio: float
    flat_ratio: float
    dominant_ratio: float
    noise_levels: float | Unknown = _NOT_MEASURED
    impulse_ratio: float | Unknown = _NOT_MEASURED
    stripe_ratio: float | Unknown = _NOT_MEASURED
    band_ratio: float | Unknown = _NOT_MEASURED
    cast_levels: float | Unknown = _NOT_MEASURED
    cast_spread_ratio: float | Unknown = _NOT_MEASURED
    tint_a_levels: float | Unknown = _NOT_MEASURED
    tint_b_levels: float | Unknown = _NOT_MEASURED
    chroma_levels: float | Unknown = _NOT_MEASURED
    edge_steepness: float | Unknown = _NOT_MEASURED
    structured_ratio: float | Unknown = _NOT_MEASURED
    mode: Mode | Unknown = _NOT_MEASURED
    learned_checks: int | Unknown = _NOT_MEASURED
    reference_ready: bool | Unknown = _NOT_MEASURED
    begun_anew: bool = False
    view_change: float | Unknown = _NOT_MEASURED
    view_usual: float | Unknown = _NOT_MEASURED
    kept_ratio: float | Unknown = _NOT_MEASURED
    covered_ratio: float | Unknown = _NOT_MEASURED
    steepness_ratio: float | Unknown = _NOT_MEASURED
    cast_shift_levels: float | Unknown = _NOT_MEASURED
    stripe_growth: float | Unknown = _NOT_MEASURED
    band_growth: float | Unknown = _NOT_MEASURED
    still_ratio: float | Unknown = _NOT_MEASURED
    still_levels: int | Unknown = _NOT_MEASURED
    shake_pixels: float | Unknown = _NOT_MEASURED


class SnapshotReading(PictureReading):
    """The picture a recorder gives of a camera whose stream does not play."""

    kind: Literal["snapshot"] = "snapshot"  # type: ignore[assignment]  # a picture, by another way


class HostReading(Reading):
    """The mini-PC itself."""

    kind: Literal["host"] = "host"
    disk_free_bytes: int | Unknown
    disk_free_ratio: float | Unknown
    memory_available_ratio: float | Unknown
    load_per_cpu: float | Unknown
    temperature_celsius: float | Unknown
    uptime_seconds: float | Unknown
    clock_synchronised: bool | Unknown
    missing_serial_devices: tuple[str, ...]
