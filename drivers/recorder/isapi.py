"""ISAPI of Hikvision recorders: which questions may be asked, and what the answers mean."""

import re
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element, ParseError

import httpx
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from drivers.errors import (
    AuthenticationError,
    BusyError,
    DriverError,
    ForbiddenError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.recorder.http import Answer, HttpDoor

# All that may ever be sent (paths: ISAPI core, System, ContentMgmt and RaCM). Nothing here changes
# the recorder; the only POSTs ask the calendar and the search.
ALLOWED = {
    "GET": re.compile(
        r"/ISAPI/(Security/userCheck|System/(deviceInfo|time|Network/SIP)"
        r"|ContentMgmt/(InputProxy/channels(/status)?|Storage|record/tracks)"
        r"|(Streaming|ContentMgmt/StreamingProxy)/channels/\d+01/picture)"
    ),
    "POST": re.compile(r"/ISAPI/ContentMgmt/(search|record/tracks/\d+/dailyDistribution)"),
}


@dataclass(frozen=True)
class Reply:
    """The parsed answer, the wall clock when its question left, and the time it took."""

    root: Element
    asked_at: datetime
    round_trip_seconds: float


class Isapi:
    """Asks one recorder; every login outcome goes to the gate."""

    def __init__(self, door: HttpDoor) -> None:
        self._door = door

    def ask(self, method: str, path: str, body: str | None = None, *, deadline: float) -> Reply:
        """Return the XML answer to one question within monotonic `deadline`. Raises DriverError."""
        return self._door.ask(
            method, path, body, lambda answer: self._read(path, answer), deadline=deadline
        )

    def refused(self, answer: Answer) -> DriverError:
        """Tell the gate of a refused login; return what it means."""
        return self._refused(parse(answer.body))

    def _read(self, path: str, answer: Answer) -> Reply:
        root = parse(answer.body)
        if answer.status == httpx.codes.UNAUTHORIZED or _locked(root):
            raise self._refused(root)
        if root is not None and local_name(root) == "ResponseStatus":
            if answer.signed and answer.status < httpx.codes.INTERNAL_SERVER_ERROR:
                self._door.gate.login_succeeded()
            raise self._status_error(path, answer.status, root)
        if answer.status != httpx.codes.OK:
            raise self._door.http_error(path, answer.status)
        if root is None or local_name(root).lower() == "html":
            raise ProtocolError(
                f"{self._door.where} answered {path} with something that is not whole XML: "
                f"{answer.body[:60]!r}"
            )
        if text(root, "statusValue") == "401":  # userCheck says it in a 200, too
            raise self._refused(root)
        if answer.signed:
            self._door.gate.login_succeeded()
        return Reply(root, answer.asked_at, answer.round_trip_seconds)

    def _refused(self, root: Element | None) -> AuthenticationError:
        retries, unlock = _number(root, "retryLoginTime"), _number(root, "unlockTime")
        if _locked(root):
            self._door.gate.login_failed(retries_left=retries, locked_seconds=float(unlock or 0))
            error = AuthenticationError(
                f"{self._door.where} has locked this login; wait, and see who uses a wrong password"
            )
            error.reason = "auth_locked"
            return error
        self._door.gate.login_failed(retries_left=retries)
        return AuthenticationError(
            f"{self._door.where} refuses user {self._door.username}; "
            "check the user name and password"
        )

    def _status_error(self, path: str, status: int, root: Element) -> DriverError:
        """Map a ResponseStatus, which may come with HTTP 200 (ISAPI core, error processing)."""
        code, sub = text(root, "statusCode"), text(root, "subStatusCode") or ""
        said = f"{self._door.where} answered {path} with {code or status} {sub}".rstrip()
        word = sub.lower()
        if code in {"2", "3"} or "busy" in word or status == httpx.codes.SERVICE_UNAVAILABLE:
            return BusyError(f"{said}: it is busy; it is asked again later")
        if word == "lowprivilege":
            user = self._door.username
            return ForbiddenError(f"{said}: user {user} lacks the right to read this")
        if word in {"notsupport", "methodnotallowed", "invalidoperation"} or code in {"5", "6"}:
            return UnsupportedDeviceError(f"{said}: its firmware does not offer this")
        if code == "1":
            return ProtocolError(f"{said}: it says OK and sends no data")
        if status != httpx.codes.OK:
            return self._door.http_error(path, status)
        return ProtocolError(said)


def children(root: Element, name: str) -> list[Element]:
    """Return all descendants of that local name: namespaces differ even inside one reply."""
    return [element for element in root.iter() if local_name(element) == name]


def text(root: Element | None, name: str) -> str | None:
    """Return the stripped text of the first direct or deeper child of that name, None if empty."""
    for element in root.iter() if root is not None else ():
        if local_name(element) == name:
            return (element.text or "").strip() or None
    return None


def local_name(element: Element) -> str:
    """Return a tag without its namespace."""
    return str(element.tag).rpartition("}")[2]


def parse(body: bytes) -> Element | None:
    """Read XML without DTD and entities; None when it is not whole."""
    try:
        root: Element = fromstring(body.lstrip(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return None
    return root


def _number(root: Element | None, name: str) -> int | None:
    said = text(root, name)
    return int(said) if said is not None and re.fullmatch(r"\d{1,9}", said) else None


def _locked(root: Element | None) -> bool:
    """Tell whether the answer says the login is locked, whatever its HTTP status.

    A search has a `lockStatus` too: of clips that are not to be overwritten.
    """
    if root is None or local_name(root) not in {"userCheck", "ResponseStatus"}:
        return False
    state = (text(root, "lockStatus") or "").lower()
    sub = (text(root, "subStatusCode") or "").lower()
    return state in {"lock", "locked"} or sub in {"userlocked", "loginlocked"}
