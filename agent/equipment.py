"""What a site has: its drivers, the threads that own them, and the monitors that judge them."""

from collections.abc import Mapping, Sequence

from agent.credentials import Credentials
from agent.devices import DeviceThread, Post
from agent.monitors import Instant, Monitor
from agent.monitors.host import HostMonitor
from agent.monitors.patrol import PatrolMonitor
from agent.monitors.readers import WatchedTime
from agent.settings import SiteSettings
from drivers.alarm.modbus import ModbusDriver
from drivers.base import Clock
from drivers.host import HostDriver, HostSettings
from drivers.nfc.pn532 import Pn532Driver
from drivers.readings import AnyReading, ScanReading

READER_DEADLINE_SECONDS = 3.0
HOST_DEADLINE_SECONDS = 5.0
WATCHED_TIME = "patrol_watched"


class Equipment:
    """Everything that measures and judges; `problems` names what could not be made, and why."""

    def __init__(self, site: SiteSettings, credentials: Credentials, clock: Clock) -> None:
        self.problems: list[str] = []
        self._clock = clock
        self._modules = [
            DeviceThread(
                ModbusDriver(module, clock),
                clock,
                poll_seconds=1 / module.polls_per_second,
                deadline_seconds=2 * module.reply_timeout_seconds
                + module.worst_turnaround_seconds
                + 1,
            )
            for module in site.alarm_module
        ]
        self._readers = [
            DeviceThread(
                Pn532Driver(reader, clock),
                clock,
                poll_seconds=reader.poll_seconds,
                deadline_seconds=READER_DEADLINE_SECONDS,
            )
            for reader in site.nfc_reader
        ]
        machine = HostSettings(
            state_directory=site.state.directory, serial_devices=site.serial_ports
        )
        self._host = DeviceThread(
            HostDriver(machine, clock),
            clock,
            poll_seconds=machine.poll_seconds,
            deadline_seconds=HOST_DEADLINE_SECONDS,
        )
        self.monitors: list[Monitor] = [HostMonitor(machine.id, site.host)]
        self._patrol: PatrolMonitor | None = None
        if site.patrol is not None:
            readers = [reader.id for reader in site.nfc_reader]
            self._patrol = PatrolMonitor(readers, site.checkpoint, site.patrol, site.site.zone)
            self.monitors.append(self._patrol)

    def start(self, post_alarm: Post, post: Post) -> None:
        """Start every device; returns at once, whatever the devices do."""
        for module in self._modules:
            module.start(post_alarm)
        for thread in (*self._readers, self._host):
            thread.start(post)

    def stop(self) -> None:
        """Ask all to stop, then wait for each."""
        threads = (*self._modules, *self._readers, self._host)
        for thread in threads:
            thread.ask_to_stop()
        for thread in threads:
            thread.stop()

    def remember(self) -> Mapping[str, str]:
        """Return what the monitors must know after a restart, by name."""
        if self._patrol is None:
            return {}
        return {WATCHED_TIME: self._patrol.watched_time(self._now()).model_dump_json()}

    def restore(
        self, scans: Sequence[AnyReading], day_maps: Sequence[AnyReading], told: Mapping[str, str]
    ) -> None:
        """Give the monitors what was journalled and remembered before the restart."""
        if self._patrol is not None:
            watched = told.get(WATCHED_TIME)
            self._patrol.restore(
                [one for one in scans if isinstance(one, ScanReading)],
                self._now(),
                WatchedTime.model_validate_json(watched) if watched else None,
            )

    def _now(self) -> Instant:
        return Instant(self._clock.now(), self._clock.monotonic())
