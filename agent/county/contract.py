"""The county's contract: what may be published. Codes and figures; sentences only at the edge.

Nothing here can hold a picture, and people appear by code, never by name.
"""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import AwareDatetime, Field

from agent.findings import Cause, Verdict
from drivers.readings import Frozen

Measure = float | Literal["unknown"]
Count = int | Literal["unknown"]
Word = str


class EventData(Frozen):
    """What happened; `kind` is the last level of the event's topic."""

    kind: ClassVar[str]


class StateData(Frozen):
    """The newest known state of one object; `verdict` and `causes` are always there."""

    kind: ClassVar[str]
    # Fields whose change alone is not worth a message before the next refresh.
    volatile: ClassVar[frozenset[str]] = frozenset({"observed_at"})

    verdict: Verdict
    causes: tuple[Cause, ...] = ()
    observed_at: AwareDatetime | None = Field(
        default=None, description="when the newest evidence was measured; null: never"
    )


class Event(Frozen):
    """An event as a monitor hands it on: not yet numbered, stored or sent."""

    subject: str
    time: AwareDatetime
    data: EventData
    test: bool = False


class State(Frozen):
    """A state as a monitor hands it on; `valid_for_seconds` runs from its publication."""

    id: str
    data: StateData
    valid_for_seconds: int = 180


def as_word(value: object) -> str:
    """Write a measured word for the wire: Unknown becomes `unknown`."""
    return value if isinstance(value, str) else "unknown"


def utc(moment: datetime) -> str:
    """Write an instant for the wire: UTC, milliseconds, `Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
