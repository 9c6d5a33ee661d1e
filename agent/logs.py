"""Logs: one line an event on standard output, for the journal, a file or a person."""

import json
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from agent.text import printable
from drivers.base import Clock

REPEAT_SECONDS = 60.0
_MOST_KEPT = 1000
# What sd-daemon(3) reads from the start of a line.
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_UNNAMED = frozenset({"time", "level", "event", "exception"})
_FIRST = ("time", "level", "event", "component", "device")

EventDict = MutableMapping[str, Any]


def configure(
    stream: TextIO, environ: Mapping[str, str], clock: Clock, redact: Callable[[str], str]
) -> None:
    """Send all logs of this process to `stream`, libraries' warnings included.

    A person at a terminal gets text; else JSON, under systemd with the journal's priority.
    """
    if stream.isatty():
        render = _as_text
    elif "INVOCATION_ID" in environ or "JOURNAL_STREAM" in environ:
        render = _for_journal
    else:
        render = _as_json
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _Repeats(clock),
            _Stamp(clock),
            _exception_as_text,
            _Redact(redact),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_Sink(stream),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(logging.WARNING)


def logger(component: str) -> Any:
    """Return the logger of one part of the agent; give `device=` where there is one."""
    return structlog.get_logger().bind(component=component)


class _Repeats:
    """Lets the same trouble of the same device through once a minute, with its count.

    Only warnings and worse: an `info` line is a change of state, and every one matters.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[tuple[str, ...], tuple[float, int]] = {}

    def __call__(self, _: object, method: str, event: EventDict) -> EventDict:
        if _PRIORITIES.get(method, 3) > _PRIORITIES["warning"]:
            return event
        key = tuple(str(event.get(name, "")) for name in ("event", "component", "device"))
        now = self._clock.monotonic()
        with self._lock:
            at, held_back = self._told.get(key, (None, 0))
            if at is not None and now - at < REPEAT_SECONDS:
                self._told[key] = (at, held_back + 1)
                raise structlog.DropEvent
            if len(self._told) >= _MOST_KEPT:
                self._told.clear()
            self._told[key] = (now, 0)
        if held_back:
            event["repeats"] = held_back
        return event


class _Stamp:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, _: object, method: str, event: EventDict) -> EventDict:
        event["time"] = self._clock.now().isoformat(timespec="milliseconds")
        event["level"] = "error" if method == "exception" else method
        first = {name: event.pop(name) for name in _FIRST if name in event}
        return {**first, **event}


def _exception_as_text(_: object, __: str, event: EventDict) -> EventDict:
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    elif error is True:
        error = sys.exception()
    if isinstance(error, BaseException):
        event["exception"] = "".join(traceback.format_exception(error)).rstrip()
    return event


class _Redact:
    """Masks secrets in everything, however deep, and leaves only plain data behind."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def __call__(self, _: object, __: str, event: EventDict) -> EventDict:
        return {str(name): self._plain(value) for name, value in event.items()}

    def _plain(self, value: object) -> object:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Mapping):
            return {self._redact(str(name)): self._plain(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._plain(inner) for inner in value]
        return self._redact(str(value))


def _as_json(_: object, __: str, event: EventDict) -> str:
    return json.dumps(event, ensure_ascii=False)


def _for_journal(_: object, __: str, event: EventDict) -> str:
    return f"<{_PRIORITIES.get(event['level'], 3)}>{json.dumps(event, ensure_ascii=False)}"


def _as_text(_: object, __: str, event: EventDict) -> str:
    rest = " ".join(f"{name}={value}" for name, value in event.items() if name not in _UNNAMED)
    line = printable(f"{event['time']} {event['level']:<7} {event['event']} {rest}".rstrip())
    return f"{line}\n{event['exception']}" if "exception" in event else line


class _Sink:
    """The end of the chain. A log line that cannot be written must not stop who wrote it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, *_: object) -> "_Sink":
        return self

    def msg(self, line: str) -> None:
        with self._lock:
            try:
                self._stream.write(line.encode(errors="replace").decode() + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                return

    debug = info = warning = error = critical = exception = msg


class _Bridge(logging.Handler):
    """Takes what libraries log the standard way."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        log = structlog.get_logger().bind(component=record.name)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info)
