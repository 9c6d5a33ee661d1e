"""A recorder whose maker the settings do not name: it is told apart without spending a login."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import httpx
from pydantic import SecretStr

from drivers.base import Clock, Evidence, Gate, StreamKind
from drivers.errors import DeviceUnreachableError, UnsupportedDeviceError
from drivers.readings import Reading, Reason, Unknown
from drivers.recorder.http import HttpDoor, Knock
from drivers.recorder.isapi import local_name, parse
from drivers.recorder.makers import DRIVERS, MakerDriver
from drivers.recorder.onvif import DEVICE_PATH
from drivers.recorder.quirks import QuirkStore
from drivers.recorder.settings import Maker, RecorderSettings
from drivers.recorder.soap import ask_the_time
from drivers.recordings import Extent, PlaybackAddress, Segments

_CGI = "/cgi-bin/magicBox.cgi?action=getDeviceType"
_ISAPI = "/ISAPI/Security/userCheck"
_ALLOWED = {
    "GET": re.compile(f"{re.escape(_CGI)}|{re.escape(_ISAPI)}"),
    "POST": re.compile(re.escape(DEVICE_PATH)),
}
# Dahua's digest realm is "Login to " and the serial number (reference: Dahua CGI, transport).
_DAHUA_REALM = "Login to"
_NOT_KNOWN = Unknown(reason=Reason.NOT_YET, detail="its maker is not known yet")


class AutoDriver:
    """Meets drivers.base.RecorderDriver; becomes the driver of the maker it finds."""

    def __init__(
        self,
        settings: RecorderSettings,
        password: SecretStr,
        gate: Gate,
        clock: Clock,
        quirks: QuirkStore,
        *,
        zone: ZoneInfo,
        channels: Sequence[int] = (),
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._found: MakerDriver | None = None
        self.maker: Maker | None = None
        self._door = HttpDoor(settings, password, gate, clock, allowed=_ALLOWED)
        self._made = {
            maker: make(settings, password, gate, clock, quirks, zone=zone, channels=channels)
            for maker, make in DRIVERS.items()
        }

    @property
    def device_id(self) -> str:
        """Return the id the settings give the device."""
        return self._settings.id

    def open(self) -> None:
        """See that somebody listens there. Raises DriverError."""
        self.close()
        self._door.open()
        if self._found is not None:
            self._found.open()

    def close(self) -> None:
        """Let go of the connection; who the maker is stays known."""
        self._door.close()
        if self._found is not None:
            self._found.close()

    def poll(self, *, deadline: float) -> Sequence[Reading]:
        """Return what its maker's driver does; the first time its maker is found out."""
        if self._found is None:
            self.maker = identify(self._door, deadline)
            self._found = self._made[self.maker]
            self._found.open()
        return self._found.poll(deadline=deadline)

    @property
    def listed(self) -> Mapping[int, str]:
        """Return the channels its maker's driver was told of."""
        return {} if self._found is None else self._found.listed

    @property
    def gives(self) -> frozenset[Evidence]:
        """Return what it can say of its archive."""
        return frozenset() if self._found is None else self._found.gives

    def month_days(
        self, channel: int, year: int, month: int, *, deadline: float
    ) -> Mapping[int, bool] | Unknown:
        """Ask its maker's driver."""
        if self._found is None:
            return _NOT_KNOWN
        return self._found.month_days(channel, year, month, deadline=deadline)

    def segments(
        self, channel: int, start: datetime, end: datetime, *, deadline: float, pages: int = 200
    ) -> Segments | Unknown:
        """Ask its maker's driver."""
        if self._found is None:
            return _NOT_KNOWN
        return self._found.segments(channel, start, end, deadline=deadline, pages=pages)

    def extents(self, *, deadline: float) -> Mapping[int, Extent] | Unknown:
        """Ask its maker's driver."""
        return _NOT_KNOWN if self._found is None else self._found.extents(deadline=deadline)

    def live_path(self, channel: int, stream: StreamKind) -> str | Unknown:
        """Ask its maker's driver."""
        found = self._found
        return _NOT_KNOWN if found is None else found.live_path(channel, stream)

    def playback(
        self, channel: int, start: datetime, end: datetime, *, deadline: float
    ) -> PlaybackAddress | Unknown:
        """Ask its maker's driver."""
        if self._found is None:
            return _NOT_KNOWN
        return self._found.playback(channel, start, end, deadline=deadline)

    def snapshot(self, channel: int, *, deadline: float) -> bytes | Unknown:
        """Ask its maker's driver."""
        if self._found is None:
            return _NOT_KNOWN
        return self._found.snapshot(channel, deadline=deadline)

    def wall_clock(self) -> datetime | Unknown:
        """Ask its maker's driver."""
        return _NOT_KNOWN if self._found is None else self._found.wall_clock()

    @property
    def span_days(self) -> int:
        """Ask its maker's driver."""
        return 1 if self._found is None else self._found.span_days

    @property
    def calendar_right(self) -> bool | None:
        """Ask its maker's driver."""
        return None if self._found is None else self._found.calendar_right

    def judge_calendar(self, *, right: bool) -> None:
        """Tell its maker's driver."""
        if self._found is not None:
            self._found.judge_calendar(right=right)


