"""Tags of nobody: one is a mistake, several in a short time are somebody trying cards. Pure."""

from collections import deque

TOO_MANY = 3
WITHIN_SECONDS = 600.0
TOLD_SECONDS = 3600.0


class UnknownCards:
    """Counts reads of tags that belong to no checkpoint, post or guard; ages are monotonic."""

    def __init__(self) -> None:
        self._reads: deque[float] = deque(maxlen=TOO_MANY)
        self._until: float | None = None

    def came(self, monotonic: float) -> None:
        """Note one more."""
        self._reads.append(monotonic)
        if len(self._reads) == TOO_MANY and monotonic - self._reads[0] <= WITHIN_SECONDS:
            self._reads.clear()
            self._until = monotonic + TOLD_SECONDS

    def are_many(self, monotonic: float) -> bool:
        """Tell whether there were too many within the last hour."""
        return self._until is not None and monotonic < self._until
