"""Recorders for the contract suite: each a simulated one, and the driver that reads it."""

from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from agent.store.login_budget import FileLoginBudget
from agent.store.quirks import FileQuirks
from drivers.base import Clock, Driver
from drivers.recorder.gate import RecorderGate
from drivers.recorder.makers import DRIVERS
from drivers.recorder.settings import Maker, RecorderSettings
from simulators.dahua import DahuaSimulator
from simulators.hikvision import HikvisionSimulator
from simulators.http_recorder import CommonFault, HttpRecorder
from simulators.onvif import OnvifSimulator
from simulators.truth import Truth


class RecorderRig:
    """A recorder with one channel. `noise` is what makes nonsense of one of its answers."""

    maker: Maker
    simulator: type[HttpRecorder]
    noise: CommonFault = "truncated"

    def __init__(self, directory: Path) -> None:
        self._budget = directory / "login-budget"
        self._simulator = self.simulator(Truth(), days={1: 40})
        self._simulator.stop()

    def driver(self, clock: Clock) -> Driver:
        password = SecretStr(self._simulator.door.password)
        settings = RecorderSettings(
            id="dut",
            driver=self.maker,
            host="127.0.0.1",
            http_port=self._simulator.port,
            username=self._simulator.door.user,
        )
        budget = FileLoginBudget(self._budget)
        gate = RecorderGate(
            "dut", settings.username, password, budget, clock, request_gap_seconds=0
        )
        quirks = FileQuirks(self._budget.with_name("quirks"))
        zone = ZoneInfo("Asia/Shanghai")
        return DRIVERS[self.maker](settings, password, gate, clock, quirks, zone=zone)

    def plug(self) -> None:
        self._simulator.start()

    def unplug(self) -> None:
        self._simulator.stop()

    def silence(self) -> None:
        self._simulator.fault = "silent"

    def speak(self) -> None:
        self._simulator.fault = None

    def garble_one_reply(self) -> None:
        self._simulator.fault, self._simulator.fault_count = self.noise, 1


class HikvisionRig(RecorderRig):
    """Over ISAPI."""

    maker, simulator = "hikvision", HikvisionSimulator


class DahuaRig(RecorderRig):
    """Over CGI, where half a table is a table: only its length tells."""

    maker, simulator, noise = "dahua", DahuaSimulator, "wrong_length"


class OnvifRig(RecorderRig):
    """Over ONVIF."""

    maker, simulator = "onvif", OnvifSimulator
