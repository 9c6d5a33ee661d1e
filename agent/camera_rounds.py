"""Rounds over all cameras: permits from each recorder's gate, probes in killable workers."""

import base64
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from agent.devices import Post
from drivers.base import Clock, Gate
from drivers.errors import DriverError
from drivers.readings import (
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
from drivers.stream_target import PictureTarget, SnapshotTarget, StreamTarget
from drivers.stream_workers import StreamWorkers

AT_ONCE = 4  # more saturates two cores and falsifies the measured frame rate
PERMIT_SECONDS = 30.0
PROBE_SECONDS = 25.0

_NO_SNAPSHOT = Unknown(reason=Reason.NOT_SUPPORTED)
# What a recorder refuses to give, or gives and is no picture, is a fault of the camera's.
_NO_PICTURE = {
    Reason.NOT_SUPPORTED: StreamFault.NOT_FOUND,
    Reason.MALFORMED: StreamFault.MALFORMED,
}
# Where the recorder was reached, and its stream of this camera does not play.
_ASK_AGAIN = frozenset(StreamFault) - {
    StreamFault.REFUSED,
    StreamFault.TIMEOUT,
    StreamFault.BUSY,
    StreamFault.UNAUTHORIZED,
}

Target = TypeVar("Target", bound=PictureTarget)

log = structlog.get_logger()


@dataclass(frozen=True)
class CameraProbe:
    """A camera, what to open of it (or why nothing), and whose permit it needs.

    Where it does not stream, a `snapshot` is all there is; else it is a second opinion.
    """

    camera: str
    target: Callable[[], StreamTarget | Unknown]
    gate: Gate
    snapshot: Callable[[], bytes | Unknown] = lambda: _NO_SNAPSHOT
    streams: bool = True
    masks: tuple[tuple[int, ...], ...] = ()


class Prepared(Protocol):
    """Adds to a target what is to be learned of its picture, and kept of it."""

    def __call__(self, target: Target, /) -> Target:
        """Return the target with it."""


class CameraRounds:
    """Probes every camera once a round; a round that takes too long delays only the next one."""

    def __init__(
        self,
        probes: Sequence[CameraProbe],
        workers: StreamWorkers,
        clock: Clock,
        *,
        round_seconds: float,
        prepared: Prepared = lambda target: target,
        tidy: Callable[[], None] = lambda: None,
        in_question: Callable[[], frozenset[str]] = frozenset,
        recheck_seconds: float = 0,
        rechecks: int = 0,
    ) -> None:
        """`prepared` adds to a target what is to be done with its picture; `tidy` ends a round.

        Cameras `in_question` are checked again between the rounds, so many times at most.
        """
        self._prepared = prepared
        self._tidy = tidy
        self._in_question = in_question
        self._recheck_seconds = recheck_seconds
        self._rechecks = rechecks if recheck_seconds else 0
        self._probes = probes
        self._workers = workers
        self._post: Post = lambda _: None
        self._clock = clock
        self._round_seconds = round_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera-rounds", daemon=True)

    def start(self, post: Post) -> None:
        """Begin with the first round, if there is any camera."""
        self._post = post
        if self._probes:
            self._thread.start()

    def ask_to_stop(self) -> None:
        """Give up the round under way; workers are killed, not waited for."""
        self._stopping.set()
        self._workers.close()

    def stop(self, *, timeout: float = 2.0) -> None:
        """End."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    def overdue_seconds(self) -> float:
        """Return 0: a probe past its bound is killed with its worker."""
        return 0.0

    def _run(self) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="camera") as pool:
            while not self._stopping.is_set():
                started = self._clock.monotonic()
                for _ in pool.map(self._probe, self._probes):
                    if self._stopping.is_set():
                        return
                self._tidy()
                self._wait_for_next(pool, started + self._round_seconds)

    def _wait_for_next(self, pool: ThreadPoolExecutor, until: float) -> None:
        """Wait for the next round; what is in question is checked again meanwhile."""
        for _ in range(self._rechecks):
            if self._clock.monotonic() + self._recheck_seconds >= until:
                break
            self._stopping.wait(self._recheck_seconds)
            again = self._in_question()
            for _ in pool.map(self._probe, [one for one in self._probes if one.camera in again]):
                if self._stopping.is_set():
                    return
        self._stopping.wait(max(0.0, until - self._clock.monotonic()))

    def _probe(self, probe: CameraProbe) -> None:
        if self._stopping.is_set():
            return
        camera = probe.camera
        try:
            if not probe.streams:
                self._look_at_snapshot(probe)
                return
            target = probe.target()
            if isinstance(target, Unknown):
                self._outage(camera, target.reason, target.detail)
                return
            self._open_stream(probe, target)
        except DriverError as error:
            self._outage(camera, Reason(error.reason), str(error))
        except Exception as error:
            log.exception("camera probe failed", device=camera)
            self._outage(camera, Reason.INTERNAL, type(error).__name__)

    def _open_stream(self, probe: CameraProbe, target: StreamTarget) -> None:
        fault = None
        now = self._clock.monotonic()
        with probe.gate.permit("live", deadline=now + PERMIT_SECONDS):
            deadline = self._clock.monotonic() + PROBE_SECONDS
            for reading in self._workers.probe(self._prepared(target), deadline=deadline):
                self._report_login(probe.gate, reading)
                self._post(reading)
                fault = reading.fault if isinstance(reading, StreamReading) else None
        if fault in _ASK_AGAIN:
            self._ask_for_second_opinion(probe)

    def _look_at_snapshot(self, probe: CameraProbe) -> None:
        """Look at a camera that does not stream."""
        jpeg = probe.snapshot()
        if isinstance(jpeg, Unknown) and jpeg.reason in _NO_PICTURE:
            self._post(self._without_picture(probe.camera, jpeg))
        elif isinstance(jpeg, Unknown):
            self._outage(probe.camera, jpeg.reason, jpeg.detail)
        else:
            for reading in self._looked(self._prepared(_snapshot_target(probe, jpeg))):
                self._post(reading)

    def _ask_for_second_opinion(self, probe: CameraProbe) -> None:
        """See whether the recorder shows a camera whose stream does not play.

        One that does not says nothing: recorders refuse pictures of cameras they record
        (rroller/dahua#646).
        """
        jpeg = probe.snapshot()
        if not isinstance(jpeg, Unknown):
            for reading in self._looked(_snapshot_target(probe, jpeg)):
                if isinstance(reading, PictureReading):
                    shown = reading.model_dump(exclude={"kind"})
                    self._post(SnapshotReading.model_validate(shown))

    def _looked(self, target: SnapshotTarget) -> list[Reading]:
        return self._workers.look_at(target, self._clock.monotonic() + PROBE_SECONDS)

    def _without_picture(self, camera: str, why: Unknown) -> StreamReading:
        nothing = Unknown(reason=Reason.NOT_MEASURED)
        return StreamReading(
            device_id=camera,
            observed_at=self._clock.now(),
            layer=StreamLayer.AUTH,
            fault=_NO_PICTURE[why.reason],
            codec=nothing,
            width=nothing,
            height=nothing,
            fps=nothing,
            bitrate_kbps=nothing,
            gop_frames=nothing,
            open_seconds=nothing,
            detail=why.detail,
        )

    def _outage(self, camera: str, reason: Reason, detail: str) -> None:
        self._post(
            Outage(device_id=camera, observed_at=self._clock.now(), reason=reason, detail=detail)
        )

    @staticmethod
    def _report_login(gate: Gate, reading: Reading) -> None:
        """A stream's refusal counts against the same lock as a web login's."""
        if not isinstance(reading, StreamReading):
            return
        if reading.fault is StreamFault.UNAUTHORIZED:
            gate.login_failed()
        elif reading.layer not in (StreamLayer.NETWORK, StreamLayer.PORT, StreamLayer.AUTH):
            gate.login_succeeded()


def _snapshot_target(probe: CameraProbe, jpeg: bytes) -> SnapshotTarget:
    coded = base64.b64encode(jpeg).decode()
    return SnapshotTarget(device_id=probe.camera, masks=probe.masks, jpeg=coded)
