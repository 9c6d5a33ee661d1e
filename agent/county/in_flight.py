"""What is on its way to the broker and not confirmed yet."""

from agent.store.outbox import Lane, Row

ALARM_ACK_SECONDS = 5.0
ACK_SECONDS = 20.0


class InFlight:
    """By packet id: what was sent, and when; a row is None for what no store keeps."""

    def __init__(self) -> None:
        self._sent: dict[int, tuple[Row | None, float]] = {}

    def __len__(self) -> int:
        return len(self._sent)

    def __contains__(self, mid: object) -> bool:
        return mid in self._sent

    def add(self, mid: int, row: Row | None, at: float) -> None:
        """Note what was sent; status, about and replies are no rows."""
        self._sent[mid] = (row, at)

    def pop(self, mid: int) -> Row | None:
        """Take out what was confirmed; None for what is no row."""
        return self._sent.pop(mid)[0]

    def ids(self) -> set[str]:
        """Return the ids of all rows on their way."""
        return {row.id for row, _ in self._sent.values() if row is not None}

    def give_back(self) -> list[Row]:
        """Take out everything; return the rows, the newest first."""
        rows = [row for row, _ in self._sent.values() if row is not None]
        self._sent.clear()
        return sorted(rows, key=lambda row: row.seq, reverse=True)

    def overdue(self, now: float) -> bool:
        """Tell whether a confirmation is missing for so long that the broker must be hung."""
        return any(
            now - at > (ALARM_ACK_SECONDS if row and row.lane is Lane.ALARM else ACK_SECONDS)
            for row, at in self._sent.values()
        )
