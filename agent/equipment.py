"""What a site has: its drivers, the threads that own them, and the monitors that judge them."""

from collections.abc import Callable, Sequence
from datetime import date

from agent.devices import DeviceThread
from agent.monitors import Instant, Monitor
from agent.monitors.cameras import CamerasMonitor
from agent.monitors.host import HostMonitor
from agent.monitors.patrol import PatrolMonitor
from agent.monitors.retention import RetentionMonitor
from agent.policy import Camera
from agent.recorders import RecorderPart
from agent.settings import AlarmModule, NfcReader, SiteSettings
from agent.surveys import Survey
from drivers.alarm.modbus import ModbusDriver
from drivers.base import Clock
from drivers.host import HostDriver
from drivers.nfc.pn532 import Pn532Driver
from drivers.readings import AnyReading, Reading, ScanReading

Post = Callable[[Reading], None]
"""Hands a reading to a loop; never blocks."""

HOST_ID = "host"
HOST_POLL_SECONDS = 30.0
HOST_DEADLINE_SECONDS = 5.0
READER_DEADLINE_SECONDS = 3.0


class Equipment:
    """Everything that measures. `problems` names the devices that could not be made, and why."""

    def __init__(self, site: SiteSettings, recorders: Sequence[RecorderPart], clock: Clock) -> None:
        self._site = site
        self._recorders = recorders
        self._clock = clock
        self._threads: list[DeviceThread] = []
        self._host = HostDriver(HOST_ID, site.state.directory, site.serial_ports, clock)
        self._patrol: PatrolMonitor | None = None
        self._retention: RetentionMonitor | None = None
        self.monitors: list[Monitor] = [HostMonitor(HOST_ID, site.host)]
        if site.patrol is not None:
            readers = [reader.id for reader in site.nfc_reader]
            self._patrol = PatrolMonitor(readers, site.checkpoint, site.patrol, site.site.zone)
            self.monitors.append(self._patrol)
        if site.recorder:
            self._retention = RetentionMonitor(site.recorder_channels, site.retention)
            cameras = CamerasMonitor(
                site.camera_list, site.pictures, max_age_seconds=3 * site.cameras.round_seconds
            )
            self.monitors += [self._retention, cameras]

    def start(self, post_alarm: Post, post: Post) -> None:
        """Start every device; returns at once, whatever the devices do."""
        for module in self._site.alarm_module:
            self._threads.append(self._module(module, post_alarm))
        for reader in self._site.nfc_reader:
            self._threads.append(self._reader(reader, post))
        self._threads.append(
            DeviceThread(
                self._host,
                post,
                self._clock,
                poll_seconds=HOST_POLL_SECONDS,
                deadline_seconds=HOST_DEADLINE_SECONDS,
            )
        )
        for thread in self._threads:
            thread.start()
        for recorder in self._recorders:
            recorder.start(post)

    def stop(self) -> None:
        """Stop all at once, then wait for each."""
        for recorder in self._recorders:
            recorder.ask_to_stop()
        for thread in self._threads:
            thread.ask_to_stop()
        for part in (*self._threads, *self._recorders):
            part.stop()

    def restore(self, scans: Sequence[AnyReading], day_maps: Sequence[AnyReading]) -> None:
        """Give the monitors what was journalled before the restart."""
        now = Instant(self._clock.now(), self._clock.monotonic())
        if self._patrol is not None:
            self._patrol.restore([one for one in scans if isinstance(one, ScanReading)], now)
