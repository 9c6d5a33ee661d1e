import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.county.commands import (
    LARGEST_BYTES,
    VERBS,
    AckCommand,
    AckData,
    CommandGuard,
    RefusedError,
    ReplayCommand,
    ReplayData,
    Verb,
    public_key,
    sign,
)

NOON = datetime(2026, 9, 1, 4, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
GUARD = CommandGuard("county", "school", {"duty-desk": KEY.public_key()}, lambda: NOON, VERBS)
ACK = AckCommand(
    id="a-1",
    county="county",
    site="school",
    time=NOON,
    data=AckData(incident=7, epoch="e"),
)


def refusal(payload: bytes, verb: str = "ack", *, retained: bool = False) -> str:
    with pytest.raises(RefusedError) as refused:
        GUARD.admit(verb, payload, retained=retained)
    return refused.value.code


def test_a_command_the_county_signed_is_admitted() -> None:
    command, key = GUARD.admit("ack", sign(ACK, "duty-desk", KEY), retained=False)
    assert (command, key) == (ACK, "duty-desk")


def test_the_signature_is_over_the_text_to_the_letter() -> None:
    """Checked with the library alone, as a county programmer would write it."""
    envelope = json.loads(sign(ACK, "duty-desk", KEY))
    KEY.public_key().verify(
        base64.b64decode(envelope["signature"]),
        b"campus-agent command v1\n" + envelope["signed"].encode(),
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"site": "other"}, "command.other_site"),
        ({"county": "other"}, "command.other_site"),
    ],
)
def test_a_command_for_another_school_is_refused(change: dict[str, Any], code: str) -> None:
    assert refusal(sign(ACK.model_copy(update=change), "duty-desk", KEY)) == code


def test_a_stranger_s_signature_is_refused() -> None:
    assert refusal(sign(ACK, "duty-desk", STRANGER)) == "command.bad_signature"
    assert refusal(sign(ACK, "nobody", STRANGER)) == "command.unknown_key"


def test_one_changed_letter_is_noticed() -> None:
    envelope = json.loads(sign(ACK, "duty-desk", KEY))
    envelope["signed"] = envelope["signed"].replace('"incident":7', '"incident":8')
    assert refusal(json.dumps(envelope).encode()) == "command.bad_signature"


def test_what_is_retained_unsigned_too_large_or_on_another_topic_is_refused() -> None:
    good = sign(ACK, "duty-desk", KEY)
    assert refusal(good, retained=True) == "command.retained"
    assert refusal(ACK.model_dump_json().encode()) == "command.unsigned"
    assert refusal(b" " * (LARGEST_BYTES + 1)) == "command.too_large"
    assert refusal(good, verb="reboot") == "command.wrong_verb"


def test_only_the_verbs_that_are_on_are_obeyed() -> None:
    allowed: tuple[Verb, ...] = ("replay",)
    guard = CommandGuard("county", "school", {"k": KEY.public_key()}, lambda: NOON, allowed)
    assert guard.admit("replay", sign(replay(1, 9), "k", KEY), retained=False)[0] == replay(1, 9)
    with pytest.raises(RefusedError) as refused:
        guard.admit("ack", sign(ACK, "k", KEY), retained=False)
    assert refused.value.code == "command.not_allowed"


def replay(first: int, last: int, at: datetime = NOON) -> ReplayCommand:
    data = ReplayData(stream="event", epoch="e", first=first, last=last)
    return ReplayCommand(id="r-1", county="county", site="school", time=at, data=data)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_what_is_bound_to_a_time_runs_out(minutes: int) -> None:
    at = NOON + timedelta(minutes=minutes)
    assert refusal(sign(replay(1, 2, at), "duty-desk", KEY), verb="replay") == "command.expired"


@pytest.mark.parametrize(("first", "last"), [(0, 1), (5, 4), (1, 1001)])
def test_a_replay_has_its_bounds(first: int, last: int) -> None:
    with pytest.raises(ValueError):
        replay(first, last)
    assert replay(1, 1000)


def test_unknown_fields_are_refused_even_when_signed() -> None:
    text = json.dumps({**json.loads(ACK.model_dump_json()), "extra": 1})
    signature = KEY.sign(b"campus-agent command v1\n" + text.encode())
    payload = json.dumps(
        {"signed": text, "key": "duty-desk", "signature": base64.b64encode(signature).decode()}
    )
    assert refusal(payload.encode()) == "command.malformed"


@given(st.binary(max_size=300) | st.recursive(st.none() | st.text() | st.integers(),
       lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)).map(
           lambda body: json.dumps(body).encode()))  # fmt: skip
def test_no_bytes_are_a_command_by_accident(payload: bytes) -> None:
    assert refusal(payload).startswith("command.")


def test_a_public_key_is_32_bytes_of_base64() -> None:
    raw = KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    assert public_key(base64.b64encode(raw).decode()) == KEY.public_key()
    for bad in ("", "§", base64.b64encode(raw[:31]).decode()):
        with pytest.raises(ValueError):
            public_key(bad)
