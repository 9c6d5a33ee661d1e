"""Our driver against the simulated reader: what the guard did is what was read, and once."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from drivers.errors import DriverError
from drivers.nfc.pn532 import Pn532Driver
from drivers.nfc.settings import ReaderSettings
from drivers.readings import ScanReading
from simulators.pn532 import Pn532Simulator
from simulators.truth import Truth

TAG = bytes.fromhex("04A1B2C3D4E580")
OTHER = bytes.fromhex("DEADBEEF")
LONG = bytes.fromhex("04A1B2C3D4E5F6071829")


class Gatehouse:
    """A loop that owns the reader's port, as the agent's does."""

    def __init__(self, port: Path) -> None:
        self._clock = SystemClock()
        settings = ReaderSettings(id="gate", driver="pn532", port=str(port))
        self._driver = Pn532Driver(settings, self._clock)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.scans: list[ScanReading] = []
        self.errors: list[DriverError] = []
        self.alive = 0

    @property
    def tags(self) -> list[str]:
        return [scan.tag_id for scan in self.scans]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        opened = False
        while not self._stop.wait(0.005):
            try:
                if not opened:
                    self._driver.open()
                    opened = True
                for reading in self._driver.poll(deadline=self._clock.monotonic() + 1):
                    if isinstance(reading, ScanReading):
                        self.scans.append(reading)
                    else:
                        self.alive += 1
            except DriverError as error:
                self.errors.append(error)
                if error.reason == "port_lost":
                    self._driver.close()
                    opened = False
        self._driver.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Pn532Simulator]:
    simulator = Pn532Simulator(tmp_path / "nfc", Truth())
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def gatehouse(reader: Pn532Simulator, tmp_path: Path) -> Iterator[Gatehouse]:
    assert reader.name == "nfc"
    made = Gatehouse(tmp_path / "nfc")
    made.start()
    yield made
    made.stop()


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Wait for something to come true, within bounds."""
    pause, clock = threading.Event(), SystemClock()
    until = clock.monotonic() + seconds
    while not condition() and clock.monotonic() < until:
        pause.wait(0.01)
    return condition()


def misses(gatehouse: Gatehouse, polls: int = 4) -> None:
    """Let the reader be polled often enough for a card to be gone."""
    before = gatehouse.alive
    assert wait_for(lambda: gatehouse.alive >= before + polls)


def test_every_tap_is_read_once(reader: Pn532Simulator, gatehouse: Gatehouse) -> None:
    for uid in (TAG, OTHER, LONG, TAG):
        assert reader.tap_until_read(uid)
        misses(gatehouse)
    presented = [f"nfca:{line['uid']}" for line in reader.truth.lines("presented")]
    assert gatehouse.tags == presented
    assert len(presented) == 4
    assert gatehouse.errors == []


def test_a_short_tap_is_long_enough(reader: Pn532Simulator, gatehouse: Gatehouse) -> None:
    misses(gatehouse, polls=1)
    reader.tap(TAG, seconds=0.3)
    assert gatehouse.tags == ["nfca:04A1B2C3D4E580"]
    misses(gatehouse)
    reads = len(reader.truth.lines("read"))
    misses(gatehouse)
    assert len(reader.truth.lines("read")) == reads, "the card is gone"


def test_a_card_that_stays_is_one_scan(reader: Pn532Simulator, gatehouse: Gatehouse) -> None:
    reader.present(TAG)
    misses(gatehouse, polls=20)
    assert gatehouse.tags == ["nfca:04A1B2C3D4E580"]
    assert len(reader.truth.lines("read")) >= 15, "a released card answers every list"


def test_a_phone_in_the_same_hand_hides_no_tag(
    reader: Pn532Simulator, gatehouse: Gatehouse
) -> None:
    reader.present(bytes.fromhex("08112233"), iso14443_4=True)
    assert reader.tap_until_read(TAG)
    assert gatehouse.tags == ["nfca:04A1B2C3D4E580"]


@pytest.mark.parametrize("fault", ["garble_replies", "drop_acks", "late_reply_seconds"])
def test_a_faulty_line_costs_no_tap_and_invents_none(
    reader: Pn532Simulator, gatehouse: Gatehouse, fault: str
) -> None:
    misses(gatehouse, polls=1)
    reader.present(TAG)
    setattr(reader, fault, 1)
    assert wait_for(lambda: getattr(reader, fault) == 0)
    assert wait_for(lambda: len(reader.truth.lines("read")) >= 4)
    reader.remove()
    assert gatehouse.tags == ["nfca:04A1B2C3D4E580"]


def test_noise_between_replies_does_no_harm(reader: Pn532Simulator, gatehouse: Gatehouse) -> None:
    reader.babble(bytes.fromhex("ff55aa0000ff0cf4d54b01"))
    assert reader.tap_until_read(TAG)
    assert gatehouse.tags == ["nfca:04A1B2C3D4E580"]


def test_a_chip_that_lost_its_power_is_set_up_again(
    reader: Pn532Simulator, gatehouse: Gatehouse
) -> None:
    misses(gatehouse, polls=1)
    reader.power_cycle()  # asleep, and by default it looks for a card for ever
    assert wait_for(lambda: bool(gatehouse.errors))
    misses(gatehouse)
    assert reader.tap_until_read(TAG)
    assert gatehouse.tags == ["nfca:04A1B2C3D4E580"]


def test_a_replugged_reader_is_read_again(reader: Pn532Simulator, gatehouse: Gatehouse) -> None:
    misses(gatehouse, polls=1)
    reader.unplug()
    assert wait_for(lambda: bool(gatehouse.errors))
    reader.replug()
    assert reader.tap_until_read(TAG)
    assert gatehouse.tags == ["nfca:04A1B2C3D4E580"]
    assert {error.reason for error in gatehouse.errors} == {"port_lost"}


def test_a_card_still_there_behind_a_restart_is_seen_again(
    reader: Pn532Simulator, tmp_path: Path
) -> None:
    """A scan that was handed out and never written down is not lost."""
    reader.present(TAG)
    for _ in range(2):
        run = Gatehouse(tmp_path / "nfc")
        run.start()
        assert wait_for(lambda run=run: bool(run.scans))  # type: ignore[misc]  # bound per run
        run.stop()
        assert run.tags == ["nfca:04A1B2C3D4E580"]


def test_a_list_left_pending_by_another_program_is_aborted(
    reader: Pn532Simulator, tmp_path: Path
) -> None:
    with (tmp_path / "nfc").open("r+b", buffering=0) as port:
        port.write(bytes.fromhex("5555") + bytes(14) + bytes.fromhex("0000ff04fcd44a0100e100"))
        assert wait_for(lambda: 0x4A in reader.commands)
    run = Gatehouse(tmp_path / "nfc")
    run.start()
    assert reader.tap_until_read(TAG)
    run.stop()
    assert run.tags == ["nfca:04A1B2C3D4E580"]
    assert run.errors == []


def test_truth_calls_nothing_read_that_did_not_go_out(reader: Pn532Simulator) -> None:
    assert not reader.tap_until_read(TAG, timeout=0.1)
    assert [line["what"] for line in reader.truth.lines()] == ["presented", "removed"]
