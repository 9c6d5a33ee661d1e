"""Recorders of any maker over ONVIF: who they are, their clock, what they claim to hold.

Evidence is the device's own claim of an oldest and a newest; holes do not show in it.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from drivers.base import Clock, Evidence, Gate, StreamKind
from drivers.errors import BusyError, DeviceTimeoutError, ProtocolError, UnsupportedDeviceError
from drivers.readings import Reading, Reason, Unknown, unknown
from drivers.recorder.http import HttpDoor
from drivers.recorder.isapi import children, text
from drivers.recorder.onvif_media import Streams
from drivers.recorder.onvif_replay import Replays
from drivers.recorder.onvif_search import Recording, find_recordings
from drivers.recorder.onvif_signing import Signing
from drivers.recorder.quirks import QuirkSheet, QuirkStore
from drivers.recorder.readings import ChannelReading, RecorderReading
from drivers.recorder.settings import Maker, RecorderSettings
from drivers.recorder.snapshot import Snapshots, refused_by_digest
from drivers.recorder.soap import (
    ALLOWED,
    DEVICE,
    MEDIA,
    REPLAY,
    SEARCH,
    Said,
    Soap,
    first,
    read_date_time,
)
from drivers.recorder.wall_clock import WallClock
from drivers.recordings import Extent, PlaybackAddress, Segments

DEVICE_PATH = "/onvif/device_service"
_RECENT = timedelta(minutes=15)
_SOFT = (BusyError, DeviceTimeoutError, ProtocolError, UnsupportedDeviceError)
_EXTENTS_ONLY = Unknown(reason=Reason.NOT_SUPPORTED, detail="ONVIF has no calendar and no files")


class OnvifDriver:
    """Meets drivers.base.RecorderDriver. `zone` is the recorder's; ONVIF speaks UTC, or should."""

    maker: Maker = "onvif"

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
        self._wall = WallClock(clock, zone)
        self._channels = tuple(channels)
        self._quirks = quirks
        self._identity: dict[str, str | Unknown] | None = None
        self._paths: dict[str, str] = {}
        self._sources: tuple[str, ...] = ()
        self._sheet = QuirkSheet(maker="onvif", model="", firmware="")
        self._door = HttpDoor(settings, password, gate, clock, allowed=ALLOWED)
        self._soap = Soap(self._door, settings.username, password)
        self._signing = Signing(self._soap, clock, self._wall)
        self._streams = Streams()
        self._picture_paths: dict[int, str] = {}
        self._snapshots = Snapshots(
            self._door,
            lambda channel: [self._picture_paths[channel]],
            refused_by_digest(self._door),
            clock,
        )
        self._replays = Replays()

    @property
    def listed(self) -> Mapping[int, str]:
        """Return the channels it has sources for; ONVIF gives them no names."""
        return dict.fromkeys(sorted(self._numbered(self._sources)), "")

    @property
    def device_id(self) -> str:
        """Return the id the settings give the device."""
        return self._settings.id

    def open(self) -> None:
        """See that somebody listens there; the first poll logs in. Raises DriverError."""
        self.close()
        self._door.open()

    def close(self) -> None:
        """Let go of the connection."""
        self._identity = None
        self._door.close()

    def poll(self, *, deadline: float) -> Sequence[Reading]:
        """Return the recorder and its channels as of now. Raises DriverError."""
        offset, summer_time = self._read_clock(deadline)
        if self._identity is None:
            self._identity = self._identify(deadline)
        self._streams.learn_paths(partial(self._put, deadline), self._channels)
        self._wall.offset = self._signing.true_offset(offset)
        wall = self.wall_clock()
        recorder = RecorderReading(
            device_id=self.device_id,
            observed_at=self._clock.now(),
            maker="onvif",
            model=self._identity["model"],
            firmware=self._identity["firmware"],
            serial_number=self._identity["serial_number"],
            clock_offset_seconds=self._wall.offset,
            device_today=wall,
            summer_time=summer_time,
        )
        return [recorder, *self._channel_readings()]

    @property
    def gives(self) -> frozenset[Evidence]:
        """Return what it can say of its archive: its own claim."""
        return frozenset({"extent"})

    def month_days(
        self, channel: int, year: int, month: int, *, deadline: float
    ) -> Mapping[int, bool] | Unknown:
        """It has no calendar (proposed only: onvif/specs#781)."""
        del channel, year, month, deadline
        return _EXTENTS_ONLY

    def segments(
        self, channel: int, start: datetime, end: datetime, *, deadline: float, pages: int = 0
    ) -> Segments | Unknown:
        """It has no list of files."""
        del channel, start, end, deadline, pages
        return _EXTENTS_ONLY

    def extents(self, *, deadline: float) -> Mapping[int, Extent] | Unknown:
        """Return for each channel the oldest and the newest it claims to hold."""
        now = self.wall_clock()
        if isinstance(now, Unknown):
            return Unknown(reason=Reason.CLOCK_UNTRUSTED, detail="its clock could not be read")

        try:
            ask = partial(self._put, deadline)
            found = find_recordings(ask, self._clock, deadline=deadline)
        except _SOFT as error:
            return unknown(error)
        shift = self._shift(found.recordings, now)
        if isinstance(shift, Unknown):
            return shift
        numbers = self._numbered([one.source for one in found.recordings])
        self._replays.learn(list(zip(numbers, found.recordings, strict=True)), shift)
        extents: dict[int, Extent] = {}
        for number, one in zip(numbers, found.recordings, strict=True):
            if one.oldest is None or one.newest is None:
                continue
            extent = Extent(one.oldest + shift, one.newest + shift)
            known = extents.get(number)
            if known is not None:
                oldest, newest = min(known.oldest, extent.oldest), max(known.newest, extent.newest)
                extent = Extent(oldest, newest)
            extents[number] = extent
        if not found.complete and not extents:
            return Unknown(reason=Reason.TRUNCATED, detail="its search came to no end")
        return extents

    def live_path(self, channel: int, stream: StreamKind) -> str | Unknown:
        """Return the path the recorder names for a stream, once it has been asked."""
        return self._streams.path(channel, stream)

    def playback(
        self, channel: int, start: datetime, end: datetime, *, deadline: float
    ) -> PlaybackAddress | Unknown:
        """Return where a recording is replayed, of those that `extents` found."""
        del end
        return self._replays.address(partial(self._put, deadline), channel, start)

    def snapshot(self, channel: int, *, deadline: float) -> bytes | Unknown:
        """Return a JPEG of what a channel shows now, where its profile names an address."""
        path = self._streams.picture_path(partial(self._put, deadline), channel)
        if isinstance(path, Unknown):
            return path
        self._picture_paths[channel] = path
        return self._snapshots.take(channel, deadline=deadline)

    def wall_clock(self) -> datetime | Unknown:
        """Return its own clock now, by what it said at the last poll."""
        return self._wall.now()

    @property
    def span_days(self) -> int:
        """It has no list of files."""
        return 1

    @property
    def calendar_right(self) -> bool | None:
        """It has no calendar."""
        return None

    def judge_calendar(self, *, right: bool) -> None:
        """It has no calendar."""

    def _put(self, deadline: float, service: str, name: str, inner: str) -> Said:
        return self._ask(service, name, deadline, inner)

    def _ask(self, service: str, name: str, deadline: float, inner: str = "") -> Said:
        path = self._paths.get(service, DEVICE_PATH)
        return self._signing.ask(path, service, name, inner, deadline=deadline)

    def _read_clock(self, deadline: float) -> tuple[float | Unknown, bool | Unknown]:
        """Ask the time, which takes no login, and tell the signing of it."""
        said = self._soap.ask(
            DEVICE_PATH, DEVICE, "GetSystemDateAndTime", created=None, deadline=deadline
        )
        utc = read_date_time(first(said.root, "UTCDateTime"))
        if utc is None:
            self._signing.device_offset = 0.0
            absent = Unknown(reason=Reason.MALFORMED, detail="no UTCDateTime")
            return absent, absent
        offset = (utc.replace(tzinfo=UTC) - said.asked_at).total_seconds()
        offset -= said.round_trip_seconds / 2
        self._signing.device_offset = offset
        # It is in force now; whether it will be in half a year is not told.
        in_force = (text(said.root, "DaylightSavings") or "").lower() == "true"
        return offset, in_force

    def _identify(self, deadline: float) -> dict[str, str | Unknown]:
        absent = Unknown(reason=Reason.NOT_MEASURED, detail="the recorder does not say")
        root = self._ask(DEVICE, "GetDeviceInformation", deadline).root
        model, firmware = text(root, "Model"), text(root, "FirmwareVersion")
        sheet = QuirkSheet(maker="onvif", model=model or "", firmware=firmware or "")
        known = self._quirks.load()
        self._sheet = known if known is not None and known.same_device(sheet) else sheet
        self._find_services(deadline)
        try:
            sources = children(self._ask(MEDIA, "GetVideoSources", deadline).root, "VideoSources")
            self._sources = tuple(one.get("token", "") for one in sources)
        except _SOFT:
            self._sources = ()
        self._streams = Streams()
        self._streams.learn_profiles(
            partial(self._put, deadline), tuple(self._paths), self._numbered
        )
        return {
            "model": model or absent,
            "firmware": firmware or absent,
            "serial_number": text(root, "SerialNumber") or absent,
        }

    def _find_services(self, deadline: float) -> None:
        """Learn where the services are. Hosts they name may be another network's: paths only.

        (FalkTannhaeuser/python-onvif-zeep#61)
        """
        try:
            inner = "<IncludeCapability>false</IncludeCapability>"
            root = self._ask(DEVICE, "GetServices", deadline, inner).root
            for service in children(root, "Service"):
                path = urlsplit(text(service, "XAddr") or "").path
                if path:
                    self._paths[text(service, "Namespace") or ""] = path
        except _SOFT:
            root = self._ask(DEVICE, "GetCapabilities", deadline, "<Category>All</Category>").root
            for name, service_name in (("Media", MEDIA), ("Search", SEARCH), ("Replay", REPLAY)):
                path = urlsplit(text(first(root, name), "XAddr") or "").path
                if path:
                    self._paths[service_name] = path

    def _channel_readings(self) -> list[Reading]:
        silent = Unknown(reason=Reason.NOT_MEASURED, detail="ONVIF does not say")
        listed = self._numbered(self._sources)
        return [
            ChannelReading(
                device_id=self.device_id,
                observed_at=self._clock.now(),
                channel=channel,
                name="",
                online=silent
                if not listed or channel in listed
                else Unknown(
                    reason=Reason.INCONSISTENT,
                    detail=f"the recorder does not list channel {channel}",
                ),
                condition=silent,
            )
            for channel in sorted(self._channels)
        ]

    def _numbered(self, sources: Sequence[str]) -> list[int]:
        """Return the channel number of each source: as its name says, else by its place.

        Their names end with a number on every recorder reported, counted from 0 or from 1.
        """
        known = self._sources or tuple(dict.fromkeys(sources))
        digits = [re.search(r"(\d+)\D*$", one) for one in known]
        numbers = [int(one[1]) for one in digits if one is not None]
        if len(set(numbers)) == len(known):
            base = 1 - min(numbers, default=1)
            places = {one: number + base for one, number in zip(known, numbers, strict=True)}
        else:
            places = {one: place for place, one in enumerate(known, start=1)}
        return [places.get(one, 0) for one in sources]

    def _shift(self, found: Sequence[Recording], now: datetime) -> timedelta | Unknown:
        """Return what to add to the digits of its search to have its wall clock; learnt once.

        They should be UTC, and several recorders write local time there. One that records now
        shows which.
        """
        shifts = {"utc": self._wall.zone_shift(), "local": timedelta()}
        newest = max((one.newest for one in found if one.newest is not None), default=None)
        if self._sheet.search_digits is None and newest is not None:
            fits = [name for name, one in shifts.items() if abs(newest + one - now) < _RECENT]
            if fits:
                self._sheet = self._sheet.model_copy(update={"search_digits": fits[0]})
                self._quirks.save(self._sheet)
        if self._sheet.search_digits is None:
            return Unknown(
                reason=Reason.NOT_YET,
                detail="no channel records now that would show how this recorder writes its times",
            )
        return shifts[self._sheet.search_digits]
