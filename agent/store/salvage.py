"""What can still be read of a corrupt store, copied into the one that takes its place."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

# The new store counts for itself: numbers of the old one may be used again or be wrong.
_OWN = ("epoch", "reserved", "used", "opened", "format")


def salvage(aside: Path, into: sqlite3.Connection) -> int:
    """Copy every row that can be read; return how many, the store's words about itself aside."""
    saved = 0
    with contextlib.closing(sqlite3.connect(f"file:{aside}?mode=ro", uri=True)) as old:
        for table in _tables(into):
            # It may be of an earlier format, or of a later one.
            theirs = _columns(old, table)
            columns = ", ".join(name for name in _columns(into, table) if name in theirs)
            # A broken page ends a scan: from the other end it is reached as late as possible.
            for order in ("ASC", "DESC") if columns else ():
                for values in _rows(old, f"SELECT {columns} FROM {table} ORDER BY 1 {order}"):  # noqa: S608 - our own
                    saved += _insert(into, table, columns, values)
        for key, value in _rows(old, "SELECT key, value FROM meta"):
            if key not in _OWN:
                _insert(into, "meta", "key, value", (key, value))
    return saved


def _tables(db: sqlite3.Connection) -> list[str]:
    found = db.execute("SELECT name FROM sqlite_master WHERE type='table' AND name != 'meta'")
    return [name for (name,) in found if not name.startswith("sqlite_")]


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [str(row[1]) for row in _rows(db, f"PRAGMA table_info({table})")]


def _rows(db: sqlite3.Connection, query: str) -> Iterator[tuple[object, ...]]:
    """Yield rows until the first that cannot be read."""
    with contextlib.suppress(sqlite3.Error, OverflowError):
        yield from db.execute(query)


def _insert(db: sqlite3.Connection, table: str, columns: str, values: tuple[object, ...]) -> int:
    places = ", ".join("?" * len(values))
    try:
        return db.execute(
            f"INSERT OR IGNORE INTO {table}({columns}) VALUES({places})",
            values,
        ).rowcount
    except sqlite3.Error:
        return 0  # what a broken page holds need not fit
