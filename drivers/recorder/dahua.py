"""Dahua recorders over CGI: who they are, their clock, their channels, their files.

Every call is two connections and one refused login in the recorder's own log (its nonce is good
for one request), so it is asked seldom and widely (rroller/dahua#577, #603).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from drivers.base import Clock, Evidence, Gate, StreamKind
from drivers.errors import ProtocolError, UnsupportedDeviceError
from drivers.readings import Reading, Reason, Unknown, unknown
from drivers.recorder.dahua_cgi import ALLOWED, Cgi, Table, read_time
from drivers.recorder.dahua_files import PAGES_MAX, DahuaFiles
from drivers.recorder.dahua_upkeep import modes, volumes
from drivers.recorder.http import HttpDoor
from drivers.recorder.quirks import QuirkSheet, QuirkStore
from drivers.recorder.readings import (
    ChannelReading,
    RecorderReading,
    RecordingMode,
    RecordPolicyReading,
    StorageReading,
)
from drivers.recorder.settings import Maker, RecorderSettings
from drivers.recorder.snapshot import Snapshots
from drivers.recorder.wall_clock import WallClock
from drivers.recordings import Extent, PlaybackAddress, Segments

UPKEEP_SECONDS = 3600.0
_CHANNELS_TO_LEARN_FROM = 4
# getCameraState of an input that nobody has set up.
_UNUSED = frozenset({"empty", "disable"})
_STATES = "LogicDeviceManager.cgi?action=getCameraState&uniqueChannels[0]=-1"
_VIDEO_LOSS = "eventManager.cgi?action=getEventIndexes&code=VideoLoss"


def live_path(channel: int, stream: StreamKind) -> str:
    """Return the RTSP path of a live stream: channels from 1, subtype 0 main, 1 sub."""
    return f"/cam/realmonitor?channel={channel}&subtype={0 if stream == 'main' else 1}"


class DahuaDriver:
    """Meets drivers.base.RecorderDriver. `zone` is the recorder's: it names none itself.

    `listed` are the channels it named at the last poll.
    """

    maker: Maker = "dahua"

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
        self._names: Mapping[int, str] = {}
        self.listed: Mapping[int, str] = {}
        self._upkeep_at = 0.0
        self._sheet = QuirkSheet(maker="dahua", model="", firmware="")
        self._door = HttpDoor(settings, password, gate, clock, allowed=ALLOWED)
        self._cgi = Cgi(self._door)
        # From 1 on recorders, from 0 on some old firmware (rroller/dahua#707, #724).
        self._snapshots = Snapshots(
            self._door,
            lambda channel: [f"/cgi-bin/snapshot.cgi?channel={channel}"],
            self._cgi.refused,
            clock,
        )
        self._files = DahuaFiles(self._cgi, clock)

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
            self._identity = self._identify(deadline)
            titles = self._ask_softly(
                "configManager.cgi?action=getConfig&name=ChannelTitle", deadline
            )
            self._names = {} if isinstance(titles, Unknown) else _titles(titles)
        try:
            clock: Table | Unknown = self._cgi.ask(
                "global.cgi?action=getCurrentTime", deadline=deadline
            )
        except UnsupportedDeviceError as error:
            clock = unknown(error)
        wall = self._read_clock(clock)
        recorder = RecorderReading(
            device_id=self.device_id,
            observed_at=self._clock.now(),
            maker="dahua",
            model=self._identity["model"],
            firmware=self._identity["firmware"],
            serial_number=self._identity["serial_number"],
            clock_offset_seconds=self._wall.offset,
            device_today=wall,
        )
        return [recorder, *self._poll_channels(deadline), *self._poll_upkeep(deadline)]

    @property
    def gives(self) -> frozenset[Evidence]:
        """Return what it can say of its archive: it lists, a hundred files at a time."""
        return frozenset({"segments"})

    def month_days(
        self, channel: int, year: int, month: int, *, deadline: float
    ) -> Mapping[int, bool] | Unknown:
        """It has no calendar."""
        del channel, year, month, deadline
        return Unknown(reason=Reason.NOT_SUPPORTED, detail="it has no calendar")

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
        base = self._learn_base(deadline)
        if isinstance(base, Unknown):
            return base
        return self._files.segments(channel - 1 + base, start, end, pages=pages, deadline=deadline)

    def live_path(self, channel: int, stream: StreamKind) -> str | Unknown:
        """Return the RTSP path of a live stream."""
        return live_path(channel, stream)

    def playback(
        self, channel: int, start: datetime, end: datetime, *, deadline: float
    ) -> PlaybackAddress | Unknown:
        """Return where a recording is played (HTTP API, RTSP playback); channels from 1."""
        del deadline
        span = f"starttime={start:%Y_%m_%d_%H_%M_%S}&endtime={end:%Y_%m_%d_%H_%M_%S}"
        return PlaybackAddress(f"/cam/playback?channel={channel}&subtype=0&{span}", start)

    def snapshot(self, channel: int, *, deadline: float) -> bytes | Unknown:
        """Return a JPEG of what a channel shows now (HTTP API, snapshot.cgi)."""
        return self._snapshots.take(channel, deadline=deadline)

    def extents(self, *, deadline: float) -> Mapping[int, Extent] | Unknown:
        """It has better to say."""
        del deadline
        return Unknown(reason=Reason.NOT_SUPPORTED, detail="asked by its files")

    def wall_clock(self) -> datetime | Unknown:
        """Return its own clock now, by what it said at the last poll."""
        return self._wall.now()

    @property
    def span_days(self) -> int:
        """Return how many days one finder may well span: 92 of hourly files are 23 pages."""
        return 92

    @property
    def calendar_right(self) -> bool | None:
        """It has no calendar."""
        return None

    def judge_calendar(self, *, right: bool) -> None:
        """It has no calendar."""

    def _ask_softly(self, question: str, deadline: float) -> Table | Unknown:
        """Ask; what only this question cannot be answered with is Unknown."""
        try:
            return self._cgi.ask(question, deadline=deadline)
        except (ProtocolError, UnsupportedDeviceError) as error:
            return unknown(error)

    def _identify(self, deadline: float) -> dict[str, str | Unknown]:
        absent = Unknown(reason=Reason.NOT_MEASURED, detail="the recorder does not say")
        found: dict[str, str] = {}
        for action in ("getSystemInfo", "getDeviceType", "getSoftwareVersion"):
            table = self._ask_softly(f"magicBox.cgi?action={action}", deadline)
            found |= {} if isinstance(table, Unknown) else table.values
        # `deviceType` may be a bare number; `type` is the model then (rroller/dahua#67).
        model = found.get("type") or found.get("deviceType")
        firmware = found.get("version")
        sheet = QuirkSheet(maker="dahua", model=model or "", firmware=firmware or "")
        known = self._quirks.load()
        if known is not None and known.same_device(sheet):
            sheet = known
        self._sheet = sheet
        return {
            "model": model or absent,
            "firmware": firmware or absent,
            "serial_number": found.get("serialNumber") or absent,
        }

    def _learn_base(self, deadline: float) -> int | Unknown:
        if self._sheet.channel_base is not None:
            return self._sheet.channel_base
        now = self.wall_clock()
        if isinstance(now, Unknown):
            return Unknown(reason=Reason.CLOCK_UNTRUSTED, detail="its clock could not be read")
        base: int | Unknown = Unknown(reason=Reason.NOT_YET)
        for channel in self._channels[:_CHANNELS_TO_LEARN_FROM]:
            base = self._files.learn_base(channel, now, deadline=deadline)
            if base in (0, 1):
                self._sheet = self._sheet.model_copy(update={"channel_base": base})
                self._quirks.save(self._sheet)
                break
        return base

    def _read_clock(self, table: Table | Unknown) -> datetime | Unknown:
        """Take in its clock; return what its screen shows."""
        if isinstance(table, Unknown):
            self._wall.offset = table
            return table
        said = table.values.get("result", "")
        try:
            wall = read_time(said)
            self._wall.take(wall, table.asked_at, table.round_trip_seconds)
        except (ValueError, OverflowError):
            detail = f"current time {said[:40]!r}"
            self._wall.offset = Unknown(reason=Reason.MALFORMED, detail=detail)
            return self._wall.offset
        return wall

    def _poll_channels(self, deadline: float) -> list[Reading]:
        states = self._ask_softly(_STATES, deadline)
        words: dict[int, str] = {}
        if not isinstance(states, Unknown):
            words = _states(states)
        # Every input has a title, used or not; the states know which are.
        used = {number for number, word in words.items() if word not in _UNUSED} or {*self._names}
        self.listed = {number: self._names.get(number, "") for number in sorted(used)}
        lost: set[int] = set()
        if not words:
            # Old units and analogue inputs: these only say where there is no picture.
            losses = self._ask_softly(_VIDEO_LOSS, deadline)
            lost = set() if isinstance(losses, Unknown) else _losses(losses)
        return [
            ChannelReading(
                device_id=self.device_id,
                observed_at=self._clock.now(),
                channel=channel,
                name=self._names.get(channel, ""),
                online=_online(channel, words, lost),
                condition=words.get(channel)
                or ("videoloss" if channel in lost else Unknown(reason=Reason.NOT_MEASURED)),
            )
            for channel in sorted({*self._channels, *words})
        ]

    def _poll_upkeep(self, deadline: float) -> list[Reading]:
        """Once an hour: the disks, and what is set to be recorded."""
        if self._clock.monotonic() < self._upkeep_at:
            return []
        self._upkeep_at = self._clock.monotonic() + UPKEEP_SECONDS
        storage = self._ask_softly("storageDevice.cgi?action=getDeviceAllInfo", deadline)
        switch = self._ask_softly("configManager.cgi?action=getConfig&name=RecordMode", deadline)
        schedule = self._ask_softly("configManager.cgi?action=getConfig&name=Record", deadline)
        now = self._clock.now()
        disks = storage if isinstance(storage, Unknown) else volumes(storage)
        readings: list[Reading] = [
            StorageReading(device_id=self.device_id, observed_at=now, volumes=disks)
        ]
        known: Mapping[int, RecordingMode | Unknown] = {}
        if not isinstance(switch, Unknown) and not isinstance(schedule, Unknown):
            known = modes(switch, schedule)
        silent = Unknown(reason=Reason.NOT_MEASURED, detail="the recorder does not say")
        return readings + [
            RecordPolicyReading(
                device_id=self.device_id,
                observed_at=now,
                channel=channel,
                # No public word of where it keeps its days of expiry.
                expiry_days=silent,
                mode=known.get(channel, silent),
            )
            for channel in self._channels
        ]


def _titles(table: Table) -> dict[int, str]:
    """Read ChannelTitle, which counts from 0; the screen counts from 1."""
    return {
        index + 1: row.get("Name", "") for index, row in table.rows("table.ChannelTitle").items()
    }


def _states(table: Table) -> dict[int, str]:
    """Read getCameraState: `channel` counts from 0; words lower case."""
    found = {}
    for row in table.rows("states").values():
        number = row.get("channel", "")
        if number.isdecimal() and row.get("connectionState"):
            found[int(number) + 1] = row["connectionState"].lower()
    return found


def _losses(table: Table) -> set[int]:
    """Read the channels without a picture, counted from 0."""
    rows = table.rows("channels").values()
    return {int(row[""]) + 1 for row in rows if row.get("", "").isdecimal()}


def _online(channel: int, words: Mapping[int, str], lost: set[int]) -> bool | Unknown:
    if channel in lost:
        return False
    if not words:
        return Unknown(reason=Reason.NOT_MEASURED, detail="the recorder does not say")
    if channel not in words:
        return Unknown(
            reason=Reason.INCONSISTENT, detail=f"the recorder does not list channel {channel}"
        )
    return words[channel] == "connected"
