"""Recorders for the contract suite: each a simulated one, and the driver that reads it."""

from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from agent.store.login_budget import FileLoginBudget
from agent.store.quirks import FileQuirks
from drivers.base import Clock, Driver
from drivers.recorder.dahua import DahuaDriver
from drivers.recorder.gate import RecorderGate
from drivers.recorder.hikvision import HikvisionDriver
from drivers.recorder.onvif import OnvifDriver
from drivers.recorder.settings import RecorderSettings
from simulators.dahua import DahuaSimulator
from simulators.hikvision import HikvisionSimulator
from simulators.onvif import OnvifSimulator
from simulators.truth import Truth


class HikvisionRig:
    """A recorder with one channel."""

    def __init__(self, directory: Path) -> None:
        self._budget = directory / "login-budget"
        self._simulator = HikvisionSimulator(Truth(), days={1: 40})
        self._simulator.stop()

    def driver(self, clock: Clock) -> Driver:
        password = SecretStr(self._simulator.door.password)
        settings = RecorderSettings(
            id="dut",
            driver="hikvision",
            host="127.0.0.1",
            http_port=self._simulator.port,
            username=self._simulator.door.user,
        )
        gate = RecorderGate(
            "dut",
            settings.username,
            password,
            FileLoginBudget(self._budget),
            clock,
            request_gap_seconds=0,
        )
        quirks = FileQuirks(self._budget.with_name("quirks"))
        zone = ZoneInfo("Asia/Shanghai")
        return HikvisionDriver(settings, password, gate, clock, quirks, zone=zone)

    def plug(self) -> None:
        self._simulator.start()

    def unplug(self) -> None:
        self._simulator.stop()

    def silence(self) -> None:
        self._simulator.fault = "silent"

    def speak(self) -> None:
        self._simulator.fault = None

    def garble_one_reply(self) -> None:
        self._simulator.fault, self._simulator.fault_count = "truncated", 1


class DahuaRig:
    """Another maker's recorder with one channel."""

    def __init__(self, directory: Path) -> None:
        self._budget = directory / "login-budget"
        self._simulator = DahuaSimulator(Truth(), days={1: 40})
        self._simulator.stop()

    def driver(self, clock: Clock) -> Driver:
        password = SecretStr(self._simulator.door.password)
        settings = RecorderSettings(
            id="dut",
            driver="dahua",
            host="127.0.0.1",
            http_port=self._simulator.port,
            username=self._simulator.door.user,
        )
        gate = RecorderGate(
            "dut",
            settings.username,
            password,
            FileLoginBudget(self._budget),
            clock,
            request_gap_seconds=0,
        )
        quirks = FileQuirks(self._budget.with_name("quirks"))
        zone = ZoneInfo("Asia/Shanghai")
        return DahuaDriver(settings, password, gate, clock, quirks, zone=zone)

    def plug(self) -> None:
        self._simulator.start()

    def unplug(self) -> None:
        self._simulator.stop()

    def silence(self) -> None:
        self._simulator.fault = "silent"

    def speak(self) -> None:
        self._simulator.fault = None

    def garble_one_reply(self) -> None:
        self._simulator.fault, self._simulator.fault_count = "wrong_length", 1


class OnvifRig:
    """A recorder of any maker with one channel."""

    def __init__(self, directory: Path) -> None:
        self._budget = directory / "login-budget"
        self._simulator = OnvifSimulator(Truth(), days={1: 40})
        self._simulator.stop()

    def driver(self, clock: Clock) -> Driver:
        password = SecretStr(self._simulator.door.password)
        settings = RecorderSettings(
            id="dut",
            driver="onvif",
            host="127.0.0.1",
            http_port=self._simulator.port,
            username=self._simulator.door.user,
        )
        gate = RecorderGate(
            "dut",
            settings.username,
            password,
            FileLoginBudget(self._budget),
            clock,
            request_gap_seconds=0,
        )
        quirks = FileQuirks(self._budget.with_name("quirks"))
        zone = ZoneInfo("Asia/Shanghai")
        return OnvifDriver(settings, password, gate, clock, quirks, zone=zone)

    def plug(self) -> None:
        self._simulator.start()

    def unplug(self) -> None:
        self._simulator.stop()

    def silence(self) -> None:
        self._simulator.fault = "silent"

    def speak(self) -> None:
        self._simulator.fault = None

    def garble_one_reply(self) -> None:
        self._simulator.fault, self._simulator.fault_count = "truncated", 1
