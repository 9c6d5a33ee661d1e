"""The stores as they lie on disk: how large, whether sound, and what of them waits to be sent."""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

# SQLite looks at the clock after so many of its steps.
_STEPS = 100_000


def stores(directory: Path, seconds: float) -> dict[str, object]:
    """Return it for every store of the state directory, whether the agent runs or not."""
    until = time.monotonic() + seconds
    files = sorted(one for one in directory.iterdir() if one.is_file())
    return {
        "files": {one.name: one.stat().st_size for one in files},
        "folders": {one.name: _count(one) for one in directory.iterdir() if one.is_dir()},
        "stores": {one.name: _store(one, until) for one in files if one.suffix == ".db"},
    }


def _count(folder: Path) -> int:
    """Count the files of a folder; none of them is opened."""
    return sum(1 for _ in folder.iterdir())


def _store(path: Path, until: float) -> dict[str, object]:
    """Ask one store; what cannot be told of it is its own message instead."""
    told: dict[str, object] = {}
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=2)
        ) as db:
            db.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
            for name, ask in _QUESTIONS.items():
                told[name] = ask(db)
    except sqlite3.Error as error:
        told["error"] = str(error)
    return told


def _waiting(db: sqlite3.Connection) -> object:
    found = db.execute(
        "SELECT topic, count(*), min(created_at) FROM message"
        " WHERE acked_at IS NULL AND refused IS NULL GROUP BY topic"
    )
    return {topic: {"count": count, "oldest_at": oldest} for topic, count, oldest in found}


def _refused(db: sqlite3.Connection) -> object:
    found = db.execute(
        "SELECT topic, refused, count(*) FROM message"
        " WHERE acked_at IS NULL AND refused IS NOT NULL GROUP BY topic, refused"
    )
    return [{"topic": topic, "why": why, "count": count} for topic, why, count in found]


def _first(query: str) -> Callable[[sqlite3.Connection], object]:
    return lambda db: db.execute(query).fetchone()[0]


# The last may take long on a large store: what the others say is kept when its time is over.
_QUESTIONS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "format": _first("PRAGMA user_version"),
    "messages": _first("SELECT count(*) FROM message"),
    "waiting": _waiting,
    "refused": _refused,
    "quick_check": _first("PRAGMA quick_check(1)"),
}
