"""Retention: how many days each channel really holds, and the recorders behind them."""

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from agent.county.contract import Event, State, as_word
from agent.county.event_data import DeviceEventData, RecordingEventData
from agent.county.state_data import RecorderState, RecordingState
from agent.findings import Cause, Verdict, missing, worst
from agent.monitors import Instant
from agent.monitors.depth import Bounds, RecordingWord, bounds, judge, short_cause
from agent.monitors.recorder_words import channel_cause, clock_cause
from agent.policy import Channel, RetentionPolicy
from drivers.readings import (
    ChannelReading,
    DayMapReading,
    Outage,
    Reading,
    Reason,
    RecorderReading,
    Unknown,
)

# A recorder is polled every minute; one missed poll is no news.
LOST_AFTER_OUTAGES = 3
SILENT_SECONDS = 300.0
_DAY_SECONDS = 86400.0
_VERDICTS: dict[RecordingWord, Verdict] = {
    "claimed": Verdict.WARN,
    "short": Verdict.FAIL,
    "unknown": Verdict.UNKNOWN,
}
_SILENT = Unknown(reason=Reason.STALE)


class _Month(NamedTuple):
    days: dict[date, bool]
    until: date
    monotonic: float
    observed_at: datetime


class _Judgement(NamedTuple):
    word: RecordingWord
    causes: tuple[Cause, ...]
    found: Bounds | None
    until: date | None
    observed_at: datetime | None


@dataclass
class _Recorder:
    id: str
    last: RecorderReading | None = None
    last_at: float = 0.0
    heard_at: float | None = None
    outages: int = 0
    lost: Unknown | None = None


@dataclass
class _Channel:
    channel: Channel
    recorder: _Recorder
    target: int
    months: dict[tuple[int, int], _Month] = field(default_factory=dict)
    refused: Unknown | None = None
    state: ChannelReading | None = None
    word: RecordingWord = "unknown"
    judged_from: tuple[object, ...] = ()
    judged: _Judgement | None = None


