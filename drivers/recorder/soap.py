"""ONVIF over SOAP 1.2: the ten or so questions we ask, how they are signed, what faults mean."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from pydantic import SecretStr

from drivers.errors import (
    AuthenticationError,
    BusyError,
    DriverError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.recorder.http import Answer, HttpDoor
from drivers.recorder.isapi import local_name, parse, text

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
SEARCH = "http://www.onvif.org/ver10/search/wsdl"
REPLAY = "http://www.onvif.org/ver10/replay/wsdl"
_SCHEMA = "http://www.onvif.org/ver10/schema"
_ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
# WS-Security 1.0, UsernameToken profile: digest = Base64(SHA1(nonce + created + password)).
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_TOKEN = f"{_WSS}username-token-profile-1.0#PasswordDigest"
_BASE64 = f"{_WSS}soap-message-security-1.0#Base64Binary"
# All that may ever be said (ONVIF Core, Media, Recording Search, Replay). Nothing here changes the
# recorder: a search is a cursor inside it.
_QUESTIONS = frozenset(
    {
        (DEVICE, "GetSystemDateAndTime"),
        (DEVICE, "GetDeviceInformation"),
        (DEVICE, "GetServices"),
        (DEVICE, "GetCapabilities"),
        (MEDIA, "GetVideoSources"),
        (MEDIA, "GetProfiles"),
        (MEDIA, "GetStreamUri"),
        (MEDIA2, "GetProfiles"),
        (MEDIA2, "GetStreamUri"),
        (MEDIA, "GetSnapshotUri"),
        (MEDIA2, "GetSnapshotUri"),
        (SEARCH, "FindRecordings"),
        (SEARCH, "GetRecordingSearchResults"),
        (SEARCH, "EndSearch"),
        (REPLAY, "GetReplayUri"),
    }
)
# Pictures are where the recorder says they are.
ALLOWED = {
    "POST": re.compile(r"/[\w./-]{1,200}"),
    "GET": re.compile(r"/[\w./?=&%:,;~+-]{1,300}"),
}
_CONTENT = "application/soap+xml; charset=utf-8"


class NotAuthorizedError(AuthenticationError):
    """The device does not take this signature: a wrong password, or a clock it disagrees with."""


class ClockRefusedError(DriverError):
    """The device says that it is the time of the signature it does not take: not the password."""

    reason = "clock_untrusted"


@dataclass(frozen=True)
class Said:
    """The body's element, the wall clock when its question left, and the time it took."""

    root: Element
    asked_at: datetime
    round_trip_seconds: float


