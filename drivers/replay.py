"""Replay from an ONVIF recorder, which takes RTSP headers that FFmpeg does not send.

ONVIF Streaming Specification, Replay: `Require: onvif-replay`, and the time as `Range: clock=`.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple, cast
from urllib.parse import urljoin, urlsplit

import av

from drivers.base import Clock
from drivers.errors import ProtocolError
from drivers.readings import StreamFault, StreamLayer
from drivers.rtp_units import START_CODE, Codec, Packet, Units, read_packet
from drivers.rtsp_session import Reply, RtspSession
from drivers.stream import Probe, VideoPacket, key_picture, reading_of, refusal
from drivers.stream_greeting import Failure
from drivers.stream_target import StreamTarget

_REPLAY = {"Require": "onvif-replay"}
_CODECS: dict[str, Codec] = {"H264": "h264", "H265": "hevc"}
_CLOCK = re.compile(r"clock=(\d{8}T\d{6})")
_NTP_EPOCH = datetime(1900, 1, 1)  # noqa: DTZ001 - the recorder's digits, as it means them


class Media(NamedTuple):
    """The video of a session description: where it is set up, how it is coded."""

    control: str
    payload_type: int
    codec: Codec
    sets: tuple[bytes, ...]


class _RefusedError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


def replay_stream(target: StreamTarget, clock: Clock) -> Probe:
    """Play what was recorded from `target.replay_from` on, and bring home a key frame of it.

    `begins_at` is the time that frame is stamped with, else the one the answer to PLAY names.
    """
    session = RtspSession(target.url, target.username, target.password, clock)
    reached = StreamLayer.NETWORK
    try:
        opened = clock.monotonic() + target.open_seconds
        session.connect(deadline=opened)
        reached = StreamLayer.PORT
        media, begins_at = _set_up(session, target, opened)
        reached = StreamLayer.DESCRIBE
        return _watch(session, target, clock, media, begins_at)
    except _RefusedError as refused:
        return Probe(reading_of(target, clock, refused.failure))
    except ProtocolError as error:
        failure = Failure(reached, StreamFault.MALFORMED, str(error))
    except TimeoutError:
        unreached = reached is StreamLayer.NETWORK
        fault = StreamFault.TIMEOUT if unreached else StreamFault.SILENT
        failure = Failure(reached, fault, f"no answer within {target.open_seconds:g} s")
    except ConnectionRefusedError:
        failure = Failure(reached, StreamFault.REFUSED, "the port refuses connections")
    except OSError as error:
        unreached = reached is StreamLayer.NETWORK
        fault = StreamFault.TIMEOUT if unreached else StreamFault.ENDED_EARLY
        failure = Failure(reached, fault, error.strerror or "the device hung up")
    finally:
        session.close()
    return Probe(reading_of(target, clock, failure))


def _set_up(
    session: RtspSession, target: StreamTarget, deadline: float
) -> tuple[Media, datetime | None]:
    """Ask for the recording from its instant on; return what plays, and from when."""
    described = _asked(
        session, "DESCRIBE", target.url, {"Accept": "application/sdp"}, deadline, StreamLayer.AUTH
    )
    media = read_description(described.body)
    base = described.headers.get("content-base") or target.url
    transport = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1", **_REPLAY}
    control = _address(target.url, base, media.control)
    _asked(session, "SETUP", control, transport, deadline, StreamLayer.DESCRIBE)
    start = f"{target.replay_from:%Y%m%dT%H%M%S}Z"
    playing = _asked(
        session,
        "PLAY",
        _address(target.url, base, ""),
        {"Range": f"clock={start}-", **_REPLAY},
        deadline,
        StreamLayer.DESCRIBE,
    )
    told = _CLOCK.search(playing.headers.get("range", ""))
    return media, _instant(told[1]) if told else None


def _asked(
    session: RtspSession,
    method: str,
    url: str,
    headers: dict[str, str],
    deadline: float,
    reached: StreamLayer,
) -> Reply:
    reply = session.ask(method, url, headers, deadline=deadline)
    if reply.status != 200:
        raise _RefusedError(refusal(method, reply.status, reached))
    return reply


def read_description(sdp: str) -> Media:
    """Find the video in a session description (RFC 4566). Raises ProtocolError."""
    section = re.search(r"^m=video .*?(?=^m=|\Z)", sdp, re.MULTILINE | re.DOTALL)
    named = re.search(r"^a=rtpmap:(\d+) (\w+)/90000", section[0] if section else "", re.MULTILINE)
    codec = _CODECS.get(named[2].upper()) if named else None
    if section is None or named is None or codec is None:
        raise ProtocolError("the answer names no video that can be replayed")
    control = re.search(r"^a=control:(\S+)", section[0], re.MULTILINE)
    coded = re.findall(r"sprop-(?:parameter-sets|vps|sps|pps)=([^;\s]+)", section[0])
    sets: list[bytes] = []
    for one in ",".join(coded).split(","):
        with suppress(binascii.Error):
            sets.append(base64.b64decode(one, validate=True))
    return Media(control[1] if control else "", int(named[1]), codec, tuple(filter(None, sets)))


def _address(url: str, base: str, control: str) -> str:
    """Return where a control address leads, on the host we asked: named ones may be elsewhere."""
    if control.startswith("rtsp://"):
        found = control
    elif control in {"", "*"}:
        found = base
    else:
        found = f"{base.rstrip('/')}/{control}"
    parts, own = urlsplit(found), urlsplit(url)
    if parts.scheme != "rtsp":
        return urljoin(url, found)
    return parts._replace(netloc=own.netloc).geturl()


def _watch(
    session: RtspSession, target: StreamTarget, clock: Clock, media: Media, told: datetime | None
) -> Probe:
    """Take frames for the window, and until one of them was a key frame that decodes."""
    codec = av.VideoCodecContext.create(media.codec, "r")
    codec.thread_count = 1
    picture, begins_at = None, told
    frames, keys = 0, 0
    fault = None
    began = clock.monotonic()
    until = began + target.key_frame_seconds
    try:
        for frame in _frames(session, media, target, clock, until):
            frames += 1
            if frame.key and picture is None:
                keys += 1
                packet = av.Packet(_annex_b([*media.sets, *frame.units]))
                picture = key_picture(codec, [cast("VideoPacket", packet)])
                begins_at = frame.at or told
            if picture is not None and clock.monotonic() - began >= target.window_seconds:
                break
        else:
            fault = StreamFault.SILENT
    except OSError as error:
        timed_out = isinstance(error, TimeoutError)
        fault = StreamFault.STALLED if timed_out else StreamFault.ENDED_EARLY
    failure = None
    if picture is None and frames:
        detail = f"{frames} frames, {keys} of them key frames, and none that decodes"
        failure = Failure(StreamLayer.FIRST_PACKET, StreamFault.NO_KEY_FRAME, detail)
    elif fault is not None:
        layer = StreamLayer.FIRST_KEY_FRAME if frames else StreamLayer.DESCRIBE
        stalled = fault if frames or fault is StreamFault.ENDED_EARLY else StreamFault.SILENT
        failure = Failure(layer, stalled, f"{frames} frames came before it stopped")
    with suppress(OSError, ProtocolError):
        session.ask("TEARDOWN", target.url, {}, deadline=clock.monotonic() + 1)
    return Probe(reading_of(target, clock, failure), picture, begins_at)


class _Frame(NamedTuple):
    units: tuple[bytes, ...]
    key: bool
    at: datetime | None


def _frames(
    session: RtspSession, media: Media, target: StreamTarget, clock: Clock, until: float
) -> Iterator[_Frame]:
    """Give coded frames as they become whole: by their marker, or where the next one begins."""
    units = Units(media.codec)
    whole: list[bytes] = []
    first: Packet | None = None
    while (now := clock.monotonic()) < until:
        channel, data = session.next_packet(deadline=min(until, now + target.read_seconds))
        packet = read_packet(data) if channel == 0 else None
        if packet is None or packet.payload_type != media.payload_type:
            continue
        if first is not None and packet.timestamp != first.timestamp and whole:
            yield _frame(units, whole, first)
            whole, first = [], None
        first = first or packet
        whole += units.take(packet.payload)
        if packet.marker and whole:
            yield _frame(units, whole, first)
            whole, first = [], None


def _frame(units: Units, whole: list[bytes], first: Packet) -> _Frame:
    at = None if first.ntp is None else _NTP_EPOCH + timedelta(seconds=first.ntp >> 32)
    return _Frame(tuple(whole), any(map(units.is_key, whole)), at)


def _annex_b(units: list[bytes]) -> bytes:
    return b"".join(START_CODE + unit for unit in units)


def _instant(digits: str) -> datetime | None:
    try:
        return datetime.strptime(digits, "%Y%m%dT%H%M%S")  # noqa: DTZ007 - the recorder's digits
    except ValueError:
        return None
