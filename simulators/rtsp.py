"""A recorder's RTSP side on loopback: live loops that clients join where they are, and faults."""

import contextlib
import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BufferedReader
from typing import NamedTuple

from simulators.past_scenes import as_it_was
from simulators.rtp import (
    CLOCK_HZ,
    damaged,
    packetise,
    session_description,
)
from simulators.rtsp_channel import Faults, SimulatedChannel
from simulators.rtsp_client import Client, Coded
from simulators.rtsp_paths import read_address
from simulators.scenes import SCENES, shifted
from simulators.truth import Truth
from simulators.video import LOOP_FRAMES, Clip, Codec, encode

REALM = "4d5a90000300000004000000"  # recorders use a hex string
STATUS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Stream Not Found",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    461: "Unsupported Transport",
    457: "Invalid Range",
    501: "Not Implemented",
    503: "Service Unavailable",
}
METHODS = ("OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN", "GET_PARAMETER")
FPS = 25
# Of a recording so much is coded as is looked at, and played over and over until its end.
PAST_FRAMES = 50

Holds = Callable[[int, datetime], bool]


class Login(NamedTuple):
    """What both ends of a digest login know (RFC 2617 section 3.2)."""

    user: str
    password: str
    realm: str
    nonce: str

    def response(self, method: str, uri: str, qop: str = "") -> str:
        """Compute the request-digest of section 3.2.2.1; `qop` is `nc:cnonce:auth`, or empty."""
        ha1 = hashlib.md5(f"{self.user}:{self.realm}:{self.password}".encode()).hexdigest()
        ha2 = hashlib.md5(f"{method}:{uri}".encode()).hexdigest()
        middle = f"{self.nonce}:{qop}" if qop else self.nonce
        return hashlib.md5(f"{ha1}:{middle}:{ha2}".encode()).hexdigest()


