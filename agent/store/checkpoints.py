"""Checkpoints: what a store's log has gathered goes into its file, beside the store's thread."""

import contextlib
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import structlog

EVERY_SECONDS = 10.0
# A shorter log is not worth the syncs.
LOG_BYTES = 1 << 20
# Should this thread hang or fail, the store's own checkpoints when its log is that long.
LAST_RESORT_PAGES = 16_000

log = structlog.get_logger()


class Checkpoints:
    """One thread with connections of its own: no commit ever waits for a checkpoint.

    SQLite would make them inside the commit that fills the log, and that may be an alarm.
    """

    def __init__(self, stores: Sequence[Path]) -> None:
        self._stores = stores
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Start to look every ten seconds."""
        self._thread.start()

    def stop(self, *, timeout: float = 2.0) -> None:
        """End; a disk that hangs is not waited for."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_SECONDS):
            for store in self._stores:
                checkpoint(store)


def checkpoint(store: Path) -> None:
    """Bring a store's file up to its log if that has grown long; never waits for a writer."""
    try:
        # The log's own name, see https://sqlite.org/tempfiles.html, 2.2.
        if store.with_name(store.name + "-wal").stat().st_size < LOG_BYTES:
            return
        # Not made when it is not there: the store may live in memory.
        with contextlib.closing(sqlite3.connect(f"file:{store}?mode=rw", uri=True)) as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except FileNotFoundError:
        return
    except (OSError, sqlite3.Error) as error:
        log.warning("checkpoint failed", store=store.name, error=str(error))
