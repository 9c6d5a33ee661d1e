"""The first words with a camera: is anybody there, and would our password travel in the clear?

FFmpeg folds a dead network and a silent device into one error, and answers whoever asks for
Basic; so each probe first asks for the stream without a login, as RFC 2326 section 10.2 has it.
"""

import re
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from drivers.base import Clock
from drivers.readings import StreamFault, StreamLayer
from drivers.stream_target import StreamTarget

RTSP_PORT = 554
MAX_REPLY_BYTES = 16_384

_STATUS_LINE = re.compile(rb"RTSP/1\.\d (\d{3})\b")
_CHALLENGE = re.compile(rb"^www-authenticate:[ \t]*(\w+)", re.IGNORECASE | re.MULTILINE)


class Failure(NamedTuple):
    """What ended a probe: the last layer reached, the fault, and a few words."""

    layer: StreamLayer
    fault: StreamFault
    detail: str


def greet(target: StreamTarget, clock: Clock) -> Failure | None:
    """Ask for the stream once, without a login, within the target's time to open; None is well."""
    parts = urlsplit(target.url)
    host, port = parts.hostname or "", parts.port or RTSP_PORT
    deadline = clock.monotonic() + target.open_seconds
    try:
        connection = socket.create_connection((host, port), timeout=target.open_seconds)
    except ConnectionRefusedError:
        detail = f"{host}:{port} refuses connections"
        return Failure(StreamLayer.NETWORK, StreamFault.REFUSED, detail)
    except OSError as error:
        detail = f"{host}:{port} does not answer: {error.strerror or 'timed out'}"
        return Failure(StreamLayer.NETWORK, StreamFault.TIMEOUT, detail)
    with connection:
        try:
            reply = _ask(connection, target.url, clock, deadline)
        except TimeoutError:
            detail = f"no answer within {target.open_seconds:g} s"
            return Failure(StreamLayer.PORT, StreamFault.SILENT, detail)
        except OSError:
            detail = "the device hung up when asked for the stream"
            return Failure(StreamLayer.PORT, StreamFault.ENDED_EARLY, detail)
    return judge_reply(reply)


def judge_reply(reply: bytes) -> Failure | None:
    """Judge the head of a reply to a DESCRIBE without a login; None lets the real one go on."""
    status = _STATUS_LINE.match(reply)
    if status is None:
        return Failure(StreamLayer.PORT, StreamFault.MALFORMED, "the answer is not RTSP")
    offers = {scheme.lower() for scheme in _CHALLENGE.findall(reply)}
    if status[1] == b"401" and b"digest" not in offers:
        detail = "the device takes passwords in the clear only; it was given none"
        return Failure(StreamLayer.PORT, StreamFault.UNAUTHORIZED, detail)
    return None


def _ask(connection: socket.socket, url: str, clock: Clock, deadline: float) -> bytes:
    """Return the reply's head, or what came of it before the peer hung up. Raises OSError."""
    request = f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    connection.sendall(request.encode())
    reply = b""
    while b"\r\n\r\n" not in reply and len(reply) < MAX_REPLY_BYTES:
        left = deadline - clock.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        piece = connection.recv(4096)
        if not piece and not reply:
            raise ConnectionResetError
        if not piece:
            break
        reply += piece
    return reply
