"""One camera: what its probes, its pictures and its recorder say of it, judged together."""

from typing import Literal, TypeVar

from agent.county.contract import Event, as_word
from agent.county.event_data import CameraEventData
from agent.county.state_data import CameraState
from agent.findings import NOT_YET, Cause, Verdict, missing, worst
from agent.monitors import Instant
from agent.monitors.camera_marks import Mark, Marks
from agent.monitors.picture import LIGHT, PASSING, VIEW, light_cause, picture_causes
from agent.monitors.stream_habit import StreamHabit, habit_after, smaller
from agent.policy import Camera, PicturePolicy
from drivers.readings import (
    Mode,
    Outage,
    PictureReading,
    Reading,
    Reason,
    SnapshotReading,
    StreamFault,
    StreamLayer,
    StreamReading,
    Unknown,
)
from drivers.recorder.readings import ChannelReading

# Worth a second look at once, not in five minutes.
GRAVE = frozenset(
    {
        "camera.no_signal",
        "camera.black",
        "camera.white",
        "camera.covered",
    }
)
# These say something about us or the recorder's load, and nothing about the camera.
NO_EVIDENCE = frozenset({StreamFault.BUSY, StreamFault.UNAUTHORIZED})

# Nothing to see is a failure; hard to see is a warning: night, fog and a low sun are no faults.
VERDICTS = {
    "camera.no_signal": Verdict.FAIL,
    "camera.black": Verdict.FAIL,
    "camera.white": Verdict.FAIL,
    "camera.dark": Verdict.WARN,
    "camera.bright": Verdict.WARN,
    "camera.low_contrast": Verdict.WARN,
    "camera.noise": Verdict.WARN,
    "camera.snow": Verdict.WARN,
    "camera.stripes": Verdict.WARN,
    "camera.bands": Verdict.WARN,
    "camera.colour_cast": Verdict.WARN,
    "camera.blurred": Verdict.WARN,
    "camera.view_changed": Verdict.FAIL,
    "camera.covered": Verdict.FAIL,
    "camera.obstructed": Verdict.WARN,
    "camera.frozen": Verdict.FAIL,
    "camera.shaking": Verdict.WARN,
    "camera.low_fps": Verdict.WARN,
    "camera.smaller": Verdict.WARN,
    "camera.wrong_codec": Verdict.WARN,
    "camera.channel_offline": Verdict.FAIL,
    "camera.recorder_disagrees": Verdict.WARN,
    **{f"camera.{fault}": Verdict.FAIL for fault in StreamFault if fault not in NO_EVIDENCE},
}

Judgement = tuple[Verdict, Cause]
Figure = TypeVar("Figure", int, float)


