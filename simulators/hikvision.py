"""A Hikvision recorder on loopback: ISAPI with digest, lockout, day calendars and bad manners."""

import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Literal

from simulators.digest_door import DigestDoor
from simulators.droppable_server import DroppableServer
from simulators.truth import Truth

Fault = Literal[
    "busy",  # 503 with deviceBusy
    "device_error",  # 500 with deviceError
    "silent",  # takes the question and says nothing
    "truncated",  # half the XML, with a Content-Length that fits the half
    "wrong_length",  # a Content-Length longer than what comes
    "html",  # the web page of the recorder instead of XML
    "status_with_200",  # ResponseStatus notSupport under HTTP 200
    "low_privilege",  # 403 lowPrivilege
    "not_found",  # 404 with an HTML page
    "unauthorized",  # 401 whatever the password
    "empty_days",  # a calendar without days
    "drip",  # one byte at a time, for ever
    "huge",  # three megabytes of blanks inside the XML
]
# Seen in the field, even mixed inside one reply (mezz64/pyHik#57, #48, #64, #132).
NAMESPACES = {
    "isapi": ("http://www.isapi.org/ver20/XMLSchema",),
    "hikvision": ("http://www.hikvision.com/ver20/XMLSchema",),
    "psia": ("urn:psialliance-org",),
    "none": (),
    "mixed": ("http://www.hikvision.com/ver20/XMLSchema", "urn:ISAPIlliance-org"),
}


_REFUSALS = {
    "busy": (503, 2, "Device Busy", "deviceBusy"),
    "device_error": (500, 3, "Device Error", "deviceError"),
    "low_privilege": (403, 4, "Invalid Operation", "lowPrivilege"),
    "status_with_200": (200, 4, "Invalid Operation", "notSupport"),
}


@dataclass
class SimulatedChannel:
    """One camera input: days recorded run back `depth_days` from today, less `holes`."""

    number: int
    name: str = "Camera"
    online: bool = True
    condition: str = "connect"
    depth_days: int = 40
    holes: set[date] = field(default_factory=set)

    def has(self, day: date, today: date) -> bool:
        """Tell whether something was recorded on `day`."""
        return today - timedelta(days=self.depth_days) <= day <= today and day not in self.holes


