"""The gate of one recorder: permits to talk to it, and a login budget that outlives a crash."""

import contextlib
import hashlib
import secrets
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from drivers.base import Clock
from drivers.errors import BusyError, PermitRefusedError

# Hikvision locks a user or address for about 30 min after some 5 refused logins (public reports
# evercam/evercam-server#91, CamioCam/rtsp#34); five minutes more than that when it does not say.
LOCK_SECONDS = 35 * 60.0
LOCK_MARGIN_SECONDS = 60.0
LOCK_MAX_SECONDS = 24 * 3600.0
SUSPECT_SECONDS = 600.0
# An accepted login vouches for the credential this long; then the next user goes alone again, so
# that a password changed on the recorder costs one refusal and not one per stream worker.
VOUCHED_SECONDS = 15.0
_STEP_SECONDS = 0.02


class CredentialState(StrEnum):
    """What the gate holds of the recorder's login."""

    OK = "ok"
    SUSPECT = "suspect"
    REJECTED = "rejected"
    LOCKED = "locked"


class Hold(BaseModel):
    """A time without any traffic. `since` is monotonic seconds since the machine started."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    locked: bool
    since: float
    seconds: float = Field(ge=0, le=LOCK_MAX_SECONDS)
    until: AwareDatetime

    def left(self, monotonic: float) -> float:
        """Return how long it still lasts, never less than the truth, also after a reboot.

        A `since` ahead of us is from an earlier boot: at least our uptime has passed since then.
        The wall clock is not asked: it jumps.
        """
        passed = monotonic - self.since if monotonic >= self.since else monotonic
        return max(0.0, self.seconds - passed)


class LoginState(BaseModel):
    """What must survive a restart. The password itself is never kept, only a salted scrypt hash.

    `proven`: the credential was accepted since it was configured. `trying`: a login went out and
    its outcome was not written down. What a newer version has added is passed over.
    """

    model_config = ConfigDict(frozen=True)

    salt: str = Field(pattern="^[0-9a-f]{32}$")
    credential: str
    state: Literal["ok", "suspect", "rejected"] = "suspect"
    proven: bool = False
    failures: int = 0
    trying: bool = False
    hold: Hold | None = None


class LoginBudgetStore(Protocol):
    """Keeps the login state of one recorder on disk, for one process at a time."""

    def claim(self) -> bool:
        """Take it for this process, if no other has it; may be called again and again."""

    def release(self) -> None:
        """Let others have it."""

    def load(self) -> LoginState | None:
        """Return what was saved; None when there is nothing, or nothing readable."""

    def save(self, state: LoginState) -> None:
        """Keep `state` durably. Raises OSError."""


class RecorderGate:
    """Meets drivers.base.Gate. Thread-safe; `clock.monotonic` must count from the machine's start.

    One pool per use: `request` serial with a minimum gap, `live` and `playback` counted. While the
    credential is not vouched for, one permit is out at a time, whatever its use.
    """

    def __init__(
        self,
        device_id: str,
        username: str,
        password: SecretStr,
        store: LoginBudgetStore,
        clock: Clock,
        *,
        max_live_streams: int = 4,
        request_gap_seconds: float = 0.2,
    ) -> None:
        self._device_id = device_id
        self._store = store
        self._clock = clock
        self._gap = request_gap_seconds
        self._limits = {"request": 1, "live": max_live_streams, "playback": 1}
        self._used = dict.fromkeys(self._limits, 0)
        self._next_request_at = 0.0
        self._vouched_until = 0.0
        self._alone: object | None = None
        self._requests_waiting = 0
        self._lock = threading.Lock()
        self._durable = True
        self._login = (username, password)
        self._claimed = store.claim()
        # What another program makes of it is read when that has ended.
        self._memory = self._recall() if self._claimed else LoginState(salt="0" * 32, credential="")

    @property
    def credential(self) -> CredentialState:
        """Return the state of the login now."""
        with self._lock:
            hold = self._hold()
            if hold is not None:
                return CredentialState.LOCKED if hold.locked else CredentialState.SUSPECT
            return CredentialState(self._memory.state)

    @property
    def held_until(self) -> datetime | None:
        """Return the end of the present time without traffic, by the wall clock; for people."""
        with self._lock:
            hold = self._hold()
            if hold is None:
                return None
            return self._clock.now() + timedelta(seconds=hold.left(self._clock.monotonic()))

    @property
    def durable(self) -> bool:
        """Tell whether the budget could be kept on disk the last time it changed."""
        return self._durable

    @contextlib.contextmanager
    def permit(self, use: str, *, deadline: float) -> Iterator[None]:
        """Wait for leave to use the recorder for `request`, `live` or `playback`.

        Raises BusyError when none came free before `deadline`, PermitRefusedError when logins
        are stopped.
        """
        token = object()
        with self._in_line(use):
            while not self._take(use, token):
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    raise BusyError(
                        f"recorder {self._device_id}: no {use} permit came free in time; "
                        "other work on the recorder is still under way"
                    )
                self._clock.sleep(min(_STEP_SECONDS, left))
        try:
            yield
        finally:
            self._give_back(use, token)

    def login_succeeded(self) -> None:
        """Note that the recorder accepted the credential."""
        with self._lock:
            if self._memory.state == "rejected" or self._hold() is not None:
                return  # a late word of somebody who got in before the refusal
            self._alone = None
            self._vouched_until = self._clock.monotonic() + VOUCHED_SECONDS
            self._remember(state="ok", proven=True, failures=0, trying=False, hold=None)

    def login_failed(
        self, *, retries_left: int | None = None, locked_seconds: float | None = None
    ) -> bool:
        """Note that the recorder refused the credential; `locked_seconds` 0: it did not say.

        Returns whether it may be tried again later without a person.
        """
        with self._lock:
            self._vouched_until = 0.0
            held = self._hold() is not None or self._memory.state == "rejected"
            failures = self._memory.failures + 1
            if locked_seconds is not None or retries_left == 0:
                # A locked recorder refuses without looking, which says nothing of the password:
                # one try is left after the lock, but not one after each lock.
                again = self._memory.state != "rejected" and (self._memory.proven or failures < 2)
                self._remember(
                    state="suspect" if again else "rejected",
                    failures=failures,
                    trying=False,
                    hold=self._new_hold(_lock_seconds(locked_seconds), locked=True),
                )
            elif held:
                # A permit lent before the first refusal came back; it was one and the same cause.
                self._remember(failures=failures)
            elif self._memory.proven and self._memory.failures == 0 and retries_left is None:
                # It may be a recorder out of connections. One that counts the tries it has left
                # has looked at the password.
                self._remember(
                    state="suspect",
                    failures=failures,
                    trying=False,
                    hold=self._new_hold(SUSPECT_SECONDS, locked=False),
                )
            else:
                self._remember(state="rejected", failures=failures, trying=False)
            return self._memory.state != "rejected"

    def release(self) -> None:
        """Leave the login to others; whoever asks for a permit takes it again."""
        with self._lock:
            self._claimed = False
            self._store.release()

    def retry(self) -> None:
        """Let one login out again after `rejected`: a person asked for it. A lock is still kept."""
        with self._lock:
            hold = self._hold()
            kept = hold if hold is not None and hold.locked else None
            self._remember(state="suspect", failures=0, trying=False, hold=kept)

    @contextlib.contextmanager
    def _in_line(self, use: str) -> Iterator[None]:
        """Let a request vouch for the login before a stream does: it is done in a moment."""
        step = 1 if use == "request" else 0
        with self._lock:
            self._requests_waiting += step
        try:
            yield
        finally:
            with self._lock:
                self._requests_waiting -= step

    def _take(self, use: str, token: object) -> bool:
        with self._lock:
            self._claim()
            self._refuse_if_stopped()
            now = self._clock.monotonic()
            if self._used[use] >= self._limits[use]:
                return False
            if use == "request" and now < self._next_request_at:
                return False
            if now >= self._vouched_until:
                first = use == "request" or self._requests_waiting == 0
                if self._alone is not None or not first:
                    return False
                self._alone = token
                if not self._memory.trying:
                    # Written before the login goes out: a crash loop cannot try again and again.
                    self._remember(trying=self._memory.state != "ok" or self._vouched_until == 0)
            self._used[use] += 1
            return True

    def _give_back(self, use: str, token: object) -> None:
        with self._lock:
            self._used[use] -= 1
            if use == "request":
                self._next_request_at = self._clock.monotonic() + self._gap
            if self._alone is token:
                self._alone = None
                if self._memory.trying:
                    # It never came to a login: nothing was refused.
                    self._remember(trying=False)

    def _claim(self) -> None:
        if self._claimed:
            return
        if not self._store.claim():
            raise BusyError(
                f"recorder {self._device_id}: another program of ours uses its login; "
                "it is asked again when that has ended"
            )
        self._claimed, self._memory = True, self._recall()

    def _refuse_if_stopped(self) -> None:
        hold = self._hold()
        where = f"recorder {self._device_id}"
        if hold is not None:
            left = round(hold.left(self._clock.monotonic()))
            if hold.locked:
                text = f"{where} has locked our login; nothing is sent for another {left} s"
                raise _refusal(text, "auth_locked")
            text = (
                f"{where}: the login is in doubt; it is tried once in {left} s, "
                "so as not to lock the recorder"
            )
            raise _refusal(text, "paused")
        if self._memory.state == "rejected":
            text = f"{where} refused the login; set the right user name or password, then retry"
            raise _refusal(text, "auth_rejected")

    def _hold(self) -> Hold | None:
        hold = self._memory.hold
        if hold is None or hold.left(self._clock.monotonic()) <= 0:
            return None
        return hold

    def _new_hold(self, seconds: float, *, locked: bool) -> Hold:
        return Hold(
            locked=locked,
            since=self._clock.monotonic(),
            seconds=seconds,
            until=self._clock.now() + timedelta(seconds=seconds),
        )

    def _recall(self) -> LoginState:
        """Read the budget; whatever cannot be known for sure is held to be a failure."""
        username, password = self._login
        known = self._store.load()
        if known is None:
            # Not "fresh": a login may have been refused a second ago. One try, alone, no second.
            salt = secrets.token_hex(16)
            state = LoginState(salt=salt, credential=_hash(salt, username, password))
        elif known.credential != _hash(known.salt, username, password):
            # Another credential has a try of its own, but no lock goes away by typing.
            salt = secrets.token_hex(16)
            lock = known.hold if known.hold is not None and known.hold.locked else None
            state = LoginState(salt=salt, credential=_hash(salt, username, password), hold=lock)
        else:
            state = known
        if state.trying:
            # We died between a login and its outcome.
            doubt = self._new_hold(SUSPECT_SECONDS, locked=False)
            hold = state.hold if state.hold is not None and state.hold.locked else doubt
            state = state.model_copy(update={"trying": False, "state": "suspect", "hold": hold})
        if state is known:
            return state
        try:
            self._store.save(state)
        except OSError:
            # Nothing would stop a crash loop then, except that it never lives this long.
            self._durable = False
            if state.hold is None:
                hold = self._new_hold(SUSPECT_SECONDS, locked=False)
                state = state.model_copy(update={"hold": hold})
        return state

    def _remember(self, **changes: object) -> None:
        memory = self._memory.model_copy(update=changes)
        if memory == self._memory or not self._claimed:
            return
        self._memory = memory
        try:
            self._store.save(memory)
            self._durable = True
        except OSError:
            self._durable = False


def _refusal(text: str, reason: str) -> PermitRefusedError:
    error = PermitRefusedError(text)
    error.reason = reason
    return error


def _lock_seconds(told: float | None) -> float:
    if not told or told < 0:
        return LOCK_SECONDS
    return min(told + LOCK_MARGIN_SECONDS, LOCK_MAX_SECONDS)


def _hash(salt: str, username: str, password: SecretStr) -> str:
    """Identify a credential: slow on purpose, so that the file is no shortcut to the password."""
    secret = f"{username}\0{password.get_secret_value()}".encode()
    return hashlib.scrypt(secret, salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()
