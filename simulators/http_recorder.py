"""What all simulated recorders share: an HTTP server with a login and a power switch."""

import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Literal, NamedTuple

import cv2

from simulators.archive import SimulatedChannel
from simulators.digest_door import DigestDoor
from simulators.droppable_server import DroppableServer
from simulators.scenes import SCENES
from simulators.truth import Truth


class Sent(NamedTuple):
    """One answer: status, content type and body."""

    status: int
    kind: str
    body: bytes


CommonFault = Literal[
    "silent",  # takes the question and says nothing
    "truncated",  # half the answer, with a Content-Length that fits the half
    "wrong_length",  # a Content-Length longer than what comes
    "html",  # the web page of the recorder instead of an answer
    "not_found",  # 404 with an HTML page
    "unauthorized",  # 401 whatever the password
    "drip",  # one byte at a time, for ever
    "empty",  # 200 and no body
    "chunked",  # in pieces, as small web servers send what they have not counted
    "text_picture",  # an error's text called a picture
    "huge",  # three megabytes of blanks behind the answer
]


class HttpRecorder(ABC):
    """A recorder with a clock of its own (`now_utc` shifted by `zone_hours` and the offset).

    Every request, login and write attempt is in the truth log; `door` is its login. Attributes
    may be set while it runs; `fault` concerns paths that contain `fault_path`, the next
    `fault_count` answers of them if it is given.
    """

    device = "nvr"
    one_request_a_connection = False

    def __init__(
        self,
        truth: Truth,
        *,
        port: int = 0,
        user: str = "inspector",
        password: str = "secret",  # noqa: S107 - a simulated device has no secret to keep
        channels: list[SimulatedChannel] | None = None,
        days: Mapping[int, int] | None = None,
        clock_offset_seconds: float = 0,
        zone_hours: float = 8,
        now_utc: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`days` gives channels by number and depth."""
        self.truth = truth
        self.channels = channels if channels is not None else []
        for number, depth in (days or {}).items():
            self.channels.append(SimulatedChannel(number, depth_days=depth))
        self.door = DigestDoor(truth, self.device, user, password, monotonic)
        self.clock_offset_seconds = clock_offset_seconds
        self.zone_hours = zone_hours
        self.fault: str | None = None
        self.fault_path = "/"
        self.fault_count: int | None = None
        self._now_utc = now_utc
        self.sent_bytes = 0
        self.scene_of: Callable[[int], str] = lambda _number: "gate"
        self._released = threading.Event()
        simulator = self

        class Handler(_Handler):
            recorder = simulator

        self._handler = Handler
        self._server: DroppableServer | None = DroppableServer(("127.0.0.1", port), Handler)
        self._thread: threading.Thread | None = None
        self.port = int(self._server.server_address[1])
        self.set_up()

    @abstractmethod
    def set_up(self) -> None:
        """Give it what is this maker's own."""

    def plays(self, number: int, instant: datetime) -> bool:
        """Tell whether a channel recorded an instant of the recorder's wall clock."""
        now = self.wall_clock()
        return any(each.plays(instant, now) for each in self.channels if each.number == number)

    def picture(self, number: int) -> bytes:
        """Return a JPEG of what a channel shows now."""
        drawn = SCENES[self.scene_of(number)](0, 1280, 720)
        done, coded = cv2.imencode(".jpg", drawn)
        if not done:
            raise ValueError("not coded")
        self.truth.record(self.device, "picture_given", channel=number)
        return coded.tobytes()

    @property
    def has_own_login(self) -> bool:
        """Tell whether logins are inside the questions, not in front of them."""
        return False

    @abstractmethod
    def answer(self, method: str, path: str, body: str) -> Sent:
        """Return what this maker answers to somebody who is logged in."""

    @abstractmethod
    def refusal(self) -> Sent:
        """Return the body of a 401."""

    @abstractmethod
    def write_refused(self) -> Sent:
        """Return the answer to whoever tries to write."""

    def spoiled(self, fault: str, sent: Sent) -> Sent:
        """Return what a fault of this maker's own makes of an answer."""
        del fault
        return sent

    def start(self) -> None:
        """Power on, after `stop` on the same port."""
        self._released.clear()
        server = self._server or DroppableServer(("127.0.0.1", self.port), self._handler)
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Power off: the port closes and whoever is connected is dropped. Safe to call twice."""
        self._released.set()
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is not None:
            if thread is not None:
                server.shutdown()
                thread.join(timeout=5)
            server.server_close()
            server.drop_clients()

    def wall_clock(self) -> datetime:
        """Return what its screen shows, naive."""
        shift = timedelta(hours=self.zone_hours, seconds=self.clock_offset_seconds)
        return (self._now_utc() + shift).replace(tzinfo=None)

    def next_fault(self, path: str) -> str | None:
        """Return what goes wrong with the answer to this question."""
        if self.fault is None or self.fault_path not in path:
            return None
        fault = self.fault
        if self.fault_count is not None:
            self.fault_count -= 1
            if self.fault_count <= 0:
                self.fault, self.fault_count = None, None
        return fault

    def wait_released(self, seconds: float) -> bool:
        """Sleep that ends early when the power goes."""
        return self._released.wait(seconds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recorder: HttpRecorder

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """The truth log is the log."""

    def do_GET(self) -> None:
        self._handle("")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self._handle(self.rfile.read(length).decode("utf-8", "replace"))

    def do_PUT(self) -> None:
        self.recorder.truth.record(self.recorder.device, "write_attempt", path=self.path)
        self._send(self.recorder.write_refused())

    do_DELETE = do_PUT  # noqa: N815 - the base's name

    def _handle(self, body: str) -> None:
        recorder = self.recorder
        header = self.headers.get("Authorization")
        recorder.truth.record(
            recorder.device,
            "request",
            method=self.command,
            path=self.path,
            signed=header is not None,
        )
        if recorder.fault == "silent" and recorder.fault_path in self.path:
            recorder.wait_released(60)
            self.close_connection = True
            return
        if self.command == "POST" and recorder.has_own_login and recorder.fault != "unauthorized":
            self._answer(recorder.next_fault(self.path), body)
            return
        if header is None or recorder.fault == "unauthorized":
            self._challenge(stale=False)
            return
        outcome = recorder.door.login(self.command, self.path, header)
        if outcome != "ok":
            self._challenge(stale=outcome == "stale")
            return
        self._answer(recorder.next_fault(self.path), body)

    def _challenge(self, *, stale: bool) -> None:
        value = self.recorder.door.challenge(stale=stale)
        self._send(self.recorder.refusal(), authenticate=value)

    def _answer(self, fault: str | None, body: str) -> None:
        sent = self.recorder.answer(self.command, self.path, body)
        if fault == "html":
            page = b"<html><head></head><body>Login</body></html>"
            self._send(Sent(200, "text/html", page))
        elif fault == "not_found":
            self._send(Sent(404, "text/html", b"<!DOCTYPE html><html><body>Not Found"))
        elif fault == "drip":
            self._drip(sent.body)
        elif fault == "wrong_length":
            self._send(sent, extra_length=100)
            self.close_connection = True
        elif fault == "truncated":
            self._send(sent._replace(body=sent.body[: len(sent.body) // 2]))
        elif fault == "text_picture":
            self._send(Sent(200, "image/jpeg", b"\xff\xd8 Device Error \xff\xd9"))
        elif fault == "empty":
            self._send(sent._replace(body=b""))
        elif fault == "chunked":
            self._chunk(sent)
        elif fault == "huge":
            self._send(sent._replace(body=sent.body + b" " * 3_000_000))
        else:
            self._send(sent if fault is None else self.recorder.spoiled(fault, sent))

    def _send(self, sent: Sent, *, authenticate: str | None = None, extra_length: int = 0) -> None:
        self.send_response(sent.status)
        self.send_header("Content-Type", sent.kind)
        self.send_header("Content-Length", str(len(sent.body) + extra_length))
        if authenticate is not None:
            self.send_header("WWW-Authenticate", authenticate)
        if self.recorder.one_request_a_connection:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(sent.body)
        self.recorder.sent_bytes += len(sent.body)

    def _chunk(self, sent: Sent) -> None:
        """Send it as RFC 9112, 7.1 has it, in odd pieces."""
        self.send_response(sent.status)
        self.send_header("Content-Type", sent.kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        pieces = [sent.body[at : at + 37] for at in range(0, len(sent.body), 37)]
        for piece in (*pieces, b""):
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

    def _drip(self, content: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for byte in (b"X-Slow: " + b"y" * 1000 + content)[:2000]:
            if self.recorder.wait_released(0.05):
                break
            self.wfile.write(bytes([byte]))
        self.close_connection = True
