"""What the county holds of this site: states of devices that are gone are taken away from it."""

import json
from collections.abc import Callable

from agent.states import StateBoard

# By then every loop has said what it has.
SETTLED_SECONDS = 10.0
# Under this name the list is among what the monitors remember.
FACT = "published"
# So often the list is written after a trusted broker had the time to take them.
WRITTEN_TIMES = 2

Key = tuple[str, str]


class Published:
    """Kinds and ids of all states; what was told before this start is `remembered`.

    Used by the watch loop alone. With parts left out of a spoilt file nothing counts as gone.
    """

    def __init__(
        self, board: StateBoard, remembered: str, trusted: Callable[[], bool], *, complete: bool
    ) -> None:
        self._board = board
        self._trusted = trusted
        self._complete = complete
        self._before = _keys(remembered)
        self._since: float | None = None
        self._judged = False
        self._written = 0

    def gone(self, now: float) -> list[Key]:
        """Return, once, what the county was told of and is there no more."""
        if self._since is None:
            self._since = now
        if self._judged or not self._complete or now - self._since < SETTLED_SECONDS:
            return []
        self._judged = True
        return sorted(self._before - self._present())

    def remember(self) -> str:
        """Return the list to be kept on disk; what is gone stays on it until it was taken."""
        if self._judged and self._trusted():
            self._written += 1
        if self._written >= WRITTEN_TIMES:
            self._before = set()
        return json.dumps(sorted(self._before | self._present()))

    def _present(self) -> set[Key]:
        return {(state.data.kind, state.id) for state in self._board.newest()}


def _keys(remembered: str) -> set[Key]:
    try:
        return {(str(kind), str(name)) for kind, name in json.loads(remembered)}
    except (ValueError, TypeError):
        return set()
