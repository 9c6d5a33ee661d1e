"""The county's figures: settings with the county's values as defaults."""

from datetime import date, time
from typing import Literal

from pydantic import Field

from drivers.base import DeviceSettings

Wiring = Literal["supervised", "nc", "no"]


class Button(DeviceSettings):
    """One panic button; one that `latching` stays pressed until it is unlocked with a key."""

    id: str
    name: str
    wiring: Wiring
    latching: bool = False


class WiredButton(Button):
    """A button on an input of an alarm module; `input` counts from 0."""

    input: int = Field(ge=0)


class ZoneButton(Button):
    """A button behind an alarm panel, as its receiver names it; None stands for any."""

    wiring: Wiring = "supervised"
    account: str = Field(pattern=r"^[0-9A-Fa-f]{3,6}$")
    partition: str | None = Field(default=None, pattern=r"^[0-9A-Fa-f]{2}$")
    zone: str | None = Field(default=None, pattern=r"^[0-9A-Fa-f]{3}$")


class Contact(DeviceSettings):
    """Another contact on an alarm module: a fault relay, a door, mains. `normal` is all well.

    One that is normally closed shows a cut wire as active; one that is normally open, nothing.
    """

    id: str
    name: str
    kind: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    input: int = Field(ge=0)
    normal: Literal["open", "closed"]
    delay_seconds: float = Field(default=0.5, ge=0, le=86_400)
    when_active: Literal["ok", "warn", "fail"] = "warn"


class GuardOutput(DeviceSettings):
    """A lamp or buzzer on an output of an alarm module; `output` counts from 0."""

    id: str
    name: str
    output: int = Field(ge=0)
    shows: Literal["alarm", "buzzer", "county_link"]
    module: str = ""


class AlarmInputs(DeviceSettings):
    """What is wired to one alarm module."""

    id: str
    buttons: tuple[WiredButton, ...]
    contacts: tuple[Contact, ...] = ()
    outputs: tuple[GuardOutput, ...] = ()
    sees_short_presses: bool = True


class AlarmReceiver(DeviceSettings):
    """The buttons behind one alarm receiver; alarms of no zone that is listed are its own."""

    id: str
    name: str
    buttons: tuple[ZoneButton, ...]
    silent_after_seconds: float


class AlarmEquipment(DeviceSettings):
    """All lines to panic buttons; a loop's button has the id of its device."""

    modules: tuple[AlarmInputs, ...] = ()
    loops: tuple[Button, ...] = ()
    receivers: tuple[AlarmReceiver, ...] = ()


Pattern = Literal["off", "on", "slow", "fast", "double"]


class Patterns(DeviceSettings):
    """What an output shows at each stage of an alarm; without an alarm it is off."""

    pressed: Pattern
    recorded: Pattern
    sent: Pattern
    acknowledged: Pattern
    telephone: Pattern

    def of(self, stage: str) -> Pattern:
        """Return the pattern of a stage."""
        return "off" if stage == "off" else getattr(self, stage)


class LampPatterns(Patterns):
    """Lit once the county has seen it; the double flash asks for the telephone."""

    pressed: Pattern = "fast"
    recorded: Pattern = "fast"
    sent: Pattern = "slow"
    acknowledged: Pattern = "on"
    telephone: Pattern = "double"


class BuzzerPatterns(Patterns):
    """Silent once the county has seen it."""

    pressed: Pattern = "fast"
    recorded: Pattern = "fast"
    sent: Pattern = "slow"
    acknowledged: Pattern = "off"
    telephone: Pattern = "on"


class GuardPolicy(DeviceSettings):
    """[guard]: when the guard is to telephone, and what lamp and buzzer show."""

    telephone_after_seconds: float = Field(default=10, gt=0, le=600)
    acknowledge_within_seconds: float = Field(default=60, gt=0, le=3600)
    lamp: LampPatterns = LampPatterns()
    buzzer: BuzzerPatterns = BuzzerPatterns()


class Channel(DeviceSettings):
    """One watched input of a recorder; `number` is the one on the recorder's screen."""

    recorder: str
    number: int = Field(ge=1)
    id: str
    name: str
    key_area: bool = False
    installed: date | None = None


class RetentionPolicy(DeviceSettings):
    """How many days of video must be held."""

    retention_min_days: int = Field(default=30, ge=1, le=3650)
    key_area_min_days: int = Field(default=90, ge=1, le=3650)
    max_missing_ratio: float = Field(default=0.10, ge=0, le=1)
    clock_warn_seconds: float = Field(default=60, gt=0)
    clock_fail_seconds: float = Field(default=300, gt=0)
    max_age_hours: float = Field(default=36, gt=0)
    thin_day_ratio: float = Field(
        default=0.5, ge=0, le=1, description="a day with less of it recorded is a thin one"
    )

    proof_days: int = Field(
        default=14,
        ge=0,
        le=365,
        description="every channel is proven by playback as often; 0: never",
    )
    key_area_proof_days: int = Field(default=7, ge=0, le=365)
    proofs_per_night: int = Field(default=24, ge=1, le=1000)

    def proof_interval_days(self, channel: Channel) -> int:
        """Return after how many days that channel is proven again; 0: never."""
        return self.key_area_proof_days if channel.key_area else self.proof_days

    def target_days(self, channel: Channel) -> int:
        """Return how many days of that channel must be held."""
        return self.key_area_min_days if channel.key_area else self.retention_min_days


