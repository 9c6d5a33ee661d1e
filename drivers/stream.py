"""One probe of one camera stream: how far it comes up, what it carries, and one picture."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple, TypeAlias
from urllib.parse import quote

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from drivers.base import Clock
from drivers.image_quality import fitting_size
from drivers.readings import Reason, StreamFault, StreamLayer, StreamReading, Unknown
from drivers.stream_greeting import Failure, greet
from drivers.stream_target import StreamTarget

OPTIONS = {
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
    # A hostile description must not send us to files or other hosts by another protocol.
    "protocol_whitelist": "rtsp,rtp,tcp",
    "analyzeduration": "0",
    "probesize": "32768",
}
MAX_PIXELS = 40_000_000
CLOCK_JUMP_SECONDS = 5.0

VideoPacket: TypeAlias = "av.Packet[av.VideoStream]"  # generic in its stub alone

_STATUS = re.compile(r"method (\w+) failed: (\d{3})")
# RFC 2326 section 3.7; of what follows the seconds nothing is to be trusted, the Z least of all.
_RANGE = re.compile(r"^a=range:clock=(\d{8}T\d{6})", re.MULTILINE)
_BUSY = frozenset({429, 453, 503})
_NOT_FOUND = frozenset({404, 410, 457})  # 457: of that time there is nothing
_NOT_MEASURED = Unknown(reason=Reason.NOT_MEASURED)


class Probe(NamedTuple):
    """What a probe brings home: its picture is BGR, within 640x360; `earlier`: a key frame before.

    `begins_at` is where a recording says that it begins, in the digits of its recorder.
    """

    reading: StreamReading
    picture: NDArray[np.uint8] | None = None
    begins_at: datetime | None = None
    earlier: NDArray[np.uint8] | None = None


class _Seen:
    """What the demuxer delivered, counted in RTP time: arrival times lie under load."""

    def __init__(self) -> None:
        self.packets = 0
        self.size_bytes = 0
        self.stamps: list[float] = []
        self.key_packets: list[VideoPacket] = []
        self.key_at: list[int] = []

    def take(self, packet: VideoPacket) -> None:
        self.packets += 1
        self.size_bytes += packet.size
        if packet.pts is not None and packet.time_base is not None:
            self.stamps.append(float(packet.pts * packet.time_base))
        if packet.is_keyframe:
            self.key_packets = [*self.key_packets[-1:], packet]
            self.key_at.append(self.packets)

    @property
    def fps(self) -> float | Unknown:
        stamps = sorted(self.stamps)
        steps = [after - before for before, after in pairwise(stamps)]
        if not steps:
            return _NOT_MEASURED
        if not sum(steps) or max(steps) > CLOCK_JUMP_SECONDS:
            return Unknown(reason=Reason.INCONSISTENT, detail="the stream's clock stands or jumps")
        return round(len(steps) / sum(steps), 2)

    @property
    def bitrate_kbps(self) -> float | Unknown:
        fps = self.fps
        if isinstance(fps, Unknown):
            return fps
        return round(self.size_bytes * 8 / 1000 / (self.packets / fps), 1)

    @property
    def gop_frames(self) -> int | Unknown:
        return self.key_at[-1] - self.key_at[-2] if len(self.key_at) > 1 else _NOT_MEASURED


def probe_stream(target: StreamTarget, clock: Clock) -> Probe:
    """Open the stream once, watch it for its window, and bring home its last key frame.

    A refused login is not tried again.
    """
    began = clock.monotonic()
    failure = greet(target, clock)
    if failure is not None:
        return Probe(reading_of(target, clock, failure))
    left = max(0.5, target.open_seconds - (clock.monotonic() - began))
    # FFmpeg says in its log alone how far the dialogue came. Its lines, and the message and
    # arguments of its errors, hold the address with the login: none of them leaves this function.
    av.logging.set_level(av.logging.VERBOSE)
    with av.logging.Capture() as log:
        try:
            container = av.open(
                _address(target),
                options=OPTIONS,
                timeout=(left, target.read_seconds),
            )
        except av.FFmpegError as error:
            lines = [line for _, _, line in log]
            failure = _opening_failure(target, error, lines)
            return Probe(reading_of(target, clock, failure))
        opened = clock.monotonic() - began
        begins_at = _begins_at([line for _, _, line in log])
        with container:
            return _watch(target, clock, container, opened)._replace(begins_at=begins_at)


def _begins_at(lines: list[str]) -> datetime | None:
    """Read where a recording begins; its description stands in FFmpeg's log alone."""
    for line in lines:
        if line.startswith("SDP:") and (found := _RANGE.search(line)):
            try:
                return datetime.strptime(found[1], "%Y%m%dT%H%M%S")  # noqa: DTZ007 - its own clock
            except ValueError:
                return None
    return None


def _address(target: StreamTarget) -> str:
    user = quote(target.username, safe="")
    password = quote(target.password.get_secret_value(), safe="")
    return target.url.replace("rtsp://", f"rtsp://{user}:{password}@", 1)


