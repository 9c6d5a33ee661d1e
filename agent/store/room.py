"""Room in an outbox: the journal goes first, then the oldest events; an alarm never."""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from agent.store.numbers import read_meta, write_meta

# What a row takes besides its body: ids, topic, times, its place in the indexes.
ROW_BYTES = 400
# So much is freed at once, or every commit of a full outbox would have to search for more.
FREED_SHARE = 0.05
_AT_ONCE = 500

_JOURNAL = "acked_at IS NOT NULL ORDER BY acked_at, seq"
# Of what was never delivered: what no broker would take, then the oldest; lane 0 are the alarms.
_UNSENT = "acked_at IS NULL AND lane != 0 ORDER BY refused IS NULL, created_at, seq"
_UNTOLD, _BEING_TOLD = "drops_untold", "drops_being_told"


@dataclass
class Drops:
    """Events of one epoch that were given up and never delivered: how many, of which numbers."""

    epoch: str
    count: int = 0
    first: int = 0
    last: int = 0
    kinds: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Drops") -> None:
        """Join what else was given up of the same epoch."""
        firsts = [one.first for one in (self, other) if one.count]
        self.first = min(firsts, default=0)
        self.last = max(self.last, other.last)
        self.count += other.count
        self.kinds = dict(Counter(self.kinds) + Counter(other.kinds))


def taken_bytes(db: sqlite3.Connection) -> int:
    """Return what all messages take."""
    found = db.execute(f"SELECT total(length(body) + {ROW_BYTES}) FROM message").fetchone()  # noqa: S608 - a constant
    return int(found[0])


def make_room(db: sqlite3.Connection, surplus: int, out: Collection[str]) -> tuple[int, int]:
    """Free that much if it can be done; return how many bytes, and how many events it cost.

    What is `out`, on its way to the broker, stays. What it costs is on record until it is told.
    """
    freed, _ = _delete(db, _JOURNAL, surplus, ())
    more, rows = _delete(db, _UNSENT, surplus - freed, out)
    note(db, [lost for row in rows for lost in lost_with(*row)])
    return freed + more, len(rows)


def joined(drops: Iterable[Drops]) -> list[Drops]:
    """Return one for each epoch."""
    found: dict[str, Drops] = {}
    for one in drops:
        found.setdefault(one.epoch, Drops(one.epoch)).add(one)
    return list(found.values())


def note(db: sqlite3.Connection, dropped: Iterable[Drops]) -> None:
    """Put on record what was given up."""
    _write(db, _UNTOLD, [*_read(db, _UNTOLD), *dropped])


def untold(db: sqlite3.Connection) -> bool:
    """Tell whether something is on record; what an earlier run was about to tell is, again."""
    note(db, _read(db, _BEING_TOLD))
    _write(db, _BEING_TOLD, ())
    return bool(_read(db, _UNTOLD))


def take(db: sqlite3.Connection) -> list[Drops]:
    """Take what is to be told, one an epoch; `told` goes into the commit of the events telling."""
    drops = _read(db, _UNTOLD)
    _write(db, _BEING_TOLD, [*_read(db, _BEING_TOLD), *drops])
    _write(db, _UNTOLD, ())
    return drops


def told(db: sqlite3.Connection) -> None:
    """Forget what `take` took."""
    _write(db, _BEING_TOLD, ())


def _delete(
    db: sqlite3.Connection, which: str, surplus: int, out: Collection[str]
) -> tuple[int, list[tuple[str, int, str, str]]]:
    """Delete messages until that much is free; return what is, and the messages."""
    freed, gone = 0, list[tuple[str, int, str, str]]()
    while freed < surplus:
        found = db.execute(
            f"SELECT id, epoch, seq, topic, body FROM message WHERE {which} LIMIT ?",  # noqa: S608 - constants
            (_AT_ONCE + len(out),),
        ).fetchall()
        rows = [row for row in found if row[0] not in out]
        if not rows:
            break
        for row_id, *row in rows:
            if freed < surplus:
                db.execute("DELETE FROM message WHERE id = ?", (row_id,))
                freed += len(row[-1]) + ROW_BYTES
                gone.append((row[0], row[1], row[2], row[3]))
    return freed, gone


def tells(topic: str, body: str) -> bool:
    """Tell whether a message is one that tells of events given up."""
    return topic.endswith("/event/agent") and '"what":"dropped"' in body


def lost_with(epoch: str, seq: int, topic: str, body: str) -> list[Drops]:
    """Return what is lost with a message; one that tells of others given up loses these again."""
    kind = topic.rsplit("/", 1)[-1]
    lost = [Drops(epoch, 1, seq, seq, {kind: 1})]
    if tells(topic, body):
        data = json.loads(body)["data"]
        numbers = (data["dropped_count"], data["dropped_first"], data["dropped_last"])
        lost.append(Drops(data["dropped_epoch"], *numbers, data["dropped_kinds"]))
    return lost


def _read(db: sqlite3.Connection, key: str) -> list[Drops]:
    return [Drops(**one) for one in json.loads(str(read_meta(db, key, "[]")))]


def _write(db: sqlite3.Connection, key: str, drops: Iterable[Drops]) -> None:
    write_meta(db, key, json.dumps([vars(one) for one in joined(drops)]))