class PatrolPolicy(DeviceSettings):
    """How many tours a duty day needs, and when a duty day starts at the site."""

    tours_min_per_day: int = Field(default=5, ge=1, le=100)
    day_starts: time = time(0, 0)
    fold_seconds: float = Field(default=60, ge=0)
    max_duration_minutes: float = Field(default=120, gt=0)
    min_gap_minutes: float = Field(
        default=30,
        ge=0,
        description="from the end of one tour that counts to the begin of the next: five tours in "
        "an hour are no five tours",
    )
    min_travel_seconds: float = Field(
        default=0, ge=0, description="from one checkpoint to another; quicker nobody walks"
    )
    guard_minutes: float = Field(
        default=15, ge=0, description="a guard card read so long before a tour says who walks it"
    )


class GuardCard(DeviceSettings):
    """A card that says who walks; it opens no tour by itself."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    name: str
    tag: str = Field(
        pattern=r"^[a-z0-9]+:[0-9A-F]+$", description="tech:UIDHEX, as a reader reads it"
    )


class Post(DeviceSettings):
    """A place that is to be manned; who is there shows it by its tag, every few hours."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    name: str
    tag: str = Field(
        pattern=r"^[a-z0-9]+:[0-9A-F]+$", description="tech:UIDHEX, as a reader reads it"
    )
    every_hours: float = Field(default=2, gt=0, le=24)


class Checkpoint(DeviceSettings):
    """A point on the patrol and the tag that marks it; a tour must visit every mandatory one."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    name: str
    tag: str = Field(
        pattern=r"^[a-z0-9]+:[0-9A-F]+$", description="tech:UIDHEX, as a reader reads it"
    )
    mandatory: bool = True
    require: Literal["uid", "sun"] = Field(
        default="uid", description="`sun`: only a tag that proves that it is no copy is a visit"
    )


class PicturePolicy(DeviceSettings):
    """Absolute limits for gross picture faults at 640x360 (starting points, luma 0 to 255)."""

    no_signal_flat_ratio: float = 0.60
    no_signal_dominant_ratio: float = 0.60
    dark_p98: float = 40
    bright_saturated_ratio: float = 0.35
    bright_mean: float = 200
    contrast_std: float = 12
    contrast_span: float = 36
    noise_levels: float = Field(default=4, gt=0, description="sigma; twice that by night")
    snow_ratio: float = Field(default=0.07, gt=0, le=1)
    stripe_ratio: float = Field(default=0.17, gt=0, le=1)
    band_ratio: float = Field(default=0.30, gt=0)
    cast_levels: float = Field(
        default=17, gt=0, description="of a pink cast, before it is known what is usual"
    )
    cast_spread_ratio: float = Field(default=1.5, gt=0)
    grey_chroma_levels: float = Field(
        default=0.9, ge=0, description="a picture with less colour is one of the night"
    )
    view_change: float = Field(
        default=0.75, gt=0, le=2, description="1 less the likeness to the learned view, at most"
    )
    view_change_least: float = Field(default=0.40, gt=0, le=2)
    view_growth: float = Field(default=4, gt=1, description="of what is usual for the camera")
    view_unsteady: float = Field(
        default=0.50, gt=0, le=2, description="a camera that turns by itself has no view of its own"
    )
    kept_ratio: float = Field(
        default=0.34,
        ge=0,
        le=1,
        description="where more of the view is in its place, something stands in front of the rest",
    )
    view_checks: int = Field(
        default=6, ge=1, description="in a row, before another view or a cover is a fault"
    )
    slow_checks: int = Field(
        default=12,
        ge=1,
        description="in a row, before what comes and goes by itself is a fault: a lorry in front, "
        "less sharpness in fog, other colours at dawn",
    )
    covered_ratio: float = Field(default=0.70, gt=0, le=1)
    blur_ratio: float = Field(
        default=0.65, gt=0, le=1, description="steepness of edges, of that learned"
    )
    cast_shift_levels: float = Field(default=6, gt=0)
    growth: float = Field(default=2, gt=1, description="of stripes and bands, of those learned")
    covered_structure_ratio: float = Field(
        default=0.30, ge=0, le=1, description="with less structure another view is a cover"
    )
    least_structure_ratio: float = Field(default=0.10, ge=0, le=1)
    still_levels: int = Field(default=2, ge=0)
    still_ratio: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="a scene that stands still more often is let be; 0: all are",
    )
    shake_pixels: float = Field(
        default=2, gt=0, description="between two key frames, in pixels of a picture 640 wide"
    )
    settle_minutes: float = Field(
        default=10,
        ge=0,
        description="after a switch of day and night, and after a stream came back, only light "
        "is judged",
    )
    recheck_seconds: float = Field(
        default=20, ge=0, description="a grave fault is looked at again so soon; 0: next round"
    )
    thumbnail_hours: float = Field(
        default=72,
        ge=0,
        description="how long a small picture of a camera with a fault is kept on this machine, "
        "at most; 0: none is made",
    )
    learn_minutes: float = Field(default=30, gt=0, description="how often a picture is learned")
    learned_checks: int = Field(default=12, ge=1)
    learned_hours: float = Field(default=24, ge=0)
    fps_warn_ratio: float = Field(default=0.6, ge=0, le=1)
    raise_after: int = Field(default=3, ge=1)
    clear_after: int = Field(default=3, ge=1)


class Camera(DeviceSettings):
    """One camera, the recorder input it hangs on, and what its checked stream should be."""

    id: str
    name: str
    recorder: str
    channel: int = Field(ge=1)
    expect_fps: float | None = Field(default=None, gt=0)
    expect_codec: str | None = None
    ptz: bool = False


class HostPolicy(DeviceSettings):
    """When the mini-PC itself needs a person."""

    disk_free_warn_ratio: float = 0.15
    disk_free_fail_ratio: float = 0.05
    memory_available_warn_ratio: float = 0.10
    load_warn_per_cpu: float = 4.0
    temperature_warn_celsius: float = 85
    max_age_seconds: float = Field(default=180, gt=0)
    poll_seconds: float = Field(default=30, gt=0, le=3600)
