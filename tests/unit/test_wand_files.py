"""Files of wands that are bad, large, hostile, or still written to."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from agent.store import wand_memory
from drivers.errors import BusyError
from tests.unit.wand_dock import NORTH, SOUTH, Dock, dock, tags

__all__ = ["dock"]


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


def test_a_scan_that_lies_in_the_future_or_too_far_back_is_none(dock: Dock) -> None:
    dock.wand.tap(NORTH, dock.now + timedelta(seconds=61))
    dock.wand.tap(NORTH, dock.now - timedelta(days=90, seconds=1))
    dock.wand.tap(SOUTH, dock.now)
    dock.wand.dock(dock.now)
    assert tags(dock.until_fault()[0]) == [SOUTH]
    listed = (dock.path / "export.csv.rejected.csv").read_text("utf-8-sig")
    assert "after the docking" in listed
    assert "older than 90 days" in listed


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
