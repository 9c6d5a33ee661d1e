"""A directory, a wand, and the driver that takes in its files."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.store.wand_memory import FileWandMemory
from drivers.errors import DriverError
from drivers.nfc.settings import ReaderSettings
from drivers.nfc.wand import SETTLED_SECONDS, WandDriver
from drivers.readings import ReaderReading, ScanReading
from simulators.truth import Truth
from simulators.wand import WandSimulator
from tests.simulated_clock import SimulatedClock

SHANGHAI = ZoneInfo("Asia/Shanghai")
NORTH, SOUTH = "3E00A1B2C3", "3E00D4E5F6"


class Dock:
    """A directory, a wand, and the driver that takes in its files; the disk confirms all."""

    def __init__(self, clock: SimulatedClock, directory: Path) -> None:
        self.clock = clock
        self.path = directory / "wand"
        self.path.mkdir(exist_ok=True)
        self.wand = WandSimulator(self.path, Truth(), clock.now().astimezone(SHANGHAI))
        self.store = FileWandMemory(directory / "wand.json")
        self.read_until: datetime | None = None
        self.start()

    def start(self) -> None:
        """Start the agent, or start it anew."""
        given = ReaderSettings(id="dock", driver="wand", port=str(self.path))
        self.driver = WandDriver(given, self.clock, SHANGHAI, self.store)
        self.driver.open()

    @property
    def now(self) -> datetime:
        return self.clock.now().astimezone(SHANGHAI)

    def walk(self, *tags: str, ago: float = 3600) -> None:
        for number, tag in enumerate(tags):
            self.wand.tap(tag, self.now - timedelta(seconds=ago - 300 * number))

    def poll(self, *, confirm: bool = True) -> list[ScanReading]:
        readings = list(self.driver.poll(deadline=self.clock.monotonic() + 1))
        assert isinstance(readings[-1], ReaderReading)
        self.read_until = readings[-1].read_until
        scans = [one for one in readings if isinstance(one, ScanReading)]
        if confirm:
            for one in scans:
                self.driver.confirm(str(one.token))
        return scans

    def settle(
        self, seconds: float = SETTLED_SECONDS + 2, *, confirm: bool = True
    ) -> list[ScanReading]:
        """Look for a while; a file without a bad row raises nothing."""
        found: list[ScanReading] = []
        for _ in range(int(seconds)):
            found += self.poll(confirm=confirm)
            self.clock.advance(1)
        return found

    def until_fault(self) -> tuple[list[ScanReading], str]:
        found: list[ScanReading] = []
        for _ in range(20):
            try:
                for one in self.driver.poll(deadline=self.clock.monotonic() + 1):
                    if isinstance(one, ScanReading):
                        found.append(one)
                        self.driver.confirm(str(one.token))
            except DriverError as error:
                return found, str(error)
            self.clock.advance(1)
        raise AssertionError(f"no fault in {self.names()}")

    def names(self) -> Sequence[str]:
        return sorted(path.name for path in self.path.iterdir())


def tags(scans: Sequence[ScanReading]) -> list[str]:
    return [one.tag_id.removeprefix("em4100:") for one in scans]
