"""Which states are worth sending: what changed at once, the rest before its validity runs out."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from agent.county.contract import State, StateData
from agent.findings import Cause, Verdict
from drivers.base import Clock

REFRESH_SHARE = 1 / 3  # two refreshes may be lost before a state goes stale


class StateBoard:
    """Newest state of every object. Written by the loops, each its own objects."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: dict[tuple[str, str], tuple[dict[str, object], float]] = {}
        # As it was last looked at; most are the same each time, and comparing them is cheap.
        self._looked_at: dict[tuple[str, str], StateData] = {}
        self._newest: dict[tuple[str, str], State] = {}
        self._since: dict[tuple[str, str], tuple[Verdict, float]] = {}

    def due(self, states: Iterable[State]) -> list[State]:
        """Take in the present states; return those that must be sent now."""
        now = self._clock.monotonic()
        due = []
        for state in states:
            key = (state.data.kind, state.id)
            self._take(key, state)
            before = self._sent.get(key)
            refresh = state.valid_for_seconds * REFRESH_SHARE
            if before and self._looked_at[key] == state.data and now - before[1] < refresh:
                continue
            self._looked_at[key] = state.data
            telling = state.data.model_dump(exclude=set(state.data.volatile))
            if before is None or before[0] != telling or now - before[1] >= refresh:
                self._sent[key] = (telling, now)
                due.append(state)
        return due

    def forget_sent(self) -> None:
        """Send everything again: a new connection may be a new broker."""
        self._sent = {}

    def doubt(self, states: Iterable[State]) -> None:
        """Hold these to be unknown; what was sent of them grows stale."""
        internal = Cause(code="unknown.internal")
        for state in states:
            data = state.data.model_copy(update={"verdict": Verdict.UNKNOWN, "causes": (internal,)})
            self._take((state.data.kind, state.id), state.model_copy(update={"data": data}))
            self._sent.pop((state.data.kind, state.id), None)

    def forget(self, before: Iterable[State], after: Iterable[State]) -> list[tuple[str, str]]:
        """Forget the objects that are not there any more; return their kinds and ids."""
        left = {(state.data.kind, state.id) for state in after}
        gone = sorted({(state.data.kind, state.id) for state in before} - left)
        for key in gone:
            self._sent.pop(key, None)
            self._newest.pop(key, None)
            self._since.pop(key, None)
        return gone

    def verdicts(self, kind: str) -> dict[str, Verdict]:
        """Return the newest verdict of every object of a kind."""
        return {state.id: state.data.verdict for state in self.newest() if state.data.kind == kind}

    def newest(self) -> list[State]:
        """Return the newest state of every object, in the order they were first seen."""
        return list(self._newest.values())

    def since(self, state: State) -> datetime:
        """Return when an object came to its verdict, or was first seen by this run of the agent.

        By the wall clock of now: it may have been set since.
        """
        now = self._clock.monotonic()
        _, at = self._since.get((state.data.kind, state.id), (state.data.verdict, now))
        return self._clock.now() - timedelta(seconds=now - at)

    def _take(self, key: tuple[str, str], state: State) -> None:
        known = self._since.get(key)
        if known is None or known[0] is not state.data.verdict:
            self._since[key] = (state.data.verdict, self._clock.monotonic())
        self._newest[key] = state
