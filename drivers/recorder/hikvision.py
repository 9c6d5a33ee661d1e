"""Hikvision recorders over ISAPI: who they are, their clock and channels, days with video."""

import calendar
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr

from drivers.base import Clock, DeviceSettings, Gate
from drivers.errors import (
    BusyError,
    DeviceTimeoutError,
    DriverError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.readings import (
    ChannelReading,
    DayMapReading,
    Reading,
    Reason,
    RecorderReading,
    Unknown,
)
from drivers.recorder.isapi import IsapiTransport, Reply, children, text

_BUSY_WAIT_SECONDS = 2.0
_TIMEOUTS_IN_A_ROW = 3
# A channel no recorder has: one that knows its days does not look at the track it is asked for.
_NO_CHANNEL = 999
# The wall-clock digits; what follows them is not to be trusted (V4.84 with DST sends the standard
# offset beside the summer time, reference: qb60/hikvision-downloader#5).
_WALL_CLOCK = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


class HikvisionSettings(DeviceSettings):
    """One Hikvision recorder. Its password comes separately and is never a driver setting."""

    id: str
    name: str = ""
    driver: Literal["hikvision"]
    host: str
    http_port: int = Field(default=80, ge=1, le=65_535)
    rtsp_port: int = Field(default=554, ge=1, le=65_535)
    username: str
    poll_seconds: float = Field(default=60, gt=0, le=3600)
    survey_at: time = time(2, 30)
    max_live_streams: int = Field(default=4, ge=1, le=16)
    request_gap_seconds: float = Field(default=0.2, ge=0, le=10)
    reply_timeout_seconds: float = Field(default=15, gt=0, le=60)


def live_path(channel: int, stream: Literal["main", "sub"]) -> str:
    """Return the RTSP path of a live stream: channel x 100 + 1 main, 2 sub (ISAPI, RTSP)."""
    return f"/Streaming/Channels/{channel * 100 + (1 if stream == 'main' else 2)}"


class HikvisionDriver:
    """Meets drivers.base.RecorderDriver. `zone` is the recorder's; its own is not to be trusted."""

    def __init__(
        self,
        settings: HikvisionSettings,
        password: SecretStr,
        gate: Gate,
        clock: Clock,
        *,
        zone: ZoneInfo,
        channels: Sequence[int] = (),
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._zone = zone
        self._channels = tuple(channels)
        self._identity: dict[str, str | Unknown] | None = None
        self._isapi = IsapiTransport(
            settings.id,
            settings.host,
            settings.http_port,
            username=settings.username,
            password=password,
            gate=gate,
            clock=clock,
            reply_timeout_seconds=settings.reply_timeout_seconds,
        )

    @property
    def device_id(self) -> str:
        """Return the id the settings give the device."""
        return self._settings.id

    def open(self) -> None:
        """See that somebody listens there; the first poll logs in. Raises DriverError."""
        self.close()
        self._isapi.open()

    def close(self) -> None:
        """Let go of the connection."""
        self._identity = None
        self._isapi.close()

    def poll(self, *, deadline: float) -> Sequence[Reading]:
        """Return the recorder and its channels as of now. Raises DriverError."""
        if self._identity is None:
            # userCheck first: its refusal tells how many tries are left (ISAPI, Security).
            self._ask_softly("GET", "/ISAPI/Security/userCheck", deadline)
            self._identity = _identity(self._ask("/ISAPI/System/deviceInfo", deadline))
        try:
            clock: Reply | Unknown = self._ask("/ISAPI/System/time", deadline)
        except UnsupportedDeviceError as error:
            clock = _unknown(error)
        offset, wall = self._clock_of(clock)
        recorder = RecorderReading(
            device_id=self.device_id,
            observed_at=self._clock.now(),
            maker="hikvision",
            model=self._identity["model"],
            firmware=self._identity["firmware"],
            serial_number=self._identity["serial_number"],
            clock_offset_seconds=offset,
            device_today=wall,
        )
        return [recorder, *self._poll_channels(deadline)]

    def survey(self, *, until: date, days: int, deadline: float) -> Iterator[Reading]:
        """Yield a DayMapReading per channel and month, the newest month first.

        Only the channels of the settings are asked. Raises DriverError when talk has ended.
        """
        months = _months(until, days)
        doubt = self._ignores_tracks(months[0], deadline) if len(self._channels) > 1 else None
        timeouts = 0
        for channel in self._channels:
            for year, month in months:
                found: Mapping[int, bool] | Unknown = doubt if doubt is not None else {}
                if doubt is None:
                    reply = self._ask_days(channel, year, month, deadline)
                    timed_out = isinstance(reply, Unknown) and reply.reason is Reason.TIMEOUT
                    timeouts = timeouts + 1 if timed_out else 0
                    found = reply if isinstance(reply, Unknown) else _days(reply, year, month)
                    found = _without_future(found, year, month, until + timedelta(days=1))
                yield DayMapReading(
                    device_id=self.device_id,
                    observed_at=self._clock.now(),
                    channel=channel,
                    year=year,
                    month=month,
                    days=found,
                )
                if timeouts >= _TIMEOUTS_IN_A_ROW and self._clock.monotonic() < deadline:
                    raise DeviceTimeoutError(
                        f"recorder {self.device_id} left {timeouts} calendar questions in a row "
                        "unanswered; the rest is asked at the next survey"
                    )

    def _ask(self, path: str, deadline: float) -> Reply:
        return self._isapi.ask("GET", path, deadline=deadline)

    def _ask_softly(
        self, method: str, path: str, deadline: float, body: str | None = None
    ) -> Reply | Unknown:
        """Ask; what only this question cannot be answered with is Unknown."""
        try:
            return self._isapi.ask(method, path, body, deadline=deadline)
        except (BusyError, ProtocolError, UnsupportedDeviceError) as error:
            return _unknown(error)

    def _clock_of(self, reply: Reply | Unknown) -> tuple[float | Unknown, datetime | Unknown]:
        if isinstance(reply, Unknown):
            return reply, reply
        said = text(reply.root, "localTime") or ""
        digits = _WALL_CLOCK.match(said)
        try:
            # Naive on purpose: it is what the recorder's screen shows.
            wall = datetime.fromisoformat(digits[0] if digits else "")
            seconds = (wall.replace(tzinfo=self._zone) - reply.asked_at).total_seconds()
        except (ValueError, OverflowError):
            missing = Unknown(reason=Reason.MALFORMED, detail=f"localTime {said[:40]!r}")
            return missing, missing
        return seconds - reply.round_trip_seconds / 2, wall

    def _poll_channels(self, deadline: float) -> list[Reading]:
        listed = self._ask_softly("GET", "/ISAPI/ContentMgmt/InputProxy/channels", deadline)
        status = self._ask_softly("GET", "/ISAPI/ContentMgmt/InputProxy/channels/status", deadline)
        names = _by_id(listed, "InputProxyChannel", "name")
        online = _by_id(status, "InputProxyChannelStatus", "online")
        words = _by_id(status, "InputProxyChannelStatus", "chanDetectResult")
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

    def _ask_days(self, channel: int, year: int, month: int, deadline: float) -> Reply | Unknown:
        # ISAPI, "Search for Videos According to Calendar"; the main stream's track.
        path = f"/ISAPI/ContentMgmt/record/tracks/{channel * 100 + 1}/dailyDistribution"
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f"<trackDailyParam><year>{year}</year><monthOfYear>{month:02}</monthOfYear>"
            "</trackDailyParam>"
        )
        if self._clock.monotonic() >= deadline:
            return Unknown(reason=Reason.TIMEOUT, detail="the survey ran out of time")
        try:
            reply = self._ask_softly("POST", path, deadline, body)
            if isinstance(reply, Unknown) and reply.reason is Reason.BUSY:
                self._clock.sleep(_BUSY_WAIT_SECONDS)
                reply = self._ask_softly("POST", path, deadline, body)
        except DeviceTimeoutError as error:
            return _unknown(error)
        return reply

    def _ignores_tracks(self, month: tuple[int, int], deadline: float) -> Unknown | None:
        """Ask for a channel that cannot be; days of video there mean no answer can be believed."""
        reply = self._ask_days(_NO_CHANNEL, *month, deadline)
        days = reply if isinstance(reply, Unknown) else _days(reply, *month)
        if isinstance(days, Unknown) or not any(days.values()):
            return None
        return Unknown(
            reason=Reason.INCONSISTENT,
            detail=f"the recorder also lists days of video for channel {_NO_CHANNEL}",
        )


def _identity(reply: Reply) -> dict[str, str | Unknown]:
    absent = Unknown(reason=Reason.NOT_MEASURED, detail="not in deviceInfo")
    version, build = text(reply.root, "firmwareVersion"), text(reply.root, "firmwareReleasedDate")
    return {
        "model": text(reply.root, "model") or absent,
        "firmware": " ".join(part for part in (version, build) if part) or absent,
        "serial_number": text(reply.root, "serialNumber") or absent,
    }


def _unknown(error: DriverError) -> Unknown:
    return Unknown(reason=Reason(error.reason), detail=str(error))


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


def _months(until: date, days: int) -> list[tuple[int, int]]:
    """Return the calendar months of the `days` days up to `until`, newest first."""
    first = until - timedelta(days=days - 1)
    count = (until.year - first.year) * 12 + until.month - first.month + 1
    newest = until.year * 12 + until.month - 1
    return [((newest - back) // 12, (newest - back) % 12 + 1) for back in range(count)]


def _days(reply: Reply, year: int, month: int) -> Mapping[int, bool] | Unknown:
    """Read a trackDailyDistribution. The reply does not repeat the month: the pairing is ours."""
    days: dict[int, bool] = {}
    last = calendar.monthrange(year, month)[1]
    for entry in children(reply.root, "day"):
        number, record = text(entry, "dayOfMonth") or "", (text(entry, "record") or "").lower()
        if not re.fullmatch(r"\d{1,2}", number) or record not in {"true", "false"}:
            detail = f"day {number[:10]!r} with record {record[:10]!r}"
            return Unknown(reason=Reason.MALFORMED, detail=detail)
        day, present = int(number), record == "true"
        if not 1 <= day <= last or days.setdefault(day, present) != present:
            detail = f"day {day} does not fit {year}-{month:02}"
            return Unknown(reason=Reason.INCONSISTENT, detail=detail)
    if not days:
        # Not "no days": old firmware and some models always answer so.
        return Unknown(reason=Reason.NOT_MEASURED, detail="the recorder listed no day at all")
    return days


def _without_future(
    days: Mapping[int, bool] | Unknown, year: int, month: int, today: date
) -> Mapping[int, bool] | Unknown:
    """Distrust a month with video on days to come: the recorder answered for another month."""
    if isinstance(days, Unknown):
        return days
    if any(present and date(year, month, day) > today for day, present in days.items()):
        detail = f"video on days of {year}-{month:02} that are still to come"
        return Unknown(reason=Reason.INCONSISTENT, detail=detail)
    return days
