"""One client of the simulated RTSP side: its connection, and where it is in what it was sent."""

import secrets
import socket
import threading
from datetime import datetime, timedelta

from simulators.rtp import CLOCK_HZ, Payload, rtp_packet
from simulators.rtsp_channel import SimulatedChannel
from simulators.rtsp_paths import Asked
from simulators.video import Clip

SLOW_CLIENT_BYTES = 4_000_000

Coded = tuple[Clip, list[list[Payload]]]


class Client:
    """One connection: its session's RTP state, and what could not be sent yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.channel: SimulatedChannel | None = None
        self.asked = Asked(0, sub=True)
        self.recorded: Coded | None = None
        self.stamped_from: datetime | None = None
        self.session = f"{secrets.randbelow(10**9):09d}"
        self.nonce = secrets.token_hex(16)
        self.interleaved = 0
        self.set_up = False
        self.playing = False
        self.frames_sent = 0
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
        stamp = self.stamped_from
        if stamp is not None:
            stamp += timedelta(seconds=media_time / CLOCK_HZ)
        for payload, marker in payloads:
            packet = rtp_packet(
                payload,
                marker=marker,
                sequence=self._sequence,
                timestamp=self._offset + media_time,
                ssrc=self._ssrc,
                stamp=stamp,
            )
            self._sequence += 1
            wire += b"$" + bytes([self.interleaved]) + len(packet).to_bytes(2, "big") + packet
        self.frames_sent += 1
        return self.send(bytes(wire))
