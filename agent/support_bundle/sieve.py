"""The sieve that every byte of a bundle goes through: it keeps secrets and pictures back."""

import base64
import html
import re
import urllib.parse

from agent.credentials import MASK, Redactor
from agent.support_bundle.picture_marks import without_pictures

# A name and password in an address, whoever wrote it. Up to the last @: passwords have them too.
# Bounded, because a picture is a word of a million letters.
_IN_URL = re.compile(
    r"(?i)(?P<before>(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,20}(?::\\?/\\?/|%3a%2f%2f))"
    r"[^\s\"'<>]{0,500}(?P<at>@|%40)"
)
_BEFORE_HOST = re.compile(
    r"(?<![\w.+:-])(?P<before>)[\w.+-]{1,64}:(?!\\?/\\?/)[^\s\"'<>]{1,200}(?P<at>@)(?=[\w\[])"
)
# `password=x`, `"password": "x"`; a table after it is a reference.
_NAMES = r"(?P<before>(?:password|passwd|passphrase|pwd|secret|api_?key|access_?token|token)"
_ASSIGNED = r"(?:(?:\\?[\"'])?\s*=\s*|\\?[\"']\s*:\s*))"
_QUOTED = r"(?P<quote>\\?[\"'])(?:(?!(?P=quote))(?:\\.|.))*(?P=quote)"
_NAMED = re.compile(f"(?i){_NAMES}{_ASSIGNED}(?:{_QUOTED}" + r"|[^\s&,;\"'{}]+)")
_HEADER = re.compile(r"(?i)(?P<before>\b(?:proxy-)?authorization\\?[\"']?\s*[:=]\s*)[^\r\n]+")
_KEY_BLOCK = re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)")
_IN_ADDRESSES = (_IN_URL, _BEFORE_HOST)
_RULES = (
    (_KEY_BLOCK, MASK),
    *((pattern, rf"\g<before>{MASK}\g<at>") for pattern in _IN_ADDRESSES),
    (_NAMED, rf"\g<before>\g<quote>{MASK}\g<quote>"),
    (_HEADER, rf"\g<before>{MASK}"),
)
_HEX_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}){8,}")
# A form of fewer letters is in every text by chance; plain it is masked all the same.
_SHORTEST_FORM = 5
# What was found by its place, and not in a file of its own, may be no secret at all.
SHORTEST_FOUND = 4


class Sieve:
    """Knows the school's secrets in every form they are written in; tells how much it held back."""

    def __init__(self) -> None:
        self._redact = Redactor()
        self.held_back = 0

    def add(self, secret: str) -> None:
        """Hold this back from now on, however it is written."""
        for form in (secret, *_forms(secret)):
            if form == secret or len(form) >= _SHORTEST_FORM:
                self._redact.add(form)

    def __call__(self, text: str) -> str:
        """Return the text without secrets and pictures."""
        text = self._redact(text.replace("\r\n", "\n"))
        for pattern, instead in _RULES:
            text = pattern.sub(instead, text)
        text = without_pictures(text, "[{} B]".format)
        self.held_back += text.count(MASK)
        return text


def addresses_secrets(text: str) -> set[str]:
    """Return the passwords that stand in addresses of a text."""
    found = set()
    for pattern in _IN_ADDRESSES:
        for one in pattern.finditer(text):
            login = one.group()[len(one["before"]) : -len(one["at"])]
            password = login.partition(":")[2]
            found |= {password, urllib.parse.unquote(password)}
    return {one for one in found if len(one) >= SHORTEST_FOUND}


def _forms(secret: str) -> set[str]:
    """Return a secret as HTML, hex and base64 have it; how it is quoted the redactor knows."""
    quoted = {urllib.parse.quote(secret), urllib.parse.quote(secret, safe="")}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda hit: hit.group().lower(), one) for one in quoted}
    plain = secret.encode()
    forms = {html.escape(secret), *lower, plain.hex(), plain.hex().upper()}
    for one in {secret, *quoted}:
        forms |= _inside_base64(one.encode())
    if _HEX_KEY.fullmatch(secret):
        forms |= {secret.lower(), secret.upper(), *_inside_base64(bytes.fromhex(secret))}
    return forms


def _inside_base64(secret: bytes) -> set[str]:
    """Return what base64 makes of a secret wherever in a longer text it stands.

    What shares a letter with its neighbours is left out: it differs with them.
    """
    forms = set()
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + secret).decode().rstrip("=")
        first = -(-offset * 8 // 6)
        last = (offset + len(secret)) * 8 // 6
        forms |= {coded[first:last], coded[first:last].replace("+", "-").replace("/", "_")}
    return forms
