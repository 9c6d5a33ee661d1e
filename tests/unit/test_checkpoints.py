"""Checkpoints happen beside the store's thread; the log and the file are looked at from outside."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.liveness import Liveness
from agent.store import checkpoints as checkpoints_module
from agent.store.checkpoints import LOG_BYTES, Checkpoints, checkpoint
from agent.store.database import Database
from agent.store.formats import ALARM_FORMATS
from agent.store.outbox import Outbox
from tests.unit.test_stores import row
from tests.waiting import wait_until


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def outbox(store: Path) -> Iterator[Outbox]:
    box = Outbox(Database(store, ALARM_FORMATS, Liveness(SystemClock()).beat("store")), "event")
    box.start()
    yield box
    box.stop()


def fill(outbox: Outbox, size: int) -> None:
    """Write in many commits, each of which SQLite would checkpoint after by itself from 4 MB on."""
    for _ in range(size // 50_000):
        outbox.put([row(outbox.number(), size=50_000)]).result(5)


def log_of(store: Path) -> Path:
    return store.with_name(store.name + "-wal")


def in_file_alone(store: Path, copy: Path) -> int:
    """Count the messages that the file holds without its log."""
    copy.write_bytes(store.read_bytes())
    db = sqlite3.connect(copy)
    try:
        return int(db.execute("SELECT count(*) FROM message").fetchone()[0])
    except sqlite3.Error:
        return 0
    finally:
        db.close()


def test_no_commit_makes_a_checkpoint(outbox: Outbox, store: Path) -> None:
    before = store.stat().st_mtime_ns
    fill(outbox, 8 << 20)
    assert store.stat().st_mtime_ns == before
    assert log_of(store).stat().st_size > 8 << 20


def test_a_long_log_goes_into_the_file_and_is_used_again(
    outbox: Outbox, store: Path, tmp_path: Path
) -> None:
    fill(outbox, 3 * LOG_BYTES)
    assert in_file_alone(store, tmp_path / "copy") == 0
    checkpoint(store)
    assert in_file_alone(store, tmp_path / "copy") == 3 * LOG_BYTES // 50_000
    long = log_of(store).stat().st_size
    fill(outbox, 2 * LOG_BYTES)
    assert log_of(store).stat().st_size == long


def test_a_short_log_is_left_alone(outbox: Outbox, store: Path, tmp_path: Path) -> None:
    fill(outbox, LOG_BYTES // 2)
    checkpoint(store)
    assert in_file_alone(store, tmp_path / "copy") == 0


def test_a_store_that_is_not_there_is_not_made(store: Path) -> None:
    checkpoint(store)
    log_of(store).write_bytes(b"x" * (2 * LOG_BYTES))
    checkpoint(store)
    assert not store.exists()


def test_a_writer_goes_on_while_a_reader_keeps_the_checkpoint_from_ending(
    outbox: Outbox, store: Path
) -> None:
    reader = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM message").fetchone()
    fill(outbox, 2 * LOG_BYTES)
    done = threading.Thread(target=checkpoint, args=[store])
    done.start()
    done.join(5)
    assert not done.is_alive()
    outbox.put([row(outbox.number())]).result(5)
    reader.close()


def test_the_thread_looks_after_every_store(
    outbox: Outbox, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints_module, "EVERY_SECONDS", 0.05)
    checkpoints = Checkpoints([tmp_path / "absent.db", store])
    checkpoints.start()
    fill(outbox, 2 * LOG_BYTES)
    wait_until(lambda: in_file_alone(store, tmp_path / "copy") > 0)
    checkpoints.stop()
