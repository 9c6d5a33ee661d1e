"""The county's figures: settings with the county's values as defaults."""

from datetime import time
from typing import Literal

from pydantic import Field

from drivers.base import DeviceSettings


class Expectation(DeviceSettings):
    """What a channel's stream should look like, where the site says so."""

    fps: float | None = Field(default=None, gt=0)
    codec: str | None = None


class Channel(DeviceSettings):
    """One camera input of a recorder; `number` as on the recorder's screen."""

    recorder: str
    number: int = Field(ge=1, le=9999)
    id: str
    name: str
    key_area: bool = False
    stream: Literal["main", "sub"] = "sub"
    expect: Expectation = Expectation()


class RetentionPolicy(DeviceSettings):
    """How many days of video must be held."""

    retention_min_days: int = Field(default=30, ge=1, le=3650)
    key_area_min_days: int = Field(default=90, ge=1, le=3650)
    max_missing_ratio: float = Field(default=0.10, ge=0, le=1)
    clock_warn_seconds: float = Field(default=60, gt=0)
    clock_fail_seconds: float = Field(default=300, gt=0)
    max_age_hours: float = Field(default=36, gt=0)

    def target_days(self, channel: Channel) -> int:
        """Return how many days of that channel must be held."""
        return self.key_area_min_days if channel.key_area else self.retention_min_days


class PatrolPolicy(DeviceSettings):
    """How many tours a duty day needs, and when a duty day starts at the site."""

    tours_min_per_day: int = Field(default=5, ge=1, le=100)
    day_starts: time = time(0, 0)
    fold_seconds: float = Field(default=60, ge=0)
    max_duration_minutes: float = Field(default=120, gt=0)


class PicturePolicy(DeviceSettings):
    """Absolute limits for gross picture faults at 640x360 (starting points, luma 0 to 255)."""

    no_signal_flat_ratio: float = 0.60
    no_signal_dominant_ratio: float = 0.60
    dark_p98: float = 40
    bright_saturated_ratio: float = 0.35
    bright_mean: float = 200
    contrast_std: float = 12
    contrast_span: float = 36
    raise_after: int = Field(default=3, ge=1)
    clear_after: int = Field(default=3, ge=1)


class HostPolicy(DeviceSettings):
    """When the mini-PC itself needs a person."""

    disk_free_warn_ratio: float = 0.15
    disk_free_fail_ratio: float = 0.05
    memory_available_warn_ratio: float = 0.10
    load_warn_per_cpu: float = 4.0
    temperature_warn_celsius: float = 85
    max_age_seconds: float = Field(default=180, gt=0)
