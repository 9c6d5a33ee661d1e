"""The recorders we can talk to: each maker's driver."""

from collections.abc import Mapping

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
