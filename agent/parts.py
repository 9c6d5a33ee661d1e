"""What a site's settings ask for: each part with the settings it is made of, not yet made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from agent.devices import DeviceThread, Post
from agent.settings import NfcReader, SiteSettings
from agent.settings_alarm import AlarmLoop, AlarmModule, Receiver
from drivers.alarm.modbus_bus import ModbusBus
from drivers.alarm.modem_lines import ModemLinesDriver
from drivers.alarm.surgard import SurgardDriver
from drivers.base import Clock, Confirming, Driver, OutputDriver
from drivers.host import HostDriver, HostSettings
from drivers.nfc.em4100 import Em4100Driver
from drivers.nfc.pn532 import Pn532Driver
from drivers.nfc.sun import Counters, SunCheck, SunKeys
from drivers.nfc.wand import WandDriver
from drivers.nfc.wand_clock import WandStore
from drivers.nfc.wedge import WedgeDriver

HOST = "host"
LOOP_SECONDS = 1.0
RECEIVER_SECONDS = 0.5
READER_DEADLINE_SECONDS = 3.0
# A directory need not be looked at more often than this.
WAND_POLL_SECONDS = 1.0
HOST_DEADLINE_SECONDS = 5.0


LoopName = Literal["alarm", "watch"]


class Part(Protocol):
    """Something with threads of its own that hands readings on."""

    def start(self, post: Post) -> None:
        """Start; returns at once, whatever the device does."""

    def ask_to_stop(self) -> None:
        """Let what is under way be the last."""

    def stop(self) -> None:
        """End."""

    def overdue_seconds(self) -> float:
        """Return how long its driver has overrun a deadline; 0 when it is in time."""


@dataclass(frozen=True)
class Made:
    """A part, and what others need of its drivers: by device id, and by module id."""

    part: Part
    confirming: Mapping[str, Confirming] = field(default_factory=dict)
    outputs: Mapping[str, OutputDriver] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One part a site asks for; `key` is all that decides how it is made."""

    name: str
    key: object
    loop: LoopName
    make: Callable[[], Made]


def device_plans(site: SiteSettings, clock: Clock) -> Sequence[Plan]:
    """Plan every device that needs no secret; those on one port are one part."""
    by_port: dict[str, list[AlarmModule]] = {}
    for module in site.alarm_module:
        by_port.setdefault(module.port, []).append(module)
    machine = HostSettings(
        id=HOST,
        state_directory=site.state.directory,
        serial_devices=site.serial_ports,
        poll_seconds=site.host.poll_seconds,
    )
    return [
        *(
            Plan(f"bus {port}", tuple(modules), "alarm", partial(_bus, modules, clock))
            for port, modules in by_port.items()
        ),
        *(
            Plan(f"loop {one.id}", one, "alarm", partial(_loop, one, clock))
            for one in site.alarm_loop
        ),
        *(
            Plan(f"receiver {one.id}", one, "alarm", partial(_receiver, one, clock))
            for one in site.alarm_receiver
        ),
        Plan(HOST, machine, "watch", partial(_host, machine, clock)),
    ]


def reader_plan(reader: NfcReader, keys: SunKeys | None, counters: Counters, clock: Clock) -> Plan:
    """Plan a reader of tags; with `keys` it asks tags to prove that they are no copies."""
    make = partial(_reader, reader, keys, counters, clock)
    return Plan(f"reader {reader.id}", (reader, keys), "watch", make)


def wand_plan(reader: NfcReader, zone: ZoneInfo, store: WandStore, clock: Clock) -> Plan:
    """Plan the place where patrol wands are docked; times in their files are of `zone`."""
    make = partial(_wand, reader, zone, store, clock)
    return Plan(f"reader {reader.id}", (reader, zone.key), "watch", make)


def _bus(modules: Sequence[AlarmModule], clock: Clock) -> Made:
    bus = ModbusBus(modules, clock)
    settings = [module.settings for module in bus.modules]
    thread = DeviceThread(
        bus,
        clock,
        poll_seconds=1 / max(one.polls for one in settings),
        deadline_seconds=1
        + sum(2 * one.reply_timeout_seconds + one.worst_turnaround_seconds for one in settings),
        device_ids=[one.id for one in settings],
    )
    drivers = {one.settings.id: one for one in bus.modules}
    return Made(thread, confirming=drivers, outputs=drivers)


def _loop(loop: AlarmLoop, clock: Clock) -> Made:
    driver = ModemLinesDriver(loop, clock)
    return Made(DeviceThread(driver, clock, poll_seconds=0, deadline_seconds=LOOP_SECONDS))


def _receiver(receiver: Receiver, clock: Clock) -> Made:
    driver = SurgardDriver(receiver, clock)
    thread = DeviceThread(driver, clock, poll_seconds=0, deadline_seconds=RECEIVER_SECONDS)
    return Made(thread, confirming={receiver.id: driver})


def _reader(reader: NfcReader, keys: SunKeys | None, counters: Counters, clock: Clock) -> Made:
    sun = SunCheck(keys, counters) if keys is not None else None
    drivers: Mapping[str, Callable[[], Driver]] = {
        "pn532": lambda: Pn532Driver(reader, clock, sun),
        "em4100": lambda: Em4100Driver(reader, clock),
        "wedge": lambda: WedgeDriver(reader, clock),
    }
    driver = drivers[reader.driver]()
    return Made(
        DeviceThread(
            driver,
            clock,
            poll_seconds=reader.poll_seconds,
            deadline_seconds=READER_DEADLINE_SECONDS,
        )
    )


def _wand(reader: NfcReader, zone: ZoneInfo, store: WandStore, clock: Clock) -> Made:
    driver = WandDriver(reader, clock, zone, store)
    thread = DeviceThread(
        driver,
        clock,
        poll_seconds=max(reader.poll_seconds, WAND_POLL_SECONDS),
        deadline_seconds=READER_DEADLINE_SECONDS,
    )
    return Made(thread, confirming={reader.id: driver})


def _host(machine: HostSettings, clock: Clock) -> Made:
    driver = HostDriver(machine, clock)
    return Made(
        DeviceThread(
            driver,
            clock,
            poll_seconds=machine.poll_seconds,
            deadline_seconds=HOST_DEADLINE_SECONDS,
        )
    )
