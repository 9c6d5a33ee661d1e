"""The county's duties, rolled up: nothing missing reads as well."""

from collections.abc import Callable, Collection, Mapping, Sequence

from agent.county.contract import State
from agent.county.state_data import DutyState
from agent.findings import Cause, Verdict, worst

# Which kinds of object serve a duty.
SERVED_BY: Mapping[str, tuple[str, ...]] = {
    "alarm": ("button",),
    "recordings": ("recording",),
    "pictures": ("camera",),
    "patrol": ("patrol", "reader"),
    "police_link": ("police-link",),
    "gate_manned": ("post",),
}


def duty_states(
    verdicts: Callable[[str], Mapping[str, Verdict]],
    not_fitted: Mapping[str, str],
    left_out: Collection[str] = (),
) -> Sequence[State]:
    """Return one state a duty: the worst of what serves it, or why nothing does.

    `left_out` are the duties of which a device stays off, because its block in the file is bad.
    """
    return [
        State(
            id=duty.replace("_", "-"),
            data=_duty(kinds, verdicts, not_fitted.get(duty), left_out=duty in left_out),
        )
        for duty, kinds in SERVED_BY.items()
    ]


def _duty(
    kinds: tuple[str, ...],
    verdicts: Callable[[str], Mapping[str, Verdict]],
    not_fitted: str | None,
    *,
    left_out: bool,
) -> DutyState:
    if not_fitted is not None:
        return DutyState(
            verdict=Verdict.UNKNOWN,
            not_fitted=not_fitted,
        )
    found = {name: verdict for kind in kinds for name, verdict in verdicts(kind).items()}
    if not found and not left_out:
        return DutyState(verdict=Verdict.UNKNOWN, causes=(Cause(code="unknown.not_measured"),))
    # What is not watched is not well, however well the rest is.
    verdict = worst([*found.values(), *([Verdict.UNKNOWN] if left_out else [])])
    causes = tuple(
        Cause(code="duty.because", params={"object": name, "verdict": str(one)})
        for name, one in found.items()
        if one is verdict and verdict is not Verdict.OK
    )
    if left_out:
        causes = (Cause(code="duty.device_left_out"), *causes)
    return DutyState(verdict=verdict, causes=causes)
