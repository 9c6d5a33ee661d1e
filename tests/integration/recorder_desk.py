"""A simulated recorder and what the agent has of it: a gate with a budget on disk, a driver."""

from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from agent.clock import SystemClock
from agent.monitors.ledger import Ledgers
from agent.store.login_budget import FileLoginBudget
from agent.store.quirks import FileQuirks
from agent.survey.archive import ArchiveSurvey
from agent.survey.view import Wanted
from drivers.recorder.gate import RecorderGate
from drivers.recorder.hikvision import HikvisionDriver
from drivers.recorder.readings import RecordedDaysReading
from drivers.recorder.settings import RecorderSettings
from simulators.hikvision import HikvisionSimulator
from simulators.truth import Truth

ZONE = ZoneInfo("Asia/Shanghai")
CLOCK = SystemClock()
DEADLINE_SECONDS = 1.0
CHANNELS = (1, 2, 5)


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
        settings = RecorderSettings(
            id="nvr-1",
            driver="hikvision",
            host="127.0.0.1",
            http_port=recorder.port,
            username="inspector",
        )
        self._clock = clock
        quirks = FileQuirks(path.with_name("quirks"))
        self.driver = HikvisionDriver(
            settings, secret, self.gate, clock, quirks, zone=ZONE, channels=CHANNELS
        )

    def poll(self) -> list[object]:
        return list(self.driver.poll(deadline=self._clock.monotonic() + DEADLINE_SECONDS))

    def survey(self, days: int = 30, seconds: float = 20) -> list[RecordedDaysReading]:
        """Poll, then survey with empty ledgers."""
        self.poll()
        wanted = [Wanted(number, days) for number in CHANNELS]
        survey = ArchiveSurvey(self.driver, wanted, Ledgers(), self._clock, ZONE, Random(1))
        found = list(survey.run(self._clock.monotonic() + seconds, missing_only=False))
        return [reading for reading in found if isinstance(reading, RecordedDaysReading)]


def failed_logins(truth: Truth) -> int:
    return len(truth.lines("login_failed"))
