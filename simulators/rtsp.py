"""A recorder's RTSP side on loopback: live loops that clients join where they are, and faults."""

import contextlib
import hashlib
import re
import secrets
import socket
import threading
import time
from io import BufferedReader
from typing import NamedTuple

from simulators.rtp import (
    CLOCK_HZ,
    Payload,
    damaged,
    packetise,
    rtp_packet,
    session_description,
)
from simulators.rtsp_channel import Faults, SimulatedChannel
from simulators.scenes import Clip, encode
from simulators.truth import Truth

REALM = "4d5a90000300000004000000"  # recorders use a hex string
PATH = re.compile(r"/Streaming/Channels/(\d+)0([12])(?:[/?]|$)")
STATUS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Stream Not Found",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    461: "Unsupported Transport",
    501: "Not Implemented",
    503: "Service Unavailable",
}
METHODS = ("OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN", "GET_PARAMETER")
SLOW_CLIENT_BYTES = 4_000_000


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


class _Client:
    """One connection: its session's RTP state, and what could not be sent yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.channel: SimulatedChannel | None = None
        self.sub = True
        self.session = f"{secrets.randbelow(10**9):09d}"
        self.nonce = secrets.token_hex(16)
        self.interleaved = 0
        self.set_up = False
        self.playing = False
        self.frames_sent = 0
        self.clip: Clip | None = None
        self._sequence = secrets.randbelow(1 << 16)
        self._offset = secrets.randbelow(1 << 32)
        self._ssrc = secrets.randbelow(1 << 32)
        self._backlog = bytearray()
        self._lock = threading.Lock()

    def send(self, data: bytes) -> bool:
        """Queue and send without waiting; False when the peer is gone or far too slow."""
        with self._lock:
            self._backlog += data
            try:
                sent = self.connection.send(self._backlog, socket.MSG_DONTWAIT)
                del self._backlog[:sent]
            except BlockingIOError:
                return len(self._backlog) < SLOW_CLIENT_BYTES
            except OSError:
                return False
            return True

    def send_frame(self, payloads: list[Payload], media_time: int) -> bool:
        """Send one coded frame as interleaved RTP (RFC 2326 section 10.12)."""
        wire = bytearray()
        for payload, marker in payloads:
            packet = rtp_packet(
                payload,
                marker=marker,
                sequence=self._sequence,
                timestamp=self._offset + media_time,
                ssrc=self._ssrc,
            )
            self._sequence += 1
            wire += b"$" + bytes([self.interleaved]) + len(packet).to_bytes(2, "big") + packet
        self.frames_sent += 1
        return self.send(bytes(wire))


class RtspSimulator:
    """Channels 1..n at `/Streaming/Channels/{n}01` (main) and `{n}02` (sub), digest login."""

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
        scene: str = "gate",
    ) -> None:
        self._truth = truth
        self._user = user
        self.password = password
        self._main = (*main_size, 50, main_kbps)
        self._sub = (640, 360, 25, 600)
        self._channels = {n: SimulatedChannel(n, truth, scene) for n in range(1, channels + 1)}
        self._clips: dict[tuple[str, bool], tuple[Clip, list[list[Payload]]]] = {}
        self._clip_lock = threading.Lock()
        self._clients: set[_Client] = set()
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Code the first sub-stream clip, then listen and run the loops."""
        self._media(next(iter(self._channels.values())).scene, sub=True)
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

    def _media(self, scene: str, *, sub: bool) -> tuple[Clip, list[list[Payload]]]:
        with self._clip_lock:
            if (scene, sub) not in self._clips:
                width, height, gop, kbps = self._sub if sub else self._main
                clip = encode(scene, width, height, gop_frames=gop, kbps=kbps)
                self._clips[scene, sub] = (clip, [packetise(frame) for frame in clip.frames])
            return self._clips[scene, sub]

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = _Client(connection)
            self._clients.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _drop(self, client: _Client) -> None:
        self._clients.discard(client)
        if client.playing and client.channel is not None:
            client.playing = False
            self._truth.record(f"channel-{client.channel.number}", "session_ended")
        with contextlib.suppress(OSError):
            client.connection.shutdown(socket.SHUT_RDWR)
        client.connection.close()

    def _pace(self) -> None:
        start, frame = time.monotonic(), 0
        fps = 25
        while not self._stop.wait(max(0.0, start + frame / fps - time.monotonic())):
            for client in [c for c in list(self._clients) if c.playing]:
                if not self._send(client, frame):
                    self._drop(client)
            frame += 1

    def _send(self, client: _Client, frame: int) -> bool:
        channel = client.channel
        if channel is None or channel.faults.stalled or channel.faults.silent_after == "play":
            return True
        faults = channel.faults
        clip, payloads = self._media(channel.scene, sub=client.sub)
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

    def _serve(self, client: _Client) -> None:
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

    def _answer(self, client: _Client, method: str, uri: str, headers: dict[str, str]) -> bool:
        """Answer one request; False hangs up."""
        found = PATH.search(uri)
        channel = self._channels.get(int(found[1])) if found else None
        channel = channel or client.channel
        faults = channel.faults if channel else Faults()
        if faults.silent_after == "request":
            return True
        if faults.silent_after == "describe" and method in {"SETUP", "PLAY"}:
            return True
        if faults.garbled:
            return client.send(b"\x00\x01 this is not the protocol you are looking for\r\n\r\n")
        if found:
            client.sub = found[2] == "2"
        if method == "OPTIONS":
            status, extra, body = 200, [f"Public: {', '.join(METHODS)}"], ""
        elif method not in METHODS:
            status, extra, body = 501, [], ""
        elif not self._login_holds(client, method, headers, channel):
            challenge = f'Digest realm="{REALM}", nonce="{client.nonce}", stale="FALSE"'
            challenge = f'Basic realm="{REALM}"' if faults.basic else challenge
            status, extra, body = 401, [f"WWW-Authenticate: {challenge}"], ""
        elif channel is None:
            status, extra, body = 404, [], ""
        else:
            status, extra, body = self._session(client, method, headers, channel)
        lines = [f"RTSP/1.0 {status} {STATUS.get(status, 'Error')}"]
        lines += [f"CSeq: {headers.get('cseq', '0')}", *extra]
        if body:
            lines += ["Content-Type: application/sdp", f"Content-Base: {uri}/"]
            lines += [f"Content-Length: {len(body)}"]
        if not client.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode()):
            return False
        if status == 200 and method == "PLAY" and channel is not None:
            self._truth.record(f"channel-{channel.number}", "session_started")
            client.playing = True
        return method != "TEARDOWN"

    def _session(
        self, client: _Client, method: str, headers: dict[str, str], channel: SimulatedChannel
    ) -> tuple[int, list[str], str]:
        if channel.faults.refusal:
            self._truth.record(
                f"channel-{channel.number}", "refused", status=channel.faults.refusal
            )
            return channel.faults.refusal, [], ""
        session = f"Session: {client.session};timeout=60"
        if method == "DESCRIBE":
            client.channel = channel
            clip, _ = self._media(channel.scene, sub=client.sub)
            return 200, [], session_description(clip)
        if method == "SETUP":
            transport = headers.get("transport", "")
            if "TCP" not in transport:
                return 461, [], ""
            pair = re.search(r"interleaved=(\d+)", transport)
            client.interleaved = int(pair[1]) if pair else 0
            client.set_up = True
            return 200, [session, f"Transport: {transport}"], ""
        return (200 if client.set_up else 454), [session], ""

    def _login_holds(
        self,
        client: _Client,
        method: str,
        headers: dict[str, str],
        channel: SimulatedChannel | None,
    ) -> bool:
        given = headers.get("authorization")
        if given is None:
            return False
        if given.startswith("Basic"):
            self._truth.record("recorder", "password_in_the_clear")
        parts = dict(re.findall(r'(\w+)="?([^",]*)"?', given))
        qop = ":".join(parts.get(k, "") for k in ("nc", "cnonce", "qop")) if "qop" in parts else ""
        login = Login(self._user, self.password, REALM, client.nonce)
        wanted = login.response(method, parts.get("uri", ""), qop)
        right = parts.get("response") == wanted and parts.get("username") == self._user
        if not right or (channel is not None and channel.faults.refusal == 401):
            name = f"channel-{channel.number}" if channel else "recorder"
            self._truth.record(name, "login_refused", method=method)
            return False
        return True


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
