import ctypes
import os
import shutil
from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from agent.county.state_data import HostState
from agent.findings import Verdict
from agent.monitors import Instant
from agent.monitors.host import HostMonitor
from agent.policy import HostPolicy
from agent.text import explain, knows
from drivers import host
from drivers.host import TIMESYNC_MARK, HostDriver, HostSettings
from drivers.readings import HostReading, Outage, Reason, Unknown
from tests.simulated_clock import SimulatedClock

NOW = Instant(wall=datetime(2026, 9, 1, 2, 0, tzinfo=UTC), monotonic=1000.0)
Temperature = namedtuple("Temperature", "current")  # noqa: PYI024  # as psutil's own


def _driver(
    clock: SimulatedClock,
    root: Path,
    *,
    ports: tuple[str, ...] = (),
    kernel: bool | Unknown = True,
    state: Path | None = None,
) -> HostDriver:
    settings = HostSettings(state_directory=state or root, serial_devices=ports)
    return HostDriver(settings, clock, root=root, kernel_clock=lambda: kernel)


def _poll(driver: HostDriver) -> HostReading:
    [reading] = driver.poll(deadline=0)
    assert isinstance(reading, HostReading)
    return reading


# ---- driver


def test_this_machine_is_measured_as_other_programs_see_it(
    clock: SimulatedClock, tmp_path: Path
) -> None:
    driver = HostDriver(HostSettings(state_directory=tmp_path), clock)
    driver.open()
    reading = _poll(driver)
    driver.close()
    driver.close()
    assert reading.device_id == driver.device_id == "host"
    assert reading.observed_at == clock.now()
    free = shutil.disk_usage(tmp_path).free
    assert isinstance(reading.disk_free_bytes, int)
    assert reading.disk_free_bytes == pytest.approx(free, rel=0.05)
    boot = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    assert reading.uptime_seconds == pytest.approx(boot, abs=30)
    memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text("ascii").splitlines())
    available = int(memory["MemAvailable"].split()[0]) / int(memory["MemTotal"].split()[0])
    assert reading.memory_available_ratio == pytest.approx(available, abs=0.2)
    load = os.getloadavg()[1] / (os.cpu_count() or 1)
    assert reading.load_per_cpu == pytest.approx(load, abs=1)
    assert isinstance(reading.clock_synchronised, bool)
    assert reading.missing_serial_devices == ()


def test_a_serial_device_that_is_not_there_is_named(clock: SimulatedClock, tmp_path: Path) -> None:
    by_id = tmp_path / "dev/serial/by-id"
    by_id.mkdir(parents=True)
    (tmp_path / "dev/ttyUSB0").touch()
    (by_id / "usb-alarm").symlink_to("../../ttyUSB0")
    (by_id / "usb-gone").symlink_to("../../ttyUSB9")
    ports = (
        "/dev/serial/by-id/usb-alarm",
        "/dev/serial/by-id/usb-gone",
        "/dev/ttyUSB5",
        "socket://10.0.0.9:4001",
    )
    driver = _driver(clock, tmp_path, ports=ports)
    assert _poll(driver).missing_serial_devices == (ports[1], ports[2])
    (by_id / "usb-alarm").unlink()
    assert _poll(driver).missing_serial_devices == ports[:3]


@pytest.mark.parametrize(
    ("kernel", "mark", "expected"),
    [
        (True, False, True),
        (False, True, False),  # set once, but so long ago that the kernel gave up on it
        (Unknown(reason=Reason.INTERNAL), True, True),
        (Unknown(reason=Reason.INTERNAL), False, Unknown(reason=Reason.INTERNAL)),
    ],
)
def test_the_clock_is_synchronised_when_something_says_so(
    kernel: bool | Unknown,
    mark: bool,
    expected: bool | Unknown,
    clock: SimulatedClock,
    tmp_path: Path,
) -> None:
    if mark:
        (tmp_path / TIMESYNC_MARK).parent.mkdir(parents=True)
        (tmp_path / TIMESYNC_MARK).touch()
    assert _poll(_driver(clock, tmp_path, kernel=kernel)).clock_synchronised == expected


