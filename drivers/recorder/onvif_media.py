"""Where the live streams behind ONVIF are: Media, and Media2, which alone names H.265 streams."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from drivers.base import StreamKind
from drivers.errors import BusyError, DeviceTimeoutError, ProtocolError, UnsupportedDeviceError
from drivers.readings import Reason, Unknown, unknown
from drivers.recorder.isapi import children, text
from drivers.recorder.soap import MEDIA, MEDIA2, Said, first

# A recorder of 64 cameras is not kept busy by one poll.
ADDRESSES_A_POLL = 32
_SOFT = (BusyError, DeviceTimeoutError, ProtocolError, UnsupportedDeviceError)
_ASK_AGAIN = frozenset({Reason.BUSY, Reason.TIMEOUT})
_NOT_YET = Unknown(reason=Reason.NOT_YET, detail="its stream has not been named yet")

Ask = Callable[[str, str, str], Said]


class Profile(NamedTuple):
    """One stream of one source, by its size in pixels; 0 where it is not told."""

    token: str
    source: str
    pixels: int


class Streams:
    """Learns paths a few at a poll; `path` may be read on any thread."""

    def __init__(self) -> None:
        self._wanted: dict[tuple[int, StreamKind], Profile] = {}
        self._paths: Mapping[tuple[int, StreamKind], str | Unknown] = {}
        self._pictures: dict[int, str | Unknown] = {}
        self._service = MEDIA
        self._why_not: Unknown | None = None

    def learn_profiles(
        self, ask: Ask, services: Sequence[str], numbered: Callable[[Sequence[str]], list[int]]
    ) -> None:
        """Learn which streams there are; Media2 is asked where there is one."""
        self._service = MEDIA2 if MEDIA2 in services else MEDIA
        inner = "<Type>All</Type>" if self._service == MEDIA2 else ""
        self._wanted, self._why_not = {}, None
        try:
            root = ask(self._service, "GetProfiles", inner).root
        except _SOFT as error:
            self._why_not = unknown(error)
            return
        profiles = [_profile(one) for one in children(root, "Profiles")]
        numbers = numbered([one.source for one in profiles])
        by_channel: dict[int, list[Profile]] = {}
        for number, profile in zip(numbers, profiles, strict=True):
            by_channel.setdefault(number, []).append(profile)
        for number, ones in by_channel.items():
            # Most pixels first; where none are told, recorders name the main stream first.
            ones.sort(key=lambda one: -one.pixels)
            self._wanted[number, "main"] = ones[0]
            self._wanted[number, "sub"] = ones[1] if len(ones) > 1 else ones[0]

    def learn_paths(self, ask: Ask, channels: Sequence[int]) -> None:
        """Ask for addresses that are not known yet. Raises what ends all talk with it."""
        kinds: tuple[StreamKind, ...] = ("main", "sub")
        missing = [
            (number, stream)
            for number in channels
            for stream in kinds
            if (number, stream) in self._wanted and (number, stream) not in self._paths
        ]
        for key in missing[:ADDRESSES_A_POLL]:
            path = self._address(ask, self._wanted[key])
            if isinstance(path, Unknown) and path.reason in _ASK_AGAIN:
                break
            self._paths = {**self._paths, key: path}

    def path(self, number: int, stream: StreamKind) -> str | Unknown:
        """Return the path of a channel's stream."""
        if self._why_not is not None:
            return self._why_not
        if self._wanted and (number, stream) not in self._wanted:
            return Unknown(reason=Reason.NOT_MEASURED, detail="the recorder names no stream of it")
        return self._paths.get((number, stream), _NOT_YET)

    def picture_path(self, ask: Ask, number: int) -> str | Unknown:
        """Return where single pictures of a channel are; asked once (Media, GetSnapshotUri).

        Some recorders name none, or an empty address (python-onvif-zeep-async PR #49).
        """
        profile = self._wanted.get((number, "main"))
        if profile is None:
            return self._why_not or Unknown(
                reason=Reason.NOT_MEASURED, detail="the recorder names no stream of it"
            )
        if number not in self._pictures:
            inner = f"<ProfileToken>{escape(profile.token)}</ProfileToken>"
            path = self._asked(ask, "GetSnapshotUri", inner, ("http", "https"))
            if isinstance(path, Unknown) and path.reason in _ASK_AGAIN:
                return path
            self._pictures[number] = path
        return self._pictures[number]

    def _address(self, ask: Ask, profile: Profile) -> str | Unknown:
        """Ask for one. Hosts and ports may be another network's, so only the path counts."""
        token = f"<ProfileToken>{escape(profile.token)}</ProfileToken>"
        inner = (
            f"<Protocol>RTSP</Protocol>{token}"
            if self._service == MEDIA2
            else "<StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>RTSP"
            f"</tt:Protocol></tt:Transport></StreamSetup>{token}"
        )
        return self._asked(ask, "GetStreamUri", inner, ("rtsp",))

    def _asked(self, ask: Ask, name: str, inner: str, schemes: Sequence[str]) -> str | Unknown:
        try:
            uri = text(ask(self._service, name, inner).root, "Uri") or ""
        except _SOFT as error:
            return unknown(error)
        # Some escape it twice, some leave spaces in (openvideolibs/python-onvif-zeep-async#38).
        parts = urlsplit(uri.replace("&amp;", "&").replace(" ", "%20"))
        if parts.scheme not in schemes or not parts.path:
            return Unknown(reason=Reason.MALFORMED, detail=f"{name}: address {uri[:60]!r}")
        return parts.path + (f"?{parts.query}" if parts.query else "")


def _profile(root: Element) -> Profile:
    encoder = first(root, "VideoEncoderConfiguration")
    encoder = first(root, "VideoEncoder") if encoder is None else encoder
    sides = [text(encoder, name) or "" for name in ("Width", "Height")]
    width, height = (int(side) if side.isdecimal() else 0 for side in sides)
    return Profile(root.get("token", ""), text(root, "SourceToken") or "", width * height)
