"""Every kind of reading there is, told apart by `kind`."""

from typing import Annotated

from pydantic import Field

from drivers.readings import (
    ContactsReading,
    HeartbeatReading,
    HostReading,
    LatchesReading,
    LoopReading,
    Outage,
    OutputReading,
    PictureReading,
    PressCountsReading,
    ReaderReading,
    ReceiverReading,
    ScanReading,
    SnapshotReading,
    StreamReading,
)
from drivers.recorder.readings import (
    ChannelReading,
    PlaybackReading,
    RecordedDaysReading,
    RecorderReading,
    RecordPolicyReading,
    StorageReading,
    UplinkReading,
)

AnyReading = Annotated[
    Outage
    | ContactsReading
    | PressCountsReading
    | LatchesReading
    | OutputReading
    | LoopReading
    | ReceiverReading
    | HeartbeatReading
    | ReaderReading
    | ScanReading
    | RecorderReading
    | ChannelReading
    | RecordedDaysReading
    | StorageReading
    | RecordPolicyReading
    | UplinkReading
    | StreamReading
    | PlaybackReading
    | PictureReading
    | SnapshotReading
    | HostReading,
    Field(discriminator="kind"),
]
