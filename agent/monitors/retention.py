"""Retention: how many days each channel really holds, and the recorders behind them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from agent.county.contract import Event, State
from agent.county.event_data import RecordingEventData
from agent.county.state_data import RecordingState
from agent.monitors import Instant
from agent.monitors.depth import RecordingWord
from agent.monitors.forecast import Forecast, forecast
from agent.monitors.ledger import ChannelLedger, Ledgers, merged, overwritten
from agent.monitors.proof import proof_after
from agent.monitors.recorder_watch import RecorderWatch
from agent.monitors.recorder_words import channel_cause
from agent.monitors.recording import Evidence, Judgement, judge_channel
from agent.monitors.storage import disks_to_remember
from agent.policy import Channel, RetentionPolicy
from drivers.readings import Outage, Reading, Unknown
from drivers.recorder.readings import (
    ChannelReading,
    PlaybackReading,
    RecordedDaysReading,
    RecorderReading,
    RecordPolicyReading,
    StorageReading,
)

DAY = timedelta(days=1)
# A clock that is moved by more than this has jumped; less is drift that was put right.
JUMP_SECONDS = 60.0

_OfAChannel = ChannelReading | RecordedDaysReading | RecordPolicyReading | PlaybackReading
_OF_A_CHANNEL = (ChannelReading, RecordedDaysReading, RecordPolicyReading, PlaybackReading)


@dataclass
class _Channel:
    channel: Channel
    recorder: RecorderWatch
    target: int
    refused: Unknown | None = None
    state: ChannelReading | None = None
    set_up: RecordPolicyReading | None = None
    word: RecordingWord = "unknown"
    judged_from: tuple[object, ...] = ()
    judged: Judgement | None = None

    @property
    def key(self) -> tuple[str, int]:
        return self.channel.recorder, self.channel.number


class RetentionMonitor:
    """Meets agent.monitors.Monitor. `zone` dates a survey when the recorder's clock is not known.

    What was learnt of the days is in `ledgers`, which outlive the monitor and a restart.
    """

    def __init__(
        self,
        recorders: Mapping[str, float],
        channels: Sequence[Channel],
        policy: RetentionPolicy,
        zone: ZoneInfo,
        ledgers: Ledgers,
        *,
        before: "RetentionMonitor | None" = None,
    ) -> None:
        """`recorders` says how often each is polled, in seconds.

        What `before` heard of the same recorders still stands.
        """
        self._policy = policy
        self._zone = zone
        self._ledgers = ledgers
        max_age = timedelta(hours=policy.max_age_hours).total_seconds()
        known = before._recorders if before is not None else {}  # noqa: SLF001 - one of its own
        self._recorders: dict[str, RecorderWatch] = {
            name: known.get(name) or RecorderWatch(name, seconds, max_age)
            for name, seconds in recorders.items()
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
            return recorder.outage(reading, now)
        if isinstance(reading, RecorderReading):
            recorder.said(reading, now.monotonic)
            self._take_clock(recorder.id, reading, now)
            watched = [each for each in self._channels.values() if each.recorder is recorder]
            return [*recorder.heard(now), *self._words(watched, now)]
        if isinstance(reading, StorageReading):
            self._take_disks(recorder, reading)
        if isinstance(reading, _OF_A_CHANNEL):
            recorder.still_there(now)
            channel = self._channels.get((reading.device_id, reading.channel))
            return [] if channel is None else self._take(channel, reading, now)
        return []

    def tick(self, now: Instant) -> Sequence[Event]:
        """Judge again: a silent recorder is lost, an old survey proves nothing."""
        events = [event for recorder in self._recorders.values() for event in recorder.tick(now)]
        return [*events, *self._words(self._channels.values(), now)]

    def restored(self, now: Instant) -> None:
        """Judge from what the ledgers held before a restart, without events.

        Until the recorder has spoken its clock is taken to be as good as it was.
        """
        for each in self._channels.values():
            clock = 0.0 if each.recorder.last is None else each.recorder.offset(now)
            each.word = self._judge_anew(each, clock, now).word

    def states(self, now: Instant) -> Sequence[State]:
        """Return one RecorderState a recorder and one RecordingState a channel."""
        recorders = [
            recorder.state(
                [
                    (each.channel, each.state)
                    for each in self._channels.values()
                    if each.recorder is recorder
                ],
                self._policy,
                self._short(recorder, now),
                self._forecast(recorder.id),
            )
            for recorder in self._recorders.values()
        ]
        return [*recorders, *(self._channel_state(each, now) for each in self._channels.values())]

    # -- evidence

    def _take(self, each: _Channel, reading: _OfAChannel, now: Instant) -> list[Event]:
        match reading:
            case ChannelReading():
                each.state = reading
            case RecordPolicyReading():
                each.set_up = reading
                return self._words([each], now)
            case RecordedDaysReading():
                return self._take_days(each, reading, now)
            case PlaybackReading():
                return self._take_playback(each, reading, now)
        return []

    def _take_playback(self, each: _Channel, reading: PlaybackReading, now: Instant) -> list[Event]:
        """Note what a playback showed; what failed again is told, once."""
        ledger = self._ledgers.channel(*each.key)
        proof = proof_after(
            ledger.proof, reading, self._yesterday(each.recorder, reading.observed_at)
        )
        if proof == ledger.proof:
            return []
        self._ledgers.put_channel(*each.key, ledger.model_copy(update={"proof": proof}))
        events = self._words([each], now)
        if proof.sure and not ledger.proof.sure and proof.failed is not None:
            events.append(self._told(each, "unproven", now, day=proof.failed.day))
        return events

    def _take_disks(self, recorder: RecorderWatch, reading: StorageReading) -> None:
        known = self._ledgers.recorder(recorder.id).disks
        recorder.stores(reading.volumes, known)
        if not isinstance(reading.volumes, Unknown):
            self._ledgers.put_disks(recorder.id, disks_to_remember(reading.volumes, known))

    def _take_clock(self, recorder: str, reading: RecorderReading, now: Instant) -> None:
        offset, wall = reading.clock_offset_seconds, reading.device_today
        if isinstance(offset, Unknown) or isinstance(wall, Unknown):
            return
        wrong = abs(offset) > self._policy.clock_fail_seconds
        self._ledgers.clock_read(recorder, offset, wall, now.wall, wrong=wrong, jump=JUMP_SECONDS)

    def _take_days(self, each: _Channel, reading: RecordedDaysReading, now: Instant) -> list[Event]:
        if isinstance(reading.days, Unknown):
            # What an earlier survey found stands until it is too old.
            each.refused = reading.days
            return self._words([each], now)
        each.refused = None
        until = self._yesterday(each.recorder, reading.observed_at)
        was_short = each.word == "short"
        ledger, gone = merged(self._ledgers.channel(*each.key), reading, until)
        first = until - (each.target - 1) * DAY
        lost = [day for day in gone if day >= first]
        if was_short and _only_oldest(ledger, lost):
            ledger, lost = overwritten(ledger, gone), []
        self._ledgers.put_channel(*each.key, ledger)
        self._take_depth(each.recorder.id, reading, until)
        events = self._words([each], now)
        if lost:
            events.append(self._told(each, "lost", now, lost_days=tuple(lost)))
        return events

    def _take_depth(self, recorder: str, reading: RecordedDaysReading, until: date) -> None:
        """Note how far back a recorder reaches; all its channels share its disks."""
        if isinstance(reading.days, Unknown) or reading.grade == "B":
            return  # a calendar is asked for months, not for the oldest
        oldest = min(
            (day for day, one in reading.days.items() if one.present and one.usable is not False),
            default=until,
        )
        if oldest < until:
            self._ledgers.put_depth(recorder, until, (until - oldest).days + 1)

    def _forecast(self, recorder: str) -> Forecast | None:
        return forecast(self._ledgers.recorder(recorder).depths)

    def _told(
        self,
        each: _Channel,
        what: Literal["changed", "lost", "unproven"],
        now: Instant,
        *,
        lost_days: tuple[date, ...] = (),
        day: date | None = None,
    ) -> Event:
        judged = self._judge(each, now)
        data = RecordingEventData(
            what=what,
            channel=each.channel.id,
            word=judged.word,
            verdict=judged.verdict,
            causes=judged.causes,
            lost_days=lost_days,
            day=day,
        )
        return Event(subject=each.channel.id, time=now.wall, data=data)

    def _yesterday(self, recorder: RecorderWatch, observed_at: datetime) -> date:
        """Return the last whole day of the recorder's own calendar at that instant."""
        local = observed_at.astimezone(self._zone).replace(tzinfo=None)
        offset = None if recorder.last is None else recorder.last.clock_offset_seconds
        if isinstance(offset, float):
            local += timedelta(seconds=offset)
        return local.date() - DAY

    # -- judgement

    def _short(self, recorder: RecorderWatch, now: Instant) -> list[tuple[int, int]]:
        """Return depth and target of the channels that do not hold enough, or will not."""
        watched = [each for each in self._channels.values() if each.recorder is recorder]
        judged = [(self._judge(each, now), each.target) for each in watched]
        short = [
            (one.found.depth_upper, target)
            for one, target in judged
            if one.word == "short" and one.found is not None and one.found.depth_upper < target
        ]
        coming = self._forecast(recorder.id)
        if coming is None:
            return short
        return [*short, *((coming.holds_days, t) for _, t in judged if coming.missed_on(t))]

    def _judge(self, each: _Channel, now: Instant) -> Judgement:
        """Judge; asked every second, so only anew when something has changed, and every hour."""
        offset = each.recorder.offset(now)
        doubts = self._ledgers.recorder(each.channel.recorder).suspect
        clock = offset if isinstance(offset, Unknown) else round(offset)
        ledger = self._ledgers.channel(*each.key)
        hour = now.wall.replace(minute=0, second=0, microsecond=0)
        depths = self._ledgers.recorder(each.channel.recorder).depths
        basis = (ledger, each.refused, each.set_up, clock, len(doubts), depths, hour)
        if each.judged is None or each.judged_from != basis:
            each.judged, each.judged_from = self._judge_anew(each, offset, now), basis
        return each.judged

    def _judge_anew(self, each: _Channel, offset: float | Unknown, now: Instant) -> Judgement:
        ledger = self._ledgers.channel(*each.key)
        evidence = Evidence(
            ledger=ledger,
            believed=self._ledgers.believed(*each.key),
            offset=offset,
            since=self._since(each, ledger),
            refused=each.refused,
            set_up=each.set_up,
            coming=self._forecast(each.channel.recorder),
        )
        return judge_channel(evidence, target=each.target, policy=self._policy, wall=now.wall)

    def _since(self, each: _Channel, ledger: ChannelLedger) -> date | None:
        """Return the day from which a new channel records; None where it is not known to be new.

        It is where the site says when it was installed, or where it came to a recorder that was
        known already. A ledger that began with it may as well have been lost.
        """
        if each.channel.installed is not None:
            return each.channel.installed
        recorder = self._ledgers.recorder(each.channel.recorder)
        since = recorder.first_asked.get(each.channel.number)
        if recorder.since is None or since is None or since <= recorder.since:
            return None
        older = any(day.present and at < since for at, day in ledger.days.items())
        return None if older else since

    # -- telling

    def _words(self, channels: Iterable[_Channel], now: Instant) -> list[Event]:
        events = []
        for each in channels:
            if each.recorder.last is None and each.recorder.lost is None:
                continue  # just started: what was restored stands until the recorder has spoken
            judged = self._judge(each, now)
            if judged.word == each.word:
                continue
            each.word = judged.word
            events.append(self._told(each, "changed", now))
        return events

    def _channel_state(self, each: _Channel, now: Instant) -> State:
        judged = self._judge(each, now)
        found, sampled, causes = judged.found, judged.sampled, judged.causes
        proof = self._ledgers.proof(*each.key)
        if each.state is not None and each.recorder.lost is None:
            broken = channel_cause(each.channel, each.state)
            causes = causes if broken is None else (*causes, broken)
        data = RecordingState(
            verdict=judged.verdict,
            causes=causes,
            observed_at=judged.observed_at,
            word=judged.word,
            key_area=each.channel.key_area,
            retention_min_days=each.target,
            depth_days_lower="unknown" if found is None else found.depth_lower,
            depth_days_upper="unknown" if found is None else found.depth_upper,
            missing_days_lower="unknown" if found is None else found.missing_lower,
            missing_days_upper="unknown" if found is None else found.missing_upper,
            grade=None if found is None else found.grade,
            surveyed_until=judged.until,
            sampled_days=0 if sampled is None else sampled.days,
            thin_days=0 if sampled is None else sampled.thin_days,
            covered_ratio="unknown"
            if sampled is None or sampled.covered_ratio is None
            else sampled.covered_ratio,
            met_on=judged.met_on,
            missed_on=judged.missed_on,
            proven_days=_or_unknown(proof.proven_days),
            proven_on=None if proof.at is None else proof.at.astimezone(self._zone).date(),
        )
        return State(id=each.channel.id, data=data)


def _or_unknown(days: int | None) -> int | Literal["unknown"]:
    return "unknown" if days is None else days


def _only_oldest(ledger: ChannelLedger, lost: Sequence[date]) -> bool:
    """Tell whether only the oldest days went: a channel known to be short loses them every day."""
    oldest = min((at for at, day in ledger.days.items() if day.present), default=None)
    return not lost or oldest is None or max(lost) < oldest
