"""ISAPI over HTTP, read-only: what may be asked, how it is signed, and what answers mean."""

import contextlib
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import httpx
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from pydantic import SecretStr

from drivers.base import Clock, Gate
from drivers.errors import (
    AuthenticationError,
    BusyError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    DriverError,
    ForbiddenError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.recorder import digest

CONNECT_SECONDS = 5.0
BODY_LIMIT_BYTES = 2 * 1024 * 1024

# All that may ever be sent (paths: ISAPI core, System, ContentMgmt and RaCM). Nothing here changes
# the recorder; the only POSTs ask the calendar and the search.
_ALLOWED = {
    "GET": re.compile(
        r"/ISAPI/(Security/userCheck|System/(deviceInfo|time)"
        r"|ContentMgmt/InputProxy/channels(/status|/\d+(/status)?)?)"
    ),
    "POST": re.compile(r"/ISAPI/ContentMgmt/(search|record/tracks/\d+/dailyDistribution)"),
}


@dataclass(frozen=True)
class Reply:
    """The parsed answer, the wall clock when its question left, and the time it took."""

    root: Element
    asked_at: datetime
    round_trip_seconds: float


@dataclass(frozen=True)
class _Raw:
    status: int
    challenges: list[str]
    body: bytes
    asked_at: datetime
    round_trip_seconds: float


class IsapiTransport:
    """One recorder's HTTP door. Used by one thread; every login outcome goes to the gate."""

    def __init__(
        self,
        device_id: str,
        host: str,
        port: int,
        *,
        username: str,
        password: SecretStr,
        gate: Gate,
        clock: Clock,
        reply_timeout_seconds: float,
    ) -> None:
        self._device_id = device_id
        self._base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._where = f"recorder {device_id} ({host}:{port})"
        self._username = username
        self._password = password
        self._gate = gate
        self._clock = clock
        self._reply_timeout_seconds = reply_timeout_seconds
        self._address = (host, port)
        self._is_open = False
        self._client: httpx.Client | None = None
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Connect once and hang up: an address nobody has shows before a login is tried."""
        with self._gate.permit("request", deadline=self._clock.monotonic() + CONNECT_SECONDS):
            try:
                socket.create_connection(self._address, timeout=CONNECT_SECONDS).close()
            except OSError as error:
                raise self._unreachable() from error
        self._is_open = True

    def close(self) -> None:
        """Let go of the connection. Safe to call twice, and before open."""
        self._is_open = False
        self._hang_up()

    def _hang_up(self) -> None:
        client, self._client, self._socket = self._client, None, None
        if client is not None:
            client.close()

    def ask(self, method: str, path: str, body: str | None = None, *, deadline: float) -> Reply:
        """Return the XML answer to one question within monotonic `deadline`. Raises DriverError."""
        allowed = _ALLOWED.get(method)
        if allowed is None or allowed.fullmatch(path) is None:
            raise ValueError(f"{method} {path} is not among the questions a recorder is asked")
        if not self._is_open:
            raise DeviceUnreachableError(f"{self._where} is not open")
        if self._clock.monotonic() >= deadline:
            raise DeviceTimeoutError(f"{self._where}: no time was left to ask {path}")
        with self._gate.permit("request", deadline=deadline):
            try:
                return self._ask(method, path, body, deadline)
            except DriverError:
                # What is left on the wire belongs to a failed exchange.
                self._hang_up()
                raise

    def _ask(self, method: str, path: str, body: str | None, deadline: float) -> Reply:
        raw = self._send(method, path, body, None, deadline)
        signed = False
        for _ in range(2):
            if raw.status != httpx.codes.UNAUTHORIZED:
                break
            challenge = digest.choose(raw.challenges)
            if signed and not (challenge is not None and challenge.stale):
                break
            if challenge is None:
                raise self._unanswerable(raw)
            # Every exchange has a fresh nonce: a refusal then is about the password, never about
            # a nonce the device forgot or gave out for another path (IOTechSystems/onvif#41).
            raw = self._send(method, path, body, challenge, deadline)
            signed = True
        root = _parse(raw.body)
        if raw.status == httpx.codes.UNAUTHORIZED or _locked(root):
            raise self._refused(root)
        if root is not None and _local(root) == "ResponseStatus":
            if signed and raw.status < httpx.codes.INTERNAL_SERVER_ERROR:
                self._gate.login_succeeded()
            raise self._status_error(path, raw.status, root)
        if raw.status != httpx.codes.OK:
            raise self._http_error(path, raw.status)
        if root is None or _local(root).lower() == "html":
            raise self._nonsense(path, raw.body)
        if text(root, "statusValue") == "401":  # userCheck says it in a 200, too
            raise self._refused(root)
        if signed:
            self._gate.login_succeeded()
        return Reply(root, raw.asked_at, raw.round_trip_seconds)

    def _send(
        self,
        method: str,
        path: str,
        body: str | None,
        challenge: digest.Challenge | None,
        deadline: float,
    ) -> _Raw:
        client = self._open_client()
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise DeviceTimeoutError(f"{self._where}: no time was left to ask {path}")
        request = client.build_request(
            method,
            self._base + path,
            content=None if body is None else body.encode(),
            headers={"Accept-Encoding": "identity"},
            timeout=httpx.Timeout(
                min(self._reply_timeout_seconds, left), connect=min(CONNECT_SECONDS, left)
            ),
            extensions={"trace": self._trace},
        )
        if body is not None:
            request.headers["Content-Type"] = "application/xml; charset=UTF-8"
        if challenge is not None:
            signature = digest.answer(
                challenge,
                username=self._username,
                password=self._password.get_secret_value(),
                method=method,
                uri=request.url.raw_path.decode("ascii"),
                cnonce=secrets.token_hex(8),
            )
            request.headers["Authorization"] = signature
        asked_at, started = self._clock.now(), self._clock.monotonic()
        with self._cut_at(left) as cut, self._translated(path, cut):
            response = client.send(request, stream=True)
            with contextlib.closing(response):
                content = self._read(path, response)
            ended = self._clock.monotonic()
        if cut.is_set():
            self._hang_up()
        return _Raw(
            status=response.status_code,
            challenges=response.headers.get_list("www-authenticate"),
            body=content,
            asked_at=asked_at,
            round_trip_seconds=ended - started,
        )

    def _read(self, path: str, response: httpx.Response) -> bytes:
        content = bytearray()
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > BODY_LIMIT_BYTES:
                raise ProtocolError(
                    f"{self._where} sent more than {BODY_LIMIT_BYTES} bytes for {path}"
                )
        return bytes(content)

    def _open_client(self) -> httpx.Client:
        if self._client is None:
            # trust_env off: a proxy or .netrc of the machine has no say here.
            limits = httpx.Limits(max_connections=1, keepalive_expiry=2)
            self._client = httpx.Client(trust_env=False, follow_redirects=False, limits=limits)
        return self._client

    def _trace(self, name: str, info: dict[str, Any]) -> None:
        if name == "connection.connect_tcp.complete":
            self._socket = info["return_value"].get_extra_info("socket")

    @contextlib.contextmanager
    def _cut_at(self, seconds: float) -> Iterator[threading.Event]:
        """Hang up after `seconds`: httpx limits each read, and a device may drip for ever."""
        cut = threading.Event()

        def hang_up() -> None:
            cut.set()
            line = self._socket
            if line is not None:
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield cut
        finally:
            timer.cancel()
            # hang_up must not reach a later exchange that uses the same connection.
            timer.join()

    @contextlib.contextmanager
    def _translated(self, path: str, cut: threading.Event) -> Iterator[None]:
        """Turn what httpx raises into one of our errors."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._unreachable() from error
        except httpx.HTTPError as error:
            if cut.is_set() or isinstance(error, httpx.TimeoutException):
                raise DeviceTimeoutError(
                    f"{self._where} did not finish its answer to {path} in time"
                ) from error
            if isinstance(error, httpx.NetworkError):
                raise DeviceUnreachableError(
                    f"{self._where} dropped the connection while answering {path}"
                ) from error
            raise ProtocolError(
                f"{self._where} broke off or garbled its answer to {path}: {error}"
            ) from error

    def _unreachable(self) -> DeviceUnreachableError:
        return DeviceUnreachableError(
            f"{self._where} cannot be reached; check its power, cable and address"
        )

    def _unanswerable(self, raw: _Raw) -> DriverError:
        offered = {scheme for scheme, _ in digest.schemes(raw.challenges)}
        if "basic" in offered and "digest" not in offered:
            return UnsupportedDeviceError(
                f"{self._where} asks for the password in clear (Basic); "
                "switch its web authentication to digest"
            )
        return ProtocolError(f"{self._where} asks for a login without a way to log in we know")

    def _refused(self, root: Element | None) -> AuthenticationError:
        retries, unlock = _number(root, "retryLoginTime"), _number(root, "unlockTime")
        if _locked(root):
            self._gate.login_failed(retries_left=retries, locked_seconds=float(unlock or 0))
            error = AuthenticationError(
                f"{self._where} has locked this login; wait, and see who uses a wrong password"
            )
            error.reason = "auth_locked"
            return error
        self._gate.login_failed(retries_left=retries)
        return AuthenticationError(
            f"{self._where} refuses user {self._username}; check the user name and password"
        )

    def _status_error(self, path: str, status: int, root: Element) -> DriverError:
        """Map a ResponseStatus, which may come with HTTP 200 (ISAPI core, error processing)."""
        code, sub = text(root, "statusCode"), text(root, "subStatusCode") or ""
        said = f"{self._where} answered {path} with {code or status} {sub}".rstrip()
        word = sub.lower()
        if code in {"2", "3"} or "busy" in word or status == httpx.codes.SERVICE_UNAVAILABLE:
            return BusyError(f"{said}: it is busy; it is asked again later")
        if word == "lowprivilege":
            return ForbiddenError(f"{said}: user {self._username} lacks the right to read this")
        if word in {"notsupport", "methodnotallowed", "invalidoperation"} or code in {"5", "6"}:
            return UnsupportedDeviceError(f"{said}: its firmware does not offer this")
        if code == "1":
            return ProtocolError(f"{said}: it says OK and sends no data")
        if status != httpx.codes.OK:
            return self._http_error(path, status)
        return ProtocolError(said)

    def _http_error(self, path: str, status: int) -> DriverError:
        said = f"{self._where} answered {path} with HTTP {status}"
        if status in {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS}:
            return BusyError(f"{said}: it is busy; it is asked again later")
        if status == httpx.codes.FORBIDDEN:
            return ForbiddenError(f"{said}: user {self._username} lacks the right to read this")
        if status in {
            httpx.codes.NOT_FOUND,
            httpx.codes.METHOD_NOT_ALLOWED,
            httpx.codes.NOT_IMPLEMENTED,
        }:
            return UnsupportedDeviceError(f"{said}: its firmware does not offer this")
        return ProtocolError(said)

    def _nonsense(self, path: str, body: bytes) -> ProtocolError:
        return ProtocolError(
            f"{self._where} answered {path} with something that is not whole XML: {body[:60]!r}"
        )


def children(root: Element, name: str) -> list[Element]:
    """Return all descendants of that local name: namespaces differ even inside one reply."""
    return [element for element in root.iter() if _local(element) == name]


def text(root: Element | None, name: str) -> str | None:
    """Return the stripped text of the first direct or deeper child of that name, None if empty."""
    for element in root.iter() if root is not None else ():
        if _local(element) == name:
            return (element.text or "").strip() or None
    return None


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _parse(body: bytes) -> Element | None:
    try:
        root: Element = fromstring(body.lstrip(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return None
    return root


def _number(root: Element | None, name: str) -> int | None:
    said = text(root, name)
    return int(said) if said is not None and re.fullmatch(r"\d{1,9}", said) else None


def _locked(root: Element | None) -> bool:
    """Tell whether the answer says the login is locked, whatever its HTTP status."""
    state = (text(root, "lockStatus") or "").lower()
    sub = (text(root, "subStatusCode") or "").lower()
    return state in {"lock", "locked"} or sub in {"userlocked", "loginlocked"}
