"""The county's duties, rolled up: nothing missing reads as well."""

from collections.abc import Callable, Mapping, Sequence

from agent.county.contract import DutyState, State
from agent.findings import Cause, Verdict, worst

# Which kinds of object serve a duty. None: this version cannot measure it.
SERVED_BY: Mapping[str, tuple[str, ...] | None] = {
    "alarm": ("button",),
    "recordings": ("recording",),
    "pictures": ("camera",),
    "patrol": ("patrol", "reader"),
    "police_link": None,
    "gate_manned": None,
}


def duty_states(
    verdicts: Callable[[str], Mapping[str, Verdict]], not_fitted: Mapping[str, str]
) -> Sequence[State]:
    """Return one state a duty: the worst of what serves it, or why nothing does."""
    return [
        State(id=duty.replace("_", "-"), data=_duty(kinds, verdicts, not_fitted.get(duty)))
        for duty, kinds in SERVED_BY.items()
    ]


def _duty(
    kinds: tuple[str, ...] | None,
    verdicts: Callable[[str], Mapping[str, Verdict]],
    not_fitted: str | None,
) -> DutyState:
    if not_fitted is not None:
        return DutyState(
            verdict=Verdict.UNKNOWN,
            causes=(Cause(code="duty.not_fitted", params={"why": not_fitted}),),
            not_fitted=not_fitted,
        )
    if kinds is None:
        return DutyState(verdict=Verdict.UNKNOWN, causes=(Cause(code="unknown.not_measured"),))
    found = {name: verdict for kind in kinds for name, verdict in verdicts(kind).items()}
    verdict = worst(found.values())
    causes = tuple(
        Cause(code="duty.because", params={"object": name, "verdict": str(one)})
        for name, one in found.items()
        if one is verdict and verdict is not Verdict.OK
    )
    return DutyState(verdict=verdict, causes=causes)