class HikvisionSimulator:
    """A recorder with a clock of its own (`now_utc` shifted by `zone_hours` and the offset).

    Every request, login and write attempt is in the truth log; `door` is its login. Attributes
    may be set while it runs; `fault` concerns paths that contain `fault_path`, the next
    `fault_count` answers of them if it is given. `days` gives channels by number and depth.
    """

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
        self.truth = truth
        self.door = DigestDoor(truth, "nvr", user, password, monotonic)
        self.channels = channels if channels is not None else []
        for number, depth in (days or {}).items():
            self.channels.append(SimulatedChannel(number, depth_days=depth))
        self.clock_offset_seconds = clock_offset_seconds
        self.zone_hours = zone_hours
        self.namespace = "isapi"
        self.ignore_track = False
        self.allow_channel_list = True
        self.fault: Fault | None = None
        self.fault_path = "/"
        self.fault_count: int | None = None
        self._now_utc = now_utc
        self._released = threading.Event()
        simulator = self

        class Handler(_Handler):
            recorder = simulator

        self._handler = Handler
        self._server: DroppableServer | None = DroppableServer(("127.0.0.1", port), Handler)
        self._thread: threading.Thread | None = None
        self.port = int(self._server.server_address[1])

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

    @property
    def busy(self) -> bool:
        """Whether every question gets a 503."""
        return self.fault == "busy"

    @busy.setter
    def busy(self, busy: bool) -> None:
        self.fault = "busy" if busy else None

    def next_fault(self, path: str) -> Fault | None:
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

    # -- documents

    def attributes(self) -> str:
        """Return the root's version and namespace as this firmware writes them."""
        names = NAMESPACES[self.namespace]
        return 'version="2.0"' + (f' xmlns="{names[0]}"' if names else "")

    def inner(self) -> str:
        """Return the namespace of a child, which a mixed firmware writes anew."""
        names = NAMESPACES[self.namespace]
        return f' xmlns="{names[1]}"' if len(names) > 1 else ""

    def document(self, method: str, path: str, body: str) -> str | None:
        """Return the XML for a question, None where this recorder has nothing."""
        if method == "GET" and path == "/ISAPI/Security/userCheck":
            return self._user_check(200, "OK")
        if method == "GET" and path == "/ISAPI/System/deviceInfo":
            return (
                f"<DeviceInfo {self.attributes()}><deviceName>school</deviceName>"
                f"<model{self.inner()}>DS-7616NI-SIM</model><serialNumber>SIM0001</serialNumber>"
                "<firmwareVersion>V4.62.210</firmwareVersion>"
                "<firmwareReleasedDate>build 230612</firmwareReleasedDate>"
                "<deviceType>IPC</deviceType></DeviceInfo>"
            )
        if method == "GET" and path == "/ISAPI/System/time":
            wall = self.wall_clock().isoformat(timespec="seconds")
            return (
                f"<Time {self.attributes()}><timeMode>NTP</timeMode>"
                f"<localTime{self.inner()}>{wall}+08:00</localTime>"
                "<timeZone>\nCST-8:00:00\n</timeZone></Time>"
            )
        if method == "GET" and path == "/ISAPI/ContentMgmt/InputProxy/channels":
            return self._channel_list()
        if method == "GET" and path == "/ISAPI/ContentMgmt/InputProxy/channels/status":
            return self._channel_status()
        track = re.fullmatch(r"/ISAPI/ContentMgmt/record/tracks/(\d+)01/dailyDistribution", path)
        if method == "POST" and track:
            return self._calendar(int(track[1]), body)
        return None

    def _user_check(self, value: int, word: str) -> str:
        left = round(self.door.lock_seconds_left())
        tries = self.door.max_failures - self.door.failures
        lock = "lock" if left else "unlock"
        return (
            f"<userCheck {self.attributes()}><statusValue>{value}</statusValue>"
            f"<statusString>{word}</statusString><lockStatus>{lock}</lockStatus>"
            f"<unlockTime>{left}</unlockTime>"
            f"<retryLoginTime>{tries}</retryLoginTime></userCheck>"
        )

    def refusal(self) -> str:
        """Return the body of a 401."""
        return self._user_check(401, "Unauthorized")

    def status(self, code: int, word: str, sub: str) -> str:
        """Return a ResponseStatus."""
        return (
            f"<ResponseStatus {self.attributes()}><statusCode>{code}</statusCode>"
            f"<statusString>{word}</statusString><subStatusCode>{sub}</subStatusCode>"
            "</ResponseStatus>"
        )

    def _channel_list(self) -> str:
        rows = "".join(
            f"<InputProxyChannel{self.inner()}><id>{each.number}</id><name>{each.name}</name>"
            "<sourceInputPortDescriptor><proxyProtocol>HIKVISION</proxyProtocol>"
            f"<ipAddress>10.0.0.{each.number}</ipAddress><userName>admin</userName>"
            "</sourceInputPortDescriptor></InputProxyChannel>"
            for each in self.channels
        )
        # The size attribute lies in the field; here it always does.
        return f'<InputProxyChannelList {self.attributes()} size="0">{rows}</InputProxyChannelList>'

    def _channel_status(self) -> str:
        rows = "".join(
            f"<InputProxyChannelStatus{self.inner()}><id>{each.number}</id>"
            f"<online>{str(each.online).lower()}</online>"
            f"<streamingProxyChannelIdList><streamingProxyChannelId>{each.number}01"
            "</streamingProxyChannelId></streamingProxyChannelIdList>"
            f"<chanDetectResult>{each.condition}</chanDetectResult></InputProxyChannelStatus>"
            for each in self.channels
        )
        return (
            f"<InputProxyChannelStatusList {self.attributes()}>{rows}</InputProxyChannelStatusList>"
        )

    def _calendar(self, number: int, body: str) -> str | None:
        asked = re.search(r"<year>(\d+)</year>\s*<monthOfYear>0?(\d+)</monthOfYear>", body)
        channel = next((each for each in self.channels if each.number == number), None)
        if channel is None and self.ignore_track:
            channel = self.channels[0]
        if channel is None or asked is None:
            return None
        first = date(int(asked[1]), int(asked[2]), 1)
        today = self.wall_clock().date()
        days = [first + timedelta(days=n) for n in range(31)]
        rows = "".join(
            f"<day><id>{day.day}</id><dayOfMonth>{day.day}</dayOfMonth>"
            + (
                "<record>true</record><recordType>time</recordType></day>"
                if channel.has(day, today)
                else "<record>false</record></day>"
            )
            for day in days
            if day.month == first.month
        )
        name = "trackDailyDistribution"
        return f"<{name} {self.attributes()}><dayList>{rows}</dayList></{name}>"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recorder: HikvisionSimulator

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
        self.recorder.truth.record("nvr", "write_attempt", path=self.path)
        self._send(403, self.recorder.status(4, "Invalid Operation", "methodNotAllowed"))

    do_DELETE = do_PUT  # noqa: N815 - the base's name

    def _handle(self, body: str) -> None:
        recorder = self.recorder
        header = self.headers.get("Authorization")
        recorder.truth.record(
            "nvr", "request", method=self.command, path=self.path, signed=header is not None
        )
        if recorder.fault == "silent" and recorder.fault_path in self.path:
            recorder.wait_released(60)
            self.close_connection = True
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
        self._send(401, self.recorder.refusal(), authenticate=value)

    def _answer(self, fault: Fault | None, body: str) -> None:
        recorder = self.recorder
        found = recorder.document(self.command, self.path, body)
        if not recorder.allow_channel_list and "InputProxy" in self.path:
            fault = "low_privilege"
        if fault in _REFUSALS:
            status, code, word, sub = _REFUSALS[fault]
            self._send(status, recorder.status(code, word, sub))
        elif fault == "html":
            self._send(200, "<html><head></head><body>Login</body></html>", kind="text/html")
        elif fault == "not_found" or found is None:
            self._send(404, "<!DOCTYPE html><html><body>Not Found", kind="text/html")
        elif fault == "drip":
            self._drip(found)
        elif fault == "wrong_length":
            self._send(200, found, extra_length=100)
            self.close_connection = True
        else:
            self._send(200, _spoilt(found, fault))

    def _send(
        self,
        status: int,
        content: str,
        *,
        kind: str = 'application/xml; charset="UTF-8"',
        authenticate: str | None = None,
        extra_length: int = 0,
    ) -> None:
        data = content.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) + extra_length))
        if authenticate is not None:
            self.send_header("WWW-Authenticate", authenticate)
        self.end_headers()
        self.wfile.write(data)

    def _drip(self, content: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for byte in (b"X-Slow: " + b"y" * 1000 + content.encode())[:2000]:
            if self.recorder.wait_released(0.05):
                break
            self.wfile.write(bytes([byte]))
        self.close_connection = True


def _spoilt(content: str, fault: Fault | None) -> str:
    if fault == "truncated":
        return content[: len(content) // 2]
    if fault == "huge":
        return content + " " * 3_000_000
    if fault == "empty_days":
        return re.sub("<day>.*</day>", "", content)
    return content
