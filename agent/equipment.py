"""What a site has: its drivers, the threads that own them, and the monitors that judge them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from agent.camera_rounds import CameraRounds
from agent.credentials import CredentialError, Credentials
from agent.devices import DeviceThread, Post
from agent.inventory import cameras, retention_channels
from agent.monitors import Instant, Monitor
from agent.monitors.cameras import CamerasMonitor
from agent.monitors.host import HostMonitor
from agent.monitors.patrol import PatrolMonitor
from agent.monitors.readers import WatchedTime
from agent.monitors.retention import RetentionMonitor
from agent.recorders import RecorderPart
from agent.scheduler import Scheduler
from agent.settings import SiteSettings
from agent.settings_alarm import AlarmModule
from drivers.alarm.modbus_bus import ModbusBus
from drivers.alarm.modem_lines import ModemLinesDriver
from drivers.alarm.surgard import SurgardDriver
from drivers.base import Clock, Confirming, OutputDriver
from drivers.host import HostDriver, HostSettings
from drivers.nfc.pn532 import Pn532Driver
from drivers.readings import AnyReading, ScanReading
from drivers.stream_workers import StreamWorkers

LOOP_SECONDS = 1.0
RECEIVER_SECONDS = 0.5
READER_DEADLINE_SECONDS = 3.0
HOST_DEADLINE_SECONDS = 5.0
ROUNDS_UNTIL_STALE = 3
LEAST_MAX_AGE_SECONDS = 60.0
WATCHED_TIME = "patrol_watched"


class Part(Protocol):
    """Something with threads of its own that hands readings on."""

    def start(self, post: Post) -> None:
        """Start; returns at once, whatever the device does."""

    def ask_to_stop(self) -> None:
        """Let what is under way be the last."""

    def stop(self) -> None:
        """End."""


class Equipment:
    """Everything that measures and judges; `problems` names what could not be made, and why."""

    def __init__(self, site: SiteSettings, credentials: Credentials, clock: Clock) -> None:
        self.problems: list[str] = []
        self._clock = clock
        buses = _buses(site.alarm_module, clock)
        self._modules = [_bus_thread(bus, clock) for bus in buses]
        self._modules += [
            DeviceThread(
                ModemLinesDriver(loop, clock), clock, poll_seconds=0, deadline_seconds=LOOP_SECONDS
            )
            for loop in site.alarm_loop
        ]
        receivers = {one.id: SurgardDriver(one, clock) for one in site.alarm_receiver}
        self._modules += [
            DeviceThread(driver, clock, poll_seconds=0, deadline_seconds=RECEIVER_SECONDS)
            for driver in receivers.values()
        ]
        modules = {one.settings.id: one for bus in buses for one in bus.modules}
        self.confirming: Mapping[str, Confirming] = {**receivers, **modules}
        self.outputs: Mapping[str, OutputDriver] = modules
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
            state_directory=site.state.directory,
            serial_devices=site.serial_ports,
            poll_seconds=site.host.poll_seconds,
        )
        self._host = DeviceThread(
            HostDriver(machine, clock),
            clock,
            poll_seconds=machine.poll_seconds,
            deadline_seconds=HOST_DEADLINE_SECONDS,
        )
        self._recorders = self._make_recorders(site, credentials)
        probes = [probe for recorder in self._recorders for probe in recorder.probes()]
        self._rounds = CameraRounds(
            probes, StreamWorkers(clock), clock, round_seconds=site.cameras.round_seconds
        )
        self.monitors: list[Monitor] = [HostMonitor(machine.id, site.host)]
        self._patrol: PatrolMonitor | None = None
        if site.patrol is not None:
            readers = [reader.id for reader in site.nfc_reader]
            self._patrol = PatrolMonitor(readers, site.checkpoint, site.patrol, site.site.zone)
            self.monitors.append(self._patrol)
        self._retention = RetentionMonitor(
            [recorder.id for recorder in site.recorder],
            [channel for recorder in site.recorder for channel in retention_channels(recorder)],
            site.retention,
            site.site.zone,
        )
        max_age = ROUNDS_UNTIL_STALE * site.cameras.round_seconds
        cameras_monitor = CamerasMonitor(
            cameras(site), site.pictures, max_age_seconds=max(max_age, LEAST_MAX_AGE_SECONDS)
        )
        self.monitors += [self._retention, cameras_monitor]

    def start(self, post_alarm: Post, post: Post) -> None:
        """Start every device; returns at once, whatever the devices do."""
        for module in self._modules:
            module.start(post_alarm)
        others: list[Part] = [*self._readers, self._host, *self._recorders, self._rounds]
        for part in others:
            part.start(post)

    def stop(self) -> None:
        """Ask all to stop, then wait for each."""
        parts: list[Part] = [self._rounds, *self._recorders, self._host]
        parts += [*self._readers, *self._modules]
        for part in parts:
            part.ask_to_stop()
        for part in parts:
            part.stop()

    def schedule(self, scheduler: Scheduler) -> None:
        """Plan what runs by the calendar."""
        for recorder in self._recorders:
            recorder.schedule(scheduler)

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
        self._retention.restore(day_maps, self._now())

    def _make_recorders(
        self, site: SiteSettings, credentials: Credentials
    ) -> Sequence[RecorderPart]:
        """Make a part for each recorder; a bad secret costs its recorder alone."""
        parts = []
        for recorder in site.recorder:
            try:
                password = credentials.resolve(recorder.password)
            except CredentialError as error:
                self.problems.append(f"{recorder.id}: {error}")
                continue
            parts.append(
                RecorderPart(
                    recorder,
                    password,
                    site.state.directory,
                    site.site.zone,
                    site.retention,
                    self._clock,
                )
            )
        return parts

    def _now(self) -> Instant:
        return Instant(self._clock.now(), self._clock.monotonic())


def _buses(modules: Sequence[AlarmModule], clock: Clock) -> Sequence[ModbusBus]:
    """Make one bus of all modules that share a port."""
    by_port: dict[str, list[AlarmModule]] = {}
    for module in modules:
        by_port.setdefault(module.port, []).append(module)
    return [ModbusBus(sharing, clock) for sharing in by_port.values()]


def _bus_thread(bus: ModbusBus, clock: Clock) -> DeviceThread:
    settings = [module.settings for module in bus.modules]
    return DeviceThread(
        bus,
        clock,
        poll_seconds=1 / max(one.polls for one in settings),
        deadline_seconds=1
        + sum(2 * one.reply_timeout_seconds + one.worst_turnaround_seconds for one in settings),
        device_ids=[one.id for one in settings],
    )
