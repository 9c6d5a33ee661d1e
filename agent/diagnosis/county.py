"""The way to the county: the brokers layer by layer, and what waits to be sent."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from agent.county.online import Check as Layer
from agent.diagnosis.checks import CheckResult, result, seen
from agent.diagnosis.look import Look
from agent.findings import Cause

# An event leaves within seconds; more than this many wait only while the link is down.
BACKLOG = 50
_STORES = ("alarms.db", "events.db")
_COUNT = (
    "SELECT count(*) FILTER (WHERE refused IS NULL), count(*) FILTER (WHERE refused IS NOT NULL)"
    " FROM message WHERE acked_at IS NULL"
)


def brokers(layers: Callable[[], Iterable[Layer]]) -> Iterator[CheckResult]:
    """Check every broker of the site by `layers`; each layer is told as it answers."""
    for one in layers():
        if one.layer == "clock" and one.verdict != "fail":
            continue  # told by the check of the machine's clock
        what = f"broker.{one.layer.replace('_', '-')}"
        if one.verdict == "ok":
            yield result(what, one.where, evidence=one.cause)
        else:
            yield result(what, one.where, one.verdict, one.cause)


def outbox(look: Look, state_directory: Path) -> Iterator[CheckResult]:
    """Check what waits and what was refused: by the agent's word, or by its stores."""
    counts = look.outbox() if look.running else stored(state_directory)
    if counts is None:
        cause = look.silence or Cause(code="diagnosis.store_unreadable")
        yield result("outbox.backlog", "", "unknown", cause)
        yield result("outbox.refused", "", "unknown", cause)
        return
    for what, name, most in (("backlog", "waiting", BACKLOG), ("refused", "refused", 0)):
        count = counts[name]
        if count > most:
            cause = Cause(code=f"diagnosis.{what}", params={"count": count})
            yield result(f"outbox.{what}", "", "warn", cause)
        else:
            yield result(f"outbox.{what}", evidence=seen("count", count=count))


def stored(state_directory: Path) -> Mapping[str, int] | None:
    """Count in the stores of an agent that does not run; None when they cannot be read."""
    waiting = refused = 0
    for name in _STORES:
        place = state_directory / name
        try:
            if not place.exists():
                continue  # it has never run
            with contextlib.closing(
                sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=2)
            ) as db:
                row = db.execute(_COUNT).fetchone()
        except (OSError, sqlite3.Error):
            return None
        waiting, refused = waiting + row[0], refused + row[1]
    return {"waiting": waiting, "refused": refused}
