"""What a recorder says: of itself, of its channels, disks and links, and of what it holds."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from pydantic import Field

from drivers.readings import Frozen, Reading, Reason, StreamFault, Unknown


class RecorderReading(Reading):
    """Who the recorder says it is, and its clock against ours (device minus agent)."""

    kind: Literal["recorder"] = "recorder"
    maker: str
    model: str | Unknown
    firmware: str | Unknown
    serial_number: str | Unknown
    clock_offset_seconds: float | Unknown
    device_today: datetime | Unknown = Field(
        description="the recorder's own wall clock, naive, as its screen shows it"
    )
    summer_time: bool | Unknown = Field(
        default=Unknown(reason=Reason.NOT_MEASURED),
        description="whether it moves its clock in spring and autumn",
    )


class ChannelReading(Reading):
    """State of one recorder input; `condition` is the recorder's own word, lower case."""

    kind: Literal["channel"] = "channel"
    channel: int
    name: str
    online: bool | Unknown
    condition: str | Unknown


class RecordedDay(Frozen):
    """What is known of one calendar day; None: not known.

    `usable`: some of it is neither locked nor misdated, so that it counts as depth.
    """

    present: bool
    usable: bool | None = None
    covered_seconds: int | None = None


Grade = Literal["A", "B", "C"]


class RecordedDaysReading(Reading):
    """What a recorder has of a channel, by days of its own calendar; a day not told is left out.

    `grade`: A segments were looked at, B its calendar says so, C it claims an oldest and a newest.
    """

    kind: Literal["recorded_days"] = "recorded_days"
    channel: int
    grade: Grade
    days: Mapping[date, RecordedDay] | Unknown


class Volume(Frozen):
    """One disk of a recorder; `condition` is the recorder's own word, lower case."""

    id: str
    condition: str
    writable: bool
    redundant: bool
    capacity_bytes: int | None


class StorageReading(Reading):
    """The disks a recorder keeps its recordings on."""

    kind: Literal["storage"] = "storage"
    volumes: tuple[Volume, ...] | Unknown


RecordingMode = Literal["continuous", "event", "off"]


class RecordPolicyReading(Reading):
    """What a recorder is set to record of a channel; `expiry_days` None: until overwritten."""

    kind: Literal["record_policy"] = "record_policy"
    channel: int
    expiry_days: int | Unknown | None
    mode: RecordingMode | Unknown


class UplinkReading(Reading):
    """What a recorder says of its registration with a platform (GB/T 28181), numbers as there."""

    kind: Literal["uplink"] = "uplink"
    registered: bool | Unknown
    server: str | Unknown
    uplink_id: str | Unknown
    camera_ids: tuple[str, ...] | Unknown


class PlaybackReading(Reading):
    """A recording played back. `asked_at` is of the recorder's wall clock; `listed`: as recorded.

    `shown_after_seconds` is how much later it says that it began, `changed_ratio` the part of its
    picture that is unlike the live one, `largest_change_levels` the most that any part differs by.
    """

    kind: Literal["playback"] = "playback"
    channel: int
    asked_at: datetime
    listed: bool = True
    fault: StreamFault | None
    live_fault: StreamFault | None
    shown_after_seconds: float | Unknown
    changed_ratio: float | Unknown
    largest_change_levels: int | Unknown
    detail: str = ""
