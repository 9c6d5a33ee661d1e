"""How the running agent stands with the county's broker, for who asks it."""

import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError

from agent.store.outbox import Outbox
from drivers.readings import Frozen

COUNT_SECONDS = 1.0


class Link(Frozen):
    """What the running agent knows of its own connection; no `broker`: it has none.

    `outbox` counts the events that wait and those refused; None: the disk did not say.
    """

    broker: str | None
    protocol: str
    trusted: bool
    detail: str
    cut_short: int
    outbox: dict[str, int] | None = None


def counted(outboxes: Sequence[Outbox]) -> dict[str, int] | None:
    """Count what waits and what was refused, in all outboxes; a hung disk is not waited for."""
    until, total = time.monotonic() + COUNT_SECONDS, {"waiting": 0, "refused": 0}
    try:
        for asked in [one.counts() for one in outboxes]:
            found = asked.result(max(0.0, until - time.monotonic()))
            total = {name: count + found[name] for name, count in total.items()}
    except (FutureTimeoutError, sqlite3.Error):
        return None
    return total
