import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.readings import StreamFault, StreamLayer
from drivers.stream_greeting import judge_reply
from drivers.stream_target import StreamTarget

# RFC 2326 section 10.2 shows the reply to a DESCRIBE, RFC 2617 section 3.5 the challenge.
DESCRIBED = b"RTSP/1.0 200 OK\r\nCSeq: 312\r\nContent-Type: application/sdp\r\n\r\n"
DIGEST = (
    b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest\r\n"
    b'        realm="testrealm@host.com",\r\n        qop="auth,auth-int"\r\n\r\n'
)
BASIC = b'RTSP/1.0 401 Unauthorized\r\nwww-authenticate: Basic realm="WallyWorld"\r\n\r\n'
BOTH = BASIC[:-2] + b'WWW-Authenticate: Digest realm="r", nonce="n"\r\n\r\n'


@pytest.mark.parametrize("reply", [DESCRIBED, DIGEST, BOTH, b"RTSP/1.0 453 Not Enough\r\n\r\n"])
def test_what_lets_the_real_request_go_on(reply: bytes) -> None:
    assert judge_reply(reply) is None


def test_a_login_in_the_clear_is_not_given() -> None:
    failure = judge_reply(BASIC)
    assert failure is not None
    assert (failure.layer, failure.fault) == (StreamLayer.PORT, StreamFault.UNAUTHORIZED)


@given(st.binary(max_size=300))
def test_bytes_that_are_not_rtsp_are_malformed_and_nothing_raises(reply: bytes) -> None:
    failure = judge_reply(reply)
    if not reply.startswith(b"RTSP/1."):
        assert failure is not None
        assert failure.fault is StreamFault.MALFORMED


LINES = st.sampled_from(
    [
        b"WWW-Authenticate: Basic realm=x",
        b"www-authenticate:DIGEST realm=x",
        b"X-Note: WWW-Authenticate: Digest realm=x",
        b"WWW-Authenticate: Digestible",
        b"CSeq: 1",
    ]
)


@given(st.lists(st.one_of(LINES, st.binary(max_size=20))))
def test_only_a_digest_challenge_behind_a_401_lets_the_login_go_out(lines: list[bytes]) -> None:
    reply = b"\r\n".join([b"RTSP/1.0 401 No", *lines])
    asked = False
    for line in reply.split(b"\n"):
        name, _, value = line.lower().partition(b":")
        first_word = value.split()[:1]
        asked = asked or (name == b"www-authenticate" and first_word == [b"digest"])
    assert (judge_reply(reply) is None) == asked


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "rtsp://inspector:Tr0ub4dor@127.0.0.1/x",
        "rtsp:///x",
        "rtsp://127.0.0.1:99999/x",
        "rtsp://127.0.0.1/x\r\nRequire: y",
    ],
)
def test_a_bad_address_is_refused_without_quoting_it(url: str) -> None:
    fields = {"device_id": "cam", "url": url, "username": "u", "password": "Tr0ub4dor"}
    with pytest.raises(ValidationError) as caught:
        StreamTarget.model_validate(fields)
    assert "Tr0ub4dor" not in str(caught.value)
