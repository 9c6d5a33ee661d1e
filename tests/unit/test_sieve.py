"""What the sieve of the support bundle holds back, and what it lets through."""

import base64
import html
import json
import time
import tomllib
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.settings import SiteSettings
from agent.site_file import read_site
from agent.support_bundle.settings_copy import blanked, is_reference, secrets_in
from agent.support_bundle.sieve import Sieve, addresses_secrets
from agent.text import SENTENCES
from tests.system.leaks import a_picture, pictures_in, secret_in

ROOT = Path(__file__).parents[2]
SECRET = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x4FFF, exclude_categories=["C", "Z"]),
    min_size=6,
    max_size=24,
)
AROUND = st.text("abcxyz019 .:=/", max_size=7)


def forms(secret: str, before: str, after: str) -> list[str]:
    """Write a secret as programs do."""
    inside = f"{before}{secret}{after}".encode()
    return [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote(secret, safe="").lower() if secret.islower() else "",
        quote_plus(secret),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        repr(secret),
        html.escape(secret),
        secret.encode().hex(),
        base64.b64encode(inside).decode(),
        base64.urlsafe_b64encode(inside).decode(),
        base64.b64encode(quote(secret).encode()).decode(),
    ]


@given(SECRET, AROUND, AROUND)
def test_a_secret_is_held_back_however_it_is_written(secret: str, before: str, after: str) -> None:
    sieve = Sieve()
    sieve.add(secret)
    for form in forms(secret, before, after):
        shown = sieve(f"{before} {form} {after}").encode()
        assert not secret_in(shown, secret), form
        assert secret.encode().hex().encode() not in shown


def test_a_key_in_hex_is_held_back_as_the_bytes_it_stands_for() -> None:
    sieve, key = Sieve(), "00112233445566778899AABBCCDDEEFF"
    sieve.add(key)
    coded = base64.b64encode(b"ab" + bytes.fromhex(key)).decode()
    assert sieve(f"{key.lower()} {key}") == "*** ***"
    assert coded[4:24] not in sieve(coded)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://viewer:p@ss/w@10.0.0.4:554/1", "rtsp://***@10.0.0.4:554/1"),
        ("rtsp%3A%2F%2Fviewer%3Apw%4010.0.0.4", "rtsp%3A%2F%2F***%4010.0.0.4"),
        (r"rtsp:\/\/viewer:pw@10.0.0.4", r"rtsp:\/\/***@10.0.0.4"),
        ("hosts = ['user:p:w@mqtt.example:1883']", "hosts = ['***@mqtt.example:1883']"),
        ("GET /x?password=a%20b&y=1", "GET /x?password=***&y=1"),
        ('{"Password": "a \\" b", "n": 1}', '{"Password": "***", "n": 1}'),
        (r"{\"token\": \"a b\"}", r"{\"token\": \"***\"}"),
        ("Authorization: Digest username=x, response=y", "Authorization: ***"),
        (
            "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\nx",
            "***\nx",
        ),
        ("-----BEGIN RSA PRIVATE KEY-----\nMC4CAQ", "***"),
    ],
)
def test_what_nobody_told_it_is_known_by_what_stands_around_it(text: str, shown: str) -> None:
    assert Sieve()(text) == shown


@pytest.mark.parametrize("kind", ["jpeg", "png", "h264"])
def test_pictures_do_not_pass(kind: str) -> None:
    picture = a_picture(kind)
    coded = base64.b64encode(picture).decode()
    for text in (
        coded,
        f'{{"a": "{coded[:40]}"}}',
        base64.encodebytes(picture).decode(),
        picture.hex(),
        picture.decode("latin-1"),
        picture.decode(errors="replace"),
        str(picture[:80]),
        json.dumps(picture.decode("latin-1")),
    ):
        shown = Sieve()(text)
        assert pictures_in(shown.encode()) == set()
        assert coded[60:90] not in shown
        assert picture.hex()[60:90] not in shown


