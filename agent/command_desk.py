"""Where the county's commands arrive: judged, carried out, answered, audited."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future

import structlog

from agent.alarm_lane import AlarmLane
from agent.county.commands import (
    VALID_SECONDS,
    AckCommand,
    AnyCommand,
    CommandGuard,
    DiagCommand,
    RefusedError,
    ReplayCommand,
    TestCommand,
    reply,
)
from agent.county.contract import Event
from agent.county.event_data import AuditEventData
from agent.county.publisher import Publisher
from agent.county.topics import Topics
from agent.loop import Loop
from agent.store.outbox import Lane, Outbox
from drivers.base import Clock

PER_MINUTE = 30

log = structlog.get_logger()


class CommandDesk:
    """`receive` is called on the publisher's thread and never waits."""

    def __init__(
        self,
        guard: CommandGuard,
        topics: Topics,
        alarm: AlarmLane,
        alarm_loop: Loop,
        publisher: Publisher,
        announce: Callable[[Event], None],
        streams: Mapping[str, Outbox],
        resync: Callable[[], None],
        diagnosis: Callable[[], Mapping[str, object]],
        clock: Clock,
    ) -> None:
        """`resync` has `about` and every state sent again; `diagnosis` is what `diag` answers."""
        self._streams = streams
        self._diagnosis = diagnosis
        self._resync = resync
        self._guard = guard
        self._topics = topics
        self._alarm = alarm
        self._alarm_loop = alarm_loop
        self._publisher = publisher
        self._announce = announce
        self._clock = clock
        self._obeyed: dict[str, float] = {}
        self._minute = 0.0
        self._count = 0

    def change(self, guard: CommandGuard) -> None:
        """Obey these keys from now on."""
        self._guard = guard

    def receive(self, topic: str, payload: bytes, retained: bool) -> None:
        """Take in one message of the command topics."""
        verb = topic.rsplit("/", 1)[-1]
        if not self._in_rate(verb):
            return
        try:
            command, key = self._guard.admit(verb, payload, retained=retained)
        except RefusedError as error:
            self._audit("refused", verb, error.code, request=error.request, key=error.key)
            if error.request is not None and error.key is not None:
                self._answer(error.request, error.code)
            return
        if isinstance(command, AckCommand | TestCommand):
            asked = self._alarm_loop.ask(lambda: self._carry_out(command, by=f"key:{key}"))
            about = {"incident": command.data.incident} if isinstance(command, AckCommand) else {}
            asked.add_done_callback(lambda done: self._done(command, key, done, about))
        elif self._repeated(command):
            self._finish(command, key, "command.repeated")
        elif isinstance(command, ReplayCommand):
            self._replay(command, key)
        elif isinstance(command, DiagCommand):
            self._finish(command, key, "command.done", **self._diagnosis())
        else:
            self._resync()
            self._finish(command, key, "command.done")

    def _repeated(self, command: AnyCommand) -> bool:
        """Tell whether a command has been obeyed already: somebody may have recorded it."""
        now = self._clock.monotonic()
        # Twice as long as a time may be off: then it is refused for that.
        self._obeyed = {one: at for one, at in self._obeyed.items() if now - at < 2 * VALID_SECONDS}
        repeated = command.id in self._obeyed
        self._obeyed[command.id] = now
        return repeated

    def _carry_out(self, command: AckCommand | TestCommand, *, by: str) -> str:
        if isinstance(command, AckCommand):
            return self._alarm.acknowledge(command.data, by=by)
        return self._alarm.test(command, by=by)

    def _replay(self, command: ReplayCommand, key: str) -> None:
        """Have the disk give up what is asked for; how much there was goes into the answer."""
        data = command.data
        found = self._streams[data.stream].replay(data.epoch, data.first, data.last)

        def answered(done: "Future[int]") -> None:
            if done.exception() is None:
                self._publisher.replay(Lane.ALARM if data.stream == "alarm" else Lane.EVENT)
                self._finish(command, key, "command.done", count=done.result())
            else:
                self._finish(command, key, "command.failed")

        found.add_done_callback(answered)

    def _done(
        self, command: AnyCommand, key: str, done: "Future[str]", about: Mapping[str, object]
    ) -> None:
        code = "command.failed" if done.exception() is not None else done.result()
        self._finish(command, key, code, **about)

    def _finish(self, command: AnyCommand, key: str, code: str, **about: object) -> None:
        what = "accepted" if code == "command.done" else "refused"
        self._audit(what, command.verb, code, request=command.id, key=key)
        self._answer(command.id, code, **about)

    def _answer(self, request: str, code: str, **data: object) -> None:
        payload = reply(request, "/" + self._topics.root, self._clock.now(), code=code, data=data)
        self._publisher.offer_reply(self._topics.reply(request), payload)

    def _audit(
        self, what: str, verb: str, code: str, *, request: str | None, key: str | None
    ) -> None:
        data = AuditEventData.model_validate(
            {"what": what, "verb": verb[:32], "code": code, "request": request, "key": key}
        )
        log.info("command", component="commands", what=data.model_dump(exclude_none=True))
        self._announce(Event(subject="commands", time=self._clock.now(), data=data))

    def _in_rate(self, verb: str) -> bool:
        """Let a burst through and no flood; the first message too many of a minute is on record."""
        now = self._clock.monotonic()
        if now - self._minute >= 60:
            self._minute, self._count = now, 0
        self._count += 1
        if self._count == PER_MINUTE + 1:
            self._audit("refused", verb, "command.too_many", request=None, key=None)
        return self._count <= PER_MINUTE
