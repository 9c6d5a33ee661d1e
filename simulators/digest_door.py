"""The login of a simulated recorder: digest (RFC 7616), a fail counter, and a lock."""

import hashlib
import re
import secrets
import threading
from collections.abc import Callable
from typing import Literal

from simulators.truth import Truth

MAX_FAILURES = 5
LOCK_SECONDS = 1800.0
REALM = "school"


class DigestDoor:
    """Checks Authorization headers, counts what was wrong, locks, and tells the truth log.

    `nonce_once`: a nonce is good for one request. `stale_answers`: that many logins are told that
    their nonce is stale, whatever they say.
    """

    def __init__(
        self,
        truth: Truth,
        device: str,
        user: str,
        password: str,
        monotonic: Callable[[], float],
    ) -> None:
        self.user = user
        self.password = password
        self.algorithm: Literal["MD5", "SHA-256"] = "MD5"
        self.basic_only = False
        self.nonce_once = True
        self.stale_answers = 0
        self.realm = REALM
        self.failures = 0
        self.max_failures = MAX_FAILURES
        self._truth = truth
        self._device = device
        self._monotonic = monotonic
        self._locked_until = 0.0
        self._nonces: set[str] = set()
        self._lock = threading.Lock()

    def challenge(self, *, stale: bool) -> str:
        """Return a WWW-Authenticate value with a new nonce."""
        if self.basic_only:
            return f'Basic realm="{self.realm}"'
        nonce = secrets.token_hex(16)
        with self._lock:
            self._nonces.add(nonce)
        return (
            f'Digest realm="{self.realm}", nonce="{nonce}", qop="auth", opaque="", '
            f'algorithm={self.algorithm}, stale="{str(stale).upper()}"'
        )

    def lock_now(self) -> None:
        """Lock as if somebody else had failed too often."""
        self._locked_until = self._monotonic() + LOCK_SECONDS

    def lock_seconds_left(self) -> float:
        """Return how long logins are refused unseen."""
        return max(0.0, self._locked_until - self._monotonic())

    def login(self, method: str, uri: str, header: str) -> Literal["ok", "stale", "refused"]:
        """Check an Authorization header (RFC 7616, 3.4) and count what was wrong."""
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', header.removeprefix("Digest")))
        if self.lock_seconds_left() > 0:
            self._truth.record(self._device, "login_while_locked", user=given.get("username"))
            return "refused"
        with self._lock:
            nonce = given.get("nonce", "")
            known = nonce in self._nonces
            if self.nonce_once:
                self._nonces.discard(nonce)
            if self.stale_answers > 0:
                self.stale_answers -= 1
                known = False
        if not known:
            return "stale"
        right = given.get("uri") == uri and given.get("username") == self.user
        if right and given.get("response") == self._response(given, method, uri):
            self.failures = 0
            self._truth.record(self._device, "login_ok")
            return "ok"
        self.failures += 1
        self._truth.record(self._device, "login_failed", failures=self.failures, path=uri)
        if self.failures >= self.max_failures:
            self.lock_now()
            self.failures = 0
            self._truth.record(self._device, "locked")
        return "refused"

    def _response(self, given: dict[str, str], method: str, uri: str) -> str:
        def hashed(text: str) -> str:
            name = "sha256" if self.algorithm == "SHA-256" else "md5"
            return hashlib.new(name, text.encode()).hexdigest()

        ha1 = hashed(f"{self.user}:{self.realm}:{self.password}")
        nonce, count, cnonce, qop = (given.get(k, "") for k in ("nonce", "nc", "cnonce", "qop"))
        return hashed(f"{ha1}:{nonce}:{count}:{cnonce}:{qop}:{hashed(f'{method}:{uri}')}")
