"""The outbox: a numbered event is kept until the broker has confirmed it, and 30 days after.

States are not in it: only the newest counts, and after a restart it is measured anew.
"""

import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from agent.store.database import Database
from agent.store.numbers import Numbers, read_meta, write_meta

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message(
  id TEXT PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL, lane INTEGER NOT NULL,
  topic TEXT NOT NULL, body TEXT NOT NULL, created_at REAL NOT NULL,
  created_monotonic REAL NOT NULL, machine_boot TEXT NOT NULL,
  acked_at REAL, refused TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS message_waiting ON message(lane, seq)
  WHERE acked_at IS NULL AND refused IS NULL;
CREATE INDEX IF NOT EXISTS message_stream ON message(epoch, seq);
"""
FORMAT = 1
JOURNAL_SECONDS = 30 * 86_400
UNSAVED_MAX = 10_000


class Lane(IntEnum):
    """What goes first."""

    ALARM = 0
    EVENT = 1
    STATE = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One message on its way: `body` is JSON without what is only known when it is sent.

    `created_monotonic` counts since the boot of the machine that `machine_boot` names.
    """

    id: str
    epoch: str
    seq: int
    lane: Lane
    topic: str
    body: str
    created_at: float
    created_monotonic: float
    machine_boot: str
    retain: bool = False
    valid_for_seconds: int | None = None
    durable: bool = True
    # An open incident said again: live however old it is.
    again: bool = False


COLUMNS = "id, epoch, seq, lane, topic, body, created_at, created_monotonic, machine_boot"
_INSERT = f"INSERT OR IGNORE INTO message({COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?)"
_WAITING = (
    f"SELECT {COLUMNS} FROM message WHERE acked_at IS NULL AND refused IS NULL ORDER BY lane, seq"  # noqa: S608 - a constant
)


class Outbox:
    """The events of one stream in one database. Called on any thread; nothing here blocks."""

    def __init__(self, database: Database, stream: str) -> None:
        self.database = database
        self.numbers = Numbers(stream)
        self._lock = threading.Lock()
        self._unsaved: dict[str, Row] = {}
        self._disk_refuses = False
        self.dropped = 0

    def start(self) -> None:
        """Read where the stream stands; a disk that hangs is not waited for longer than 5 s."""
        self.database.start()
        try:
            self.database.submit(self._load).exception(timeout=5.0)
        except FutureTimeoutError:
            return

    def stop(self) -> None:
        """Give back reserved numbers and close."""
        self.database.submit(self.numbers.release)
        self.database.stop()

    def number(self) -> tuple[str, int]:
        """Take the stream's next number; returns its epoch and the number."""
        number, reserve = self.numbers.take()
        if reserve:
            self.database.submit(self.numbers.reserve)
        return self.numbers.epoch, number

    def put(
        self, rows: Sequence[Row], also: Callable[[sqlite3.Connection], None] | None = None
    ) -> "Future[None]":
        """Store rows, and what must be true together with them, in one commit.

        Rows whose commit fails are kept and tried again with the next, which may be empty.
        """
        with self._lock:
            for row in rows:
                if len(self._unsaved) >= UNSAVED_MAX:
                    self.dropped += 1
                else:
                    self._unsaved[row.id] = row
            waiting = list(self._unsaved.values())

        def write(db: sqlite3.Connection) -> None:
            db.executemany(_INSERT, [_values(row) for row in waiting])
            if also is not None:
                also(db)

        future = self.database.submit(write)
        future.add_done_callback(lambda done: self._written(waiting, done))
        return future

    @property
    def unsaved(self) -> int:
        """Return how many rows the disk would not take and are in memory only."""
        with self._lock:
            return len(self._unsaved) if self._disk_refuses else 0

    def waiting(self, limit: int, exclude: Collection[str]) -> "Future[list[Row]]":
        """Read the next rows to send, oldest first, without those whose ids are excluded."""

        def read(db: sqlite3.Connection) -> list[Row]:
            rows: list[Row] = []
            for values in db.execute(_WAITING):
                if values[0] not in exclude:
                    rows.append(row_of(values))
                    if len(rows) >= limit:
                        break
            return rows

        return self.database.submit(read)

    def acked(self, ids: Sequence[str], at: float) -> "Future[None]":
        """Note the broker's confirmation; the rows stay as journal."""

        def write(db: sqlite3.Connection) -> None:
            db.executemany(
                "UPDATE message SET acked_at=? WHERE id=?", [(at, row_id) for row_id in ids]
            )

        return self.database.submit(write)

    def refuse(self, row_id: str, reason: str) -> "Future[None]":
        """Set a message aside that the broker will not take, so that it blocks no other."""

        def write(db: sqlite3.Connection) -> None:
            db.execute("UPDATE message SET refused=? WHERE id=?", (reason, row_id))

        return self.database.submit(write)

    def counts(self) -> "Future[dict[str, int]]":
        """Count what waits and what was refused."""

        def read(db: sqlite3.Connection) -> dict[str, int]:
            found = db.execute(
                "SELECT CASE WHEN refused IS NULL THEN 'waiting' ELSE 'refused' END, count(*)"
                " FROM message WHERE acked_at IS NULL GROUP BY 1"
            )
            return {"waiting": 0, "refused": 0, **dict(found.fetchall())}

        return self.database.submit(read)

    def prune(self, now: float) -> "Future[None]":
        """Delete what was confirmed more than 30 days ago."""

        def write(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM message WHERE acked_at < ?", (now - JOURNAL_SECONDS,))

        return self.database.submit(write)

    def _load(self, db: sqlite3.Connection) -> None:
        epoch = str(read_meta(db, "epoch", self.numbers.epoch))
        write_meta(db, "epoch", epoch)
        write_meta(db, "format", FORMAT)
        newest = db.execute("SELECT max(seq) FROM message WHERE epoch=?", (epoch,)).fetchone()[0]
        self.numbers.load(db, epoch, newest or 0)

    def _written(self, rows: Sequence[Row], done: "Future[None]") -> None:
        with self._lock:
            self._disk_refuses = done.exception() is not None
            for row in () if self._disk_refuses else rows:
                self._unsaved.pop(row.id, None)


def row_of(values: Sequence[Any]) -> Row:
    """Return the row that `COLUMNS` of the message table hold."""
    row = Row(*values)
    return replace(row, lane=Lane(row.lane))


def _values(row: Row) -> tuple[object, ...]:
    return (
        row.id, row.epoch, row.seq, int(row.lane), row.topic, row.body,
        row.created_at, row.created_monotonic, row.machine_boot,
    )  # fmt: skip