def _opening_failure(target: StreamTarget, error: av.FFmpegError, lines: list[str]) -> Failure:
    """Say what ended the dialogue; the reply's status code stands in FFmpeg's log alone."""
    described = any(line.startswith("SDP:") for line in lines)
    reached = StreamLayer.DESCRIBE if described else StreamLayer.PORT
    refusals = [match for line in lines if (match := _STATUS.search(line))]
    if refusals:
        method, status = refusals[-1][1], int(refusals[-1][2])
        if not described:
            # A device asks for the login before it says anything else about a stream.
            reached = StreamLayer.PORT if method == "OPTIONS" else StreamLayer.AUTH
        return refusal(method, status, reached)
    # A dialogue cut off by the time-out is "invalid data" to FFmpeg.
    cut_off = any("Immediate exit requested" in line for line in lines)
    if cut_off or isinstance(error, av.ExitError | av.TimeoutError):
        return Failure(reached, StreamFault.SILENT, f"no answer within {target.open_seconds:g} s")
    if isinstance(error, av.EOFError | av.ConnectionResetError | av.BrokenPipeError):
        return Failure(reached, StreamFault.ENDED_EARLY, "the device hung up while being asked")
    return Failure(reached, StreamFault.MALFORMED, "the answer is not RTSP, or names no video")


def refusal(method: str, status: int, reached: StreamLayer) -> Failure:
    """Say what a refusing status means."""
    detail = f"{method} was answered with {status}"
    if status in {401, 403}:
        return Failure(StreamLayer.PORT, StreamFault.UNAUTHORIZED, detail)
    if status in _BUSY:
        return Failure(reached, StreamFault.BUSY, detail)
    if status in _NOT_FOUND:
        return Failure(reached, StreamFault.NOT_FOUND, detail)
    return Failure(reached, StreamFault.MALFORMED, detail)


def _watch(target: StreamTarget, clock: Clock, container: InputContainer, opened: float) -> Probe:
    if not container.streams.video:
        no_video = Failure(StreamLayer.DESCRIBE, StreamFault.MALFORMED, "the stream has no video")
        return Probe(reading_of(target, clock, no_video))
    stream = container.streams.video[0]
    codec = stream.codec_context
    codec.thread_count = 1
    seen, failure = _demux(target, clock, container)
    picture = earlier = None
    if codec.width * codec.height > MAX_PIXELS:
        detail = f"refusing to decode {codec.width} x {codec.height}"
        failure = Failure(StreamLayer.FIRST_PACKET, StreamFault.MALFORMED, detail)
    elif seen.key_packets:
        picture = key_picture(codec, seen.key_packets)
        if picture is not None and len(seen.key_packets) > 1:
            earlier = key_picture(codec, seen.key_packets[:1])
    if seen.packets and picture is None and failure is None:
        detail = f"no key frame to be seen among {seen.packets} frames"
        failure = Failure(StreamLayer.FIRST_PACKET, StreamFault.NO_KEY_FRAME, detail)
    elif failure is not None and picture is not None:
        failure = failure._replace(layer=StreamLayer.FIRST_KEY_FRAME)
    reading = reading_of(target, clock, failure).model_copy(
        update={
            "codec": codec.name,
            "width": codec.width or _NOT_MEASURED,
            "height": codec.height or _NOT_MEASURED,
            "fps": seen.fps,
            "bitrate_kbps": seen.bitrate_kbps,
            "gop_frames": seen.gop_frames,
            "open_seconds": round(opened, 3),
        }
    )
    return Probe(reading, picture, earlier=earlier)


def _demux(
    target: StreamTarget, clock: Clock, container: InputContainer
) -> tuple[_Seen, Failure | None]:
    """Take packets until the window is over and a key frame was among them, or patience ends."""
    seen = _Seen()
    first = 0.0
    fault = StreamFault.ENDED_EARLY
    try:
        for packet in container.demux(video=0):
            if not packet.size:
                continue
            now = clock.monotonic()
            first = first or now
            seen.take(packet)
            patience = target.window_seconds if seen.key_packets else target.key_frame_seconds
            if now - first >= max(patience, target.window_seconds):
                return seen, None
    except av.InvalidDataError:
        fault = StreamFault.MALFORMED
    except av.FFmpegError:
        fault = StreamFault.STALLED if seen.packets else StreamFault.SILENT
    layer = StreamLayer.FIRST_PACKET if seen.packets else StreamLayer.DESCRIBE
    return seen, Failure(layer, fault, f"{seen.packets} frames came before it stopped")


def key_picture(
    codec: av.VideoCodecContext, key_packets: Sequence[VideoPacket]
) -> NDArray[np.uint8] | None:
    """Decode the newest key frame that can be; swscale shrinks it while it converts."""
    codec.skip_frame = "NONKEY"
    for packet in reversed(key_packets):
        try:
            frames = [*codec.decode(packet), *codec.decode(None)]
        except av.FFmpegError:
            frames = []
        codec.flush_buffers()
        if frames:
            width, height = fitting_size(frames[-1].width, frames[-1].height)
            small = frames[-1].reformat(
                width=width, height=height, format="bgr24", interpolation="AREA"
            )
            return small.to_ndarray().astype(np.uint8, copy=False)
    return None


def reading_of(target: StreamTarget, clock: Clock, failure: Failure | None) -> StreamReading:
    """Return a reading of how far it came; what was measured is to be filled in."""
    return StreamReading(
        device_id=target.device_id,
        observed_at=clock.now(),
        layer=failure.layer if failure else StreamLayer.PLAYING,
        fault=failure.fault if failure else None,
        codec=_NOT_MEASURED,
        width=_NOT_MEASURED,
        height=_NOT_MEASURED,
        fps=_NOT_MEASURED,
        bitrate_kbps=_NOT_MEASURED,
        gop_frames=_NOT_MEASURED,
        open_seconds=_NOT_MEASURED,
        detail=failure.detail if failure else "",
    )
