"""The outbox: a numbered event is kept until the broker has confirmed it, and 30 days after.

States are not in it: only the newest counts, and after a restart it is measured anew.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from enum import IntEnum
from itertools import takewhile
from typing import Any

from agent.store import room
from agent.store.database import Database
from agent.store.numbers import Numbers, Reserved, read_meta, write_meta
from agent.store.room import Drops

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
# The second format: what the county has asked for once more, delivered though it was.
REPLAYS = """
ALTER TABLE message ADD COLUMN replay INTEGER NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS message_replay ON message(lane, seq) WHERE replay;
"""
JOURNAL_SECONDS = 30 * 86_400
UNSAVED_MAX = 10_000
# A month of a school's ordinary events many times over; see `room`.
CAP_BYTES = 128 << 20


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
# What waits goes first, then what is sent once more: it has been heard by somebody.
_TO_SEND = (
    f"SELECT {COLUMNS} FROM message WHERE acked_at IS NULL AND refused IS NULL ORDER BY lane, seq",  # noqa: S608 - constants
    f"SELECT {COLUMNS} FROM message WHERE replay AND acked_at IS NOT NULL ORDER BY lane, seq",  # noqa: S608
)


class Outbox:
    """The events of one stream in one database. Called on any thread; nothing here blocks."""

    def __init__(
        self,
        database: Database,
        stream: str,
        *,
        cap_bytes: int = CAP_BYTES,
        beside: Callable[[sqlite3.Connection, Sequence["Row"]], None] = lambda _db, _rows: None,
    ) -> None:
        """`beside` stores what else is made of rows, in their commit; it may see a row twice."""
        self.database = database
        self._beside = beside
        self._cap_bytes = cap_bytes
        self._taken_bytes = 0
        self.numbers = Numbers(stream)
        self._lock = threading.Lock()
        self._unsaved: dict[str, Row] = {}
        # Of these, those that a commit of their own is to come for.
        self._held: set[str] = set()
        # How messages ended (confirmed at, or refused because), until the disk has noted it.
        self._ended: dict[str, tuple[float | None, str | None]] = {}
        self._disk_refuses = False
        # Read from the disk and not confirmed: may be on its way.
        self._out: set[str] = set()
        # How many events were given up since the start, and whether some are still to be told of.
        self.dropped = 0
        self.drops_untold = False
        # Given up because not even memory could hold it, until the disk has noted it.
        self._forgotten: list[Drops] = []

    def start(self, *, timeout: float = 5.0) -> None:
        """Read where the stream stands; a disk that hangs is not waited for longer than that."""
        until = time.monotonic() + timeout
        self.database.start(timeout=timeout)
        loaded = self.database.submit(self._load)
        loaded.add_done_callback(self.numbers.reserved)
        with contextlib.suppress(FutureTimeoutError):
            loaded.exception(timeout=max(0.0, until - time.monotonic()))
            self.numbers.reserved(loaded)  # whoever waits may be woken before the callbacks ran

    def stop(self) -> None:
        """Store what the disk would not take before, give back reserved numbers and close."""
        self.put(())
        self.database.submit(self.numbers.release)
        self.database.stop()

    def number(self) -> tuple[str, int]:
        """Take the stream's next number; returns its epoch and the number."""
        epoch, number, reserve = self.numbers.take()
        if reserve:
            self.database.submit(self.numbers.reserve).add_done_callback(self.numbers.reserved)
        return epoch, number

    def put(
        self,
        rows: Sequence[Row],
        also: Callable[[sqlite3.Connection], None] | None = None,
        *,
        together: bool = False,
    ) -> "Future[None]":
        """Store rows, and what must be true with them, in one commit; rows may be there before.

        `together`: they may not, and what is put behind them waits too. Rows whose commit fails
        are kept and tried again with the next, which may be empty.
        """
        own = frozenset(row.id for row in rows) if together else frozenset[str]()
        with self._lock:
            self._held.update(own)
            for row in rows:
                if len(self._unsaved) < UNSAVED_MAX:
                    self._unsaved[row.id] = row
                else:
                    self.dropped += 1
                    lost = room.lost_with(row.epoch, row.seq, row.topic, row.body)
                    self._forgotten = room.joined([*self._forgotten, *lost])
        return self._flush(also, own)

    @property
    def unsaved(self) -> int:
        """Return how many rows the disk would not take and are in memory only."""
        with self._lock:
            return len(self._unsaved) if self._disk_refuses else 0

    def waiting(self, limit: int, exclude: Collection[str]) -> "Future[list[Row]]":
        """Read the next rows to send, oldest first, without those whose ids are excluded."""

        def read(db: sqlite3.Connection) -> list[Row]:
            with self._lock:
                known = {*exclude, *self._ended}
            rows: list[Row] = []
            for values in (row for query in _TO_SEND for row in db.execute(query)):
                if values[0] not in known:
                    rows.append(row_of(values, durable=self.database.durable))
                    if len(rows) >= limit:
                        break
            with self._lock:
                self._out.update(row.id for row in rows)
            return rows

        return self.database.submit(read)

    def acked(self, ids: Sequence[str], at: float) -> "Future[None]":
        """Note the broker's confirmation; the rows stay as journal."""
        with self._lock:
            self._ended.update(dict.fromkeys(ids, (at, None)))
            self._out.difference_update(ids)
        return self._flush()

    def replay(self, epoch: str, first: int, last: int) -> "Future[int]":
        """Have the broker given these once more, by the ids they have; return how many there are.

        What waits already is counted too: it is on its way.
        """

        def write(db: sqlite3.Connection) -> int:
            return db.execute(
                "UPDATE message SET replay = 1"
                " WHERE epoch = ? AND seq BETWEEN ? AND ? AND refused IS NULL",
                (epoch, first, last),
            ).rowcount

        return self.database.submit(write)

    def refuse(self, row_id: str, reason: str) -> "Future[None]":
        """Set a message aside that the broker will not take, so that it blocks no other."""
        with self._lock:
            self._ended[row_id] = (None, reason)
            self._out.discard(row_id)
        return self._flush()

    def counts(self) -> "Future[dict[str, int]]":
        """Count what waits and what was refused."""

        def read(db: sqlite3.Connection) -> dict[str, int]:
            found = db.execute(
                "SELECT CASE WHEN refused IS NULL THEN 'waiting' ELSE 'refused' END, count(*)"
                " FROM message WHERE acked_at IS NULL GROUP BY 1"
            )
            return {"waiting": 0, "refused": 0, **dict(found.fetchall())}

        return self.database.submit(read)

    def backlog(self) -> "Future[int]":
        """Count what waits; an index holds just that, so it costs an alarm beside it nothing."""

        def read(db: sqlite3.Connection) -> int:
            query = "SELECT count(*) FROM message WHERE acked_at IS NULL AND refused IS NULL"
            waiting: int = db.execute(query).fetchone()[0]
            return waiting

        return self.database.submit(read)

    def take_drops(self) -> "Future[list[Drops]]":
        """Take what was given up since it was last told; it is told once its event is stored."""
        self.drops_untold = False
        return self.database.submit(room.take)

    def prune(self, now: float) -> "Future[None]":
        """Delete what was confirmed, or came into being and was refused, more than 30 days ago."""

        def write(db: sqlite3.Connection) -> None:
            db.execute(
                "DELETE FROM message"
                " WHERE acked_at < :then OR (refused IS NOT NULL AND created_at < :then)",
                {"then": now - JOURNAL_SECONDS},
            )
            self._taken_bytes = room.taken_bytes(db)

        return self.database.submit(write)

    def _load(self, db: sqlite3.Connection) -> Reserved:
        epoch = str(read_meta(db, "epoch", self.numbers.epoch))
        write_meta(db, "epoch", epoch)
        self._taken_bytes = room.taken_bytes(db)
        self.drops_untold = room.untold(db)
        newest = db.execute("SELECT max(seq) FROM message WHERE epoch=?", (epoch,)).fetchone()[0]
        return self.numbers.load(db, epoch, newest or 0)

    def _flush(
        self,
        also: Callable[[sqlite3.Connection], None] | None = None,
        own: frozenset[str] = frozenset(),
    ) -> "Future[None]":
        """Write all that the disk does not know yet, as it is when the disk comes to it."""
        rows: list[Row] = []
        ended: dict[str, tuple[float | None, str | None]] = {}
        # In bytes what the rows take and what was freed for them, and how many events that cost.
        changed = [0, 0, 0]
        forgotten: list[Drops] = []

        def write(db: sqlite3.Connection) -> None:
            with self._lock:
                self._held -= own
                # In the order of their numbers, so not beyond the first that waits for its own.
                rows.extend(takewhile(lambda row: row.id not in self._held, self._unsaved.values()))
                ended.update(self._ended)
                out = set(self._out)
                forgotten.extend(self._forgotten)
                self._forgotten = []
            db.executemany(_INSERT, [_values(row) for row in rows])
            self._beside(db, rows)
            db.executemany(
                "UPDATE message SET acked_at=coalesce(?, acked_at), refused=?, replay=0 WHERE id=?",
                [(*how, row_id) for row_id, how in ended.items()],
            )
            if also is not None:
                also(db)
            if forgotten:
                room.note(db, forgotten)
            if any(room.tells(row.topic, row.body) for row in rows):
                room.told(db)
            changed[0] = sum(len(row.body) + room.ROW_BYTES for row in rows)
            surplus = self._taken_bytes + changed[0] - self._cap_bytes
            if surplus > 0:
                surplus += int(room.FREED_SHARE * self._cap_bytes)
                changed[1:] = room.make_room(db, surplus, out)

        def written(done: "Future[None]") -> None:
            with self._lock:
                self._disk_refuses = done.exception() is not None
                if self._disk_refuses:
                    self._forgotten = room.joined([*forgotten, *self._forgotten])
                    return
                for row in rows:
                    self._unsaved.pop(row.id, None)
                for row_id, how in ended.items():
                    if self._ended.get(row_id) == how:
                        del self._ended[row_id]
                self._taken_bytes += changed[0] - changed[1]
                self.dropped += changed[2]
                self.drops_untold = self.drops_untold or changed[2] > 0 or bool(forgotten)

        future = self.database.submit(write)
        future.add_done_callback(written)
        return future


def row_of(values: Sequence[Any], *, durable: bool = True) -> Row:
    """Return the row that `COLUMNS` of the message table hold."""
    row_id, epoch, seq, lane, topic, body, created_at, created_monotonic, machine_boot = values
    created = (created_at, created_monotonic)
    return Row(row_id, epoch, seq, Lane(lane), topic, body, *created, machine_boot, durable=durable)


def _values(row: Row) -> tuple[object, ...]:
    return (
        row.id, row.epoch, row.seq, int(row.lane), row.topic, row.body,
        row.created_at, row.created_monotonic, row.machine_boot,
    )  # fmt: skip
