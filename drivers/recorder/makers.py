"""The recorders we can talk to: each maker's driver, and the paths of its live streams."""

from collections.abc import Callable, Mapping
from typing import Literal

from drivers.recorder import dahua, hikvision
from drivers.recorder.dahua import DahuaDriver
from drivers.recorder.hikvision import HikvisionDriver
from drivers.recorder.onvif import OnvifDriver
from drivers.recorder.settings import Maker

MakerDriver = HikvisionDriver | DahuaDriver | OnvifDriver
DRIVERS: Mapping[Maker, type[MakerDriver]] = {
    "hikvision": HikvisionDriver,
    "dahua": DahuaDriver,
    "onvif": OnvifDriver,
}
# ONVIF names its streams one by one; what they are is not asked yet.
LIVE_PATHS: Mapping[Maker, Callable[[int, Literal["main", "sub"]], str]] = {
    "hikvision": hikvision.live_path,
    "dahua": dahua.live_path,
}
