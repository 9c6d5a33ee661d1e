"""One recorder's settings, whatever its maker. Its password comes separately."""

from datetime import time
from typing import Literal

from pydantic import Field

from drivers.base import DeviceSettings

Maker = Literal["hikvision", "dahua", "onvif"]
# Every call costs a Dahua recorder two connections and a line in its log (rroller/dahua#577).
_POLL_SECONDS: dict[Maker, float] = {"hikvision": 60, "dahua": 120, "onvif": 60}


class PoliceLink(DeviceSettings):
    """[recorder.police_link]: the platform it is to be registered with (GB/T 28181)."""

    server: str | None = Field(default=None, min_length=1, max_length=253)
    device_id: str | None = Field(
        default=None, pattern=r"^\d{20}$", description="the recorder's own 20 digits there"
    )


class RecorderSettings(DeviceSettings):
    """Where a recorder is, who we are to it, and how much may be asked of it."""

    id: str
    name: str = ""
    driver: Literal["hikvision", "dahua", "onvif", "auto"]
    host: str
    http_port: int = Field(default=80, ge=1, le=65_535)
    rtsp_port: int = Field(default=554, ge=1, le=65_535)
    username: str
    poll_seconds: float | None = Field(
        default=None, gt=0, le=3600, description="default: 60, of a Dahua recorder 120"
    )
    survey_at: time = time(2, 30)
    max_live_streams: int = Field(default=4, ge=1, le=16)
    request_gap_seconds: float = Field(default=0.2, ge=0, le=10)
    reply_timeout_seconds: float = Field(default=15, gt=0, le=60)
    police_link: PoliceLink | None = None

    @property
    def maker(self) -> Maker | None:
        """The maker the site names; None: it is to be found out."""
        return None if self.driver == "auto" else self.driver

    @property
    def polled_every_seconds(self) -> float:
        """How often it is polled: as the site says, else as its maker's recorders bear."""
        if self.poll_seconds is not None:
            return self.poll_seconds
        # What the most delicate of them bears, where it is not known.
        return max(_POLL_SECONDS.values()) if self.maker is None else _POLL_SECONDS[self.maker]
