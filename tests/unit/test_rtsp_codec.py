from hypothesis import given
from hypothesis import strategies as st

from simulators.rtp import MAX_PAYLOAD, packetise, rtp_packet
from simulators.rtsp import Login

SMALL_OR_LARGE = st.one_of(st.integers(1, 60), st.integers(1300, 5000))


def test_digest_is_the_published_one() -> None:
    # The worked example of RFC 2617 section 3.5.
    login = Login(
        "Mufasa",
        "Circle Of Life",
        "testrealm@host.com",
        "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    )
    response = login.response("GET", "/dir/index.html", "00000001:0a4f113b:auth")
    assert response == "6629fae49393a05397450978507c4ef1"


def unpacked(payloads: list[tuple[bytes, bool]]) -> list[bytes]:
    """Undo RFC 6184 sections 5.6, 5.7.1 and 5.8, byte by byte."""
    nals: list[bytes] = []
    for payload, _ in payloads:
        kind = payload[0] & 0x1F
        if kind == 24:
            at = 1
            while at < len(payload):
                size = payload[at] * 256 + payload[at + 1]
                nals.append(payload[at + 2 : at + 2 + size])
                at += 2 + size
        elif kind == 28:
            if payload[1] & 0x80:
                nals.append(bytes([(payload[0] & 0xE0) | (payload[1] & 0x1F)]))
            nals[-1] += payload[2:]
        else:
            nals.append(payload)
    return nals


@given(st.lists(st.tuples(st.sampled_from([0x67, 0x68, 0x65, 0x41]), SMALL_OR_LARGE), min_size=1))
def test_packets_hold_the_frame_and_end_with_the_marker(shapes: list[tuple[int, int]]) -> None:
    nals = tuple(bytes([kind]) + bytes(at % 251 for at in range(size)) for kind, size in shapes)
    payloads = packetise(nals)
    assert unpacked(payloads) == list(nals)
    assert [marker for _, marker in payloads] == [False] * (len(payloads) - 1) + [True]
    assert all(len(payload) <= MAX_PAYLOAD for payload, _ in payloads)


def test_rtp_header_is_laid_out_as_in_rfc_3550() -> None:
    packet = rtp_packet(b"x", marker=True, sequence=0x12345, timestamp=2**32 + 5, ssrc=0xAABBCCDD)
    assert packet.hex(" ") == "80 e0 23 45 00 00 00 05 aa bb cc dd 78"
