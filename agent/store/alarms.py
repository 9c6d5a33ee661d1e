"""The alarm's own database: its events, and what the alarm monitor must remember with them."""

import contextlib
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

from agent.monitors.alarm_memory import AlarmMemory
from agent.store.database import Database
from agent.store.numbers import read_meta, write_meta
from agent.store.outbox import CAP_BYTES, COLUMNS, Outbox, Row, row_of

_NEWEST_PRESS = (
    f"SELECT {COLUMNS} FROM message WHERE json_extract(body, '$.data.button') = ?"  # noqa: S608 - a constant
    " AND json_extract(body, '$.data.what') = 'press'"
    # A salvaged store holds numbers of two epochs: time tells which is the newest.
    " AND json_extract(body, '$.data.incident') = ? ORDER BY created_at DESC, seq DESC LIMIT 1"
)


class AlarmStore:
    """An outbox whose every commit also holds the memory that explains it."""

    def __init__(self, database: Database, *, cap_bytes: int = CAP_BYTES) -> None:
        self.outbox = Outbox(database, "alarm", cap_bytes=cap_bytes)
        self._reading: Future[AlarmMemory] | None = None

    def start(self, *, timeout: float = 5.0) -> AlarmMemory:
        """Open; return what was remembered, or nothing known when the disk does not say in time."""
        until = time.monotonic() + timeout
        self.outbox.start(timeout=timeout)
        self._reading = self.outbox.database.submit(_read)
        with contextlib.suppress(FutureTimeoutError):
            self._reading.exception(max(0.0, until - time.monotonic()))
        return self.recalled() or AlarmMemory()

    def recalled(self) -> AlarmMemory | None:
        """Return, once, what was remembered; None while the disk has not said."""
        reading = self._reading
        if reading is None or not reading.done():
            return None
        self._reading = None
        try:
            return reading.result()
        except (sqlite3.Error, ValueError):
            return None

    def save(self, rows: Sequence[Row], memory: AlarmMemory) -> "Future[None]":
        """Commit events together with the memory they led to; never over one not yet read."""
        if self._reading is not None:
            return self.outbox.put(rows)
        body = memory.model_dump_json()
        return self.outbox.put(rows, also=lambda db: write_meta(db, "alarm_memory", body))

    def newest_press(self, button: str, incident: int, *, timeout: float = 0.2) -> Row | None:
        """Return the newest press of an incident that is on disk; None when the disk is silent."""

        def read(db: sqlite3.Connection) -> Row | None:
            found = db.execute(_NEWEST_PRESS, (button, incident)).fetchone()
            return None if found is None else row_of(found)

        try:
            return self.outbox.database.submit(read).result(timeout)
        except (FutureTimeoutError, sqlite3.Error):
            return None


def _read(db: sqlite3.Connection) -> AlarmMemory:
    # A newer version may have added to it, and been rolled back.
    return AlarmMemory.model_validate_json(str(read_meta(db, "alarm_memory", "{}")), extra="ignore")
