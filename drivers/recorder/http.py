"""A recorder's HTTP door, read-only: what may be asked, digest logins, deadlines, body caps."""

import contextlib
import re
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr

from drivers.base import Clock, Gate
from drivers.errors import (
    BusyError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    DriverError,
    ForbiddenError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.recorder import digest
from drivers.recorder.settings import RecorderSettings

CONNECT_SECONDS = 5.0
BODY_LIMIT_BYTES = 2 * 1024 * 1024

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """One whole HTTP answer, and the wall clock when its question left.

    `signed`: the question carried the login, so a 401 is about the password.
    """

    status: int
    body: bytes
    signed: bool
    asked_at: datetime
    round_trip_seconds: float


@dataclass(frozen=True)
class Knock:
    """What a question without any login got: the realms it was told to log in to, if it was."""

    status: int
    realms: tuple[str, ...]
    body: bytes


@dataclass(frozen=True)
class _Raw:
    status: int
    challenges: list[str]
    body: bytes
    asked_at: datetime
    round_trip_seconds: float


class HttpDoor:
    """One recorder over HTTP. Used by one thread; who reads the answers tells the gate of logins.

    `allowed` is all that may ever be sent, a pattern of whole targets for each method.
    """

    def __init__(
        self,
        settings: RecorderSettings,
        password: SecretStr,
        gate: Gate,
        clock: Clock,
        *,
        allowed: Mapping[str, re.Pattern[str]],
    ) -> None:
        host, port = settings.host, settings.http_port
        self.where = f"recorder {settings.id} ({host}:{port})"
        self.username = settings.username
        self.gate = gate
        self._base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._password = password
        self._clock = clock
        self._reply_timeout_seconds = settings.reply_timeout_seconds
        self._allowed = allowed
        self._address = (host, port)
        self._is_open = False
        self._client: httpx.Client | None = None
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Connect once and hang up: an address nobody has shows before a login is tried."""
        with self.gate.permit("request", deadline=self._clock.monotonic() + CONNECT_SECONDS):
            try:
                socket.create_connection(self._address, timeout=CONNECT_SECONDS).close()
            except OSError as error:
                raise self._unreachable() from error
        self._is_open = True

    def close(self) -> None:
        """Let go of the connection. Safe to call twice, and before open."""
        self._is_open = False
        self._hang_up()

    def ask(
        self,
        method: str,
        target: str,
        body: str | None,
        read: Callable[[Answer], T],
        *,
        deadline: float,
        content_type: str = "application/xml; charset=UTF-8",
        own_login: bool = False,
    ) -> T:
        """Return what `read` makes of the answer, within monotonic `deadline`. Raises DriverError.

        `read` runs under the permit, so that a login it reports counts before the next question.
        `own_login`: the body is signed, so a 401 that asks for no digest is for `read`, too.
        """
        self._check(method, target, deadline)
        with self.gate.permit("request", deadline=deadline):
            try:
                return read(
                    self._exchange(method, target, body, content_type, deadline, own=own_login)
                )
            except DriverError:
                # What is left on the wire belongs to a failed exchange.
                self._hang_up()
                raise

    def knock(self, method: str, target: str, body: str | None, *, deadline: float) -> Knock:
        """Ask without a login, whatever it says to that. Raises DriverError."""

        def read(answer: _Raw) -> Knock:
            realms = (given.get("realm", "") for _, given in digest.schemes(answer.challenges))
            return Knock(answer.status, tuple(realms), answer.body)

        self._check(method, target, deadline)
        with self.gate.permit("request", deadline=deadline):
            try:
                return read(
                    self._send(method, target, body, "application/soap+xml", None, deadline)
                )
            except DriverError:
                self._hang_up()
                raise

    def http_error(self, target: str, status: int) -> DriverError:
        """Return what an HTTP status other than 200 means, where the body says nothing better."""
        said = f"{self.where} answered {target} with HTTP {status}"
        if status in {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS}:
            return BusyError(f"{said}: it is busy; it is asked again later")
        if status == httpx.codes.FORBIDDEN:
            return ForbiddenError(f"{said}: user {self.username} lacks the right to read this")
        if status in {
            httpx.codes.NOT_FOUND,
            httpx.codes.METHOD_NOT_ALLOWED,
            httpx.codes.NOT_IMPLEMENTED,
        }:
            return UnsupportedDeviceError(f"{said}: its firmware does not offer this")
        return ProtocolError(said)

    def _check(self, method: str, target: str, deadline: float) -> None:
        allowed = self._allowed.get(method)
        if allowed is None or allowed.fullmatch(target) is None:
            raise ValueError(f"{method} {target} is not among the questions a recorder is asked")
        if not self._is_open:
            raise DeviceUnreachableError(f"{self.where} is not open")
        if self._clock.monotonic() >= deadline:
            raise DeviceTimeoutError(f"{self.where}: no time was left to ask {target}")

    def _exchange(
        self,
        method: str,
        target: str,
        body: str | None,
        content_type: str,
        deadline: float,
        *,
        own: bool,
    ) -> Answer:
        def send(challenge: digest.Challenge | None) -> _Raw:
            return self._send(method, target, body, content_type, challenge, deadline)

        raw, signed = send(None), False
        for _ in range(2):
            if raw.status != httpx.codes.UNAUTHORIZED:
                break
            challenge = digest.choose(raw.challenges)
            if signed and not (challenge is not None and challenge.stale):
                break
            if challenge is None and own:
                break
            if challenge is None:
                raise self._unanswerable(raw)
            # Every exchange has a fresh nonce: a refusal then is about the password, never about
            # a nonce the device forgot or gave out for another path (IOTechSystems/onvif#41).
            raw, signed = send(challenge), True
        return Answer(raw.status, raw.body, signed, raw.asked_at, raw.round_trip_seconds)

    def _send(
        self,
        method: str,
        target: str,
        body: str | None,
        content_type: str,
        challenge: digest.Challenge | None,
        deadline: float,
    ) -> _Raw:
        client = self._open_client()
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise DeviceTimeoutError(f"{self.where}: no time was left to ask {target}")
        request = client.build_request(
            method,
            self._base + target,
            content=None if body is None else body.encode(),
            headers={"Accept-Encoding": "identity"},
            timeout=httpx.Timeout(
                min(self._reply_timeout_seconds, left), connect=min(CONNECT_SECONDS, left)
            ),
            extensions={"trace": self._trace},
        )
        if body is not None:
            request.headers["Content-Type"] = content_type
        if challenge is not None:
            signature = digest.answer(
                challenge,
                username=self.username,
                password=self._password.get_secret_value(),
                method=method,
                uri=request.url.raw_path.decode("ascii"),
                cnonce=secrets.token_hex(8),
            )
            request.headers["Authorization"] = signature
        asked_at, started = self._clock.now(), self._clock.monotonic()
        with self._cut_at(left) as cut, self._translated(target, cut):
            response = client.send(request, stream=True)
            with contextlib.closing(response):
                content = self._read(target, response)
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

    def _read(self, target: str, response: httpx.Response) -> bytes:
        content = bytearray()
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > BODY_LIMIT_BYTES:
                raise ProtocolError(
                    f"{self.where} sent more than {BODY_LIMIT_BYTES} bytes for {target}"
                )
        return bytes(content)

    def _open_client(self) -> httpx.Client:
        if self._client is None:
            # trust_env off: a proxy or .netrc of the machine has no say here.
            limits = httpx.Limits(max_connections=1, keepalive_expiry=2)
            self._client = httpx.Client(trust_env=False, follow_redirects=False, limits=limits)
        return self._client

    def _hang_up(self) -> None:
        client, self._client, self._socket = self._client, None, None
        if client is not None:
            client.close()

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
    def _translated(self, target: str, cut: threading.Event) -> Iterator[None]:
        """Turn what httpx raises into one of our errors."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._unreachable() from error
        except httpx.HTTPError as error:
            if cut.is_set() or isinstance(error, httpx.TimeoutException):
                raise DeviceTimeoutError(
                    f"{self.where} did not finish its answer to {target} in time"
                ) from error
            if isinstance(error, httpx.NetworkError):
                raise DeviceUnreachableError(
                    f"{self.where} dropped the connection while answering {target}"
                ) from error
            raise ProtocolError(
                f"{self.where} broke off or garbled its answer to {target}: {error}"
            ) from error

    def _unreachable(self) -> DeviceUnreachableError:
        return DeviceUnreachableError(
            f"{self.where} cannot be reached; check its power, cable and address"
        )

    def _unanswerable(self, raw: _Raw) -> DriverError:
        offered = {scheme for scheme, _ in digest.schemes(raw.challenges)}
        if "basic" in offered and "digest" not in offered:
            return UnsupportedDeviceError(
                f"{self.where} asks for the password in clear (Basic); "
                "switch its web authentication to digest"
            )
        return ProtocolError(f"{self.where} asks for a login without a way to log in we know")
