"""What a check is, and what comes of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agent.findings import Cause, Verdict
from agent.text import knows
from drivers.readings import Frozen

# `skip` is for what the site's file says is not fitted, and for nothing else.
Outcome = Literal["ok", "warn", "fail", "unknown", "skip"]
WELL: tuple[Outcome, ...] = ("ok", "skip")
# The exit status of the whole: the worst of them.
STATUS: Mapping[Outcome, int] = {"ok": 0, "skip": 0, "warn": 1, "unknown": 1, "fail": 2}
AREAS = (
    "settings",
    "credentials",
    "service",
    "machine",
    "clock",
    "disk",
    "serial",
    "broker",
    "outbox",
    "alarm",
    "reader",
    "recorder",
    "camera",
    "retention",
    "patrol",
    "duty",
)
CHECK_SECONDS = 10.0


class CheckResult(Frozen):
    """One check's answer, in codes: `agent.diagnosis.sheet` and `told` say it to people.

    `id` is `area.what:device`. What is not well has a cause and one next step; `also` are further
    causes of the same device.
    """

    id: str
    title_code: str
    device: str
    verdict: Outcome
    evidence: Cause | None = None
    cause: Cause | None = None
    next_step: Cause | None = None
    also: tuple[Cause, ...] = ()
    seconds: float = 0.0

    @property
    def area(self) -> str:
        """Return the first part of the id."""
        return self.id.split(".", 1)[0]


@dataclass(frozen=True)
class Check:
    """Something to ask; it may yield several results, each as soon as it is known.

    Checks that share `holds` never run at once. `id` stands for it when it does not answer.
    """

    id: str
    run: Callable[[], Iterable[CheckResult]]
    holds: str = ""
    seconds: float = CHECK_SECONDS

    @property
    def area(self) -> str:
        """Return the first part of the id."""
        return self.id.split(".", 1)[0]


def result(
    what: str,
    device: str = "",
    verdict: Outcome | Verdict = "ok",
    *causes: Cause,
    evidence: Cause | None = None,
) -> CheckResult:
    """Make the result of `area.what`; the first cause is the one to act on."""
    outcome: Outcome = verdict.value if isinstance(verdict, Verdict) else verdict
    if outcome in WELL:
        causes = ()
    return CheckResult(
        id=f"{what}:{device}" if device else what,
        title_code=f"check.{what}",
        device=device,
        verdict=outcome,
        evidence=evidence,
        cause=causes[0] if causes else None,
        next_step=step(causes[0]) if causes else None,
        also=causes[1:],
    )


def seen(code: str, **params: str | float) -> Cause:
    """Return evidence: a sentence `seen.<code>` of the catalogue."""
    return Cause(code=f"seen.{code}", params=params)


def step(cause: Cause) -> Cause:
    """Return the next step of a cause: one of its own, or the second half of its sentence."""
    own = f"next.{cause.code}"
    return Cause(code=own, params=cause.params) if knows("en", own) else cause


def causes_of(data: Mapping[str, Any]) -> list[Cause]:
    """Return the causes a state names."""
    return [Cause.model_validate(one) for one in data.get("causes", ())]


def number(value: object) -> str | float:
    """Return a measured figure of a state as evidence shows it."""
    if isinstance(value, float):
        return round(value, 1)
    return value if isinstance(value, (int, str)) else "unknown"
