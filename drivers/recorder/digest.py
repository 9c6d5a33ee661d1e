"""Digest access authentication (RFC 7616, RFC 2617): challenges read, answers computed."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_STRONGEST_FIRST = ("SHA-256", "MD5")
_TOKEN = re.compile(r"[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)")
_VALUE = re.compile(r'\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')


@dataclass(frozen=True)
class Challenge:
    """One Digest challenge we can answer; `qop` is empty for servers older than RFC 2617."""

    realm: str
    nonce: str
    algorithm: str
    algorithm_named: bool
    qop: str
    opaque: str | None
    stale: bool


def schemes(headers: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """Split WWW-Authenticate values into schemes and parameters; names lower case.

    Never raises: what makes no sense is passed over. Empty values occur (`opaque=""`).
    """
    found: list[tuple[str, dict[str, str]]] = []
    for header in headers:
        at = 0
        while token := _TOKEN.match(header, at):
            at = token.end()
            name = token[1].lower()
            value = _VALUE.match(header, at)
            if value is None:
                found.append((name, {}))
                continue
            at = value.end()
            if found:
                quoted, bare = value.groups()
                text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
                found[-1][1].setdefault(name, text)
    return found


def choose(headers: Iterable[str]) -> Challenge | None:
    """Return the strongest Digest challenge we can answer, None without one."""
    best: Challenge | None = None
    for scheme, given in schemes(headers):
        algorithm = (given.get("algorithm") or "MD5").upper()
        offered = [word.strip().lower() for word in given.get("qop", "").split(",")]
        if scheme != "digest" or algorithm not in _HASHES or not given.get("nonce"):
            continue
        if any(offered) and "auth" not in offered:
            continue  # auth-int alone: no recorder asks for it
        challenge = Challenge(
            realm=given.get("realm", ""),
            nonce=given["nonce"],
            algorithm=algorithm,
            algorithm_named="algorithm" in given,
            qop="auth" if "auth" in offered else "",
            opaque=given.get("opaque"),
            stale=given.get("stale", "").lower() == "true",
        )
        if best is None or _rank(challenge) < _rank(best):
            best = challenge
    return best


def answer(
    challenge: Challenge, *, username: str, password: str, method: str, uri: str, cnonce: str
) -> str:
    """Return the Authorization value; `uri` is path and query exactly as they go out.

    The nonce count is always 1: each exchange has a nonce of its own (RFC 7616, 3.4).
    """
    count = "00000001"
    ha1 = _hash(challenge, f"{username}:{challenge.realm}:{password}")
    ha2 = _hash(challenge, f"{method}:{uri}")
    if challenge.qop:
        middle = f"{challenge.nonce}:{count}:{cnonce}:{challenge.qop}"
    else:
        middle = challenge.nonce
    response = _hash(challenge, f"{ha1}:{middle}:{ha2}")
    parts = [
        f"username={_quote(username)}",
        f"realm={_quote(challenge.realm)}",
        f"nonce={_quote(challenge.nonce)}",
        f"uri={_quote(uri)}",
        f'response="{response}"',
    ]
    if challenge.algorithm_named:
        parts.append(f"algorithm={challenge.algorithm}")
    if challenge.opaque is not None:
        parts.append(f"opaque={_quote(challenge.opaque)}")
    if challenge.qop:
        parts += [f"qop={challenge.qop}", f"nc={count}", f'cnonce="{cnonce}"']
    return "Digest " + ", ".join(parts)


def _rank(challenge: Challenge) -> int:
    return _STRONGEST_FIRST.index(challenge.algorithm)


def _hash(challenge: Challenge, text: str) -> str:
    return _HASHES[challenge.algorithm](text.encode()).hexdigest()


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
