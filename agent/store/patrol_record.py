"""The patrol's record: what was told of scans, tours, readers and days, row sealed to row.

A row's hash covers the hash before it, so that none can be altered, dropped or slipped in unseen.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from agent.store.database import Database
from agent.store.numbers import read_meta, write_meta
from agent.store.outbox import Row

SCHEMA = """
CREATE TABLE IF NOT EXISTS patrol_record(
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at REAL NOT NULL, kind TEXT NOT NULL,
  body TEXT NOT NULL, hash TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS patrol_record_time ON patrol_record(at);
"""
# An inspection may ask for the school year before this one.
KEPT_SECONDS = 800 * 86_400
# Kinds of events that are evidence of the patrol: of devices, whether a reader was there.
KINDS = frozenset({"scan", "tour", "patrol-day", "patrol-window", "post", "round", "device"})
_COLUMNS = "number, at, kind, body, hash"
_ANCHOR, _HEAD = "patrol_record.anchor", "patrol_record.head"


class Record(NamedTuple):
    """One row; `body` is the message that the county was sent."""

    number: int
    at: float
    kind: str
    body: str
    hash: str


class Seal(NamedTuple):
    """A row's number and hash: whoever keeps one can tell later whether the record still has it."""

    number: int = 0
    hash: str = ""


class Verified(NamedTuple):
    """What a check of the whole record found; `wrong` is the first row that is not as it was."""

    rows: int
    first: int
    head: Seal
    wrong: int | None
    why: str


def add(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Add events to the record, in the commit that stores them; one that is there is passed over.

    The outbox stores a row again where it cannot know that the disk has it.
    """
    kept = [(row, kind) for row in rows if (kind := row.topic.rpartition("/")[2]) in KINDS]
    if not kept:
        return
    newest = _seal(db, _HEAD)
    for row, kind in kept:
        if db.execute("SELECT 1 FROM patrol_record WHERE id = ?", (row.id,)).fetchone():
            continue
        number = newest.number + 1
        sealed = sealed_hash(newest.hash, number, row.created_at, kind, row.body)
        db.execute(
            f"INSERT INTO patrol_record({_COLUMNS}, id) VALUES(?, ?, ?, ?, ?, ?)",
            (number, row.created_at, kind, row.body, sealed, row.id),
        )
        newest = Seal(number, sealed)
    write_meta(db, _HEAD, json.dumps(newest))


def sealed_hash(before: str, number: int, at: float, kind: str, body: str) -> str:
    """Return a row's hash: SHA-256 over the hash before it and all that the row holds."""
    return hashlib.sha256(json.dumps([before, number, at, kind, body]).encode()).hexdigest()


def between(db: sqlite3.Connection, since: float, until: float) -> Iterator[Record]:
    """Read the rows written from `since` to `until`, oldest first."""
    found = db.execute(
        f"SELECT {_COLUMNS} FROM patrol_record WHERE at >= ? AND at < ? ORDER BY number",  # noqa: S608 - constants
        (since, until),
    )
    return (Record(*row) for row in found)


def after(db: sqlite3.Connection, number: int) -> Iterator[Record]:
    """Read the rows behind one, oldest first."""
    found = db.execute(
        f"SELECT {_COLUMNS} FROM patrol_record WHERE number > ? ORDER BY number",  # noqa: S608 - constants
        (number,),
    )
    return (Record(*row) for row in found)


def verify(db: sqlite3.Connection) -> Verified:
    """Check every row against the one before it, and the last against the head that was noted."""
    last, head = _seal(db, _ANCHOR), _seal(db, _HEAD)
    rows, first, wrong, why = 0, last.number + 1, None, ""
    found = db.execute(f"SELECT {_COLUMNS} FROM patrol_record ORDER BY number")  # noqa: S608 - constants
    for record in (Record(*row) for row in found):
        if record.number != last.number + 1:
            wrong, why = last.number + 1, "missing"
            break
        if record.hash != sealed_hash(last.hash, *record[:4]):
            wrong, why = record.number, "altered"
            break
        rows, last = rows + 1, Seal(record.number, record.hash)
    if wrong is None and last != head:
        wrong, why = last.number + 1, "missing"
    return Verified(rows, first, head, wrong, why)


def seal(db: sqlite3.Connection) -> Seal:
    """Read the newest row's seal."""
    return _seal(db, _HEAD)


def prune(database: Database, now: float) -> "Future[None]":
    """Delete what nobody can ask for any more; the check begins behind it from then on."""

    def write(db: sqlite3.Connection) -> None:
        oldest = db.execute(
            "SELECT number, hash FROM patrol_record WHERE at < ? ORDER BY number DESC LIMIT 1",
            (now - KEPT_SECONDS,),
        ).fetchone()
        if oldest is not None:
            db.execute("DELETE FROM patrol_record WHERE number <= ?", (oldest[0],))
            write_meta(db, _ANCHOR, json.dumps(oldest))

    return database.submit(write)


def _seal(db: sqlite3.Connection, name: str) -> Seal:
    known = read_meta(db, name, None)
    return Seal(*json.loads(str(known))) if known else Seal()
