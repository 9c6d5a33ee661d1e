"""The daemon's end of the control socket: owner and group only, one caller a thread, deadlines."""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from agent.control.protocol import (
    LARGEST_LINE_BYTES,
    CommandError,
    Reply,
    named_uid,
    parse,
)

CALL_SECONDS = 10.0
CALLERS_AT_ONCE = 8
SOCKET_MODE = 0o660

Args = Mapping[str, str | int | float | bool]
Verb = Callable[[Args, str], dict[str, Any]]
"""Carries out a command for the named caller. Raises CommandError to refuse."""

log = structlog.get_logger()


class ControlServer:
    """Answers commands; a caller that hangs costs its own thread for `CALL_SECONDS` and no more."""

    def __init__(self, path: Path, verbs: Mapping[str, Verb]) -> None:
        self._path = path
        self._verbs = verbs
        self._listener: socket.socket | None = None
        self._callers = threading.BoundedSemaphore(CALLERS_AT_ONCE)
        self.problem: str | None = None

    def start(self) -> None:
        """Listen; when that is impossible the agent runs on without, and says so."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            before = os.umask(0o777 & ~SOCKET_MODE)  # never open to all, not for an instant
            try:
                listener.bind(str(self._path))
            finally:
                os.umask(before)
            listener.listen(CALLERS_AT_ONCE)
        except OSError as error:
            listener.close()
            self.problem = f"control socket {self._path}: {error.strerror}"
            log.error("no control socket", component="control", path=str(self._path))
            return
        self._listener = listener
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def stop(self) -> None:
        """Stop listening; the socket file goes."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while (listener := self._listener) is not None:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            if not self._callers.acquire(blocking=False):
                caller.close()
                continue
            threading.Thread(
                target=self._serve, args=(caller,), name="control-call", daemon=True
            ).start()

    def _serve(self, caller: socket.socket) -> None:
        try:
            with caller:
                caller.settimeout(CALL_SECONDS)
                reply = self._answer(_line(caller), _peer(caller))
                caller.sendall(reply.model_dump_json().encode() + b"\n")
        except OSError:
            return
        finally:
            self._callers.release()

    def _answer(self, line: bytes, who: str) -> Reply:
        try:
            request = parse(line)
            verb = self._verbs.get(request.verb)
            if verb is None:
                params: dict[str, str | int | float] = {"verb": request.verb}
                return Reply(ok=False, code="control.unknown_verb", params=params)
            return Reply(ok=True, data=verb(request.args, who))
        except CommandError as error:
            return Reply(ok=False, code=error.code, params=error.params)
        except Exception:
            log.exception("command failed", component="control")
            return Reply(ok=False, code="control.internal")


def _line(caller: socket.socket) -> bytes:
    data = b""
    while b"\n" not in data and len(data) < LARGEST_LINE_BYTES:
        more = caller.recv(4096)
        if not more:
            break
        data += more
    return data.split(b"\n", 1)[0]


def _peer(caller: socket.socket) -> str:
    """Name the caller by the kernel's word (unix(7), SO_PEERCRED), not by its own."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return named_uid(uid)