def test_ordinary_text_passes_as_it_is() -> None:
    digest = "00ff" * 16
    port = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0"
    for text in (
        f"seal {digest}",
        f"[ok] port {port} 2026-09-01T02:00:00.000+00:00",
        "巡更　已完成：gate，警情 7",
        'password = { credential = "nvr-1" }',
        "http://10.0.0.10:80/ISAPI/System/deviceInfo?format=json",
        *(sentence for lang in SENTENCES.values() for sentence in lang.values()),
        (ROOT / "docs" / "contract" / "README.md").read_text(encoding="utf-8"),
    ):
        assert Sieve()(text) == text


@given(st.text())
def test_it_never_fails_and_what_it_let_through_passes_again(text: str) -> None:
    sieve = Sieve()
    once = sieve(text)
    assert sieve(once) == once


def test_a_hostile_log_does_not_hold_it_up() -> None:
    before = time.monotonic()
    for letter in ("a", "a:", "a://", "a.b+c-", "password=", "a@", "\\", '"'):
        Sieve()(letter * (500_000 // len(letter)))
    assert time.monotonic() - before < 8


# ---- the settings file


def test_the_example_keeps_every_setting_and_every_line() -> None:
    text = (ROOT / "config" / "site.example.toml").read_text(encoding="utf-8")
    shown = blanked(text)
    assert len(shown.splitlines()) == len(text.splitlines())
    assert "never the password itself" not in shown  # a comment
    before, after = tomllib.loads(text), tomllib.loads(shown)
    assert after["guard_card"][0].pop("name") == "***"
    assert before["guard_card"][0].pop("name") == "Wang"
    assert before == after
    assert all(map(is_reference, secrets_in(before)))
    assert len(list(secrets_in(before))) == 2


@pytest.mark.parametrize(
    "text",
    [
        '[broker]\npassword = "SECRET"',
        '[broker]\npassword = { file = "SECRET" }',
        '[broker]\npassword = { file = "/x", value = "SECRET" }',
        '[broker]\nhosts = ["x", { password = "SECRET" }]',
        '[broker.password]\ncredential = ["SECRET"]',
        'broker.password.value = "SECRET"',
        '[broker]\npasswd = "SECRET"',
        '[brokr]\npassword = { x = { y = "SECRET" } }',
        '[[recorders]]\nid = "SECRET"',
        '[[recorder]]\npassword = """\nSECRET"""',
        '[[recorder]]\n[[recorder.channel]]\npin = "SECRET"',
        'recorder = [{ password = "SECRET" }, { id = "x", password = ["SECRET"] }]',
        'recorder = "SECRET"',
        '[site]\nname = "x" # SECRET',
        '[broker]\nhosts = [ # SECRET\n"x" # SECRET\n]',
        '[site\npassword = "SECRET',
        "SECRET",
        '[site]\nname = "x"\n[broker]\n[site.more]\nkey = "SECRET"',
    ],
)
def test_a_secret_in_the_wrong_place_is_blanked(text: str) -> None:
    shown = blanked(text)
    assert "SECRET" not in shown
    if '"SECRET"' in text and "recorder = " not in text:
        assert len(shown.splitlines()) == len(text.splitlines())


@pytest.mark.parametrize("text", ['broker.password.value = "SECRET"', '[broker]\nsecrt = "SECRET"'])
def test_a_secret_in_the_wrong_place_is_looked_for_elsewhere(text: str) -> None:
    assert list(secrets_in(tomllib.loads(text))) == ["SECRET"]


def test_passwords_of_addresses_are_looked_for_elsewhere() -> None:
    text = 'a = "rtsp://u:pass@w@h/1"\nb = "u:other-1@h"\nc = "http://h/x?at=12:30"'
    assert addresses_secrets(text) == {"pass@w", "other-1"}


def test_the_settings_have_no_other_place_for_a_secret() -> None:
    """Every reference that the models know is one that the copy knows."""
    found = read_site((ROOT / "config" / "site.example.toml").read_bytes())
    assert isinstance(found.site, SiteSettings)
    shape = json.dumps(SiteSettings.model_json_schema())
    assert shape.count("#/$defs/SecretReference") == 4