class CameraWatch:
    """All that is known of one camera."""

    def __init__(self, camera: Camera, policy: PicturePolicy, max_age_seconds: float) -> None:
        self.camera = camera
        self.rules = (camera, policy, max_age_seconds)
        self._policy = policy
        self._max_age_seconds = max_age_seconds
        self._stream: StreamReading | None = None
        self._stream_at: float | None = None
        self._evidence_at: float | None = None
        self._picture: PictureReading | None = None  # of the stream reading's own round
        self._arriving: PictureReading | None = None
        self._outage: Outage | None = None
        self._channel_at: float | None = None
        self._offline_since: float | None = None
        self._stream_mark = Mark(policy.raise_after, 1)
        slow = {VIEW: policy.view_checks, **dict.fromkeys(PASSING, policy.slow_checks)}
        self._picture_marks = Marks(policy.raise_after, policy.clear_after, slow)
        self._fps_mark = Mark(policy.raise_after, policy.clear_after)
        self._codec_mark = Mark(policy.raise_after, policy.clear_after)
        self._size_mark = Mark(policy.raise_after, policy.clear_after)
        self._channel_mark = Mark(policy.raise_after, 1)
        self._announced: frozenset[str] = frozenset()
        self._mode: Mode | None = None
        self._unsettled_since: float | None = None
        self._opinion: SnapshotReading | None = None
        self._opinion_at: float | None = None
        self._opinion_on: StreamFault | None = None
        self.habit: StreamHabit | None = None

    @property
    def well(self) -> bool:
        """Tell whether its last picture showed nothing wrong, and the stream plays.

        Standing still for once does not count: how often a scene does is learned too.
        """
        marks = self._picture_marks
        suspected = [cause for cause in marks.pending if cause.params["fault"] != "camera.frozen"]
        return self._plays() and self._picture is not None and not (marks.raised or suspected)

    @property
    def in_question(self) -> bool:
        """Tell whether it is suspected of a fault that is worth a second look at once.

        Of another view only where next to nothing of the old one is left: lorries drive on.
        """
        suspected = {cause.params["fault"] for cause in self._picture_marks.pending}
        kept = Unknown(reason=Reason.NOT_YET) if self._picture is None else self._picture.kept_ratio
        nothing_left = not isinstance(kept, Unknown) and kept < self._policy.kept_ratio / 2
        turned = "camera.view_changed" in suspected and nothing_left
        return turned or bool(suspected & GRAVE)

    @property
    def faulty(self) -> bool:
        """Tell whether its picture has a fault that is raised."""
        return bool(self._picture_marks.raised)

    def same_as(self, other: "CameraWatch | None") -> bool:
        """Tell whether `other` judges the same camera by the same rules."""
        return other is not None and self.rules == other.rules

    def take(self, reading: Reading, now: Instant) -> list[Event]:
        """Take a reading of this camera; return what has changed with it."""
        self.expire(now)
        if isinstance(reading, Outage):
            self._outage = reading
        elif isinstance(reading, ChannelReading):
            self._take_channel(reading, now)
        elif isinstance(reading, SnapshotReading):
            fault = None if self._stream is None else self._stream.fault
            self._opinion, self._opinion_at, self._opinion_on = reading, now.monotonic, fault
        elif isinstance(reading, PictureReading):
            self._arriving = reading
            self._join_picture(now)
        elif isinstance(reading, StreamReading):
            self._take_stream(reading, now)
        return self._changes(reading, now)

    def expire(self, now: Instant) -> None:
        """Let counts that are too old to be continued go."""
        if not self._young(self._evidence_at, now):
            for mark in (self._stream_mark, *self._figure_marks):
                mark.forget_counts()
            self._picture_marks.forget_counts()
        if not self._young(self._channel_at, now):
            self._channel_mark.forget_counts()

    def state(self, now: Instant) -> CameraState:
        """Return what is known of it now."""
        judgements = self._judgements(now)
        stream = self._stream if self._young(self._stream_at, now) else None
        picture = self._picture if stream else None
        return CameraState(
            verdict=worst([verdict for verdict, _ in judgements] or [Verdict.OK]),
            causes=tuple(cause for _, cause in judgements),
            observed_at=self._stream.observed_at if self._stream else None,
            online=self._online(now),
            layer=stream.layer if stream else "unknown",
            fault=stream.fault if stream else None,
            codec=as_word(stream.codec) if stream else "unknown",
            width=_figure(stream.width) if stream else "unknown",
            height=_figure(stream.height) if stream else "unknown",
            fps=_figure(stream.fps) if stream else "unknown",
            bitrate_kbps=_figure(stream.bitrate_kbps) if stream else "unknown",
            gop_frames=_figure(stream.gop_frames) if stream else "unknown",
            picture=self._picture_word(now),
            reference=self._reference_word(now),
            learned_checks=_figure(picture.learned_checks) if picture else "unknown",
        )

    def _take_channel(self, reading: ChannelReading, now: Instant) -> None:
        if isinstance(reading.online, Unknown):
            return
        self._channel_at = now.monotonic
        if reading.online:
            self._offline_since = None
            self._channel_mark.see(None)
            return
        self._offline_since = self._offline_since or now.monotonic
        self._channel_mark.see(Cause(code="camera.channel_offline"))

    def _take_stream(self, reading: StreamReading, now: Instant) -> None:
        self._stream, self._stream_at = reading, now.monotonic
        self._picture = self._outage = None
        if reading.fault in NO_EVIDENCE:
            return
        self._evidence_at = now.monotonic
        if reading.fault is not None:
            cause = Cause(code=f"camera.{reading.fault}", params={"layer": reading.layer})
            self._stream_mark.see(cause, confirmed=self._offline(now))
            self._unsettled_since = now.monotonic
            return
        self._stream_mark.see(None)
        self._opinion = None
        found = (
            self._low_fps(reading, now),
            self._wrong_codec(reading),
            self._smaller(reading, now),
        )
        for mark, wrong in zip(self._figure_marks, found, strict=True):
            mark.see(wrong)
        if found == (None, None, None):
            self.habit = habit_after(self.habit, reading)
        self._join_picture(now)

    @property
    def _figure_marks(self) -> tuple[Mark, Mark, Mark]:
        return self._fps_mark, self._codec_mark, self._size_mark

    def _join_picture(self, now: Instant) -> None:
        """Count a picture once, when its own probe's stream reading is in; either comes first."""
        stream, picture = self._stream, self._arriving
        if stream is None or picture is None or picture.observed_at != stream.observed_at:
            return
        self._picture, self._arriving = picture, None
        if isinstance(picture.mode, str):
            if self._mode not in {None, picture.mode}:
                self._unsettled_since = now.monotonic
            self._mode = picture.mode
        if stream.fault is None:
            found = picture_causes(picture, self._policy, ptz=self.camera.ptz)
            if picture.begun_anew:
                self.habit = None
                self._picture_marks.keep(found)
            # At dusk and after a restart a camera turns its filter and finds its exposure.
            only = LIGHT if self._unsettled(now) else None
            self._picture_marks.see(found, only=only)

    def _unsettled(self, now: Instant) -> bool:
        since = self._unsettled_since
        return since is not None and now.monotonic - since < self._policy.settle_minutes * 60

    def _low_fps(self, reading: StreamReading, now: Instant) -> Cause | None:
        expected = self.camera.expect_fps
        if expected is None and self.habit is not None and self.habit.ready(self._policy, now.wall):
            expected = round(self.habit.fps, 1)
        if expected is None or isinstance(reading.fps, Unknown):
            return None
        if reading.fps >= expected * self._policy.fps_warn_ratio:
            return None
        return Cause(code="camera.low_fps", params={"fps": reading.fps, "expected": expected})

    def _smaller(self, reading: StreamReading, now: Instant) -> Cause | None:
        habit = self.habit
        known = habit is not None and habit.ready(self._policy, now.wall)
        return smaller(habit, reading) if habit is not None and known else None

    def _wrong_codec(self, reading: StreamReading) -> Cause | None:
        if reading.layer is StreamLayer.SNAPSHOT:
            return None
        expected, codec = self.camera.expect_codec, reading.codec
        if expected is None or not isinstance(codec, str) or codec == expected:
            return None
        return Cause(code="camera.wrong_codec", params={"codec": codec, "expected": expected})

    def _young(self, at: float | None, now: Instant) -> bool:
        return at is not None and now.monotonic - at <= self._max_age_seconds

    def _offline(self, now: Instant) -> bool:
        return self._offline_since is not None and self._young(self._channel_at, now)

    def _plays(self) -> bool:
        return self._stream is not None and self._stream.fault is None

    def _recorder_cause(self) -> Cause | None:
        """The recorder's word that the input is dead, unless we saw it play since."""
        raised = self._channel_mark.raised
        played_at = self._stream_at if self._plays() else None
        if raised and played_at and self._offline_since and played_at > self._offline_since:
            return Cause(code="camera.recorder_disagrees")
        return raised

    def _raised(self) -> list[Cause]:
        """Return what is alarmed now: of a stream that failed only that, not its last picture."""
        if self._stream_mark.raised:
            marks = [self._stream_mark.raised]
        else:
            rest = [one.raised for one in self._figure_marks if one.raised]
            marks = [*self._picture_marks.raised, *rest]
        recorder = self._recorder_cause()
        return [*marks, recorder] if recorder else marks

    def _judgements(self, now: Instant) -> list[Judgement]:
        found: list[Judgement] = []
        evidence, channel = self._young(self._evidence_at, now), self._young(self._channel_at, now)
        for cause in self._raised():
            of_recorder = cause.code in {"camera.channel_offline", "camera.recorder_disagrees"}
            if channel if of_recorder else evidence:
                verdict = VERDICTS[cause.code]
                if cause is self._stream_mark.raised and self._shown_elsewhere(now):
                    found.append((Verdict.WARN, Cause(code="camera.snapshot_shows")))
                    verdict = Verdict.WARN
                found.append((verdict, cause))
        if self._outage is not None:
            outage = Unknown(reason=self._outage.reason)
            found.append((Verdict.UNKNOWN, missing(outage)))
        if self._stream is None:
            return found or [(Verdict.UNKNOWN, missing(NOT_YET))]
        if not self._young(self._stream_at, now):
            return [*found, (Verdict.UNKNOWN, missing(Unknown(reason=Reason.STALE)))]
        if self._stream.fault in NO_EVIDENCE:
            found.append((Verdict.UNKNOWN, Cause(code=f"camera.{self._stream.fault}")))
        elif self._stream_mark.pending:
            found.append((Verdict.UNKNOWN, self._stream_mark.pending))
        elif self._plays():
            rest = [one.pending for one in self._figure_marks if one.pending]
            pending = [*self._picture_marks.pending, *rest]
            found += [(Verdict.WARN, cause) for cause in pending]
            if self._picture is None:
                found.append((Verdict.UNKNOWN, Cause(code="camera.picture_missing")))
        return found

    def _shown_elsewhere(self, now: Instant) -> bool:
        """Tell whether the recorder shows a good picture of it, though its stream does not play."""
        opinion, stream = self._opinion, self._stream
        if opinion is None or not self._young(self._opinion_at, now):
            return False
        if stream is None or stream.fault is not self._opinion_on:
            return False  # it was asked for on another fault
        return light_cause(opinion, self._policy) is None

    def _online(self, now: Instant) -> bool | Literal["unknown"]:
        recorder = self._recorder_cause()
        if recorder and recorder.code == "camera.channel_offline" and self._offline(now):
            return False
        if self._young(self._stream_at, now) and self._plays():
            return True
        if self._stream_mark.raised and self._young(self._evidence_at, now):
            return False
        return "unknown"

    def _picture_word(self, now: Instant) -> Literal["good", "faulty", "unknown"]:
        if not (self._plays() and self._picture and self._young(self._stream_at, now)):
            return "unknown"
        marks = self._picture_marks
        return "faulty" if marks.raised or marks.pending else "good"

    def _reference_word(self, now: Instant) -> Literal["learning", "ready", "unknown"]:
        picture = self._picture if self._young(self._stream_at, now) else None
        if picture is None or isinstance(picture.reference_ready, Unknown):
            return "unknown"
        return "ready" if picture.reference_ready else "learning"

    def _changes(self, reading: Reading, now: Instant) -> list[Event]:
        causes = self._raised()
        codes = frozenset(cause.code for cause in causes)
        if codes == self._announced:
            return []
        self._announced = codes
        data = CameraEventData(
            what="fault" if causes else "cleared",
            camera=self.camera.id,
            verdict=self.state(now).verdict,
            causes=tuple(causes),
        )
        return [Event(subject=self.camera.id, time=reading.observed_at, data=data)]


def _figure(value: Figure | Unknown) -> Figure | Literal["unknown"]:
    return "unknown" if isinstance(value, Unknown) else value
