"""The alarm's way out: disk first with a deadline, then the county, never silent."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace

import structlog

from agent.county.commands import AckData, TestCommand
from agent.county.contract import Event, State
from agent.county.event_data import AlarmEventData
from agent.county.messages import Composer
from agent.county.publisher import Publisher
from agent.county.state_data import ButtonState
from agent.guard import Signs, Stage
from agent.guard_post import GuardPost
from agent.monitors import Instant
from agent.monitors.alarm import AlarmMonitor
from agent.monitors.incidents import AlarmRefusedError
from agent.policy import AlarmEquipment
from agent.states import StateBoard
from agent.store.alarms import AlarmStore
from agent.store.outbox import Lane, Row
from drivers.base import Clock, Confirming, OutputDriver
from drivers.readings import LatchesReading, Reading, ReceiverReading

COMMIT_SECONDS = 0.2
REMEMBER_SECONDS = 10.0
AGAIN_SECONDS = 60.0
# While the guard is told that an alarm has not got through, or that nobody has acknowledged it.
UNHEARD_AGAIN_SECONDS = 15.0
PRUNE_SECONDS = 3600.0
COMMANDS_KEPT = 100

log = structlog.get_logger()


class AlarmLane:
    """Joins the alarm monitor to its store and the publisher; runs on the alarm loop alone."""

    def __init__(
        self,
        monitor: AlarmMonitor,
        store: AlarmStore,
        composer: Composer,
        publisher: Publisher,
        board: StateBoard,
        clock: Clock,
        *,
        announce: Callable[[Event], None],
        confirming: Mapping[str, Confirming],
        guard: GuardPost,
    ) -> None:
        self._guard = guard
        self._announce_other = announce
        self._confirming = confirming
        self._monitor = monitor
        self._store = store
        self._composer = composer
        self._publisher = publisher
        self._board = board
        self._clock = clock
        self._remember_at = 0.0
        self._prune_at = 0.0
        self._announced = False
        self._again_at = 0.0
        self._presses: dict[str, Row] = {}
        # Rows the disk refused at first; what a row's confirmation is owed to.
        self._refused: list[str] = []
        self._owed: dict[str, tuple[str, str]] = {}

    def change(
        self,
        equipment: AlarmEquipment,
        confirming: Mapping[str, Confirming],
        outputs: Mapping[str, OutputDriver],
        signs: Signs,
    ) -> None:
        """Watch these lines from now on; the county forgets the state of what is gone."""
        before = self._monitor.states(self._now())
        self._monitor.change(equipment)
        self._confirming = confirming
        self._guard.change(signs, outputs)
        gone = self._board.forget(before, self._monitor.states(self._now()))
        self._publisher.offer_states([self._composer.tombstone(*key) for key in gone])

    def handle(self, reading: Reading) -> None:
        """Judge one reading and deliver what happened."""
        now = self._now()
        if not self._announced:
            self._announce(now)
        asks = _token_of(reading)
        self._deliver(self._monitor.observe(reading, now), asks)
        if self._monitor.incidents.unsaved:
            self._store.save((), self._monitor.memory)
            if any(
                self._guard.was_acknowledged(one) for one in self._monitor.incidents.unanswered()
            ):
                self._again_at = 0.0  # a press that is only counted asks for attention too
        self._monitor.incidents.unsaved = False
        if asks is not None:
            self._confirm(*asks)

    def tick(self) -> None:
        """Notice silence, keep the memory fresh, send states."""
        now = self._now()
        if not self._announced:
            self._announce(now)
        late = self._store.recalled()
        if late is not None:
            self._monitor.recall(late)
            self._deliver(self._monitor.window_left_open(now))
            if self._store.outbox.numbers.void is not None:
                self._deliver([self._monitor.void(now, self._store.outbox.numbers.void)])
        self._deliver(self._monitor.tick(now))
        if self._refused and not self._store.outbox.unsaved:
            while self._refused:  # the disk has taken them with a later commit
                self._guard.recorded(self._refused.pop())
        self._guard.tick(self._monitor.incidents.buttons, now.monotonic)
        if now.monotonic >= self._remember_at:
            self._remember_at = now.monotonic + REMEMBER_SECONDS
            self._store.save((), self._monitor.memory)
        if now.monotonic >= self._prune_at:
            self._prune_at = now.monotonic + PRUNE_SECONDS
            self._store.outbox.prune(now.wall.timestamp())
        self._send_states(now)
        if now.monotonic >= self._again_at:
            stages = self._guard.stages.values()
            heard = all(stage in ("off", "sent", "acknowledged") for stage in stages)
            self._again_at = now.monotonic + (AGAIN_SECONDS if heard else UNHEARD_AGAIN_SECONDS)
            self._announce_again()

    def reset(self, button: str, *, by: str, reason: str) -> int:
        """Close a button's incident and return its number. Raises AlarmRefusedError."""
        incident, closed = self._monitor.reset(button, self._now(), by=by, reason=reason)
        self._deliver(closed)
        return incident

    def start_test(self, buttons: Sequence[str], *, by: str, minutes: float) -> None:
        """Open a test window. Raises AlarmRefusedError."""
        self._deliver(self._monitor.start_test(buttons, self._now(), by=by, minutes=minutes))

    def end_test(self, *, by: str) -> None:
        """End the test window. Raises AlarmRefusedError."""
        self._deliver(self._monitor.incidents.end_window(self._now(), by=by, reason="ended"))

    @property
    def buttons(self) -> Sequence[str]:
        """Return the site's buttons."""
        return list(self._monitor.incidents.buttons)

    @property
    def open_incidents(self) -> Sequence[str]:
        """Return the buttons whose incident is open."""
        buttons = self._monitor.incidents.buttons
        return [name for name, memory in buttons.items() if memory.incident is not None]

    def contact_position(self, contact: str) -> str | None:
        """Return how a contact that is no button stands now; None: there is none of that name."""
        return self._monitor.contact_position(contact)

    def answer_guard(self, *, accepted: bool) -> None:
        """Show a guard for a moment what came of a card at a reader."""
        at = self._clock.monotonic()
        self._guard.answer(at, accepted=accepted)
        self._guard.tick(self._monitor.incidents.buttons, at)

    def acknowledge(self, ack: AckData, *, by: str) -> str:
        """Note the county's acknowledgement; return the code of the answer."""
        open_now = self._monitor.memory.buttons
        # A disk that reserves no numbers has a new epoch begun; the incident is the same.
        epochs = {
            row.epoch
            for button, row in self._presses.items()
            if open_now[button].incident == ack.incident
        }
        if ack.epoch not in {self._store.outbox.numbers.epoch, *epochs}:
            return "command.other_epoch"
        code, events = self._monitor.incidents.acknowledge(ack.incident, self._now(), by=by)
        self._deliver(events)
        return code

    def test(self, command: TestCommand, *, by: str) -> str:
        """Carry out the county's `test`; a repeat changes nothing and gets the same answer."""
        told = self._monitor.memory.commands
        if command.id in told:
            return told[command.id]
        who, data = f"{command.data.by} ({by})", command.data
        try:
            if data.action == "end":
                self.end_test(by=who)
            else:
                self.start_test(data.buttons, by=who, minutes=data.minutes)
            code = "command.done"
        except AlarmRefusedError as error:
            code = error.code
        kept = [*told.items(), (command.id, code)][-COMMANDS_KEPT:]
        self._monitor.memory.commands = dict(kept)
        self._store.save((), self._monitor.memory)
        return code

    def connected(self) -> None:
        """Have open incidents announced again: a broker accepted us anew. Any thread may call."""
        self._again_at = 0.0

    def _announce(self, now: Instant) -> None:
        self._announced = True
        self._deliver(self._monitor.started(now, self._store.outbox.numbers.void))
        database = self._store.outbox.database
        if database.set_aside is not None:
            self._deliver([self._monitor.store_lost(now, salvaged=database.salvaged)])

    def _announce_again(self) -> None:
        """An open incident is said again, live, under the id it has, until somebody has seen it."""
        for button in self._monitor.incidents.unanswered():
            incident = self._monitor.memory.buttons[button].incident or 0
            press = self._presses.get(button) or self._store.newest_press(button, incident)
            if press is not None:
                self._presses[button] = press
                self._guard.announced(press, button)
                self._publisher.offer(replace(press, again=True))

    def _confirm(self, device: str, token: str) -> None:
        """Tell a device that what it said is on disk, as soon as it is."""
        driver = self._confirming.get(device)

        def stored(done: "Future[None]") -> None:
            if driver and done.exception() is None and self._store.outbox.database.durable:
                driver.confirm(token)

        # Whatever it led to was put before: this commit holds it, also when the first one failed.
        self._store.save((), self._monitor.memory).add_done_callback(stored)

    def taken(self, row: str) -> None:
        """Note that a broker has confirmed an alarm event. Any thread may call."""
        device, token = self._owed.pop(row, ("", ""))
        if device in self._confirming:
            self._confirming[device].confirm(token)

    def sent(self, row: str) -> None:
        """Note that a broker which gives back what it takes has it. Any thread may call."""
        self._guard.sent(row)

    def _deliver(self, happened: Sequence[Event], asks: tuple[str, str] | None = None) -> None:
        """Store, then send. `asks`: the device, and its token, that waits to hear it is owned."""
        events = [event for event in happened if isinstance(event.data, AlarmEventData)]
        for event in happened:
            if not isinstance(event.data, AlarmEventData):
                self._announce_other(event)
        if not events:
            return
        outbox = self._store.outbox
        rows = [
            self._composer.event(event, Lane.ALARM, "alarm", outbox.number()) for event in events
        ]
        saved = self._store.save(rows, self._monitor.memory)
        durable = self._committed(saved)
        if asks is not None and not outbox.database.durable:
            # A store in memory owns nothing, yet a receiver that never hears us is deaf in the
            # end: what the broker has taken is owned too.
            self._owed[rows[-1].id] = asks
        for event, row in zip(events, rows, strict=True):
            self._publisher.offer(replace(row, durable=durable))
            incident = _incident_of_press(event)
            if incident is not None:
                press = self._presses[event.subject] = replace(row, durable=durable)
                self._guard.pressed(press, event.subject, incident, self._clock.monotonic())
            log.info("alarm", device=event.subject, what=event.data.model_dump(exclude_none=True))
        if not durable and outbox.database.durable:
            saved.add_done_callback(lambda done: self._recorded_late(rows, done))
        self._guard.tick(self._monitor.incidents.buttons, self._clock.monotonic())
        self._send_states(self._now())

    def _recorded_late(self, rows: Sequence[Row], done: "Future[None]") -> None:
        if done.exception() is not None:
            self._refused += [row.id for row in rows]
            return
        for row in rows:
            self._guard.recorded(row.id)

    def _committed(self, saved: "Future[None]") -> bool:
        try:
            saved.result(COMMIT_SECONDS)
        except FutureTimeoutError:
            log.error("alarm not on disk in time; sent all the same", seconds=COMMIT_SECONDS)
            return False
        except Exception as error:  # noqa: BLE001 - the press counts as told from here on
            log.error("alarm not on disk; sent all the same", error=str(error))
            return False
        return self._store.outbox.database.durable

    def _send_states(self, now: Instant) -> None:
        due = self._board.due(
            _with_stage(state, self._guard.stages) for state in self._monitor.states(now)
        )
        self._publisher.offer_states([self._composer.state(state) for state in due])

    def _now(self) -> Instant:
        return Instant(self._clock.now(), self._clock.monotonic())


def _incident_of_press(event: Event) -> int | None:
    """Return the incident that a live press opens or joins."""
    data = event.data
    return data.incident if isinstance(data, AlarmEventData) and data.what == "press" else None


def _with_stage(state: State, stages: Mapping[str, Stage]) -> State:
    """Add what the guard is told of a button."""
    if not isinstance(state.data, ButtonState):
        return state
    data = state.data.model_copy(update={"guard": stages.get(state.id, "off")})
    return state.model_copy(update={"data": data})


def _token_of(reading: Reading) -> tuple[str, str] | None:
    """Return device and token of a reading that its device keeps until we own it."""
    if isinstance(reading, ReceiverReading | LatchesReading):
        return reading.device_id, reading.token
    return None
