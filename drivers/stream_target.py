"""Which stream to probe: kept apart, so that naming one does not load a decoder."""

import re
from datetime import datetime
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from drivers.base import DeviceSettings

# FFmpeg's demuxer waits up to this many read timeouts before it gives up on a stalled stream.
READS_UNTIL_GIVEN_UP = 2
SNAPSHOT_SECONDS = 5.0


class ReferenceTask(DeviceSettings):
    """What is to be done with a camera's learned reference at a check.

    `learn`: nothing was wrong with the check before, so that it may be learned. `slot` is the three
    hours of the site's day, `at` seconds since 1970; a reference is ready after so many checks over
    so long a time. To see a scene stand still it is held against a check `still_seconds` before.
    """

    directory: str
    slot: int = Field(ge=0, le=7)
    at: float
    learn: bool
    forget: bool = False
    grey_chroma_levels: float = 0.9
    ready_checks: int = Field(default=12, ge=1)
    ready_seconds: float = Field(default=86_400, ge=0)
    still_seconds: float = Field(default=0, ge=0)


class PictureTarget(DeviceSettings):
    """What is to be done with a camera's picture.

    `masks` are left, top, right and bottom, in per cent of it; a small one goes to `thumbnail`.
    """

    device_id: str
    masks: tuple[tuple[int, ...], ...] = ()
    reference: ReferenceTask | None = None
    thumbnail: Path | None = None


class SnapshotTarget(PictureTarget):
    """A JPEG, in base64, that a recorder gave of a camera."""

    jpeg: str

    @property
    def bound_seconds(self) -> float:
        """Return the longest that looking at it takes."""
        return SNAPSHOT_SECONDS


class StreamTarget(PictureTarget):
    """Which stream to open and how long to look; the address never holds the login.

    With `replay_from`, naive and in the recorder's digits, it is an ONVIF replay from then on.
    """

    url: str
    username: str
    password: SecretStr
    window_seconds: float = Field(default=2.0, gt=0, le=10)
    open_seconds: float = Field(default=5.0, gt=0, le=10)
    read_seconds: float = Field(default=3.0, gt=0, le=5)
    key_frame_seconds: float = Field(default=7.0, gt=0, le=30)
    replay_from: datetime | None = None

    @model_validator(mode="after")
    def _plain_address(self) -> Self:
        parts = urlsplit(self.url)
        plain = re.fullmatch("rtsp://[!-~]+", self.url) and "@" not in parts.netloc
        # Reading the port raises ValueError on a bad one.
        if not plain or not parts.hostname or parts.port == 0:
            raise ValueError("url must be rtsp://host[:port]/path, without a login in it")
        return self

    @property
    def bound_seconds(self) -> float:
        """Return the longest a probe takes by its own timeouts."""
        watching = max(self.window_seconds, self.key_frame_seconds)
        return self.open_seconds + watching + READS_UNTIL_GIVEN_UP * self.read_seconds + 1


class PlaybackTarget(DeviceSettings):
    """Which recording to play back and which live stream to hold against it.

    `asked_at` is of the recorder's wall clock, `digits_at` as the address of the recording has it;
    `listed`: the recorder lists a recording of then, and does not only claim to reach so far back.
    """

    device_id: str
    channel: int
    asked_at: datetime
    digits_at: datetime
    listed: bool = True
    recorded: StreamTarget
    live: StreamTarget

    @property
    def bound_seconds(self) -> float:
        """Return the longest both take by their own timeouts."""
        return self.recorded.bound_seconds + self.live.bound_seconds
