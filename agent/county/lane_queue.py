"""The rows of one outbox that are in memory, on their way to the broker."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future

from agent.store.outbox import Outbox, Row

FETCH = 64
READY_MAX = 1000
# Confirmations go to the disk together: each commit is a sync, and one that a crash takes away
# only has its message sent once more, under the id it has.
CONFIRM_ROWS = 64
CONFIRM_SECONDS = 0.2


class LaneQueue:
    """Used by the publisher's thread alone; the disk is asked by futures and never waited for."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.more_on_disk = True
        self._anew = False
        self._ready: deque[Row] = deque()
        self._fetching: Future[list[Row]] | None = None
        # Refused for now: when to try again. They keep their place in memory, or they would be
        # fetched and refused again without end.
        self._postponed: deque[tuple[float, Row]] = deque()
        # Confirmed rows whose confirmation may not be on disk yet: a fetch must not bring them
        # back.
        self._confirmed: deque[str] = deque(maxlen=4 * FETCH)
        self._unwritten: list[str] = []
        self._unwritten_since = 0.0

    def __len__(self) -> int:
        return len(self._ready)

    def next(self) -> Row:
        """Take the row that goes next."""
        return self._ready.popleft()

    def take_in(self, row: Row, flying: Collection[str]) -> None:
        """Queue a row handed over in memory."""
        # A fetch may have been quicker than the offer.
        if row.id in (self._here(flying) if row.again else self._known(flying)):
            return
        if not row.again and row.durable and len(self._ready) >= READY_MAX:
            self.more_on_disk = True  # it can wait there
        else:
            self._ready.append(row)

    def put_back(self, row: Row) -> None:
        """Queue a row again that was sent and not confirmed."""
        self._ready.appendleft(row)

    def postpone(self, row: Row, until: float) -> None:
        """Keep a row that was refused for now."""
        self._postponed.append((until, row))

    def take_back(self, now: float) -> None:
        """Queue again what was postponed until now."""
        while self._postponed and self._postponed[0][0] <= now:
            self._ready.append(self._postponed.popleft()[1])

    def look_again(self) -> None:
        """Look on the disk for what is to be sent once more; any thread may call."""
        self._anew = self.more_on_disk = True

    def confirm(self, ids: Sequence[str], now: float) -> None:
        """Note what the broker has confirmed."""
        if not self._unwritten:
            self._unwritten_since = now
        self._confirmed.extend(ids)
        self._unwritten.extend(ids)

    def write_confirmed(self, now: float, at: float) -> None:
        """Hand the noted confirmations to the disk when they are many, or `now` is late enough."""
        late = now - self._unwritten_since >= CONFIRM_SECONDS
        if self._unwritten and (late or len(self._unwritten) >= CONFIRM_ROWS):
            self.outbox.acked(self._unwritten, at)
            self._unwritten = []

    def fill(self, flying: Callable[[], Collection[str]], wake: Callable[[], None]) -> None:
        """Take in what was fetched, and ask for more when little is left."""
        if self._anew:
            self._anew = False
            self._confirmed.clear()
        if self._fetching is not None:
            if not self._fetching.done():
                return
            fetched, self._fetching = self._fetching, None
            if fetched.exception() is None:
                known = self._known(flying())
                rows = [row for row in fetched.result() if row.id not in known]
                self._ready.extend(rows)
                if len(rows) >= FETCH:  # or as others have set it meanwhile
                    self.more_on_disk = True
        if self.more_on_disk and len(self._ready) + len(self._postponed) < FETCH // 2:
            self.more_on_disk = False
            self._fetching = self.outbox.waiting(FETCH, self._known(flying()))
            self._fetching.add_done_callback(lambda _: wake())

    def _known(self, flying: Collection[str]) -> set[str]:
        return self._here(flying) | set(self._confirmed)

    def _here(self, flying: Collection[str]) -> set[str]:
        postponed = {row.id for _, row in self._postponed}
        return {*flying, *postponed, *(row.id for row in self._ready)}
