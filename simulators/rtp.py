"""H.264 over RTP (RFC 6184), and the SDP that announces it."""

import base64
import struct

from simulators.scenes import Clip

MAX_PAYLOAD = 1400
PAYLOAD_TYPE = 96  # dynamic, RFC 3551 section 6
CLOCK_HZ = 90_000  # RFC 6184 section 8.2.1
STAP_A, FU_A = 24, 28  # RFC 6184 table 1

Payload = tuple[bytes, bool]


def packetise(nals: tuple[bytes, ...]) -> list[Payload]:
    """Split one coded frame into RTP payloads; the last carries the marker bit.

    Small units in a row share a STAP-A (section 5.7.1), large ones are cut into FU-A (5.8).
    """
    payloads: list[bytes] = []
    small: list[bytes] = []
    for nal in (*nals, b""):
        if nal and sum(map(len, small)) + len(nal) + 3 * len(small) + 4 <= MAX_PAYLOAD:
            small.append(nal)
            continue
        if len(small) == 1:
            payloads += small
        elif small:
            nri = max(unit[0] & 0x60 for unit in small)
            body = b"".join(struct.pack(">H", len(unit)) + unit for unit in small)
            payloads.append(bytes([nri | STAP_A]) + body)
        small = []
        if len(nal) > MAX_PAYLOAD:
            payloads += _fragments(nal)
        elif nal:
            small = [nal]
    return [(payload, at == len(payloads) - 1) for at, payload in enumerate(payloads)]


def _fragments(nal: bytes) -> list[bytes]:
    indicator = (nal[0] & 0xE0) | FU_A
    pieces = [nal[at : at + MAX_PAYLOAD - 2] for at in range(1, len(nal), MAX_PAYLOAD - 2)]
    last = len(pieces) - 1
    return [
        bytes([indicator, (nal[0] & 0x1F) | (0x80 if at == 0 else 0) | (0x40 if at == last else 0)])
        + piece
        for at, piece in enumerate(pieces)
    ]


def rtp_packet(payload: bytes, *, marker: bool, sequence: int, timestamp: int, ssrc: int) -> bytes:
    """Put the fixed header of RFC 3550 section 5.1 before a payload."""
    second = PAYLOAD_TYPE | (0x80 if marker else 0)
    head = struct.pack(
        ">BBHII", 0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc & 0xFFFFFFFF
    )
    return head + payload


def session_description(clip: Clip) -> str:
    """Describe one video stream (RFC 6184 section 8.2.1)."""
    sets = ",".join(base64.b64encode(nal).decode() for nal in (clip.sps, clip.pps))
    profile = clip.sps[1:4].hex().upper()
    parameters = f"packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sets}"
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=Media Presentation",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} H264/{CLOCK_HZ}",
        f"a=fmtp:{PAYLOAD_TYPE} {parameters}",
        "a=control:trackID=1",
    ]
    return "\r\n".join(lines) + "\r\n"
