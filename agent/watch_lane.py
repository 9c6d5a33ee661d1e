"""The way out of everything but the alarm: monitors, their journal, the event outbox."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace

import structlog

from agent.county.contract import Event, State
from agent.county.event_data import AgentEventData
from agent.county.messages import Composer
from agent.county.publisher import Publisher
from agent.monitors import Instant, Monitor
from agent.monitors.inspection import Inspection, merged
from agent.published import FACT, Published
from agent.states import StateBoard
from agent.store import inspections, journal, patrol_record
from agent.store.outbox import Lane, Outbox, Row
from agent.store.room import Drops
from drivers.base import Clock, Confirming
from drivers.readings import Reading, ScanReading

# Readings a monitor needs again after a restart.
JOURNALLED = frozenset({"scan"})
REMEMBER_SECONDS = 30.0
PRUNE_SECONDS = 3600.0
# Events given up for want of room are told together, so that telling does not fill it: when no
# more were for a while, or after a minute.
DROPS_QUIET_SECONDS, DROPS_SECONDS = 5.0, 60.0

NOTHING: Mapping[str, str] = {}

log = structlog.get_logger()


class WatchLane:
    """Joins the monitors to the event outbox and the publisher; runs on the watch loop.

    `announce` alone may be called on any thread.
    """

    def __init__(
        self,
        monitors: Sequence[Monitor],
        outbox: Outbox,
        composer: Composer,
        publisher: Publisher,
        board: StateBoard,
        clock: Clock,
        more_states: Callable[[], Sequence[State]],
        remember: Callable[[], Mapping[str, str]],
        unsaved: Callable[[], Mapping[str, str]],
        published: Published,
        inspected: Callable[[], Sequence[Inspection]] = tuple,
        confirming: Callable[[], Mapping[str, Confirming]] = dict,
    ) -> None:
        """`inspected` gives what was seen of the cameras since it was last asked.

        `confirming` gives the drivers that wait to hear that a scan is on disk, by device.
        """
        self._confirming = confirming
        self._inspected = inspected
        self._inspections: list[Inspection] = []
        self._keeping: Future[None] | None = None
        self._monitors = monitors
        self._outbox = outbox
        self._composer = composer
        self._publisher = publisher
        self._board = board
        self._clock = clock
        self._more_states = more_states
        self._remember = remember
        self._unsaved = unsaved
        self._published = published
        self._numbering = threading.Lock()
        self.failed: set[str] = set()
        self._shown: dict[int, Sequence[State]] = {}
        self._remember_at = 0.0
        self._prune_at = 0.0
        self._drops_seen = 0
        self._drops_quiet = 0.0
        self._drops_late: float | None = None

    def change(self, monitors: Sequence[Monitor]) -> None:
        """Ask these from now on; the county forgets the state of what is gone."""
        now = self._now()
        before = [state for one in self._monitors for state in self._states(one, now)]
        self._monitors = monitors
        after = [state for one in self._monitors for state in self._states(one, now)]
        gone = self._board.forget(before, after)
        self._take_away(gone)

    def handle(self, reading: Reading) -> None:
        """Show one reading to every monitor; store it with what it led to, in one commit."""
        now = self._now()
        events = self._asked(lambda monitor: monitor.observe(reading, now))
        kept = [reading] if getattr(reading, "kind", "") in JOURNALLED else []
        facts = self._unsaved()
        if events or kept or facts:
            stored = self._deliver(events, kept, facts)
            if isinstance(reading, ScanReading) and reading.token is not None:
                self._confirm(reading.device_id, reading.token, stored)

    def tick(self) -> None:
        """Let every monitor judge again, and send the states that are due."""
        now = self._now()
        events = self._asked(lambda monitor: monitor.tick(now))
        if events:
            self._deliver(events, [])
        states = [state for monitor in self._monitors for state in self._states(monitor, now)]
        due = self._board.due([*states, *self._more_states()])
        self._publisher.offer_states([self._composer.state(state) for state in due])
        self._take_away(self._published.gone(now.monotonic))
        if now.monotonic >= self._remember_at:
            self._remember_at = now.monotonic + REMEMBER_SECONDS
            facts = {**self._remember(), FACT: self._published.remember()}
            self._outbox.put((), also=journal.remember(facts))
            self.keep_inspections()
        if now.monotonic >= self._prune_at:
            self._prune_at = now.monotonic + PRUNE_SECONDS
            self._outbox.prune(now.wall.timestamp())
            journal.prune(self._outbox.database, now.wall.timestamp())
            inspections.prune(self._outbox.database, now.wall.timestamp())
            patrol_record.prune(self._outbox.database, now.wall.timestamp())
        if self._outbox.drops_untold and self._time_to_tell(now.monotonic):
            self._drops_late = None
            self._outbox.take_drops().add_done_callback(self._tell_drops)

    def keep_inspections(self) -> None:
        """Have the disk keep what was seen of the cameras; what it refuses is tried again."""
        if self._keeping is not None:
            if not self._keeping.done():
                return
            if self._keeping.exception() is None:
                self._inspections = []
        self._inspections = merged(self._inspections, self._inspected())
        self._keeping = None
        if self._inspections:
            self._keeping = inspections.keep(self._outbox.database, tuple(self._inspections))

    def announce(self, event: Event) -> None:
        """Deliver an event of the agent itself."""
        self._deliver([event], [])

    def _take_away(self, gone: Sequence[tuple[str, str]]) -> None:
        self._publisher.offer_states([self._composer.tombstone(*key) for key in gone])

    def _asked(self, question: Callable[[Monitor], Sequence[Event]]) -> list[Event]:
        """Ask every monitor; one that fails does not silence the others."""
        events: list[Event] = []
        for monitor in self._monitors:
            try:
                events += question(monitor)
            except Exception as error:  # noqa: BLE001 - one broken part never stops another
                self._log_once(monitor, error)
        return events

    def _states(self, monitor: Monitor, now: Instant) -> Sequence[State]:
        """Return a monitor's states; when it fails none is sent, and none reads as well."""
        try:
            states = monitor.states(now)
        except Exception as error:  # noqa: BLE001 - one broken part never stops another
            self._log_once(monitor, error)
            self._board.doubt(self._shown.get(id(monitor), ()))
            return ()
        self._shown[id(monitor)] = states
        return states

    def _log_once(self, monitor: Monitor, error: Exception) -> None:
        name = type(monitor).__name__
        if name not in self.failed:
            self.failed.add(name)
            log.error("monitor failed", monitor=name, exc_info=error)

    def _time_to_tell(self, now: float) -> bool:
        if self._outbox.dropped != self._drops_seen:
            self._drops_seen = self._outbox.dropped
            self._drops_quiet = now + DROPS_QUIET_SECONDS
        if self._drops_late is None:
            self._drops_late = now + DROPS_SECONDS
        return now >= min(self._drops_quiet, self._drops_late)

    def _tell_drops(self, taken: "Future[list[Drops]]") -> None:
        if taken.exception() is not None:
            self._outbox.drops_untold = True
            return
        events = []
        for one in taken.result():
            data = AgentEventData(
                what="dropped",
                dropped_count=one.count,
                dropped_epoch=one.epoch,
                dropped_first=one.first,
                dropped_last=one.last,
                dropped_kinds=one.kinds,
            )
            events.append(Event(subject="agent", time=self._clock.now(), data=data))
            log.error("events dropped", store=self._outbox.database.path.name, **vars(one))
        if events:
            self._deliver(events, [])

    def _deliver(
        self,
        events: Sequence[Event],
        readings: Sequence[Reading],
        facts: Mapping[str, str] = NOTHING,
    ) -> "Future[None]":
        also = None
        if readings or facts:
            kind = str(getattr(readings[0], "kind", "")) if readings else ""
            also = journal.writer(kind, readings, facts)
        # Stored in the order of their numbers: after a crash what is behind the last is void, and
        # a number missing before it would be a loss that nobody can explain.
        with self._numbering:
            rows = [
                self._composer.event(event, Lane.EVENT, "event", self._outbox.number())
                for event in events
            ]
            stored = self._outbox.put(rows, also, together=bool(readings))
        stored.add_done_callback(lambda done: self._stored(rows, done))
        return stored

    def _confirm(self, device: str, token: str, stored: "Future[None]") -> None:
        """Tell a device that a scan of it, and what it led to, is on disk, once it is."""
        driver = self._confirming().get(device)

        def done(stored: "Future[None]") -> None:
            if driver and stored.exception() is None and self._outbox.database.durable:
                driver.confirm(token)

        stored.add_done_callback(done)

    def _stored(self, rows: Sequence[Row], done: "Future[None]") -> None:
        if done.exception() is None:
            self._publisher.events_stored()
            return
        log.error("events not on disk; sent all the same", error=str(done.exception()))
        for row in rows:
            self._publisher.offer(replace(row, durable=False))

    def _now(self) -> Instant:
        return Instant(self._clock.now(), self._clock.monotonic())
