"""A broker, a county, a contact module and the real daemon, for every test of the system."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.broker import Broker
from simulators.county import County
from simulators.modbus import ModbusSimulator
from simulators.truth import Truth
from tests.daemon import Daemon, alarm_only, with_county_key


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    yield broker
    broker.stop(kill=True)


@pytest.fixture
def county(broker: Broker) -> Iterator[County]:
    county = County(broker.port, keep=True)
    county.start()
    yield county
    county.stop()


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def module(tmp_path: Path, truth: Truth) -> Iterator[ModbusSimulator]:
    module = ModbusSimulator(tmp_path / "alarm", truth, baud=19200)
    module.start()
    yield module
    module.stop()


@pytest.fixture
def daemon(tmp_path: Path, broker: Broker, module: ModbusSimulator) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, alarm_only(tmp_path, broker.port))
    daemon.start()
    yield daemon
    if daemon.running:
        daemon.kill()


@pytest.fixture
def keyed(tmp_path: Path, broker: Broker, module: ModbusSimulator) -> Iterator[Daemon]:
    """A daemon that obeys the key in `key.pem`, by the name `duty-desk`."""
    make = [sys.executable, "-m", "agent", "county", "key", str(tmp_path / "key.pem")]
    public = subprocess.run(make, capture_output=True, text=True, timeout=30, check=True).stdout
    daemon = Daemon(tmp_path, with_county_key(alarm_only(tmp_path, broker.port), public.strip()))
    daemon.start()
    yield daemon
    if daemon.running:
        daemon.kill()