class Soap:
    """Asks one recorder; every login outcome goes to the gate."""

    def __init__(self, door: HttpDoor, username: str, password: SecretStr) -> None:
        self._door = door
        self._username = username
        self._password = password

    def ask(
        self,
        path: str,
        service: str,
        name: str,
        inner: str = "",
        *,
        created: datetime | None,
        deadline: float,
        last_try: bool = True,
    ) -> Said:
        """Ask one question, signed as of `created`, or unsigned. Raises DriverError.

        The gate is told of a refused login only where this was the `last_try` at it.
        """
        if (service, name) not in _QUESTIONS:
            raise ValueError(f"{name} is not among the questions a recorder is asked")
        header = "" if created is None else self._signature(created)
        body = _envelope(header, service, name, inner)
        return self._door.ask(
            "POST",
            path,
            body,
            lambda answer: self._told(name, answer, signed=created is not None, last=last_try),
            deadline=deadline,
            content_type=_CONTENT,
            own_login=True,
        )

    def _signature(self, created: datetime) -> str:
        nonce = secrets.token_bytes(16)
        when = created.strftime("%Y-%m-%dT%H:%M:%SZ")
        secret = self._password.get_secret_value()
        digest = hashlib.sha1(nonce + when.encode() + secret.encode(), usedforsecurity=False)
        return (
            f'<s:Header><Security s:mustUnderstand="1" xmlns="{_WSS}wssecurity-secext-1.0.xsd">'
            f"<UsernameToken><Username>{escape(self._username)}</Username>"
            f'<Password Type="{_TOKEN}">{base64.b64encode(digest.digest()).decode()}</Password>'
            f'<Nonce EncodingType="{_BASE64}">{base64.b64encode(nonce).decode()}</Nonce>'
            f'<Created xmlns="{_WSS}wssecurity-utility-1.0.xsd">{when}</Created>'
            "</UsernameToken></Security></s:Header>"
        )

    def _told(self, name: str, answer: Answer, *, signed: bool, last: bool) -> Said:
        try:
            said = self._read(name, answer)
        except NotAuthorizedError:
            if last:
                self._door.gate.login_failed()
            raise
        if signed:
            self._door.gate.login_succeeded()
        return said

    def _read(self, name: str, answer: Answer) -> Said:
        root = parse(answer.body)
        fault = None if root is None else _first(root, "Fault")
        if fault is not None:
            raise self._fault(name, fault)
        if answer.status == 401:
            raise NotAuthorizedError(f"{self._door.where} does not take our signature for {name}")
        if answer.status != 200:
            raise self._door.http_error(name, answer.status)
        body = None if root is None else _first(root, "Body")
        if body is None or not len(body) or local_name(body[0]) != f"{name}Response":
            raise ProtocolError(
                f"{self._door.where} answered {name} with something that is no answer to it: "
                f"{answer.body[:60]!r}"
            )
        return Said(body[0], answer.asked_at, answer.round_trip_seconds)

    def _fault(self, name: str, fault: Element) -> DriverError:
        codes = [(one.text or "").rpartition(":")[2] for one in fault.iter()]
        said = text(fault, "Text") or next((code for code in codes if code.strip()), "")
        where = f"{self._door.where} answered {name} with {said[:80]!r}"
        words = f"{' '.join(codes)} {said}".lower()
        if "time check" in words:
            return ClockRefusedError(f"{where}: its clock and ours differ too much; set its clock")
        if "notauthorized" in words or "not authorized" in words:
            return NotAuthorizedError(where)
        if "busy" in words or "maxinstances" in words or "resource" in words:
            return BusyError(f"{where}: it is busy; it is asked again later")
        if any(word in words for word in ("actionnotsupported", "notsupported", "optional")):
            return UnsupportedDeviceError(f"{where}: its firmware does not offer this")
        return ProtocolError(where)


def ask_the_time() -> str:
    """Return the one question a device answers to anybody."""
    return _envelope("", DEVICE, "GetSystemDateAndTime", "")


def _envelope(header: str, service: str, name: str, inner: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_ENVELOPE}">{header}'
        f'<s:Body><{name} xmlns="{service}" xmlns:tt="{_SCHEMA}">{inner}</{name}></s:Body>'
        "</s:Envelope>"
    )


def read_time(said: str | None) -> datetime:
    """Read `2026-09-01T10:15:30Z`, with or without fractions, naive. Raises ValueError."""
    match = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", said or "")
    return datetime.fromisoformat(match[0] if match else "")


def read_date_time(root: Element | None) -> datetime | None:
    """Read ONVIF's Date and Time of six numbers, naive; None where it is not whole or absurd."""
    names = ("Year", "Month", "Day", "Hour", "Minute", "Second")
    parts = [text(root, name) for name in names]
    try:
        year, month, day, hour, minute, second = (int(part or "") for part in parts)
        # A leap second is a second before the next minute here.
        whole = datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001 - its own
    except ValueError:
        return None
    return whole + timedelta(seconds=max(0, second - 59))


def first(root: Element | None, name: str) -> Element | None:
    """Return the first element of that local name, None without one."""
    return None if root is None else _first(root, name)


def _first(root: Element, name: str) -> Element | None:
    return next((one for one in root.iter() if local_name(one) == name), None)
