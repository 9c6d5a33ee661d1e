"""Files of wands as others lay them down: half written, foreign, links, and any bytes."""

import os
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.store import wand_memory
from drivers.errors import BusyError, ProtocolError
from drivers.nfc.wand import SETTLED_SECONDS
from drivers.readings import ScanReading
from simulators.wand import HEADER
from tests.simulated_clock import SimulatedClock
from tests.unit.wand_dock import NORTH, SOUTH, Dock, tags


@pytest.fixture
def dock(clock: SimulatedClock, tmp_path: Path) -> Dock:
    return Dock(clock, tmp_path)


def test_a_file_of_bad_rows_alone_is_no_docking(dock: Dock) -> None:
    dock.wand.spoil()
    dock.wand.dock(dock.now)
    dock.until_fault()
    dock.poll()
    assert dock.read_until is None
    listed = (dock.path / "export.csv.rejected.csv").stat()
    assert listed.st_mode & 0o777 == 0o640


def test_a_file_still_being_written_is_left_alone(dock: Dock) -> None:
    dock.walk(NORTH, SOUTH)
    for part in (0.3, 0.6, 0.9):
        dock.wand.write_partly(dock.now, part)
        assert dock.settle(SETTLED_SECONDS - 1) == []
    dock.wand.write_partly(dock.now, 1.0)
    assert tags(dock.settle()) == [NORTH, SOUTH]


@pytest.mark.parametrize(
    "name", ["a.csv.part", "a.tmp", ".a.csv", "a.txt", "a.csv.done", "\udcff.csv"]
)
def test_other_names_are_nobodys_affair(dock: Dock, name: str) -> None:
    dock.walk(NORTH)
    dock.wand.dock(dock.now, name)
    assert dock.settle() == []
    assert dock.names() == [name]


def test_bad_rows_are_listed_beside_it_and_told_once(dock: Dock) -> None:
    dock.walk(NORTH)
    dock.wand.spoil()
    dock.wand.spoil("W1,9,nonsense,,2026-09-01T09:00:00,80")
    dock.wand.dock(dock.now)
    scans, why = dock.until_fault()
    assert tags(scans) == [NORTH]
    assert why == "dock: 2 lines of export.csv are no scans: see export.csv.rejected.csv"
    listed = (dock.path / "export.csv.rejected.csv").read_text("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in listed] == ["line", "4", "5"]
    assert dock.settle() == []
    assert dock.names() == ["export.csv.done", "export.csv.rejected.csv"]


def test_a_file_that_is_none_is_set_aside_whole(dock: Dock) -> None:
    dock.wand.write("a.csv", b"\x00" * 10, dock.now)
    assert dock.until_fault()[0] == []
    assert dock.names() == ["a.csv.refused", "a.csv.rejected.csv"]
    dock.walk(NORTH)
    dock.wand.dock(dock.now)
    assert tags(dock.settle()) == [NORTH]


def test_a_file_that_is_too_large_is_never_read_whole(dock: Dock) -> None:
    path = dock.wand.write("a.csv", b"", dock.now)
    os.truncate(path, 50_000_000_000)
    assert dock.until_fault()[0] == []
    assert "a.csv.refused" in dock.names()


def test_links_and_what_is_no_file_are_refused(dock: Dock, tmp_path: Path) -> None:
    dock.walk(NORTH)
    outside = dock.wand.dock(dock.now).rename(tmp_path / "secret.csv")
    (dock.path / "link.csv").symlink_to(outside)
    (dock.path / "directory.csv").mkdir()
    os.mkfifo(dock.path / "pipe.csv")
    assert dock.settle() == []
    assert dock.names() == ["directory.csv", "link.csv", "pipe.csv"]


def test_a_list_laid_as_a_link_does_not_lead_us_out(dock: Dock, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    for name in ("a.csv.rejected.csv", ".a.csv.rejected.csv.part"):
        (dock.path / name).symlink_to(target)
    dock.wand.write("a.csv", b"nonsense\n", dock.now)
    dock.until_fault()
    assert target.read_text() == "untouched"


def test_a_file_written_to_while_it_is_taken_in_is_not_put_aside(dock: Dock) -> None:
    dock.walk(NORTH)
    dock.wand.dock(dock.now, erase=False)
    [first] = dock.settle(confirm=False)
    dock.walk(SOUTH, ago=60)
    dock.wand.dock(dock.now)
    dock.driver.confirm(str(first.token))
    assert tags(dock.settle(9)) == [SOUTH]
    assert dock.names() == ["export.csv.done"]


def test_a_file_that_cannot_be_read_holds_no_other_up(
    dock: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if Path(path).name == "1.csv":
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, flags, mode)

    really = os.open
    monkeypatch.setattr(os, "open", locked)
    dock.wand.write("1.csv", b"", dock.now - timedelta(hours=1))
    dock.walk(NORTH)
    dock.wand.dock(dock.now, "2.csv")
    found, why = dock.until_fault()
    assert tags(found) == [NORTH]
    assert why.startswith("dock: a file cannot be read")


def test_a_disk_that_keeps_nothing_leaves_the_file_where_it_is(
    dock: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wand_memory, "replace", full)
    dock.walk(NORTH)
    dock.wand.dock(dock.now)
    with pytest.raises(BusyError, match="cannot be put aside"):
        dock.settle(9)
    assert dock.names() == ["export.csv"]
    monkeypatch.undo()
    dock.settle()
    assert dock.names() == ["export.csv.done"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_whatever_is_laid_down_is_put_aside_and_the_next_is_read(
    clock: SimulatedClock, tmp_path: Path, data: bytes, headed: bool
) -> None:
    dock = Dock(clock, tmp_path)
    dock.wand.write("any.csv", HEADER.encode() + b"\n" + data if headed else data, dock.now)
    dock.walk(NORTH, ago=float(clock.monotonic()))
    dock.wand.dock(dock.now, "good.csv")
    scans: list[ScanReading] = []
    for _ in range(9):
        try:
            scans += dock.poll()
        except ProtocolError:
            continue
        finally:
            clock.advance(1)
    assert [name for name in dock.names() if name in {"any.csv", "good.csv"}] == []
    assert all(one.observed_at.tzinfo == UTC for one in scans)
