"""What outlives a restart: read from the journal, within a deadline, whatever the disk does."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog

from agent.monitors.duty_calendar import COUNTED_BACK_DAYS
from agent.store import journal
from agent.store.database import Database
from drivers.any_reading import AnyReading
from drivers.base import Clock

RECALL_SECONDS = 3.0
# Enough for the tours of all days that may still change, and the day before them.
REACH = timedelta(days=COUNTED_BACK_DAYS + 3)

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recalled:
    """Scans of the last days, and the named facts of the monitors; all may be empty."""

    scans: Sequence[AnyReading]
    facts: Mapping[str, str]


def recall(database: Database, clock: Clock, facts: Mapping[str, str] | None = None) -> Recalled:
    """Read what was journalled; `facts` that are known already are not read."""
    until, since = clock.monotonic() + RECALL_SECONDS, (clock.now() - REACH).timestamp()

    def read(found: "Future[T]", otherwise: T) -> T:
        try:
            return found.result(max(0.0, until - clock.monotonic()))
        except FutureTimeoutError:
            log.error("journal not read in time", component="journal")
        except Exception as error:  # noqa: BLE001 - whatever the disk did, the agent starts
            log.error("journal unreadable", component="journal", error=str(error))
        return otherwise

    scans = read(journal.since(database, "scan", since), [])
    if facts is None:
        facts = read(journal.remembered(database), dict[str, str]())
    return Recalled(scans, facts)
