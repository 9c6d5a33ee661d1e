"""Delivers: alarms first, then events, then states; only what is confirmed is done."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import structlog

from agent.county.in_flight import InFlight
from agent.county.lane_queue import LaneQueue
from agent.county.messages import Composer
from agent.county.redial import Redial
from agent.county.self_test import NO_MATCHING_SUBSCRIBERS, SelfTest
from agent.county.session import Login, Session
from agent.county.site_status import SiteStatus
from agent.liveness import Beat
from agent.store.outbox import Lane, Outbox, Row
from drivers.base import Clock

WINDOW = 16
ALARM_RESERVE = WINDOW // 2  # a third of the whole
CONNACK_SECONDS = 5.0
STATUS_SECONDS = 60.0
REPLIES_KEPT = 64
# So long confirmations gather while events go out in numbers: fewer turns, and the alarm's thread
# gets its own sooner. An alarm ends the wait.
BULK_PAUSE_SECONDS = 0.001
REFUSED_SECONDS = 30.0
# MQTT 5.0, 3.4.2.1: unspecified, implementation specific, quota exceeded: may pass another time.
MAY_PASS_LATER = frozenset({0x80, 0x83, 0x97})

log = structlog.get_logger()


class Publisher:
    """One thread that never touches a disk: stores answer by futures, paho by a queue of acks."""

    def __init__(
        self,
        brokers: Sequence[tuple[str, int]],
        login: Login,
        composer: Composer,
        status: SiteStatus,
        alarms: Outbox,
        events: Outbox,
        clock: Clock,
        beat: Beat,
        *,
        status_seconds: float = STATUS_SECONDS,
    ) -> None:
        self.on_connected: Callable[[], None] = lambda: None
        self.on_command: Callable[[str, bytes, bool], None] = lambda *_: None
        # Told on the publisher's thread, by the row's id: a broker has taken an alarm; and one
        # that gives back what it takes has it.
        self.on_taken: Callable[[str], None] = lambda _: None
        self.on_sent: Callable[[str], None] = lambda _: None
        self._redial = Redial(brokers)
        self._login = login
        self._composer = composer
        self._status = status
        self._alarms = LaneQueue(alarms)
        self._events = LaneQueue(events)
        self._queues = {Lane.ALARM: self._alarms, Lane.EVENT: self._events}
        self._clock = clock
        self._beat = beat
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._in_bulk = False
        self._stopping = threading.Event()
        self._moved = False
        self._lock = threading.Lock()
        self._offered: deque[Row] = deque()
        self._own: deque[Callable[[], tuple[str, bytes]]] = deque()
        self._states: dict[str, Row] = {}
        self._replies: deque[tuple[str, bytes]] = deque(maxlen=REPLIES_KEPT)
        self._session: Session | None = None
        self._self_test = SelfTest(composer.topics)
        self._in_flight = InFlight()
        self._session_since = self._status_due = 0.0
        self._status_seconds = status_seconds
        self._was_up = False
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Start to connect and to send."""
        self._thread.start()

    def stop(self, *, timeout: float = 2.0) -> None:
        """Say goodbye: `stopped` is published and confirmed before the connection is closed."""
        self._stopping.set()
        self._urgent.set()
        self._wake.set()
        self._thread.join(timeout)

    def change(self, brokers: Sequence[tuple[str, int]], login: Login, seconds: float) -> None:
        """Go to other brokers, where what is not confirmed is sent again; say `about` anew."""
        new = (list(brokers), login, seconds)
        self._moved = new != (self._redial.brokers, self._login, self._status_seconds)
        self._redial.brokers, self._login, self._status_seconds = new
        self.say_again()

    def say_again(self) -> None:
        """Publish `status` and `about` once more."""
        self._own += [self._status.online, self._status.about]
        self._wake.set()

    def offer(self, row: Row) -> None:
        """Send an event now, stored or not."""
        with self._lock:
            self._offered.append(row)
        self._urgent.set()
        self._wake.set()

    def events_stored(self) -> None:
        """Look into the event outbox: something new is there."""
        self._events.more_on_disk = True
        self._wake.set()

    def replay(self, lane: Lane) -> None:
        """Send again what the lane's outbox takes for unconfirmed. Any thread may call."""
        self._queues[lane].look_again()
        self._wake.set()

    def offer_states(self, rows: Iterable[Row]) -> None:
        """Send states; a newer one replaces an older one that has not left."""
        with self._lock:
            for row in rows:
                self._states[row.topic] = row
        self._wake.set()

    def offer_reply(self, topic: str, payload: bytes) -> None:
        """Answer a command; kept in memory alone, since whoever asked can ask again."""
        self._replies.append((topic, payload))
        self._wake.set()

    @property
    def connected(self) -> bool:
        """Tell whether a broker has accepted us and the connection has not been seen to fail."""
        session = self._session
        return session is not None and session.up

    @property
    def address(self) -> str | None:
        """Return the connected broker as host:port."""
        session = self._session
        return "{}:{}".format(*session.address) if session is not None and session.up else None

    @property
    def trusted(self) -> bool:
        """Tell whether the connected broker has given back what we published."""
        return self.connected and self._self_test.result == "passed"

    @property
    def cut_short(self) -> int:
        """Return how often of late a broker ended what it had just accepted; 0: now and then."""
        return self._redial.cut_short(self._clock.monotonic())

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(0.25)
            if self._in_bulk:
                self._urgent.wait(BULK_PAUSE_SECONDS)
            self._wake.clear()
            self._urgent.clear()
            self._beat()
            try:
                self._step()
            except Exception:
                # Whatever it was, a new connection and the stores' rows put it right.
                log.exception("publisher failed; starting over with a new connection")
                self._drop("internal error")
        self._say_goodbye()

    def _step(self) -> None:
        now = self._clock.monotonic()
        self._take_in()
        self._write_confirmed(now)
        if self._moved:
            self._drop("new settings")
            self._moved = False
            self._redial.now(now)
        session = self._session
        if session is None:
            address = self._redial.due(now, urgent=len(self._alarms) > 0)
            if address is not None:
                self._connect(address, now)
            return
        self._collect_acks(session)
        while session.received:
            self._received(*session.received.popleft(), now)
        if session.ended is not None or not session.alive:
            self._drop(session.ended or "network thread died")
        elif not session.up:
            if now - self._session_since > CONNACK_SECONDS:
                self._drop("no answer to CONNECT")
        elif self._in_flight.overdue(now):
            self._drop("no confirmation from the broker")
        else:
            self._birth(session, now)
            self._test_round_trip(session, now)
            for queue in self._queues.values():
                queue.take_back(now)
                queue.fill(self._in_flight.ids, self._wake.set)
            self._send(session)

    # -- connection

    def _connect(self, address: tuple[str, int], now: float) -> None:
        self._session = Session(
            address,
            self._login,
            self._status.will(),
            self._composer.topics.commands,
            self._wake.set,
            mqtt5=self._redial.mqtt5,
        )
        self._session_since = now
        self._was_up = False
        self._session.start()

    def _drop(self, why: str) -> None:
        """Give up the connection; what was not confirmed is sent again, oldest first."""
        session, self._session = self._session, None
        if session is None:
            return
        session.abort()
        now = self._clock.monotonic()
        self._self_test.disconnected(now)
        self._redial.ended(session, why, now)
        for row in self._in_flight.give_back():
            self._put_back(row)
        self._own.clear()

    def _put_back(self, row: Row) -> None:
        if row.lane in self._queues:
            self._queues[row.lane].put_back(row)
        else:
            with self._lock:
                self._states.setdefault(row.topic, row)

    def _received(self, topic: str, payload: bytes, retained: bool, now: float) -> None:
        if topic == self._self_test.topic:
            self._self_test.heard(payload, retained=retained, now=now)
        else:
            self.on_command(topic, payload, retained)

    def _test_round_trip(self, session: Session, now: float) -> None:
        """See that what we publish comes back; the county hears of it when that changes."""
        test, status = self._self_test, self._status
        test.step(session, now, room=len(self._in_flight) < session.receive_maximum)
        if (test.result, test.detail) != (status.self_test, status.self_test_detail):
            log.info("round trip", result=test.result, why=test.detail)
            status.self_test, status.self_test_detail = test.result, test.detail
            self._own.append(status.online)
        for row in test.vouched():
            self.on_sent(row)

    def _birth(self, session: Session, now: float) -> None:
        if not self._was_up:
            self._was_up = True
            self._status.connected(session)
            self._self_test.connected(now)
            log.info(
                "broker connected",
                broker=f"{session.address[0]}:{session.address[1]}",
                protocol=self._status.protocol,
            )
            self._own += [self._status.online, self._status.about]
            for queue in self._queues.values():
                queue.take_back(float("inf"))
            self.on_connected()
        elif now >= self._status_due:
            self._own.append(self._status.online)
        else:
            return
        self._status_due = now + self._status_seconds
        self._alarms.more_on_disk = self._events.more_on_disk = True

    # -- rows

    def _take_in(self) -> None:
        with self._lock:
            offered = list(self._offered)
            self._offered.clear()
        for row in offered:
            self._queues[row.lane].take_in(row, self._in_flight.ids())

    def _send(self, session: Session) -> None:
        allowed = session.receive_maximum - self._self_test.unconfirmed
        window = min(WINDOW + ALARM_RESERVE, allowed)
        while self._own and len(self._in_flight) < window:
            topic, payload = self._own.popleft()()
            self._send_own(session, topic, payload, retain=True)
        while self._replies and len(self._in_flight) < _shared(window):
            self._send_own(session, *self._replies.popleft(), retain=False)
        self._in_bulk = len(self._events) > 0
        while row := self._next(window):
            now = self._clock.monotonic()
            expiry = None
            if row.valid_for_seconds is not None:
                expiry = self._composer.validity_seconds(row)
            payload = self._composer.payload(row)
            if not session.fits(row.topic, payload):
                self._refused(row, "too large for the broker", later=False)
                continue
            mid = session.publish(row.topic, payload, retain=row.retain, expiry=expiry)
            if mid is None:
                self._put_back(row)
                return
            self._in_flight.add(mid, row, now)

    def _send_own(self, session: Session, topic: str, payload: bytes, *, retain: bool) -> None:
        """Send what no store keeps: status, about, replies."""
        if not session.fits(topic, payload):
            self._refused_own(f"too large: {topic}")
            return
        mid = session.publish(topic, payload, retain=retain)
        if mid is not None:
            self._in_flight.add(mid, None, self._clock.monotonic())

    def _next(self, window: int) -> Row | None:
        """Choose the next row; a third of the window stays free for alarms alone."""
        if len(self._in_flight) < window and len(self._alarms):
            return self._alarms.next()
        if len(self._in_flight) >= _shared(window):
            return None
        if len(self._events):
            return self._events.next()
        with self._lock:
            if self._states:
                return self._states.pop(next(iter(self._states)))
        return None

    def _collect_acks(self, session: Session) -> None:
        done: dict[Lane, list[str]] = {lane: [] for lane in self._queues}
        while session.acks:
            mid, reason = session.acks.popleft()
            value = reason.value if reason is not None else 0
            if mid == self._self_test.mid:
                self._self_test.confirmed(value)
            if mid not in self._in_flight:
                continue
            row = self._in_flight.pop(mid)
            refused = reason is not None and reason.is_failure
            if row is None:
                if refused:
                    self._refused_own(str(reason))
            elif reason is not None and refused:
                self._refused(row, str(reason), later=reason.value in MAY_PASS_LATER)
            elif row.lane is not Lane.STATE:
                done[row.lane].append(row.id)
                # Taken by a broker at which nobody listens: confirmed, and not sent to anybody.
                if row.lane is Lane.ALARM and value != NO_MATCHING_SUBSCRIBERS:
                    self._self_test.taken(row.id)
                    self.on_taken(row.id)
        for lane, queue in self._queues.items():
            if done[lane]:
                queue.confirm(done[lane], self._clock.monotonic())

    def _refused(self, row: Row, reason: str, *, later: bool) -> None:
        """An event the broker will never have is set aside; an alarm is always tried again."""
        self._status.refused += 1
        log.error("message refused by the broker", topic=row.topic, id=row.id, reason=reason)
        if row.lane is Lane.EVENT and not later:
            self._events.outbox.refuse(row.id, reason)
        elif row.lane in self._queues:
            self._queues[row.lane].postpone(row, self._clock.monotonic() + REFUSED_SECONDS)

    def _refused_own(self, reason: str) -> None:
        self._status.refused += 1
        log.error("own message refused by the broker", reason=reason)

    def _say_goodbye(self) -> None:
        session = self._session
        if session is not None and session.up:
            mid = session.publish(*self._status.stopped(), retain=True)
            until = self._clock.monotonic() + 1.0
            if mid is not None:
                self._in_flight.add(mid, None, until)
            while mid in self._in_flight and session.up and self._clock.monotonic() < until:
                self._wake.wait(0.05)
                self._wake.clear()
                self._collect_acks(session)
        self._write_confirmed(float("inf"))
        if session is not None:
            session.stop()

    def _write_confirmed(self, now: float) -> None:
        for queue in self._queues.values():
            queue.write_confirmed(now, self._clock.now().timestamp())


def _shared(window: int) -> int:
    """Return how much of a window is not kept free for alarms."""
    return min(window, max(1, window - window // 3))
