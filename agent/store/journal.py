"""What must outlive a restart: scans of the last days, and named facts of the monitors."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

import structlog
from pydantic import TypeAdapter, ValidationError

from agent.store.database import Database
from agent.store.numbers import write_meta
from drivers.any_reading import AnyReading
from drivers.readings import Reading

SCHEMA = """
CREATE TABLE IF NOT EXISTS reading(
  number INTEGER PRIMARY KEY, kind TEXT NOT NULL, observed_at REAL NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS reading_time ON reading(kind, observed_at);
"""
KEPT_SECONDS = 90 * 86_400
_READING: TypeAdapter[AnyReading] = TypeAdapter(AnyReading)

log = structlog.get_logger()


def writer(
    kind: str, readings: Sequence[Reading], facts: Mapping[str, str]
) -> Callable[[sqlite3.Connection], None]:
    """Return what stores readings and facts, to go into the commit of the events they led to."""
    keep = remember(facts)

    def write(db: sqlite3.Connection) -> None:
        db.executemany(
            "INSERT INTO reading(kind, observed_at, body) VALUES(?, ?, ?)",
            [(kind, one.observed_at.timestamp(), one.model_dump_json()) for one in readings],
        )
        keep(db)

    return write


def since(database: Database, kind: str, timestamp: float) -> "Future[list[AnyReading]]":
    """Read the journalled readings of one kind observed after `timestamp`, oldest first."""

    def read(db: sqlite3.Connection) -> list[AnyReading]:
        found = db.execute(
            "SELECT body FROM reading WHERE kind=? AND observed_at>=? ORDER BY number",
            (kind, timestamp),
        )
        return [reading for (body,) in found if (reading := _reading(body)) is not None]

    return database.submit(read)


def _reading(body: str) -> AnyReading | None:
    """Read one; what a newer version has added is passed over, as is what makes no sense."""
    try:
        return _READING.validate_json(body, extra="ignore")
    except ValidationError:
        log.error("a journalled reading makes no sense", component="journal")
        return None


def remember(facts: Mapping[str, str]) -> Callable[[sqlite3.Connection], None]:
    """Return what stores named facts of the monitors, each in place of its older self."""

    def write(db: sqlite3.Connection) -> None:
        for name, body in facts.items():
            write_meta(db, f"monitor.{name}", body)

    return write


def remembered(database: Database) -> "Future[dict[str, str]]":
    """Read all named facts."""

    def read(db: sqlite3.Connection) -> dict[str, str]:
        found = db.execute("SELECT key, value FROM meta WHERE key LIKE 'monitor.%'")
        return {key.removeprefix("monitor."): str(value) for key, value in found}

    return database.submit(read)


def prune(database: Database, now: float) -> "Future[None]":
    """Delete readings older than 90 days."""

    def write(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM reading WHERE observed_at < ?", (now - KEPT_SECONDS,))

    return database.submit(write)
