"""A broker, a county, a contact module and the real daemon, for every test of the system."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.broker import Broker
from simulators.county import County
from simulators.modbus import ModbusSimulator
from simulators.truth import Truth
from tests.daemon import Daemon, alarm_only


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
