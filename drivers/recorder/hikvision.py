"""Hikvision recorders over ISAPI: who they are, their clock, their channels."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from drivers.base import Clock, Evidence, Gate, StreamKind
from drivers.errors import BusyError, ProtocolError, UnsupportedDeviceError
from drivers.readings import Reading, Reason, Unknown, unknown
from drivers.recorder.hikvision_recordings import HikvisionRecordings
from drivers.recorder.hikvision_search import PAGES_MAX
from drivers.recorder.hikvision_upkeep import Uplink, policies, uplink, volumes
from drivers.recorder.http import HttpDoor
from drivers.recorder.isapi import ALLOWED, Isapi, Reply, children, text
from drivers.recorder.quirks import QuirkStore
from drivers.recorder.readings import (
    ChannelReading,
    RecorderReading,
    RecordPolicyReading,
    StorageReading,
    UplinkReading,
)
from drivers.recorder.settings import Maker, RecorderSettings
from drivers.recorder.snapshot import Snapshots
from drivers.recorder.wall_clock import WallClock
from drivers.recordings import Extent, PlaybackAddress, Segments

UPKEEP_SECONDS = 3600.0
_NOTHING_SAID = Unknown(reason=Reason.NOT_MEASURED, detail="the recorder does not say")
# The wall-clock digits; what follows them is not to be trusted (V4.84 with DST sends the standard
# offset beside the summer time, reference: qb60/hikvision-downloader#5).
_WALL_CLOCK = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def live_path(channel: int, stream: StreamKind) -> str:
    """Return the RTSP path of a live stream: channel x 100 + 1 main, 2 sub (ISAPI, RTSP)."""
    return f"/Streaming/Channels/{channel * 100 + (1 if stream == 'main' else 2)}"


def picture_addresses(channel: int) -> list[str]:
    """Return where a picture may be had: of cameras on the network often by the proxy alone.

    (ISAPI, Streaming and ContentMgmt; mezz64/pyHik#119)
    """
    track = f"{channel}01"
    return [
        f"/ISAPI/{service}/channels/{track}/picture"
        for service in ("Streaming", "ContentMgmt/StreamingProxy")
    ]


class HikvisionDriver:
    """Meets drivers.base.RecorderDriver. `zone` is the recorder's; its own is not to be trusted.

    `listed` are the channels it named at the last poll.
    """

    maker: Maker = "hikvision"

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
        self._identity: dict[str, str | Unknown] | None = None
        self.listed: Mapping[int, str] = {}
        self._upkeep_at = 0.0
        self._door = HttpDoor(settings, password, gate, clock, allowed=ALLOWED)
        self._isapi = Isapi(self._door)
        self._snapshots = Snapshots(self._door, picture_addresses, self._isapi.refused, clock)
        self._recordings = HikvisionRecordings(
            self._isapi, settings.id, quirks, clock, self._wall, channels=channels
        )

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
        self._identity, self._upkeep_at = None, 0.0
        self._door.close()

    def poll(self, *, deadline: float) -> Sequence[Reading]:
        """Return the recorder and its channels as of now. Raises DriverError."""
        if self._identity is None:
            # userCheck first: its refusal tells how many tries are left (ISAPI, Security).
            self._ask_softly("/ISAPI/Security/userCheck", deadline)
            self._identity = _identity(self._ask("/ISAPI/System/deviceInfo", deadline))
            named = (self._identity[name] for name in ("model", "firmware"))
            self._recordings.meet(*(name if isinstance(name, str) else "" for name in named))
        try:
            clock: Reply | Unknown = self._ask("/ISAPI/System/time", deadline)
        except UnsupportedDeviceError as error:
            clock = unknown(error)
        wall = self._read_clock(clock)
        recorder = RecorderReading(
            device_id=self.device_id,
            observed_at=self._clock.now(),
            maker="hikvision",
            model=self._identity["model"],
            firmware=self._identity["firmware"],
            serial_number=self._identity["serial_number"],
            clock_offset_seconds=self._wall.offset,
            device_today=wall,
            summer_time=_summer_time(clock),
        )
        return [recorder, *self._poll_channels(deadline), *self._poll_upkeep(deadline)]

    @property
    def gives(self) -> frozenset[Evidence]:
        """Return what it can say of its archive."""
        return frozenset({"calendar", "segments"})

    def month_days(
        self, channel: int, year: int, month: int, *, deadline: float
    ) -> Mapping[int, bool] | Unknown:
        """Return the days of a month its calendar says something was recorded on."""
        return self._recordings.month_days(channel, year, month, deadline=deadline)

    def segments(
        self,
        channel: int,
        start: datetime,
        end: datetime,
        *,
        deadline: float,
        pages: int = PAGES_MAX,
    ) -> Segments | Unknown:
        """Return what is recorded of a channel between two instants of its own wall clock."""
        return self._recordings.segments(channel, start, end, pages=pages, deadline=deadline)

    def live_path(self, channel: int, stream: StreamKind) -> str | Unknown:
        """Return the RTSP path of a live stream."""
        return live_path(channel, stream)

    def playback(
        self, channel: int, start: datetime, end: datetime, *, deadline: float
    ) -> PlaybackAddress | Unknown:
        """Return where a recording is played; its digits mean what those of a search do."""
        del deadline
        start, end = start - self._recordings.shift, end - self._recordings.shift
        span = f"starttime={start:%Y%m%dT%H%M%SZ}&endtime={end:%Y%m%dT%H%M%SZ}"
        # ISAPI, RTSP: the track of the main stream.
        return PlaybackAddress(f"/Streaming/tracks/{channel * 100 + 1}/?{span}", start)

    def snapshot(self, channel: int, *, deadline: float) -> bytes | Unknown:
        """Return a JPEG of what a channel shows now."""
        return self._snapshots.take(channel, deadline=deadline)

    def extents(self, *, deadline: float) -> Mapping[int, Extent] | Unknown:  # noqa: ARG002 - the contract's
        """It has better to say."""
        return Unknown(reason=Reason.NOT_SUPPORTED, detail="asked by its calendar and its search")

    def wall_clock(self) -> datetime | Unknown:
        """Return its own clock now, by what it said at the last poll."""
        return self._wall.now()

    @property
    def span_days(self) -> int:
        """Return how many days one search may well span: a week of hourly files is five pages."""
        return 7

    @property
    def calendar_right(self) -> bool | None:
        """Tell whether its calendar has been compared with its search; None: not yet."""
        said = self._recordings.sheet.calendar
        return None if said is None else said == "trusted"

    def judge_calendar(self, *, right: bool) -> None:
        """Note what that comparison showed."""
        self._recordings.judge_calendar(right=right)

    def _ask(self, path: str, deadline: float) -> Reply:
        return self._isapi.ask("GET", path, deadline=deadline)

    def _ask_softly(self, path: str, deadline: float) -> Reply | Unknown:
        """Ask; what only this question cannot be answered with is Unknown."""
        try:
            return self._ask(path, deadline)
        except (BusyError, ProtocolError, UnsupportedDeviceError) as error:
            return unknown(error)

    def _read_clock(self, reply: Reply | Unknown) -> datetime | Unknown:
        """Take in its clock; return what its screen shows."""
        if isinstance(reply, Unknown):
            self._wall.offset = reply
            return reply
        said = text(reply.root, "localTime") or ""
        digits = _WALL_CLOCK.match(said)
        try:
            # Naive on purpose: it is what the recorder's screen shows.
            wall = datetime.fromisoformat(digits[0] if digits else "")
            self._wall.take(wall, reply.asked_at, reply.round_trip_seconds)
        except (ValueError, OverflowError):
            self._wall.offset = Unknown(reason=Reason.MALFORMED, detail=f"localTime {said[:40]!r}")
            return self._wall.offset
        return wall

    def _poll_channels(self, deadline: float) -> list[Reading]:
        listed = self._ask_softly("/ISAPI/ContentMgmt/InputProxy/channels", deadline)
        status = self._ask_softly("/ISAPI/ContentMgmt/InputProxy/channels/status", deadline)
        names = _by_id(listed, "InputProxyChannel", "name")
        online = _by_id(status, "InputProxyChannelStatus", "online")
        words = _by_id(status, "InputProxyChannelStatus", "chanDetectResult")
        self.listed = names if isinstance(names, dict) else {}
        known = {*names, *online} if isinstance(names, dict) and isinstance(online, dict) else set()
        return [
            ChannelReading(
                device_id=self.device_id,
                observed_at=self._clock.now(),
                channel=channel,
                name=names.get(channel, "") if isinstance(names, dict) else "",
                online=_online(online, channel, known),
                condition=_word(words, channel),
            )
            for channel in sorted({*self._channels, *known})
        ]

    def _poll_upkeep(self, deadline: float) -> list[Reading]:
        """Once an hour: the disks, and what is set to be recorded how long."""
        if self._clock.monotonic() < self._upkeep_at:
            return []
        self._upkeep_at = self._clock.monotonic() + UPKEEP_SECONDS
        storage = self._ask_softly("/ISAPI/ContentMgmt/Storage", deadline)
        tracks = self._ask_softly("/ISAPI/ContentMgmt/record/tracks", deadline)
        now = self._clock.now()
        disks = storage if isinstance(storage, Unknown) else volumes(storage.root)
        readings: list[Reading] = [
            StorageReading(device_id=self.device_id, observed_at=now, volumes=disks)
        ]
        known = {} if isinstance(tracks, Unknown) else policies(tracks.root)
        for channel in self._channels:
            expiry, mode = known.get(channel, (_NOTHING_SAID, _NOTHING_SAID))
            readings.append(
                RecordPolicyReading(
                    device_id=self.device_id,
                    observed_at=now,
                    channel=channel,
                    expiry_days=tracks if isinstance(tracks, Unknown) else expiry,
                    mode=tracks if isinstance(tracks, Unknown) else mode,
                )
            )
        if self._settings.police_link is not None:
            said = self._ask_softly("/ISAPI/System/Network/SIP", deadline)
            link = Uplink(*(said,) * 4) if isinstance(said, Unknown) else uplink(said.root)
            readings.append(
                UplinkReading(
                    device_id=self.device_id,
                    observed_at=now,
                    **link._asdict(),
                )
            )
        return readings


def _summer_time(clock: Reply | Unknown) -> bool | Unknown:
    """Read whether its zone has a tail such as `CST-1:00:00DST01:00:00,M3.5.0/02:00:00,…`."""
    if isinstance(clock, Unknown):
        return clock
    zone = text(clock.root, "timeZone")
    return _NOTHING_SAID if zone is None else "DST" in zone.upper()


def _identity(reply: Reply) -> dict[str, str | Unknown]:
    absent = Unknown(reason=Reason.NOT_MEASURED, detail="not in deviceInfo")
    version, build = text(reply.root, "firmwareVersion"), text(reply.root, "firmwareReleasedDate")
    return {
        "model": text(reply.root, "model") or absent,
        "firmware": " ".join(part for part in (version, build) if part) or absent,
        "serial_number": text(reply.root, "serialNumber") or absent,
    }


def _by_id(reply: Reply | Unknown, element: str, field: str) -> dict[int, str] | Unknown:
    """Index a channel list by channel number: ids have gaps, `size` attributes lie."""
    if isinstance(reply, Unknown):
        return reply
    found: dict[int, str] = {}
    for entry in children(reply.root, element):
        number = text(entry, "id")
        if number is not None and re.fullmatch(r"[1-9]\d{0,3}", number):
            found[int(number)] = text(entry, field) or ""
    return found


def _online(online: dict[int, str] | Unknown, channel: int, known: set[int]) -> bool | Unknown:
    if isinstance(online, Unknown):
        return online
    if known and channel not in known:
        return Unknown(
            reason=Reason.INCONSISTENT, detail=f"the recorder does not list channel {channel}"
        )
    said = online.get(channel, "")
    if said.lower() in {"true", "false"}:
        return said.lower() == "true"
    if said:
        return Unknown(reason=Reason.MALFORMED, detail=f"online {said[:40]!r}")
    return Unknown(reason=Reason.NOT_MEASURED, detail="the recorder does not say")


def _word(words: dict[int, str] | Unknown, channel: int) -> str | Unknown:
    if isinstance(words, Unknown):
        return words
    word = words.get(channel, "").lower()
    return word or Unknown(reason=Reason.NOT_MEASURED, detail="the recorder does not say")
