"""Numbers of one stream of events: reserved on disk ahead, so that none is ever used twice."""

import sqlite3
import threading
import uuid

RESERVED_AHEAD = 64


class Numbers:
    """Counts one stream from 1 for the life of its store; a new store has a new `epoch`.

    After a crash the reserved numbers that were not seen on disk are `void`: skipped for ever,
    because a message that carried one may have gone out without reaching the disk.
    """

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.epoch = uuid.uuid4().hex[:12]
        self.void: tuple[int, int] | None = None
        self._next = 1
        self._reserved = 0
        self._lock = threading.Lock()

    def load(self, db: sqlite3.Connection, epoch: str, newest: int) -> None:
        """Go on behind all that may have been used; `newest` is the last number seen on disk."""
        reserved = int(str(read_meta(db, "reserved", 0)))
        used = max(newest, int(str(read_meta(db, "used", 0))))
        with self._lock:
            self.epoch = epoch
            self._next = max(reserved, used) + 1
            self.void = (used + 1, reserved) if reserved > used else None
        self.reserve(db)

    def reserve(self, db: sqlite3.Connection) -> None:
        """Write the next block."""
        with self._lock:
            self._reserved = self._next + RESERVED_AHEAD - 1
            reserved = self._reserved
        write_meta(db, "reserved", reserved)

    def release(self, db: sqlite3.Connection) -> None:
        """At a clean stop: give back what was not used, so that no hole is left."""
        write_meta(db, "reserved", self.head)
        write_meta(db, "used", self.head)

    def take(self) -> tuple[int, bool]:
        """Return the next number, and whether it is time to reserve more."""
        with self._lock:
            number = self._next
            self._next += 1
            return number, self._reserved - number < RESERVED_AHEAD // 2

    @property
    def head(self) -> int:
        """Return the newest number used; 0 for none."""
        with self._lock:
            return self._next - 1


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
