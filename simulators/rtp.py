"""H.264 and H.265 over RTP (RFC 6184, RFC 7798), and the SDP that announces them."""

import base64
import struct
from datetime import UTC, datetime

from simulators.video import Clip, Codec

MAX_PAYLOAD = 1400
PAYLOAD_TYPE = 96  # dynamic, RFC 3551 section 6
CLOCK_HZ = 90_000  # RFC 6184 section 8.2.1
STAP_A, FU_A = 24, 28  # RFC 6184 table 1
AP, FU = 48, 49  # RFC 7798 section 4.4

Payload = tuple[bytes, bool]


def packetise(nals: tuple[bytes, ...], codec: Codec = "h264") -> list[Payload]:
    """Split one coded frame into RTP payloads; the last carries the marker bit.

    Small units in a row share a packet (RFC 6184 section 5.7.1, RFC 7798 section 4.4.2), large ones
    are cut (sections 5.8, 4.4.3).
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
            body = b"".join(struct.pack(">H", len(unit)) + unit for unit in small)
            payloads.append(_joint_head(small, codec) + body)
        small = []
        if len(nal) > MAX_PAYLOAD:
            payloads += _fragments(nal, codec)
        elif nal:
            small = [nal]
    return [(payload, at == len(payloads) - 1) for at, payload in enumerate(payloads)]


def _joint_head(units: list[bytes], codec: Codec) -> bytes:
    if codec == "h264":
        return bytes([max(unit[0] & 0x60 for unit in units) | STAP_A])
    # The lowest layer and temporal id of them all; simulated streams have one of each.
    return bytes([AP << 1, min(unit[1] for unit in units)])


def _fragments(nal: bytes, codec: Codec) -> list[bytes]:
    if codec == "h264":
        head, kind = bytes([(nal[0] & 0xE0) | FU_A]), nal[0] & 0x1F
    else:
        head, kind = bytes([(nal[0] & 0x81) | (FU << 1), nal[1]]), (nal[0] >> 1) & 0x3F
    size = MAX_PAYLOAD - len(head) - 1
    pieces = [nal[at : at + size] for at in range(len(head), len(nal), size)]
    last = len(pieces) - 1
    return [
        head + bytes([kind | (0x80 if at == 0 else 0) | (0x40 if at == last else 0)]) + piece
        for at, piece in enumerate(pieces)
    ]


def damaged(payload: bytes, seed: int) -> bytes:
    """Return a payload with every 16th byte changed; the first two, its kind, are kept."""
    broken = bytearray(payload)
    for at in range(2 + seed % 14, len(broken), 16):
        broken[at] ^= 1 + (seed * 31 + at) % 255
    return bytes(broken)


def rtp_packet(
    payload: bytes,
    *,
    marker: bool,
    sequence: int,
    timestamp: int,
    ssrc: int,
    stamp: datetime | None = None,
) -> bytes:
    """Put the fixed header of RFC 3550 section 5.1 before a payload.

    `stamp` is carried as replays do (ONVIF Streaming Specification, RTP header extension).
    """
    second = PAYLOAD_TYPE | (0x80 if marker else 0)
    first = 0x80 if stamp is None else 0x90
    head = struct.pack(
        ">BBHII", first, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc & 0xFFFFFFFF
    )
    if stamp is not None:
        since = stamp.replace(tzinfo=UTC) - datetime(1900, 1, 1, tzinfo=UTC)
        fraction = (since.microseconds << 32) // 1_000_000
        seconds = since.days * 86_400 + since.seconds
        head += struct.pack(">HHIIBBH", 0xABAC, 3, seconds, fraction, 0x80, sequence & 0xFF, 0)
    return head + payload


def session_description(
    clip: Clip, *, control: str = "trackID=1", span: tuple[datetime, datetime] | None = None
) -> str:
    """Describe one video stream (RFC 6184 section 8.2.1, RFC 7798 section 7.1).

    `span` is what a recording covers, told as `a=range:clock` (RFC 2326 section 3.7).
    """
    sets = [base64.b64encode(nal).decode() for nal in clip.sets]
    if clip.codec == "h264":
        name = "H264"
        parameters = f"packetization-mode=1;profile-level-id={clip.sets[0][1:4].hex().upper()};"
        parameters += f"sprop-parameter-sets={','.join(sets)}"
    else:
        name = "H265"
        parameters = ";".join(
            f"sprop-{kind}={one}" for kind, one in zip(("vps", "sps", "pps"), sets, strict=True)
        )
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=Media Presentation",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} {name}/{CLOCK_HZ}",
        f"a=fmtp:{PAYLOAD_TYPE} {parameters}",
        f"a=control:{control}",
    ]
    if span is not None:
        start, end = (f"{one:%Y%m%dT%H%M%SZ}" for one in span)
        lines.insert(6, f"a=range:clock={start}-{end}")
    return "\r\n".join(lines) + "\r\n"
