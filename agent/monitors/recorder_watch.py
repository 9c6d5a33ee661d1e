"""One recorder: whether it answers, who it says it is, and how its clock stands."""

from collections.abc import Mapping, Sequence

from agent.county.contract import Event, State, as_word
from agent.county.event_data import DeviceEventData
from agent.county.state_data import RecorderState
from agent.findings import Cause, Verdict, missing, worst
from agent.monitors import Instant
from agent.monitors.forecast import Forecast
from agent.monitors.recorder_words import channel_cause, clock_cause
from agent.monitors.storage import missing_terabytes, storage_causes
from agent.policy import Channel, RetentionPolicy
from drivers.readings import Outage, Reason, Unknown
from drivers.recorder.readings import ChannelReading, RecorderReading, Volume

# A recorder is polled every minute; one missed poll is no news.
LOST_AFTER_OUTAGES = 3
SILENT_SECONDS, SILENT_POLLS = 300.0, 3
_SILENT = Unknown(reason=Reason.STALE)

Seen = tuple[Channel, ChannelReading | None]


class RecorderWatch:
    """Watches one recorder for the retention monitor; `max_age_seconds` for what it last said."""

    def __init__(self, recorder_id: str, poll_seconds: float, max_age_seconds: float) -> None:
        self._silent_seconds = max(SILENT_SECONDS, SILENT_POLLS * poll_seconds)
        self.id = recorder_id
        self.last: RecorderReading | None = None
        self.lost: Unknown | None = None
        self._max_age = max_age_seconds
        self._last_at = 0.0
        self._heard_at: float | None = None
        self._outages = 0
        self._volumes: Sequence[Volume] | Unknown | None = None
        self._known_disks: Mapping[str, int] = {}

    def said(self, reading: RecorderReading, monotonic: float) -> None:
        """Take in what it says of itself, said at `monotonic`."""
        self.last, self._last_at = reading, monotonic

    def stores(self, volumes: Sequence[Volume] | Unknown, known: Mapping[str, int]) -> None:
        """Take in what its disks are, and what they were."""
        if not isinstance(volumes, Unknown) or self._volumes is None:
            self._volumes, self._known_disks = volumes, known

    def heard(self, now: Instant) -> list[Event]:
        """It answers: tell when it had been lost."""
        was_lost, self.lost = self.lost, None
        self.still_there(now)
        if was_lost is None:
            return []
        data = DeviceEventData(what="restored", device=self.id)
        return [Event(subject=self.id, time=now.wall, data=data)]

    def still_there(self, now: Instant) -> None:
        """It said something in between: a survey may take longer than the silence that is loss."""
        self._outages, self._heard_at = 0, now.monotonic

    def outage(self, outage: Outage, now: Instant) -> list[Event]:
        """It did not answer: tell when that is no passing thing."""
        self._outages += 1
        reason = Unknown(reason=outage.reason, detail=outage.detail)
        person_needed = outage.reason in {Reason.AUTH_REJECTED, Reason.AUTH_LOCKED}
        if self.lost is not None:
            self.lost = reason
            return []
        if self._outages >= LOST_AFTER_OUTAGES or person_needed:
            return self._lose(reason, now)
        return []

    def tick(self, now: Instant) -> list[Event]:
        """Tell when nothing has been heard for long."""
        silent = (
            self._heard_at is not None and now.monotonic - self._heard_at > self._silent_seconds
        )
        return self._lose(_SILENT, now) if silent and self.lost is None else []

    def offset(self, now: Instant) -> float | Unknown:
        """Return how far its clock is off (device minus agent)."""
        if self.last is None:
            return Unknown(reason=Reason.NOT_YET)
        if now.monotonic - self._last_at > self._max_age:
            return _SILENT
        return self.last.clock_offset_seconds

    def state(
        self,
        channels: Sequence[Seen],
        policy: RetentionPolicy,
        short: Sequence[tuple[int, int]],
        coming: Forecast | None,
    ) -> State:
        """Return its state, with what it says of the channels that are watched.

        `short` are depth and target of those that do not hold enough, or will not.
        """
        last = self.last
        if last is None or self.lost is not None or self._heard_at is None:
            gone = self.lost if self.lost is not None else Unknown(reason=Reason.NOT_YET)
            verdict, causes = Verdict.UNKNOWN, [missing(gone)]
            offset: float | Unknown = gone
            online: int | Unknown = gone
        else:
            offset = last.clock_offset_seconds
            online = _count_online(channels)
            verdict, causes = _judge(offset, last.summer_time, channels, policy)
            told = [] if self._volumes is None else storage_causes(self._volumes, self._known_disks)
            verdict = worst([verdict, *(one for one, _ in told)])
            causes += [cause for _, cause in told]
            missing_tb = None
            if self._volumes is not None and not isinstance(self._volumes, Unknown):
                missing_tb = missing_terabytes(self._volumes, short)
            if missing_tb is not None:
                causes.append(Cause(code="recorder.disk_short", params={"size_tb": missing_tb}))
                verdict = worst([verdict, Verdict.WARN])
        data = RecorderState(
            verdict=verdict,
            causes=tuple(causes),
            observed_at=None if last is None else last.observed_at,
            maker="unknown" if last is None else last.maker,
            model="unknown" if last is None else as_word(last.model),
            firmware="unknown" if last is None else as_word(last.firmware),
            serial_number="unknown" if last is None else as_word(last.serial_number),
            clock_offset_seconds="unknown" if isinstance(offset, Unknown) else round(offset, 1),
            channels_online="unknown" if isinstance(online, Unknown) else online,
            channels_total=len(channels),
            holds_days="unknown" if coming is None else coming.holds_days,
        )
        return State(id=self.id, data=data)

    def _lose(self, reason: Unknown, now: Instant) -> list[Event]:
        self.lost = reason
        data = DeviceEventData(what="lost", device=self.id, cause=missing(reason))
        return [Event(subject=self.id, time=now.wall, data=data)]


def _judge(
    offset: float | Unknown,
    summer_time: bool | Unknown,
    channels: Sequence[Seen],
    policy: RetentionPolicy,
) -> tuple[Verdict, list[Cause]]:
    verdicts, causes = [Verdict.OK], []
    if summer_time is True:
        verdicts.append(Verdict.WARN)
        causes.append(Cause(code="recorder.summer_time"))
    clock = clock_cause(offset, policy)
    if clock is not None:
        verdicts.append(clock[0])
        causes.append(clock[1])
    for channel, state in channels:
        if state is None:
            continue
        cause = channel_cause(channel, state)
        if cause is not None:
            blind = isinstance(state.online, Unknown)
            verdicts.append(Verdict.UNKNOWN if blind else Verdict.WARN)
            if cause not in causes:
                causes.append(cause)
    if any(state is None for _, state in channels):
        verdicts.append(Verdict.UNKNOWN)
        causes.append(missing(Unknown(reason=Reason.NOT_YET)))
    return worst(verdicts), causes


def _count_online(channels: Sequence[Seen]) -> int | Unknown:
    count = 0
    for _, state in channels:
        if state is None:
            return Unknown(reason=Reason.NOT_YET)
        if isinstance(state.online, Unknown):
            return state.online
        count += state.online
    return count