class RetentionMonitor:
    """Meets agent.monitors.Monitor. `zone` dates a survey when the recorder's clock is not known.

    Day maps never make anything better than `claimed`: a day with video is not a day of video.
    """

    def __init__(
        self,
        recorders: Sequence[str],
        channels: Sequence[Channel],
        policy: RetentionPolicy,
        zone: ZoneInfo,
        *,
        before: "RetentionMonitor | None" = None,
    ) -> None:
        """What `before` heard of the same recorders still stands; day maps come by `restore`."""
        self._policy = policy
        self._zone = zone
        self._max_age = policy.max_age_hours * 3600
        known = before._recorders if before is not None else {}  # noqa: SLF001 - one of its own
        self._recorders: dict[str, _Recorder] = {
            name: known.get(name) or _Recorder(name) for name in recorders
        }
        self._channels = {
            (channel.recorder, channel.number): _Channel(
                channel, self._recorders[channel.recorder], policy.target_days(channel)
            )
            for channel in channels
        }

    def observe(self, reading: Reading, now: Instant) -> Sequence[Event]:
        """Take in what a recorder said; return what just happened."""
        recorder = self._recorders.get(reading.device_id)
        if recorder is None:
            return []
        if isinstance(reading, Outage):
            return self._outage(recorder, reading, now)
        if isinstance(reading, RecorderReading):
            recorder.last, recorder.last_at = reading, now.monotonic
            return [*self._heard(recorder, now), *self._words(self._watched(recorder), now)]
        if isinstance(reading, ChannelReading | DayMapReading):
            # A survey may take longer than the silence that means lost.
            recorder.heard_at = now.monotonic
            channel = self._channels.get((reading.device_id, reading.channel))
            if channel is not None and isinstance(reading, ChannelReading):
                channel.state = reading
            elif channel is not None and isinstance(reading, DayMapReading):
                self._take_days(channel, reading, now, age=0.0)
                return self._words([channel], now)
        return []

    def tick(self, now: Instant) -> Sequence[Event]:
        """Judge again: a silent recorder is lost, an old survey proves nothing."""
        events: list[Event] = []
        for recorder in self._recorders.values():
            silent = (
                recorder.heard_at is not None and now.monotonic - recorder.heard_at > SILENT_SECONDS
            )
            if silent and recorder.lost is None:
                events += self._lose(recorder, _SILENT, now)
        return [*events, *self._words(self._channels.values(), now)]

    def recorder_today(self, recorder: str, wall: datetime) -> date:
        """Return the recorder's own calendar day at `wall`: a survey ends the day before it."""
        return self._yesterday(self._recorders[recorder], wall) + timedelta(days=1)

    def restore(self, readings: Iterable[Reading], now: Instant) -> None:
        """Take in stored day maps and recorder readings after a restart, without events."""
        for reading in readings:
            age = (now.wall - reading.observed_at).total_seconds()
            if not 0 <= age <= self._max_age:
                continue  # from the future: one of the two clocks was wrong, so its age is unknown
            recorder = self._recorders.get(reading.device_id)
            if isinstance(reading, DayMapReading):
                channel = self._channels.get((reading.device_id, reading.channel))
                if channel is not None:
                    self._take_days(channel, reading, now, age)
            elif isinstance(reading, RecorderReading) and recorder is not None:
                recorder.last, recorder.last_at = reading, now.monotonic - age
        for each in self._channels.values():
            # Until the recorder has spoken its clock is taken to be as good as it was.
            clock = 0.0 if each.recorder.last is None else self._offset(each.recorder, now)
            each.word = self._judge_anew(each, self._fresh(each, now), clock, now).word

    def states(self, now: Instant) -> Sequence[State]:
        """Return one RecorderState a recorder and one RecordingState a channel."""
        recorders = [self._recorder_state(recorder) for recorder in self._recorders.values()]
        return [*recorders, *(self._channel_state(each, now) for each in self._channels.values())]

    # -- recorders

    def _outage(self, recorder: _Recorder, outage: Outage, now: Instant) -> list[Event]:
        recorder.outages += 1
        reason = Unknown(reason=outage.reason, detail=outage.detail)
        person_needed = outage.reason in {Reason.AUTH_REJECTED, Reason.AUTH_LOCKED}
        if recorder.lost is not None:
            recorder.lost = reason
            return []
        if recorder.outages >= LOST_AFTER_OUTAGES or person_needed:
            return self._lose(recorder, reason, now)
        return []

    def _lose(self, recorder: _Recorder, reason: Unknown, now: Instant) -> list[Event]:
        recorder.lost = reason
        data = DeviceEventData(what="lost", device=recorder.id, cause=missing(reason))
        return [Event(subject=recorder.id, time=now.wall, data=data)]

    def _heard(self, recorder: _Recorder, now: Instant) -> list[Event]:
        was_lost, recorder.lost = recorder.lost, None
        recorder.outages, recorder.heard_at = 0, now.monotonic
        if was_lost is None:
            return []
        data = DeviceEventData(what="restored", device=recorder.id)
        return [Event(subject=recorder.id, time=now.wall, data=data)]

    def _offset(self, recorder: _Recorder, now: Instant) -> float | Unknown:
        if recorder.last is None:
            return Unknown(reason=Reason.NOT_YET)
        if now.monotonic - recorder.last_at > self._max_age:
            return _SILENT
        return recorder.last.clock_offset_seconds

    def _watched(self, recorder: _Recorder) -> list[_Channel]:
        return [each for each in self._channels.values() if each.recorder is recorder]

    def _recorder_state(self, recorder: _Recorder) -> State:
        last = recorder.last
        watched = self._watched(recorder)
        if last is None or recorder.lost is not None or recorder.heard_at is None:
            gone = recorder.lost if recorder.lost is not None else Unknown(reason=Reason.NOT_YET)
            verdict, causes = Verdict.UNKNOWN, [missing(gone)]
            offset: float | Unknown = gone
            online: int | Unknown = gone
        else:
            offset = last.clock_offset_seconds
            online = _count_online(watched)
            verdict, causes = self._recorder_verdict(offset, watched)
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
            channels_total=len(watched),
        )
        return State(id=recorder.id, data=data)

    def _recorder_verdict(
        self, offset: float | Unknown, watched: list[_Channel]
    ) -> tuple[Verdict, list[Cause]]:
        verdicts, causes = [Verdict.OK], []
        clock = clock_cause(offset, self._policy)
        if clock is not None:
            verdicts.append(clock[0])
            causes.append(clock[1])
        for each in watched:
            if each.state is None:
                continue
            cause = channel_cause(each.channel, each.state)
            if cause is not None:
                blind = isinstance(each.state.online, Unknown)
                verdicts.append(Verdict.UNKNOWN if blind else Verdict.WARN)
                if cause not in causes:
                    causes.append(cause)
        if any(each.state is None for each in watched):
            verdicts.append(Verdict.UNKNOWN)
            causes.append(missing(Unknown(reason=Reason.NOT_YET)))
        return worst(verdicts), causes

    # -- channels

    def _take_days(
        self, channel: _Channel, reading: DayMapReading, now: Instant, age: float
    ) -> None:
        if isinstance(reading.days, Unknown):
            # What an earlier survey found stands until it is too old.
            channel.refused = reading.days
            return
        channel.refused = None
        until = self._yesterday(channel.recorder, reading.observed_at)
        last = calendar.monthrange(reading.year, reading.month)[1]
        days = {
            date(reading.year, reading.month, day): present
            for day, present in reading.days.items()
            if 1 <= day <= last and date(reading.year, reading.month, day) <= until
        }
        month = _Month(days, until, now.monotonic - age, reading.observed_at)
        channel.months[reading.year, reading.month] = month

    def _yesterday(self, recorder: _Recorder, observed_at: datetime) -> date:
        """Return the last whole day of the recorder's own calendar at that instant."""
        local = observed_at.astimezone(self._zone).replace(tzinfo=None)
        offset = None if recorder.last is None else recorder.last.clock_offset_seconds
        if isinstance(offset, float):
            local += timedelta(seconds=offset)
        return local.date() - timedelta(days=1)

    def _judge(self, each: _Channel, now: Instant) -> _Judgement:
        """Judge from what is fresh; asked every second, so only anew when that has changed."""
        fresh = self._fresh(each, now)
        offset = self._offset(each.recorder, now)
        basis = (*map(id, fresh), each.refused, offset, len(each.months))
        if each.judged is None or each.judged_from != basis or not fresh:
            each.judged, each.judged_from = self._judge_anew(each, fresh, offset, now), basis
        return each.judged

    def _fresh(self, each: _Channel, now: Instant) -> list[_Month]:
        oldest = now.monotonic - self._max_age
        return [month for month in each.months.values() if month.monotonic >= oldest]

    def _judge_anew(
        self, each: _Channel, fresh: Sequence[_Month], offset: float | Unknown, now: Instant
    ) -> _Judgement:
        if not fresh:
            if each.months:
                age = (now.monotonic - max(m.monotonic for m in each.months.values())) / 3600
                causes = [Cause(code="recording.survey_stale", params={"age_hours": round(age)})]
            else:
                causes = [missing(each.refused or Unknown(reason=Reason.NOT_YET))]
            return _Judgement("unknown", tuple(causes), None, None, None)
        until = max(month.until for month in fresh)
        days = {day: present for month in fresh for day, present in month.days.items()}
        found = bounds(days, until=until, target=each.target)
        word, causes = self._weigh(each, found, offset)
        return _Judgement(
            word, tuple(causes), found, until, max(month.observed_at for month in fresh)
        )

    def _weigh(
        self, each: _Channel, found: Bounds, offset: float | Unknown
    ) -> tuple[RecordingWord, list[Cause]]:
        policy = self._policy
        trusted = isinstance(offset, float) and abs(offset) <= policy.clock_fail_seconds
        # A calendar shifted by less than a day moves the edges by one day at most; beyond that,
        # or unread, it says nothing about ours in either direction.
        usable = isinstance(offset, float) and abs(offset) < _DAY_SECONDS
        ratio, target = policy.max_missing_ratio, each.target
        if trusted or usable:
            slack = 0 if trusted else 1
            word = judge(found, target=target, max_missing_ratio=ratio, slack=slack)
        else:
            word = "unknown"
        causes: list[Cause] = []
        if not trusted:
            clock = clock_cause(offset, policy)
            causes += [] if clock is None else [clock[1]]
        if word == "claimed":
            causes.append(Cause(code="recording.claimed_only", params={"target_days": target}))
        if word == "short":
            causes.append(short_cause(found, target))
        if found.missing_lower and found.depth_lower and word != "short":
            params = {"missing_days": found.missing_lower, "target_days": target}
            causes.append(Cause(code="recording.missing_days", params=dict(params)))
        if found.unknown:
            params = {"unknown_days": found.unknown, "target_days": target}
            causes.append(Cause(code="recording.unknown_days", params=dict(params)))
            if each.refused is not None:
                causes.append(missing(each.refused))
        return word, causes

    def _words(self, channels: Iterable[_Channel], now: Instant) -> list[Event]:
        events = []
        for each in channels:
            if each.recorder.last is None and each.recorder.lost is None:
                continue  # just started: what was restored stands until the recorder has spoken
            judged = self._judge(each, now)
            if judged.word == each.word:
                continue
            each.word = judged.word
            data = RecordingEventData(
                channel=each.channel.id,
                word=judged.word,
                verdict=_VERDICTS[judged.word],
                causes=judged.causes,
            )
            events.append(Event(subject=each.channel.id, time=now.wall, data=data))
        return events

    def _channel_state(self, each: _Channel, now: Instant) -> State:
        judged = self._judge(each, now)
        found, causes = judged.found, judged.causes
        if each.state is not None and each.recorder.lost is None:
            broken = channel_cause(each.channel, each.state)
            causes = causes if broken is None else (*causes, broken)
        data = RecordingState(
            verdict=_VERDICTS[judged.word],
            causes=causes,
            observed_at=judged.observed_at,
            word=judged.word,
            key_area=each.channel.key_area,
            retention_min_days=each.target,
            depth_days_lower="unknown" if found is None else found.depth_lower,
            depth_days_upper="unknown" if found is None else found.depth_upper,
            missing_days_lower="unknown" if found is None else found.missing_lower,
            missing_days_upper="unknown" if found is None else found.missing_upper,
            grade=None if found is None else "B",
            surveyed_until=judged.until,
        )
        return State(id=each.channel.id, data=data)


def _count_online(watched: list[_Channel]) -> int | Unknown:
    count = 0
    for each in watched:
        if each.state is None:
            return Unknown(reason=Reason.NOT_YET)
        if isinstance(each.state.online, Unknown):
            return each.state.online
        count += each.state.online
    return count
