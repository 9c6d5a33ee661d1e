"""Cameras: does the stream come up, layer by layer, and is there anything to be seen in it."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from agent.county.contract import Event, State
from agent.monitors import Instant
from agent.monitors.camera_board import CameraBoard
from agent.monitors.camera_changes import CameraChanges
from agent.monitors.camera_watch import CameraWatch
from agent.monitors.inspection import Inspection
from agent.monitors.stream_habit import StreamHabit
from agent.policy import Camera, PicturePolicy
from drivers.readings import Outage, PictureReading, Reading, StreamReading
from drivers.recorder.readings import ChannelReading

_HABITS = TypeAdapter(dict[str, StreamHabit])
UTC_ZONE = ZoneInfo("UTC")


class CamerasMonitor:
    """Judges every camera from its probes, its pictures and its recorder's word."""

    def __init__(
        self,
        cameras: Sequence[Camera],
        policy: PicturePolicy,
        *,
        max_age_seconds: float,
        zone: ZoneInfo = UTC_ZONE,
        board: CameraBoard | None = None,
        before: "CamerasMonitor | None" = None,
    ) -> None:
        """What `before` knew of cameras whose settings are the same still stands.

        On the `board` it says which cameras may be learned, and which to look at again.
        """
        self._board = board or CameraBoard()
        self._zone = zone
        self._seen: list[Inspection] = [] if before is None else before.take_inspections()
        watches = [CameraWatch(camera, policy, max_age_seconds) for camera in cameras]
        known = before._by_id if before is not None else {}  # noqa: SLF001 - one of its own
        watches = [known[w.camera.id] if w.same_as(known.get(w.camera.id)) else w for w in watches]
        self._by_id: dict[str, CameraWatch] = {watch.camera.id: watch for watch in watches}
        held: CameraChanges | None = None
        if before is not None:
            held = before._changes  # noqa: SLF001 - as above
        self._changes: CameraChanges = CameraChanges(len(watches), held)
        self._by_input = {(w.camera.recorder, w.camera.channel): w for w in watches}

    def observe(self, reading: Reading, now: Instant) -> Sequence[Event]:
        """Take a probe's readings, an Outage of a camera, or a recorder's ChannelReading."""
        if isinstance(reading, ChannelReading):
            watch = self._by_input.get((reading.device_id, reading.channel))
        elif isinstance(reading, StreamReading | PictureReading | Outage):
            watch = self._by_id.get(reading.device_id)
        else:
            watch = None
        if watch is None:
            return []
        events = watch.take(reading, now)
        if isinstance(reading, StreamReading | Outage):
            self._seen.append(self._inspection(watch, now))
        if not isinstance(reading, ChannelReading):
            self._tell_board()
        return self._changes.add(events, now)

    def _tell_board(self) -> None:
        watches, board = self._by_id.items(), self._board
        board.well = frozenset(key for key, one in watches if one.well)
        board.in_question = frozenset(key for key, one in watches if one.in_question)
        board.faulty = frozenset(key for key, one in watches if one.faulty)

    def habits(self) -> str:
        """Return what the streams are usually like, to be kept over a restart."""
        known = {key: one.habit for key, one in self._by_id.items() if one.habit is not None}
        return _HABITS.dump_json(known).decode()

    def restore(self, habits: str) -> None:
        """Take what an earlier run knew of the streams; what makes no sense is learned anew."""
        try:
            known = _HABITS.validate_json(habits)
        except ValidationError:
            return
        for key, habit in known.items():
            if key in self._by_id:
                self._by_id[key].habit = habit

    def tick(self, now: Instant) -> Sequence[Event]:
        """Let old counts go; that a camera went stale is a state, not an event."""
        for watch in self._by_id.values():
            watch.expire(now)
        return self._changes.due(now)

    def take_inspections(self) -> list[Inspection]:
        """Return what was seen of the cameras since it was last asked for, oldest first."""
        seen, self._seen = self._seen, []
        return seen

    def _inspection(self, watch: CameraWatch, now: Instant) -> Inspection:
        state, at = watch.state(now), now.wall.timestamp()
        day = now.wall.astimezone(self._zone).date().isoformat()
        codes = " ".join(dict.fromkeys(cause.code for cause in state.causes))
        return Inspection(watch.camera.id, at, at, day, 1, state.verdict.value, codes)

    def states(self, now: Instant) -> Sequence[State]:
        """Return every camera's state, known or not."""
        return [State(id=key, data=watch.state(now)) for key, watch in self._by_id.items()]
