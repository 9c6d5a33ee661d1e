"""The mini-PC itself: disk, memory, load, temperature, clock, and its serial ports."""

import ctypes
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from pydantic import Field

from drivers.base import Clock, DeviceSettings
from drivers.readings import HostReading, Reading, Reason, Unknown

# Where timesyncd notes that it has set the clock (systemd-timesyncd.service(8), FILES).
TIMESYNC_MARK = "run/systemd/timesync/synchronized"
# The kernel lets its error estimate grow until it gives up at 16 s (adjtimex(2), maxerror;
# include/linux/timex.h, NTP_PHASE_LIMIT).
_MAXERROR_GIVEN_UP = 16_000_000
# In the order of trust: processor sensors before the board's.
_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "acpitz")
# What psutil and the files below /proc and /sys are known to raise on odd machines.
_FAILURES = (OSError, ValueError, AttributeError, NotImplementedError, RuntimeError, psutil.Error)


class HostSettings(DeviceSettings):
    """The machine the agent runs on; `serial_devices` are the ports its devices need."""

    id: str = "host"
    state_directory: Path
    serial_devices: tuple[str, ...] = ()
    poll_seconds: float = Field(default=30, gt=0, le=3600)


class _Timex(ctypes.Structure):
    """The start of struct timex (adjtimex(2)); the padding is larger than the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_char * 256),
    )


def kernel_clock_synchronised() -> bool | Unknown:
    """Tell whether something has disciplined the kernel's clock lately, whichever daemon it is."""
    try:
        state = _Timex()  # modes 0: only read
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state)) < 0:
            return _unknown("clock", OSError(os.strerror(ctypes.get_errno())))
    except _FAILURES as error:
        return _unknown("clock", error)
    return bool(state.maxerror < _MAXERROR_GIVEN_UP)


class HostDriver:
    """Reads the machine; what cannot be measured is unknown and costs nothing else.

    `root` stands in for `/` where psutil does not look.
    """

    def __init__(
        self,
        settings: HostSettings,
        clock: Clock,
        *,
        root: Path = Path("/"),
        kernel_clock: Callable[[], bool | Unknown] = kernel_clock_synchronised,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._root = root
        self._kernel_clock = kernel_clock

    @property
    def device_id(self) -> str:
        """Return the id the settings give the machine."""
        return self._settings.id

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def poll(self, *, deadline: float) -> Sequence[Reading]:  # noqa: ARG002  # the Driver protocol
        """Return one HostReading. Local calls alone; only a hanging disk can hold them up."""
        free_bytes, free_ratio = self._disk()
        return [
            HostReading(
                device_id=self.device_id,
                observed_at=self._clock.now(),
                disk_free_bytes=free_bytes,
                disk_free_ratio=free_ratio,
                memory_available_ratio=_measured("memory", _memory_available_ratio),
                load_per_cpu=_measured("load", _load_per_cpu),
                temperature_celsius=_temperature(),
                uptime_seconds=_measured("uptime", self._uptime),
                clock_synchronised=self._clock_synchronised(),
                missing_serial_devices=self._missing_serial_devices(),
            )
        ]

    def _disk(self) -> tuple[int | Unknown, float | Unknown]:
        try:
            usage = psutil.disk_usage(str(self._settings.state_directory))
            # As df does it: the blocks kept for root are not there for us.
            return usage.free, usage.free / (usage.used + usage.free)
        except (*_FAILURES, ZeroDivisionError) as error:
            missing = _unknown("disk", error)
            return missing, missing

    def _uptime(self) -> float:
        # Not psutil.boot_time(): that is wall-clock time and moves when the clock is set.
        return float((self._root / "proc/uptime").read_text(encoding="ascii").split()[0])

    def _clock_synchronised(self) -> bool | Unknown:
        by_kernel = self._kernel_clock()
        if isinstance(by_kernel, bool):
            return by_kernel
        # A container may be refused the call. The mark's absence proves nothing: there are
        # other daemons.
        return True if (self._root / TIMESYNC_MARK).exists() else by_kernel

    def _missing_serial_devices(self) -> tuple[str, ...]:
        paths = (port for port in self._settings.serial_devices if port.startswith("/"))
        return tuple(port for port in paths if _is_absent(self._root / port.lstrip("/")))


def _is_absent(path: Path) -> bool:
    try:
        return not path.exists()
    except OSError:
        return False  # cannot be told from here; the driver that opens the port will


def _measured(what: str, measure: Callable[[], float]) -> float | Unknown:
    try:
        return measure()
    except (*_FAILURES, IndexError) as error:
        return _unknown(what, error)


def _memory_available_ratio() -> float:
    memory = psutil.virtual_memory()
    if memory.total <= 0:
        raise ValueError("no memory is reported")
    return float(memory.available / memory.total)


def _load_per_cpu() -> float:
    five_minutes = psutil.getloadavg()[1]
    return float(five_minutes / (psutil.cpu_count() or 1))


def _temperature() -> float | Unknown:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # psutil warns of sensors it cannot read
            sensors = psutil.sensors_temperatures()
    except _FAILURES as error:
        return _unknown("temperature", error)
    for name in (*_SENSORS, *sensors):
        # Zero and below is a sensor that is not wired, inside a gatehouse.
        degrees = [sensor.current for sensor in sensors.get(name, ()) if sensor.current > 0]
        if degrees:
            return max(degrees)
    return Unknown(reason=Reason.NOT_SUPPORTED, detail="temperature: no sensor")


def _unknown(what: str, error: Exception) -> Unknown:
    return Unknown(reason=Reason.INTERNAL, detail=f"{what}: {error}")