def identify(door: HttpDoor, deadline: float) -> Maker:
    """Knock without a login: by how it asks for one, and by what it says to anybody.

    Raises DriverError.
    """
    cgi = door.knock("GET", _CGI, None, deadline=deadline)
    if any(realm.startswith(_DAHUA_REALM) for realm in cgi.realms):
        return "dahua"
    isapi = door.knock("GET", _ISAPI, None, deadline=deadline)
    # One that wants a login for any path at all has not shown that it knows this one.
    if _knows_isapi(isapi) and (cgi.status != httpx.codes.UNAUTHORIZED or _says_isapi(isapi)):
        return "hikvision"
    time = door.knock("POST", DEVICE_PATH, ask_the_time(), deadline=deadline)
    root = parse(time.body)
    if root is not None and any(local_name(one) == "UTCDateTime" for one in root.iter()):
        return "onvif"
    if isapi.status == cgi.status == time.status == httpx.codes.SERVICE_UNAVAILABLE:
        raise DeviceUnreachableError(f"{door.where} is still starting")
    raise UnsupportedDeviceError(
        f"{door.where} is of no maker we know (Hikvision, Dahua, ONVIF); "
        "if ONVIF is switched off on it, switch it on, else name its driver in the settings"
    )


def maker_at(host: str, http_port: int, clock: Clock, *, seconds: float) -> Maker:
    """Return whose recorder is at an address; no login goes there. Raises DriverError."""
    settings = RecorderSettings(
        id=host, driver="auto", host=host, http_port=http_port, username="", request_gap_seconds=0
    )
    door = HttpDoor(settings, SecretStr(""), _NoLogin(), clock, allowed=_ALLOWED)
    door.open()
    try:
        return identify(door, clock.monotonic() + seconds)
    finally:
        door.close()


class _NoLogin:
    """Meets drivers.base.Gate for whoever only knocks: there is no login to guard."""

    @contextlib.contextmanager
    def permit(self, use: str, *, deadline: float) -> Iterator[None]:
        """Let it through."""
        del use, deadline
        yield

    def login_succeeded(self) -> None:
        """Not reached: a knock carries no login."""

    def login_failed(
        self, *, retries_left: int | None = None, locked_seconds: float | None = None
    ) -> bool:
        """Not reached: a knock carries no login."""
        del retries_left, locked_seconds
        return False


def _knows_isapi(knock: Knock) -> bool:
    return knock.status == httpx.codes.UNAUTHORIZED or _says_isapi(knock)


def _says_isapi(knock: Knock) -> bool:
    root = parse(knock.body)
    return root is not None and local_name(root) in {"userCheck", "ResponseStatus"}
