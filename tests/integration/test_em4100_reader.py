"""A reader that only talks, over a pseudo-terminal at its own pace."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agent.clock import SystemClock
from drivers.errors import DeviceTimeoutError, PortLostError
from drivers.nfc.em4100 import Em4100Driver
from drivers.nfc.settings import ReaderSettings
from drivers.readings import ReaderReading, ScanReading
from simulators.em4100 import Em4100Simulator
from simulators.truth import Truth

GATE, ROOF = "3E00A1B2C3", "010012D687"


class LateClock(SystemClock):
    """The real clock, put ahead by hand."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Desk:
    """A reader and its driver."""

    def __init__(self, directory: Path) -> None:
        self.clock = LateClock()
        self.reader = Em4100Simulator(directory / "reader", Truth())
        self.reader.start()
        settings = ReaderSettings(id="gate", driver="em4100", port=str(directory / "reader"))
        self.driver = Em4100Driver(settings, self.clock)
        self.driver.open()

    def scans_while(self, act: Callable[[], None], polls: int = 4) -> Sequence[str]:
        """Poll while somebody does something, and a while after."""
        acting = threading.Thread(target=act)
        acting.start()
        found: list[str] = []
        left = polls
        while left:
            readings = list(self.driver.poll(deadline=self.clock.monotonic() + 1))
            assert isinstance(readings[-1], ReaderReading)
            found += [one.tag_id for one in readings if isinstance(one, ScanReading)]
            left -= not acting.is_alive()
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.driver.close()
    made.reader.stop()


def test_a_tap_is_one_scan_and_coming_again_another(desk: Desk) -> None:
    assert desk.scans_while(lambda: desk.reader.tap(GATE, 0.8)) == [f"em4100:{GATE}"]
    assert desk.scans_while(lambda: desk.reader.tap(GATE, 0.3)) == [f"em4100:{GATE}"]
    assert desk.scans_while(lambda: desk.reader.tap(ROOF, 0.3)) == [f"em4100:{ROOF}"]


def test_what_a_poor_supply_makes_is_no_scan(desk: Desk) -> None:
    def trouble() -> None:
        desk.reader.phantom(GATE)
        desk.reader.phantom("0000000000")
        desk.reader.phantom("0000000000")
        desk.reader.damage(ROOF)
        desk.reader.noise(bytes(range(256)) * 4)

    assert desk.scans_while(trouble) == []
    assert desk.scans_while(lambda: desk.reader.tap(ROOF, 0.3)) == [f"em4100:{ROOF}"]


def test_a_reader_that_is_quiet_for_a_day_is_not_known_to_live(desk: Desk) -> None:
    list(desk.driver.poll(deadline=desk.clock.monotonic() + 1))
    desk.clock.ahead = 25 * 3600
    with pytest.raises(DeviceTimeoutError, match="said nothing for 25 hours"):
        list(desk.driver.poll(deadline=desk.clock.monotonic() + 1))
    assert desk.scans_while(lambda: desk.reader.phantom(GATE)) == []  # a word is enough


def test_an_adapter_that_is_pulled_is_lost(desk: Desk) -> None:
    desk.reader.stop()
    with pytest.raises(PortLostError):
        list(desk.driver.poll(deadline=desk.clock.monotonic() + 1))
