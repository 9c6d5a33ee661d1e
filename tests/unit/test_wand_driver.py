"""The driver of wands' files: each scan once, whatever happens to the file and to us."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from agent import parts
from agent.devices import DeviceThread
from agent.settings import NfcReader
from drivers.errors import PortLostError
from drivers.nfc.wand import AGAIN_SECONDS, BATCH_SCANS, SETTLED_SECONDS, WandDriver
from tests.simulated_clock import SimulatedClock
from tests.unit.wand_dock import NORTH, SHANGHAI, SOUTH, Dock, tags


@pytest.fixture
def dock(clock: SimulatedClock, tmp_path: Path) -> Dock:
    return Dock(clock, tmp_path)


def test_a_file_becomes_scans_at_their_own_time_and_is_put_aside(dock: Dock) -> None:
    dock.wand.ahead_seconds = 40
    dock.wand.guard_tag = "3E00000001"
    dock.walk(NORTH, SOUTH)
    walked, docked = dock.now - timedelta(hours=1), dock.now
    dock.wand.dock(docked)
    first, second = dock.settle()
    assert tags([first, second]) == [NORTH, SOUTH]
    assert first.observed_at == walked
    assert first.device_time == walked + timedelta(seconds=40)
    assert (first.offset_seconds, first.remarks) == (-40, ())
    assert (first.wand, first.guard_tag) == ("W1", "em4100:3E00000001")
    assert dock.names() == ["export.csv.done"]
    assert dock.read_until == docked


def test_drift_since_the_last_docking_is_taken_out(dock: Dock) -> None:
    dock.wand.drift_ppm = 500  # 43 s a day
    dock.walk(SOUTH)
    dock.wand.dock(dock.now, "1.csv")
    dock.settle()
    dock.clock.advance(24 * 3600)
    dock.walk(NORTH, ago=12 * 3600)
    dock.wand.dock(dock.now, "2.csv")
    [scan] = dock.settle()
    assert scan.offset_seconds == pytest.approx(-21.6, abs=1.5)
    assert abs((scan.observed_at - (dock.now - timedelta(hours=12))).total_seconds()) < 8


def test_the_same_file_again_gives_nothing_new_behind_a_restart_too(dock: Dock) -> None:
    dock.walk(NORTH, SOUTH)
    dock.wand.dock(dock.now, erase=False)
    assert len(dock.settle()) == 2
    dock.wand.dock(dock.now, erase=False)
    assert dock.settle() == []
    dock.start()
    dock.wand.dock(dock.now, erase=False)
    assert dock.settle() == []
    dock.walk(NORTH, ago=60)
    dock.wand.dock(dock.now)
    assert tags(dock.settle()) == [NORTH]
    assert dock.names() == [f"export.csv.{n}done" for n in ("2.", "3.", "4.", "")]


def test_a_file_laid_down_again_later_is_no_docking(dock: Dock) -> None:
    dock.walk(NORTH)
    first = dock.now
    data = dock.wand.export(first)
    dock.wand.dock(first)
    dock.settle()
    dock.clock.advance(6 * 3600)
    dock.wand.write("again.csv", data, dock.now)
    assert dock.settle() == []
    assert dock.read_until == first
    dock.walk(SOUTH)
    dock.wand.dock(dock.now)
    [scan] = dock.settle()
    assert (scan.offset_seconds, scan.remarks) == (0, ())


def test_a_docking_without_a_new_scan_is_one(dock: Dock) -> None:
    dock.walk(NORTH)
    dock.wand.dock(dock.now, erase=False)
    dock.settle()
    dock.clock.advance(3600)
    second = dock.now
    dock.wand.dock(second)
    assert dock.settle() == []
    assert dock.read_until == second
    dock.clock.advance(3600)
    third = dock.now
    dock.wand.dock(third)  # erased, so that it says nothing of whose it is
    assert dock.settle() == []
    assert dock.read_until == third


def test_a_row_twice_in_one_file_is_one_scan(dock: Dock) -> None:
    dock.walk(NORTH)
    dock.wand.rows *= 2
    dock.wand.dock(dock.now)
    assert tags(dock.settle()) == [NORTH]


def test_a_wand_without_numbers_is_known_by_tag_and_time(dock: Dock) -> None:
    data = f"device_id,tag,device_time\nW1,{NORTH},2026-09-01T09:00:00\n".encode()
    for _ in range(2):
        dock.wand.write("a.csv", data, dock.now)
        dock.settle()
    assert dock.store.load().known.keys() == {f"W1//em4100:{NORTH}/20260901T010000"}


def test_nothing_is_put_aside_or_forgotten_until_it_is_on_disk(dock: Dock) -> None:
    dock.walk(NORTH)
    dock.wand.dock(dock.now)
    [scan] = dock.settle(10, confirm=False)
    assert dock.names() == ["export.csv"]
    assert dock.read_until is None
    dock.start()  # killed before it was
    assert [one.token for one in dock.settle(confirm=False)] == [scan.token]
    assert dock.store.load().known == {}
    again = dock.settle(AGAIN_SECONDS, confirm=False)
    assert [one.token for one in again] == [scan.token]
    dock.driver.confirm(str(scan.token))
    dock.poll()
    assert dock.names() == ["export.csv.done"]


def test_a_large_file_is_handed_over_a_part_at_a_time(dock: Dock) -> None:
    for number in range(BATCH_SCANS + 1):
        dock.wand.tap(NORTH, dock.now - timedelta(seconds=1000 - number))
    dock.wand.dock(dock.now)
    assert len(dock.settle(confirm=False)) == BATCH_SCANS
    [*rest] = dock.settle(AGAIN_SECONDS + 5)
    assert len(rest) == BATCH_SCANS + 1
    assert dock.names() == ["export.csv.done"]


def test_a_scan_that_lies_in_the_future_or_too_far_back_is_none(dock: Dock) -> None:
    dock.wand.tap(NORTH, dock.now + timedelta(seconds=61))
    dock.wand.tap(NORTH, dock.now - timedelta(days=90, seconds=1))
    dock.wand.tap(SOUTH, dock.now)
    dock.wand.dock(dock.now)
    assert tags(dock.until_fault()[0]) == [SOUTH]
    listed = (dock.path / "export.csv.rejected.csv").read_text("utf-8-sig")
    assert "after the docking" in listed
    assert "older than 90 days" in listed


def test_a_directory_that_goes_away_is_lost_and_its_file_comes_again(dock: Dock) -> None:
    dock.walk(NORTH)
    dock.wand.dock(dock.now)
    [scan] = dock.settle(confirm=False)
    dock.path.rename(dock.path.with_name("away"))
    with pytest.raises(PortLostError):
        dock.poll()
    dock.driver.close()
    dock.path.with_name("away").rename(dock.path)
    dock.driver.open()
    assert [one.token for one in dock.settle()] == [scan.token]


def test_a_memory_that_was_spoilt_costs_no_scan(dock: Dock, tmp_path: Path) -> None:
    (tmp_path / "wand.json").write_bytes(b"\x00nonsense")
    dock.start()
    dock.walk(NORTH)
    dock.wand.dock(dock.now)
    assert tags(dock.settle()) == [NORTH]


def test_what_nobody_can_lay_down_any_more_is_forgotten(dock: Dock) -> None:
    dock.walk(NORTH)
    dock.wand.dock(dock.now)
    dock.settle()
    dock.clock.advance(92 * 86_400)
    dock.walk(SOUTH)
    dock.wand.dock(dock.now)
    dock.settle()
    assert [key.split("/")[2] for key in dock.store.load().known] == [f"em4100:{SOUTH}"]


def test_a_file_of_a_machine_whose_clock_is_ahead_was_docked_now(dock: Dock) -> None:
    dock.walk(NORTH)
    path = dock.wand.dock(dock.now)
    ahead = dock.now.timestamp() + 86_400
    os.utime(path, (ahead, ahead))
    [scan] = dock.settle()
    assert scan.offset_seconds == pytest.approx(SETTLED_SECONDS, abs=1)


def test_the_agent_makes_one_and_knows_whom_to_tell_what_is_on_disk(dock: Dock) -> None:
    reader = NfcReader(id="dock", driver="wand", port=str(dock.path))
    made = parts.wand_plan(reader, SHANGHAI, dock.store, dock.clock).make()
    driver = made.confirming["dock"]
    assert isinstance(driver, WandDriver)
    assert isinstance(made.part, DeviceThread)
