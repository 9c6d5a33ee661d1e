"""A broker that does what a test tells it to: the answers real brokers give on bad days.

Packets after "MQTT Version 5.0", sections 3.1 to 3.4; only what a publisher needs.
"""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SUCCESS = 0x00
QUOTA_EXCEEDED = 0x97
NOT_AUTHORIZED = 0x87
RECEIVE_MAXIMUM = 0x21  # identifiers of CONNACK properties, 3.2.2.3
RETAIN_AVAILABLE = 0x25
MAXIMUM_PACKET_SIZE = 0x27


@dataclass(frozen=True)
class Published:
    """One PUBLISH as it came."""

    topic: str
    retain: bool
    size: int
    at: float


@dataclass
class ScriptedBroker:
    """Set its fields before `start`; `answer` returns a PUBACK reason, None cuts the line."""

    allows: bytes = b""
    answer: Callable[[Published], int | None] = lambda _: SUCCESS
    accepts: Callable[[int], bool] = lambda _: True
    extra: bytes = b""
    lazy_seconds: float = 0.0
    connects: list[tuple[float, int]] = field(default_factory=list)
    heard: list[Published] = field(default_factory=list)
    most_unanswered: int = 0

    def start(self) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def topics(self) -> list[str]:
        return [one.topic.split("/", 4)[-1] for one in list(self.heard)]

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        unanswered: list[bytes] = []
        with line, contextlib.suppress(OSError, EOFError):
            while True:
                ready, _, _ = select.select([line], [], [], self.lazy_seconds or None)
                if not ready or not self.lazy_seconds:
                    for ack in unanswered:
                        line.sendall(ack)
                    unanswered.clear()
                if not ready:
                    continue
                first, body = _packet(line)
                if first >> 4 == 1:  # CONNECT
                    level = body[6]
                    self.connects.append((time.monotonic(), level))
                    if not self.accepts(level):
                        return
                    tail = bytes((len(self.allows),)) + self.allows if level == 5 else b""
                    line.sendall(bytes((0x20, 2 + len(tail), 0, 0)) + tail + self.extra)
                elif first >> 4 == 3:  # PUBLISH
                    length = int.from_bytes(body[:2], "big")
                    topic, mid = body[2 : 2 + length].decode(), body[2 + length : 4 + length]
                    one = Published(topic, bool(first & 1), len(body) + 5, time.monotonic())
                    reason = self.answer(one)
                    self.heard.append(one)
                    if reason is None:
                        return
                    code = bytes((reason,)) if reason else b""
                    unanswered.append(bytes((0x40, 2 + len(code))) + mid + code)
                    self.most_unanswered = max(self.most_unanswered, len(unanswered))
                    if not self.lazy_seconds:
                        line.sendall(unanswered.pop())
                elif first >> 4 == 14:  # DISCONNECT
                    return


def _packet(line: socket.socket) -> tuple[int, bytes]:
    first, length, shift = _exactly(line, 1)[0], 0, 0
    while True:
        byte = _exactly(line, 1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return first, _exactly(line, length)


def _exactly(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        got = line.recv(count - len(data))
        if not got:
            raise EOFError
        data += got
    return data
