"""A dated record of every look at every camera, kept a year; runs of one verdict are one row."""

import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future

from agent.monitors.inspection import Inspection
from agent.store.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS inspection(
  camera TEXT NOT NULL, first_at REAL NOT NULL, last_at REAL NOT NULL, day TEXT NOT NULL,
  checks INTEGER NOT NULL, verdict TEXT NOT NULL, codes TEXT NOT NULL,
  PRIMARY KEY(camera, first_at)) WITHOUT ROWID;
"""
KEPT_SECONDS = 366 * 86_400
_COLUMNS = "camera, first_at, last_at, day, checks, verdict, codes"


def keep(database: Database, inspections: Sequence[Inspection]) -> "Future[None]":
    """Store inspections, oldest first; one that goes on with the newest of its camera joins it."""

    def write(db: sqlite3.Connection) -> None:
        for one in inspections:
            newest = _read(db, "camera = ? ORDER BY first_at DESC LIMIT 1", one.camera)
            if newest and newest[0].joins(one):
                joined = newest[0].joined(one)
                db.execute(
                    "UPDATE inspection SET last_at = ?, checks = ?"
                    " WHERE camera = ? AND first_at = ?",
                    (joined.last_at, joined.checks, joined.camera, joined.first_at),
                )
            else:
                db.execute(
                    f"INSERT OR REPLACE INTO inspection({_COLUMNS}) VALUES(?,?,?,?,?,?,?)",
                    one,
                )

    return database.submit(write)


def history(database: Database, camera: str, since: float) -> "Future[list[Inspection]]":
    """Read a camera's inspections since then, the newest first."""
    return database.submit(
        lambda db: _read(db, "camera = ? AND last_at >= ? ORDER BY first_at DESC", camera, since)
    )


def last_good(database: Database, camera: str) -> "Future[float | None]":
    """Read when a camera was last found good; None: never in the last year."""

    def read(db: sqlite3.Connection) -> float | None:
        query = "SELECT max(last_at) FROM inspection WHERE camera = ? AND verdict = 'ok'"
        found = db.execute(query, (camera,)).fetchone()[0]
        return None if found is None else float(found)

    return database.submit(read)


def prune(database: Database, now: float) -> "Future[None]":
    """Delete what is older than a year."""

    def write(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM inspection WHERE last_at < ?", (now - KEPT_SECONDS,))

    return database.submit(write)


def _read(db: sqlite3.Connection, where: str, *values: object) -> list[Inspection]:
    query = f"SELECT {_COLUMNS} FROM inspection WHERE {where}"  # noqa: S608 - constants
    return [Inspection(*row) for row in db.execute(query, values)]
