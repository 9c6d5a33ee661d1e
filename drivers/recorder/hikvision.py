"""Hikvision recorders, through ISAPI."""

from datetime import time
from typing import Literal

from pydantic import Field

from drivers.base import DeviceSettings


class HikvisionSettings(DeviceSettings):
    """One Hikvision recorder."""

    id: str
    name: str = ""
    driver: Literal["hikvision"]
    host: str
    http_port: int = Field(default=80, ge=1, le=65_535)
    rtsp_port: int = Field(default=554, ge=1, le=65_535)
    username: str
    poll_seconds: float = Field(default=60, gt=0, le=3600)
    survey_at: time = time(2, 30)
    max_live_streams: int = Field(default=4, ge=1, le=16)
    request_gap_seconds: float = Field(default=0.2, ge=0, le=10)