class RtspSimulator:
    """Channels 1..n of a recorder, live and recorded, by the addresses of both makers.

    `holds` says whether a channel has a recording of an instant; one playback at a time.
    """

    def __init__(
        self,
        truth: Truth,
        port: int = 0,
        *,
        user: str = "inspector",
        password: str = "gatehouse",  # noqa: S107 - a simulated secret
        channels: int = 4,
        main_size: tuple[int, int] = (1920, 1080),
        main_kbps: int = 4000,
        main_gop: int = 50,
        scene: str = "gate",
        holds: Holds = lambda _channel, _instant: False,
        replay_zone_hours: float = 8,
        loops: bool = True,
    ) -> None:
        """ONVIF replays are asked for by a clock `replay_zone_hours` behind the recorder's own.

        Streams show two seconds over and over; without `loops` sub streams go on, at the cost of
        drawing and coding all of it.
        """
        self.truth = truth
        self._user = user
        self.password = password
        self._main = (*main_size, main_gop, main_kbps)
        self._sub = (640, 360, 25, 600)
        self._channels = {n: SimulatedChannel(n, truth, scene) for n in range(1, channels + 1)}
        self._holds = holds
        self._replay_shift = timedelta(hours=replay_zone_hours)
        self._loops = loops
        self._clips: dict[tuple[str, bool, Codec], tuple[int, Coded]] = {}
        self._clip_lock = threading.Lock()
        self._clients: set[Client] = set()
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Code the first sub-stream clip, then listen and run the loops."""
        self._media(next(iter(self._channels.values())), sub=True)
        for work in (self._accept, self._pace):
            thread = threading.Thread(target=work, name=f"sim-rtsp{work.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Hang up on everybody and close the port."""
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in list(self._clients):
            self._drop(client)
        for thread in self._threads:
            thread.join(timeout=5)

    def channel(self, number: int) -> SimulatedChannel:
        """Return the channel with its switches."""
        return self._channels[number]

    def url(self, number: int, *, sub: bool = True) -> str:
        """Return the address of a stream, without a login."""
        return f"rtsp://127.0.0.1:{self.port}/Streaming/Channels/{number}0{2 if sub else 1}"

    def _media(self, channel: SimulatedChannel, *, sub: bool, frame: int | None = None) -> Coded:
        """Return the clip a frame is of; without one, any of them."""
        key = (channel.scene, sub, channel.codec)
        width, height, gop, kbps = self._sub if sub else self._main
        goes_on = sub and not self._loops
        frames = gop if goes_on else LOOP_FRAMES
        begins = frame // frames * frames if goes_on and frame is not None else 0
        with self._clip_lock:
            known = self._clips.get(key)
            if known is not None and (frame is None or known[0] == begins):
                return known[1]
            draw = shifted(SCENES[channel.scene], begins)
            size = {"gop_frames": gop, "kbps": kbps, "frames": frames}
            coded = _packed(encode(draw, width, height, codec=channel.codec, **size))
            self._clips[key] = (begins, coded)
            return coded

    def _past(self, channel: SimulatedChannel, start: datetime) -> Coded:
        width, height, gop, kbps = self._sub
        draw = as_it_was(channel.scene, start, FPS)
        size = {"gop_frames": gop, "kbps": kbps, "frames": PAST_FRAMES}
        return _packed(encode(draw, width, height, codec=channel.codec, **size))

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = Client(connection)
            self._clients.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _drop(self, client: Client) -> None:
        self._clients.discard(client)
        if client.playing and client.channel is not None:
            client.playing = False
            self.truth.record(f"channel-{client.channel.number}", "session_ended")
        with contextlib.suppress(OSError):
            client.connection.shutdown(socket.SHUT_RDWR)
        client.connection.close()

    def _pace(self) -> None:
        start, frame = time.monotonic(), 0
        while not self._stop.wait(max(0.0, start + frame / FPS - time.monotonic())):
            for client in [c for c in list(self._clients) if c.playing]:
                if not self._send(client, frame):
                    self._drop(client)
            frame += 1

    def _send(self, client: Client, frame: int) -> bool:
        channel = client.channel
        if channel is None or channel.faults.stalled or channel.faults.silent_after == "play":
            return True
        faults = channel.faults
        asked, recorded = client.asked, client.recorded
        if recorded is not None and asked.start is not None:
            frame = client.frames_sent
            if faults.spoilt.get(asked.start.date()) == "silent":
                return True
            if asked.end and asked.start + timedelta(seconds=frame / FPS) >= asked.end:
                return False
        clip, payloads = recorded or self._media(channel, sub=asked.sub, frame=frame)
        index = frame % len(payloads)
        key = index % clip.gop_frames == 0
        if (faults.without_key_frames and key) or index % faults.every:
            return True
        end = faults.end_after_frames
        if end is not None and client.frames_sent >= end:
            return False
        step = CLOCK_HZ // clip.fps if faults.clock_step is None else faults.clock_step
        sent = payloads[index]
        if faults.corrupt:
            sent = [(damaged(payload, frame), marker) for payload, marker in sent]
        return client.send_frame(sent, frame * step)

    def _serve(self, client: Client) -> None:
        reader = client.connection.makefile("rb")
        try:
            while not self._stop.is_set():
                request = _read_request(reader)
                if request is None or not self._answer(client, *request):
                    break
        except (OSError, ValueError):
            pass
        finally:
            self._drop(client)
            with contextlib.suppress(OSError):
                reader.close()

    def _answer(self, client: Client, method: str, uri: str, headers: dict[str, str]) -> bool:
        """Answer one request; False hangs up."""
        asked = read_address(uri)
        channel = self._channels.get(asked.channel) if asked else None
        channel = channel or client.channel
        faults = channel.faults if channel else Faults()
        if faults.silent_after == "request":
            return True
        if faults.silent_after == "describe" and method in {"SETUP", "PLAY"}:
            return True
        if faults.garbled:
            return client.send(b"\x00\x01 this is not the protocol you are looking for\r\n\r\n")
        if asked and method == "DESCRIBE":
            client.asked = asked
        status, extra, body = self._reply(client, method, headers, channel)
        if method == "TEARDOWN" and faults.mute_teardown:
            return False
        lines = [f"RTSP/1.0 {status} {STATUS.get(status, 'Error')}"]
        lines += [f"CSeq: {headers.get('cseq', '0')}", *extra]
        if body:
            lines += ["Content-Type: application/sdp", f"Content-Base: {uri}/"]
            lines += [f"Content-Length: {len(body)}"]
        if not client.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode()):
            return False
        if status == 200 and method == "PLAY" and channel is not None:
            started = "playback_started" if client.recorded else "session_started"
            self.truth.record(f"channel-{channel.number}", started)
            client.playing = True
        return method != "TEARDOWN"

    def _reply(
        self,
        client: Client,
        method: str,
        headers: dict[str, str],
        channel: SimulatedChannel | None,
    ) -> tuple[int, list[str], str]:
        """Return status, header lines and body; a login is asked for before anything is said."""
        if method == "OPTIONS":
            return 200, [f"Public: {', '.join(METHODS)}"], ""
        if method not in METHODS:
            return 501, [], ""
        if not self._login_holds(client, method, headers, channel):
            challenge = f'Digest realm="{REALM}", nonce="{client.nonce}", stale="FALSE"'
            if channel is not None and channel.faults.basic:
                challenge = f'Basic realm="{REALM}"'
            return 401, [f"WWW-Authenticate: {challenge}"], ""
        if channel is None:
            return 404, [], ""
        return self._session(client, method, headers, channel)

    def _session(
        self, client: Client, method: str, headers: dict[str, str], channel: SimulatedChannel
    ) -> tuple[int, list[str], str]:
        if channel.faults.refusal:
            self.truth.record(f"channel-{channel.number}", "refused", status=channel.faults.refusal)
            return channel.faults.refusal, [], ""
        session = f"Session: {client.session};timeout=60"
        if method == "DESCRIBE":
            client.channel = channel
            if client.asked.start is not None:
                return self._describe_past(client, channel, client.asked.start)
            clip, _ = self._media(channel, sub=client.asked.sub)
            return 200, [], session_description(clip)
        if method == "SETUP":
            transport = headers.get("transport", "")
            if "TCP" not in transport:
                return 461, [], ""
            pair = re.search(r"interleaved=(\d+)", transport)
            client.interleaved = int(pair[1]) if pair else 0
            client.set_up = True
            return 200, [session, f"Transport: {transport}"], ""
        if method == "PLAY" and client.asked.replay and client.set_up:
            return self._play_past(client, channel, headers, session)
        return (200 if client.set_up else 454), [session], ""

    def _play_past(
        self, client: Client, channel: SimulatedChannel, headers: dict[str, str], session: str
    ) -> tuple[int, list[str], str]:
        """Replay from the clock time asked for (ONVIF Streaming Specification, Replay)."""
        clock = re.search(r"clock=(\d{8}T\d{6})", headers.get("range", ""))
        self.truth.record(f"channel-{channel.number}", "replay", require=headers.get("require", ""))
        if clock is None:
            return 457, [], ""
        digits = datetime.strptime(clock[1], "%Y%m%dT%H%M%S")  # noqa: DTZ007 - in its own digits
        status = self._past_refusal(client, channel, digits + self._replay_shift)
        if status:
            return (457 if status == 404 else status), [], ""
        client.asked = client.asked._replace(start=digits + self._replay_shift)
        if channel.faults.returns_live:
            client.recorded = self._media(channel, sub=False)
            return 200, [session], ""
        shown = digits + timedelta(seconds=channel.faults.late_seconds)
        client.stamped_from = shown
        client.recorded = self._past(channel, shown + self._replay_shift)
        return 200, [session, f"Range: clock={shown:%Y%m%dT%H%M%S}Z-"], ""

    def _describe_past(
        self, client: Client, channel: SimulatedChannel, start: datetime
    ) -> tuple[int, list[str], str]:
        faults = channel.faults
        if status := self._past_refusal(client, channel, start):
            return status, [], ""
        if faults.returns_live:
            clip, _ = self._media(channel, sub=client.asked.sub)
            return 200, [], session_description(clip)
        shown = start + timedelta(seconds=faults.late_seconds)
        client.recorded = self._past(channel, shown)
        span = (shown, client.asked.end or shown) if client.asked.tells_span else None
        sdp = session_description(client.recorded[0], control="trackID=video", span=span)
        return 200, [], sdp

    def _past_refusal(self, client: Client, channel: SimulatedChannel, start: datetime) -> int:
        """Return the status a recording is refused with, 0 where it is played."""
        faults, name = channel.faults, f"channel-{channel.number}"
        self.truth.record(name, "playback_asked", start=start.isoformat())
        if any(one.recorded for one in self._clients if one is not client):
            return 453
        if faults.forbids_playback:
            return 403
        gone = not self._holds(channel.number, start)
        return 404 if gone or faults.spoilt.get(start.date()) == "refused" else 0

    def _login_holds(
        self,
        client: Client,
        method: str,
        headers: dict[str, str],
        channel: SimulatedChannel | None,
    ) -> bool:
        given = headers.get("authorization")
        if given is None:
            return False
        if given.startswith("Basic"):
            self.truth.record("recorder", "password_in_the_clear")
        parts = dict(re.findall(r'(\w+)="?([^",]*)"?', given))
        qop = ":".join(parts.get(k, "") for k in ("nc", "cnonce", "qop")) if "qop" in parts else ""
        login = Login(self._user, self.password, REALM, client.nonce)
        wanted = login.response(method, parts.get("uri", ""), qop)
        right = parts.get("response") == wanted and parts.get("username") == self._user
        if not right or (channel is not None and channel.faults.refusal == 401):
            name = f"channel-{channel.number}" if channel else "recorder"
            self.truth.record(name, "login_refused", method=method)
            return False
        return True


def _packed(clip: Clip) -> Coded:
    return clip, [packetise(frame, clip.codec) for frame in clip.frames]


def _read_request(reader: BufferedReader) -> tuple[str, str, dict[str, str]] | None:
    """Read one request, skipping RTCP the client sends in between; None at the end."""
    while (first := reader.read(1)) == b"$":
        reader.read(int.from_bytes(reader.read(3)[1:], "big"))
    if not first:
        return None
    method, uri, _version = (first + reader.readline(8192)).decode().split()
    headers: dict[str, str] = {}
    while line := reader.readline(8192).decode().strip():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    reader.read(int(headers.get("content-length", 0)))
    return method, uri, headers
