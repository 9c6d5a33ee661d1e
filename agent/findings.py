"""Findings: a pure rule's verdict with its causes. One enum for the whole product."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from drivers.readings import Frozen, Reason, Unknown


class Verdict(StrEnum):
    """What a rule says; `unknown` is an answer, never a pass."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


# The worst first: something known to be broken outranks something nobody knows.
SEVERITY = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.WARN, Verdict.OK)


class Cause(Frozen):
    """Why a verdict is not `ok`: a code of the text catalogue and its parameters."""

    code: str
    params: dict[str, str | int | float] = Field(default_factory=dict)


class Finding(Frozen):
    """A verdict, its causes, and the instant of the newest evidence behind it."""

    verdict: Verdict
    causes: tuple[Cause, ...] = ()
    evidence_at: datetime | None = None


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Roll up: the worst of them; of nothing at all, `unknown`."""
    return min(verdicts, key=SEVERITY.index, default=Verdict.UNKNOWN)


def missing(value: Unknown) -> Cause:
    """Name a missing measurement as a cause; its `detail` is for logs, not for the county."""
    return Cause(code=f"unknown.{value.reason}")


NOT_YET = Unknown(reason=Reason.NOT_YET)
