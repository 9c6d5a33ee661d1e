"""A simulated recorder and what the agent has of it: a gate with a budget on disk, a driver."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from agent.clock import SystemClock
from agent.store.login_budget import FileLoginBudget
from drivers.readings import DayMapReading
from drivers.recorder.gate import RecorderGate
from drivers.recorder.hikvision import HikvisionDriver, HikvisionSettings
from simulators.hikvision import HikvisionSimulator
from simulators.truth import Truth

ZONE = ZoneInfo("Asia/Shanghai")
CLOCK = SystemClock()
DEADLINE_SECONDS = 1.0


class LateClock(SystemClock):
    """The real clock, put ahead by hand."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Desk:
    """What the agent has of one recorder: a gate with a budget on disk, and a driver."""

    def __init__(
        self, recorder: HikvisionSimulator, path: Path, password: str, clock: SystemClock
    ) -> None:
        secret = SecretStr(password)
        self.gate = RecorderGate(
            "nvr-1", "inspector", secret, FileLoginBudget(path), clock, request_gap_seconds=0
        )
        settings = HikvisionSettings(
            id="nvr-1",
            driver="hikvision",
            host="127.0.0.1",
            http_port=recorder.port,
            username="inspector",
        )
        self._clock = clock
        self.driver = HikvisionDriver(
            settings, secret, self.gate, clock, zone=ZONE, channels=(1, 2, 5)
        )

    def poll(self) -> list[object]:
        return list(self.driver.poll(deadline=self._clock.monotonic() + DEADLINE_SECONDS))

    def survey(self, recorder: HikvisionSimulator, days: int = 30) -> list[DayMapReading]:
        until = recorder.wall_clock().date() - timedelta(days=1)
        deadline = self._clock.monotonic() + 20
        found = list(self.driver.survey(until=until, days=days, deadline=deadline))
        return [reading for reading in found if isinstance(reading, DayMapReading)]


def failed_logins(truth: Truth) -> int:
    return len(truth.lines("login_failed"))
