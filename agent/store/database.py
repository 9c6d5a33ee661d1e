"""One SQLite file with one owner thread: work is handed in and answered by futures."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import structlog

from agent.liveness import Beat
from agent.store.checkpoints import LAST_RESORT_PAGES
from agent.store.salvage import salvage

# The last fence; what an outbox may take is decided in `room`.
MAX_BYTES = 256 << 20

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

log = structlog.get_logger()


class Database:
    """Never blocks its callers and never stops the agent from starting.

    Every commit is FULL: what a future has answered survives a power cut. A file that is corrupt
    is set aside and what can be read of it salvaged; one that cannot be opened is replaced by a
    store in memory (`durable` is False, `problem` says why).
    """

    def __init__(
        self, path: Path, formats: Sequence[str], beat: Beat, *, max_bytes: int = MAX_BYTES
    ) -> None:
        """`formats` are scripts: the first makes a store, each later one adds to the one before.

        None takes away or changes, and what is added has defaults: the version before this one
        must be able to go on with the file after a roll-back.
        """
        self.path = path
        self.problem: str | None = None
        self.set_aside: Path | None = None
        self.salvaged = 0
        self.durable = True
        self._formats = formats
        self._max_bytes = max_bytes
        self._beat = beat
        self._jobs: queue.SimpleQueue[Callable[[sqlite3.Connection], None] | None] = (
            queue.SimpleQueue()
        )
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"store-{path.stem}", daemon=True)

    def start(self, *, timeout: float = 5.0) -> None:
        """Open in the owner thread; goes on without waiting longer when the disk hangs."""
        self._thread.start()
        self._opened.wait(timeout)

    def submit(self, work: Work[T]) -> "Future[T]":
        """Run `work` in one transaction on the owner thread."""
        future: Future[T] = Future()

        def job(connection: sqlite3.Connection) -> None:
            try:
                with connection:  # commit, or roll back on any error
                    connection.execute("BEGIN IMMEDIATE")
                    result = work(connection)
            except Exception as error:  # noqa: BLE001 - handed to whoever waits
                future.set_exception(error)
            else:
                future.set_result(result)

        self._jobs.put(job)
        return future

    def stop(self, *, timeout: float = 2.0) -> None:
        """Finish what was handed in and close; gives up on a disk that hangs."""
        self._jobs.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        with self._beat.waiting(f"opening {self.path.name}"):
            connection = self._open()
        self._opened.set()
        while True:
            self._beat()
            try:
                job = self._jobs.get(timeout=1.0)
            except queue.Empty:
                continue
            if job is None:
                break
            with self._beat.waiting(f"writing {self.path.name}"):
                job(connection)
        connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return self._prepared(str(self.path))
            except sqlite3.DatabaseError as error:
                if not _corrupt(error):
                    raise
                aside = self._put_aside(error)
                connection = self._prepared(str(self.path))
                self._salvage(aside, connection)
                return connection
        except (OSError, sqlite3.Error) as error:
            self.durable = False
            self.problem = f"store {self.path} cannot be opened ({error}); kept in memory only"
            log.error("store in memory", store=self.path.name, error=str(error))
            return self._prepared(":memory:")

    def _prepared(self, target: str) -> sqlite3.Connection:
        connection = sqlite3.connect(target, isolation_level=None, timeout=5.0)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={LAST_RESORT_PAGES}")
            page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count={self._max_bytes // page_bytes}")
            _check(connection)
            self._bring_up(connection)
            # A read-only file opens well and fails at the first press: find out now.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "INSERT INTO meta(key, value) VALUES('opened', 0)"
                " ON CONFLICT(key) DO UPDATE SET value = value + 1"
            )
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_up(self, connection: sqlite3.Connection) -> None:
        """Add what the file lacks; one of a newer version is used as it is."""
        known = connection.execute("PRAGMA user_version").fetchone()[0]
        for number, script in enumerate(self._formats, 1):
            if number > known:
                connection.executescript(
                    f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT"
                )

    def _salvage(self, aside: Path, connection: sqlite3.Connection) -> None:
        try:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                self.salvaged = salvage(aside, connection)
        except sqlite3.Error as error:
            log.error("nothing salvaged", store=self.path.name, error=str(error))
        log.warning("rows salvaged", store=self.path.name, rows=self.salvaged)

    def _put_aside(self, error: Exception) -> Path:
        aside = self.path.with_suffix(f".corrupt-{time.strftime('%Y%m%dT%H%M%S')}")
        self.path.rename(aside)
        for suffix in ("-wal", "-shm"):
            side_file = self.path.with_name(self.path.name + suffix)
            if side_file.exists():
                side_file.rename(aside.with_name(aside.name + suffix))
        self.set_aside = aside
        self.problem = f"store {self.path} was corrupt ({error}); set aside as {aside.name}"
        log.error("store corrupt", store=self.path.name, aside=aside.name, error=str(error))
        return aside


def _check(connection: sqlite3.Connection) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"malformed: {verdict}")


def _corrupt(error: sqlite3.DatabaseError) -> bool:
    return "malformed" in str(error) or "not a database" in str(error)