def test_each_measurement_fails_alone(
    clock: SimulatedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> float:
        raise OSError("no such thing")

    for name in ("virtual_memory", "getloadavg", "sensors_temperatures"):
        monkeypatch.setattr(psutil, name, broken)
    reading = _poll(_driver(clock, tmp_path, state=tmp_path / "not-there"))
    for value in (
        reading.disk_free_bytes,
        reading.disk_free_ratio,
        reading.memory_available_ratio,
        reading.load_per_cpu,
        reading.temperature_celsius,
        reading.uptime_seconds,  # there is no proc below this root
    ):
        assert isinstance(value, Unknown)
        assert value.reason is Reason.INTERNAL
        assert value.detail
    assert reading.clock_synchronised is True


@pytest.mark.parametrize(
    ("sensors", "expected"),
    [
        ({"acpitz": [27.8], "coretemp": [61.0, 64.0]}, 64.0),
        ({"nvme": [41.0], "acpitz": [33.0]}, 33.0),
        ({"nvme": [41.0]}, 41.0),
        ({"acpitz": [0.0, -273.2], "nvme": [41.0]}, 41.0),
        ({}, None),
        ({"acpitz": [0.0]}, None),
    ],
)
def test_the_processors_sensor_is_believed_first(
    sensors: dict[str, list[float]],
    expected: float | None,
    clock: SimulatedClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {name: [Temperature(value) for value in values] for name, values in sensors.items()}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: found, raising=False)
    value = _poll(_driver(clock, tmp_path)).temperature_celsius
    if expected is None:
        assert isinstance(value, Unknown)
        assert value.reason is Reason.NOT_SUPPORTED
    else:
        assert value == expected


@pytest.mark.parametrize(("maxerror", "expected"), [(15_999_999, True), (16_000_000, False)])
def test_the_kernels_own_figure_decides(
    maxerror: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Library:
        def adjtimex(self, pointer: object) -> int:
            pointer._obj.maxerror = maxerror  # type: ignore[attr-defined]  # ctypes.byref
            return 5

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library())
    assert host.kernel_clock_synchronised() is expected


# ---- monitor


def _reading(**changes: object) -> HostReading:
    good: dict[str, object] = {
        "device_id": "host",
        "observed_at": NOW.wall,
        "disk_free_bytes": 40_000_000_000,
        "disk_free_ratio": 0.5,
        "memory_available_ratio": 0.5,
        "load_per_cpu": 0.2,
        "temperature_celsius": 50.0,
        "uptime_seconds": 3600.0,
        "clock_synchronised": True,
        "missing_serial_devices": (),
    }
    return HostReading.model_validate(good | changes)


def _state(reading: HostReading | Outage | None, *, later: float = 0) -> HostState:
    monitor = HostMonitor("host", HostPolicy())
    if reading is not None:
        assert list(monitor.observe(reading, NOW)) == []
    then = Instant(NOW.wall, NOW.monotonic + later)
    assert list(monitor.tick(then)) == []
    [state] = monitor.states(then)
    assert state.id == "host"
    assert isinstance(state.data, HostState)
    return state.data


def test_a_fit_machine_is_ok_and_published_as_measured() -> None:
    state = _state(_reading())
    assert (state.verdict, state.causes) == (Verdict.OK, ())
    assert state.observed_at == NOW.wall
    assert (state.disk_free_bytes, state.uptime_seconds, state.clock) == (
        40_000_000_000,
        3600,
        "ntp",
    )


LOST = Unknown(reason=Reason.INTERNAL, detail="disk")


@pytest.mark.parametrize(
    ("changes", "verdict", "code"),
    [
        ({"disk_free_ratio": 0.15}, Verdict.OK, None),
        ({"disk_free_ratio": 0.149}, Verdict.WARN, "host.disk_low"),
        ({"disk_free_ratio": 0.049}, Verdict.FAIL, "host.disk_full"),
        ({"disk_free_ratio": LOST}, Verdict.UNKNOWN, "unknown.internal"),
        ({"memory_available_ratio": 0.09}, Verdict.WARN, "host.memory_low"),
        ({"memory_available_ratio": LOST}, Verdict.UNKNOWN, "unknown.internal"),
        ({"load_per_cpu": 4.1}, Verdict.WARN, "host.load_high"),
        ({"load_per_cpu": LOST}, Verdict.UNKNOWN, "unknown.internal"),
        ({"temperature_celsius": 85.5}, Verdict.WARN, "host.temperature_high"),
        ({"temperature_celsius": LOST}, Verdict.UNKNOWN, "unknown.internal"),
        ({"clock_synchronised": False}, Verdict.WARN, "host.clock_unsynchronised"),
        ({"clock_synchronised": LOST}, Verdict.UNKNOWN, "unknown.internal"),
        ({"missing_serial_devices": ("/dev/ttyUSB0",)}, Verdict.FAIL, "host.serial_missing"),
    ],
)
def test_each_trouble_has_its_verdict_and_its_sentence(
    changes: dict[str, object], verdict: Verdict, code: str | None
) -> None:
    state = _state(_reading(**changes))
    assert state.verdict is verdict
    assert [cause.code for cause in state.causes] == ([code] if code else [])
    for cause in state.causes:
        assert knows("zh", cause.code)
        assert "—" not in explain("zh", cause)


def test_no_sensor_is_said_and_is_no_trouble() -> None:
    state = _state(_reading(temperature_celsius=Unknown(reason=Reason.NOT_SUPPORTED)))
    assert (state.verdict, state.temperature_celsius) == (Verdict.OK, "unknown")


def test_all_that_is_wrong_is_told_and_the_worst_decides() -> None:
    state = _state(
        _reading(disk_free_ratio=0.01, clock_synchronised=LOST, temperature_celsius=99.0)
    )
    assert state.verdict is Verdict.FAIL
    assert len(state.causes) == 3
    assert state.clock == "unknown"


def test_nothing_heard_is_unknown_not_ok() -> None:
    state = _state(None)
    assert state.verdict is Verdict.UNKNOWN
    assert [cause.code for cause in state.causes] == ["unknown.not_yet"]
    assert state.observed_at is None


def test_silence_makes_unknown_whatever_the_wall_clock_does() -> None:
    assert _state(_reading(), later=180).verdict is Verdict.OK
    state = _state(_reading(disk_free_ratio=0.01), later=180.1)
    assert state.verdict is Verdict.UNKNOWN
    assert [cause.code for cause in state.causes] == ["unknown.stale"]
    assert state.disk_free_ratio == "unknown"
    assert state.observed_at == NOW.wall


def test_an_outage_says_why_and_a_reading_ends_it() -> None:
    outage = Outage(device_id="host", observed_at=NOW.wall, reason=Reason.TIMEOUT, detail="disk")
    assert [cause.code for cause in _state(outage).causes] == ["unknown.timeout"]
    monitor = HostMonitor("host", HostPolicy())
    for reading in (_reading(), outage):
        monitor.observe(reading, NOW)
    [fresh] = monitor.states(NOW)
    assert fresh.data.verdict is Verdict.OK
    [old] = monitor.states(Instant(NOW.wall, NOW.monotonic + 181))
    assert [cause.code for cause in old.data.causes] == ["unknown.timeout"]
    monitor.observe(_reading(), Instant(NOW.wall, NOW.monotonic + 181))
    [back] = monitor.states(Instant(NOW.wall, NOW.monotonic + 181))
    assert back.data.verdict is Verdict.OK
    [silent] = monitor.states(Instant(NOW.wall, NOW.monotonic + 400))
    assert [cause.code for cause in silent.data.causes] == ["unknown.stale"]


def test_another_machines_reading_is_none_of_its_business() -> None:
    monitor = HostMonitor("host", HostPolicy())
    monitor.observe(_reading(device_id="other"), NOW)
    [state] = monitor.states(NOW)
    assert state.data.verdict is Verdict.UNKNOWN
