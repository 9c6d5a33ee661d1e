"""Where the county's commands arrive: judged, carried out, answered, audited."""

from collections.abc import Callable
from concurrent.futures import Future

import structlog

from agent.alarm_lane import AlarmLane
from agent.county.commands import (
    AckCommand,
    CommandGuard,
    RefusedError,
    TestCommand,
    reply,
)
from agent.county.contract import Event
from agent.county.event_data import AuditEventData
from agent.county.publisher import Publisher
from agent.county.topics import Topics
from agent.loop import Loop
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
        clock: Clock,
    ) -> None:
        self._guard = guard
        self._topics = topics
        self._alarm = alarm
        self._alarm_loop = alarm_loop
        self._publisher = publisher
        self._announce = announce
        self._clock = clock
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
        asked = self._alarm_loop.ask(lambda: self._carry_out(command, by=f"key:{key}"))
        asked.add_done_callback(lambda done: self._done(command, key, done))

    def _carry_out(self, command: AckCommand | TestCommand, *, by: str) -> str:
        if isinstance(command, AckCommand):
            return self._alarm.acknowledge(command.data, by=by)
        return self._alarm.test(command, by=by)

    def _done(self, command: AckCommand | TestCommand, key: str, done: "Future[str]") -> None:
        code = "command.failed" if done.exception() is not None else done.result()
        what = "accepted" if code == "command.done" else "refused"
        self._audit(what, command.verb, code, request=command.id, key=key)
        about = {"incident": command.data.incident} if isinstance(command, AckCommand) else {}
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
