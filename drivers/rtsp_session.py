"""One RTSP dialogue of our own, over TCP: for what FFmpeg cannot ask for (RFC 2326)."""

import re
import secrets
import socket
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr

from drivers.base import Clock
from drivers.errors import ProtocolError
from drivers.recorder import digest

RTSP_PORT = 554
MAX_HEAD_BYTES, MAX_BODY_BYTES = 16_384, 65_536
MAX_PACKETS = 4096
_STATUS_LINE = re.compile(r"RTSP/1\.[0-9] ([1-5][0-9]{2})(?: |$)")


class Reply(NamedTuple):
    """An answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: str


class RtspSession:
    """One connection; every call ends by its monotonic `deadline`. Not safe for two threads.

    Calls raise OSError where nobody answers (TimeoutError is one), ProtocolError on nonsense.
    """

    def __init__(self, url: str, username: str, password: SecretStr, clock: Clock) -> None:
        self.url = url
        self._username = username
        self._password = password
        self._clock = clock
        self._challenge: digest.Challenge | None = None
        self._session = ""
        self._asked = 0
        self._data = bytearray()
        self._packets: deque[tuple[int, bytes]] = deque()
        self._connection: socket.socket | None = None

    def connect(self, *, deadline: float) -> None:
        """Open the connection."""
        parts = urlsplit(self.url)
        address = (parts.hostname or "", parts.port or RTSP_PORT)
        self._connection = socket.create_connection(address, self._left(deadline))

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()

    def ask(self, method: str, url: str, headers: Mapping[str, str], *, deadline: float) -> Reply:
        """Ask once, and once more with the login where it is asked for.

        A password is never sent in the clear; a refused one is not tried again.
        """
        reply = self._ask(method, url, headers, deadline)
        if reply.status == 401:
            challenge = digest.choose([reply.headers.get("www-authenticate", "")])
            if challenge is not None and (self._challenge is None or challenge.stale):
                self._challenge = challenge
                reply = self._ask(method, url, headers, deadline)
        if session := reply.headers.get("session"):
            self._session = session.partition(";")[0].strip()
        return reply

    def next_packet(self, *, deadline: float) -> tuple[int, bytes]:
        """Return the next interleaved packet and its channel (RFC 2326 section 10.12)."""
        while not self._packets:
            if self._starts_packet(deadline):
                self._keep_packet(deadline)
            else:
                self._read_reply(deadline)  # an answer to what was asked before
        return self._packets.popleft()

    def _ask(self, method: str, url: str, headers: Mapping[str, str], deadline: float) -> Reply:
        self._asked += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._asked}"]
        if self._session:
            lines.append(f"Session: {self._session}")
        if self._challenge is not None:
            answered = digest.answer(
                self._challenge,
                username=self._username,
                password=self._password.get_secret_value(),
                method=method,
                uri=url,
                cnonce=secrets.token_hex(8),
            )
            lines.append(f"Authorization: {answered}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        connection = self._open_connection()
        connection.settimeout(self._left(deadline))
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while self._starts_packet(deadline):
            self._keep_packet(deadline)
        return self._read_reply(deadline)

    def _starts_packet(self, deadline: float) -> bool:
        self._need(1, deadline)
        return self._data[:1] == b"$"

    def _keep_packet(self, deadline: float) -> None:
        self._need(4, deadline)
        channel, size = self._data[1], int.from_bytes(self._data[2:4], "big")
        self._need(4 + size, deadline)
        if len(self._packets) >= MAX_PACKETS:
            raise ProtocolError("pictures come where an answer is waited for")
        self._packets.append((channel, bytes(self._data[4 : 4 + size])))
        del self._data[: 4 + size]

    def _read_reply(self, deadline: float) -> Reply:
        while (end := self._data.find(b"\r\n\r\n")) < 0:
            if len(self._data) > MAX_HEAD_BYTES:
                raise ProtocolError("the head of an answer does not end")
            self._need(len(self._data) + 1, deadline)
        first, *lines = self._data[:end].decode("utf-8", "replace").split("\r\n")
        del self._data[: end + 4]
        status = _STATUS_LINE.match(first)
        if status is None:
            raise ProtocolError("the answer is not RTSP")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            before = headers.get(name)
            headers[name] = value.strip() if before is None else f"{before}, {value.strip()}"
        said = headers.get("content-length", "0")
        size = int(said) if said.isdecimal() and len(said) < 8 else -1
        if not 0 <= size <= MAX_BODY_BYTES:
            raise ProtocolError(f"an answer of {said[:20]} bytes")
        self._need(size, deadline)
        body = self._data[:size].decode("utf-8", "replace")
        del self._data[:size]
        return Reply(int(status[1]), headers, body)

    def _need(self, size: int, deadline: float) -> None:
        """Have so many bytes at hand."""
        connection = self._open_connection()
        while len(self._data) < size:
            connection.settimeout(self._left(deadline))
            piece = connection.recv(65_536)
            if not piece:
                raise ConnectionResetError("the device hung up")
            self._data += piece

    def _open_connection(self) -> socket.socket:
        if self._connection is None:
            raise ConnectionResetError("not connected")
        return self._connection

    def _left(self, deadline: float) -> float:
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
