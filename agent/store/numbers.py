"""Numbers of one stream of events: reserved on disk ahead, so that none is ever used twice."""

import sqlite3
import threading
import uuid
from concurrent.futures import Future

RESERVED_AHEAD = 256

Reserved = tuple[str, int]


class Numbers:
    """Counts one stream from 1 for the life of its store; a new store has a new `epoch`.

    After a crash the reserved numbers that were not seen on disk are `void`: skipped for ever,
    because a message that carried one may have gone out without reaching the disk. When the disk
    does not reserve any more, counting goes on in a new epoch: no later start can repeat it.
    """

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.epoch = _new_epoch()
        self.void: tuple[int, int] | None = None
        self._next = 1
        # None: the disk does not know this epoch, so nothing on it can lead to the same numbers.
        self._reserved: int | None = None
        self._asked = False
        self._lock = threading.Lock()

    def load(self, db: sqlite3.Connection, epoch: str, newest: int) -> Reserved:
        """Go on behind all that may have been used; `newest` is the last number seen on disk."""
        reserved = int(str(read_meta(db, "reserved", 0)))
        used = max(newest, int(str(read_meta(db, "used", 0))))
        with self._lock:
            taken = self._next if epoch == self.epoch else 1
            self.epoch = epoch
            self._next = max(taken, reserved + 1, used + 1)
            self._reserved = self._next - 1
            self.void = (used + 1, reserved) if reserved > used else None
        return self.reserve(db)

    def reserve(self, db: sqlite3.Connection) -> Reserved:
        """Write the next block; it counts when `reserved` is told that the commit came through."""
        with self._lock:
            epoch, upto = self.epoch, self._next + RESERVED_AHEAD - 1
        _write(db, epoch, upto)
        return epoch, upto

    def reserved(self, done: "Future[Reserved]") -> None:
        """Take note of how a reservation ended."""
        with self._lock:
            self._asked = False
            if done.exception() is None and done.result()[0] == self.epoch:
                self._reserved = max(done.result()[1], self._reserved or 0)

    def release(self, db: sqlite3.Connection) -> None:
        """At a clean stop: give back what was not used, so that no hole is left."""
        epoch, head = self.newest
        _write(db, epoch, head)
        write_meta(db, "used", head)

    def take(self) -> tuple[str, int, bool]:
        """Return epoch and number of the next, and whether it is time to reserve more."""
        with self._lock:
            if self._reserved is not None and self._next > self._reserved:
                self.epoch, self._next, self._reserved = _new_epoch(), 1, None
            number = self._next
            self._next += 1
            few = self._reserved is None or self._reserved - number < RESERVED_AHEAD // 2
            ask = few and not self._asked
            self._asked = self._asked or ask
            return self.epoch, number, ask

    @property
    def newest(self) -> tuple[str, int]:
        """Return the epoch and its newest number used; 0 for none."""
        with self._lock:
            return self.epoch, self._next - 1

    @property
    def head(self) -> int:
        """Return the newest number used; 0 for none."""
        return self.newest[1]


def _new_epoch() -> str:
    return uuid.uuid4().hex[:12]


def _write(db: sqlite3.Connection, epoch: str, reserved: int) -> None:
    if read_meta(db, "epoch", None) != epoch:
        write_meta(db, "epoch", epoch)
        write_meta(db, "used", 0)
    write_meta(db, "reserved", reserved)


def read_meta(db: sqlite3.Connection, key: str, default: object) -> object:
    """Read one value of the store about itself."""
    found = db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
    return default if found is None else found[0]


def write_meta(db: sqlite3.Connection, key: str, value: object) -> None:
    """Write one value of the store about itself."""
    db.execute(
        "INSERT INTO meta(key, value) VALUES(?, ?)"
        " ON CONFLICT(key) DO UPDATE SET value=excluded.value",
        (key, value),
    )
