"""CGI of Dahua recorders: which questions may be asked, and what the answers mean."""

import re
from dataclasses import dataclass
from datetime import datetime

import httpx

from drivers.errors import (
    AuthenticationError,
    BusyError,
    DriverError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.recorder.http import Answer, HttpDoor

_WHEN = r"\d{4}-\d\d-\d\d%20\d\d:\d\d:\d\d"
# All that may ever be sent (HTTP API of Dahua: magicBox, global, configManager, LogicDeviceManager,
# mediaFileFind). A finder is a cursor inside the recorder; nothing here changes what it keeps.
ALLOWED = {
    "GET": re.compile(
        r"/cgi-bin/("
        r"magicBox\.cgi\?action=(getSystemInfo|getDeviceType|getSoftwareVersion)"
        r"|global\.cgi\?action=getCurrentTime"
        r"|configManager\.cgi\?action=getConfig&name=(ChannelTitle|RecordMode|Record)"
        r"|storageDevice\.cgi\?action=getDeviceAllInfo"
        r"|LogicDeviceManager\.cgi\?action=getCameraState&uniqueChannels\[0\]=-1"
        r"|snapshot\.cgi\?channel=\d+"
        r"|eventManager\.cgi\?action=getEventIndexes&code=VideoLoss"
        r"|mediaFileFind\.cgi\?action=(factory\.create"
        r"|findFile&object=\d+&condition\.Channel=\d+"
        rf"&condition\.StartTime={_WHEN}&condition\.EndTime={_WHEN}"
        r"&condition\.Types\[0\]=dav&condition\.VideoStream=Main"
        r"|findNextFile&object=\d+&count=\d+|(factory\.)?(close|destroy)&object=\d+)"
        r")"
    )
}


class CgiError(UnsupportedDeviceError):
    """The recorder says `Error`, which may mean no, not now, or nothing found."""


@dataclass(frozen=True)
class Table:
    """Lines of `key=value`, the wall clock when the question left, and the time it took."""

    values: dict[str, str]
    asked_at: datetime
    round_trip_seconds: float

    def rows(self, prefix: str) -> dict[int, dict[str, str]]:
        """Return `prefix[0].Name=x` lines by index; a bare `prefix[0]=x` has the name ""."""
        found: dict[int, dict[str, str]] = {}
        pattern = re.compile(rf"{re.escape(prefix)}\[(\d{{1,5}})\]\.?(.*)")
        for key, value in self.values.items():
            match = pattern.fullmatch(key)
            if match:
                found.setdefault(int(match[1]), {})[match[2]] = value
        return found


class Cgi:
    """Asks one recorder; every login outcome goes to the gate."""

    def __init__(self, door: HttpDoor) -> None:
        self._door = door

    def ask(self, question: str, *, deadline: float) -> Table:
        """Return the answer to `magicBox.cgi?action=...` and the like. Raises DriverError."""
        target = f"/cgi-bin/{question}"
        return self._door.ask(
            "GET", target, None, lambda answer: self._read(question, answer), deadline=deadline
        )

    def _read(self, question: str, answer: Answer) -> Table:
        if answer.status == httpx.codes.UNAUTHORIZED:
            raise self._refused()
        name = question.partition("&")[0]
        said = _decoded(answer.body).strip()
        if answer.signed and answer.status < httpx.codes.INTERNAL_SERVER_ERROR:
            self._door.gate.login_succeeded()
        # "Error" comes with 200 as well as with 400 and a body of some twenty bytes.
        if said.lower().startswith("error") or answer.status == httpx.codes.BAD_REQUEST:
            raise CgiError(f"{self._door.where} answered {name} with {said[:40]!r}")
        if answer.status != httpx.codes.OK:
            raise self._door.http_error(name, answer.status)
        values = _values(said)
        if not values and said.upper() != "OK":
            raise ProtocolError(
                f"{self._door.where} answered {name} with something that is no table: {said[:60]!r}"
            )
        return Table(values, answer.asked_at, answer.round_trip_seconds)

    def refused(self, _: Answer) -> DriverError:
        """Tell the gate of a refused login; return what it means."""
        return self._refused()

    def _refused(self) -> DriverError:
        """A login that worked before may be refused because connections have run out.

        The gate then lets it be tried once more, later (rroller/dahua#603).
        """
        if self._door.gate.login_failed():
            return BusyError(
                f"{self._door.where} refuses a login it took before: its connections are used up, "
                "or the password was changed; it is tried once more"
            )
        return AuthenticationError(
            f"{self._door.where} refuses user {self._door.username}; "
            "check the user name and password"
        )


def read_time(said: str) -> datetime:
    """Read `2026-9-1 10:15:30`, padded or not, naive. Raises ValueError."""
    match = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2}):(\d{1,2})", said.strip())
    if match is None:
        raise ValueError(said)
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - as its screen shows it


def _decoded(body: bytes) -> str:
    """Decode: new firmware writes UTF-8, old Chinese one GBK."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("gb18030", errors="replace")


def _values(text: str) -> dict[str, str]:
    """Split lines at their first `=`: values may hold more of them."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and re.fullmatch(r"[\w.\[\]:]+", key):
            found[key] = value.strip()
    return found
