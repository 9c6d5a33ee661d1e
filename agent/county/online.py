"""Is the county's broker there, and does it let this site in? Layer by layer, each its verdict."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from cryptography import x509

from agent.county.link import Link
from agent.county.self_test import SelfTest
from agent.county.session import Login, Session
from agent.county.tls import WARNING_DAYS, Tls, common_name, read_certificate
from agent.county.topics import Topics
from agent.findings import Cause, Verdict
from drivers.base import Clock
from drivers.readings import Frozen

LAYER_SECONDS = 5.0
ROUND_TRIP_SECONDS = 8.0
# Another box with our client id, thrown out by us, is back within a second (see `redial`).
TAKEOVER_SECONDS = 3.0
# Before this release's year no clock can be right.
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
# X509_V_ERR_*, openssl/x509_vfy.h.
_VERIFY = {
    9: "online.tls_not_yet_valid",
    10: "online.tls_expired",
    18: "online.tls_wrong_ca",
    19: "online.tls_wrong_ca",
    20: "online.tls_wrong_ca",
    21: "online.tls_wrong_ca",
    62: "online.tls_wrong_name",
    64: "online.tls_wrong_name",
}

T = TypeVar("T")


class Check(Frozen):
    """One layer's answer; the cause holds the evidence, and the next step when it is not `ok`."""

    layer: str
    where: str
    verdict: Verdict
    cause: Cause


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and how sure its clock is; None: the kernel does not say.

    With `link` an agent is running here, and its connection is not to be disturbed.
    """

    login: Login
    topics: Topics
    clock: Clock
    clock_synchronised: bool | None
    link: Link | None = None


class _FailedError(Exception):
    """The next layers cannot be tried."""


def ourselves(caller: Caller) -> Iterator[Check]:
    """Check what is the same for every broker: the clock, and our certificate."""
    now = caller.clock.now()
    clock = {"time": now.isoformat(timespec="seconds")}
    if now < EARLIEST:
        yield _check("clock", "", Verdict.FAIL, "online.clock_wrong", **clock)
    elif caller.clock_synchronised:
        yield _check("clock", "", Verdict.OK, "online.clock_ok", **clock)
    else:
        yield _check("clock", "", Verdict.WARN, "online.clock_unsure", **clock)
    if caller.login.tls is not None and caller.login.tls.certificate is not None:
        yield _own_certificate(caller, caller.login.tls, now)


def broker(caller: Caller, address: tuple[str, int]) -> Iterator[Check]:
    """Check one broker from its name to the round trip; stops at the first layer that fails."""
    where = f"{address[0]}:{address[1]}"
    try:
        yield _check("dns", where, Verdict.OK, "online.dns_ok", address=_resolved(address, where))
        _connected(address, where).close()
        yield _check("connect", where, Verdict.OK, "online.connect_ok")
        if caller.login.tls is not None:
            yield _handshake(caller, caller.login.tls, address, where)
        if caller.link is not None and caller.link.broker == where:
            yield from _running(caller.link, where)
            yield _not_thrown_out(caller, caller.link, where)
            return
        session = _logged_in(caller, address, where)
    except _FailedError as error:
        yield error.args[0]
        return
    try:
        protocol = "MQTT 5" if session.mqtt5 else "MQTT 3.1.1"
        yield _check("login", where, Verdict.OK, "online.login_ok", protocol=protocol)
        yield _round_trip(caller, session, where)
        if caller.link is not None:
            yield _not_thrown_out(caller, caller.link, where)
        else:
            yield _alone(caller, session, where)
    finally:
        session.stop()


def _own_certificate(caller: Caller, tls: Tls, now: datetime) -> Check:
    file = str(tls.certificate)

    def said(verdict: Verdict, code: str, **params: str | int) -> Check:
        return _check("certificate", "", verdict, f"online.{code}", file=file, **params)

    try:
        tls.context()
        mine = read_certificate(Path(file))
    except (OSError, ValueError) as error:
        return said(Verdict.FAIL, "own_unreadable", detail=_first_line(error))
    days, name = (mine.not_valid_after_utc - now) // timedelta(days=1), common_name(mine.subject)
    if now < mine.not_valid_before_utc:
        return said(Verdict.FAIL, "own_not_yet_valid")
    if days < 0:
        return said(Verdict.FAIL, "own_expired", days=-days)
    if name != caller.login.username:
        wanted = str(caller.login.username)
        return said(Verdict.FAIL, "own_other_name", name=name, username=wanted)
    if days <= WARNING_DAYS:
        return said(Verdict.WARN, "own_expires", days=days)
    return said(Verdict.OK, "own_ok", name=name, days=days)


def _resolved(address: tuple[str, int], where: str) -> str:
    try:
        found = _in_time(lambda: socket.getaddrinfo(*address, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        raise _failed("dns", where, "online.dns_failed", detail=_first_line(error)) from None
    return ", ".join(sorted({str(one[4][0]) for one in found}))


def _connected(address: tuple[str, int], where: str) -> socket.socket:
    try:
        return socket.create_connection(address, LAYER_SECONDS)
    except ConnectionRefusedError:
        raise _failed("connect", where, "online.connect_refused") from None
    except OSError as error:
        raise _failed("connect", where, "online.connect_failed", detail=str(error)) from None


def _handshake(caller: Caller, tls: Tls, address: tuple[str, int], where: str) -> Check:
    try:
        der = _peer(tls.context(), address, where)
    except ssl.SSLCertVerificationError as error:
        code = _VERIFY.get(error.verify_code, "online.tls_untrusted")
        seen = _seen_all_the_same(caller, address, where)
        raise _failed("tls", where, code, detail=error.verify_message, **seen) from None
    except (OSError, ValueError) as error:
        raise _failed("tls", where, "online.tls_failed", detail=_first_line(error)) from None
    seen = _told(der, caller.clock.now())
    soon = int(seen["days"]) <= WARNING_DAYS
    verdict = Verdict.WARN if soon else Verdict.OK
    return _check("tls", where, verdict, "online.tls_expires" if soon else "online.tls_ok", **seen)


def _seen_all_the_same(
    caller: Caller, address: tuple[str, int], where: str
) -> Mapping[str, str | int]:
    """Return what the certificate says that we do not trust: a technician must know whose it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return _told(_peer(context, address, where), caller.clock.now())
    except (OSError, ValueError, _FailedError):
        return {"issuer": "?", "subject": "?", "days": 0}


def _peer(context: ssl.SSLContext, address: tuple[str, int], where: str) -> bytes:
    with (
        _connected(address, where) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def _told(der: bytes, now: datetime) -> dict[str, str | int]:
    theirs = x509.load_der_x509_certificate(der)
    return {
        "issuer": common_name(theirs.issuer),
        "subject": common_name(theirs.subject),
        "days": (theirs.not_valid_after_utc - now) // timedelta(days=1),
    }


def _running(link: Link, where: str) -> Iterator[Check]:
    """Take the running agent's word: a second login would throw it out."""
    yield _check("login", where, Verdict.OK, "online.login_running", protocol=link.protocol)
    if link.trusted:
        yield _check("round_trip", where, Verdict.OK, "online.round_trip_ok")
    elif link.detail:
        fail = {"detail": link.detail}
        yield _check("round_trip", where, Verdict.FAIL, "agent.selftest_failed", **fail)
    else:
        yield _check("round_trip", where, Verdict.UNKNOWN, "online.round_trip_running")


def _logged_in(caller: Caller, address: tuple[str, int], where: str) -> Session:
    """Connect by MQTT 5, and by 3.1.1 when that is not answered or refused by name."""
    for mqtt5 in (True, False):
        woken = threading.Event()
        session = Session(
            address, caller.login, None, caller.topics.selftest, woken.set, mqtt5=mqtt5
        )
        session.start()
        _wait(caller.clock, woken, lambda: session.up or session.ended is not None, LAYER_SECONDS)  # noqa: B023
        if session.up:
            return session
        session.abort()
        silent = session.opened and not session.answered
        if not (mqtt5 and (silent or session.refused_version)):
            break
    if session.answered:
        raise _failed("login", where, "online.login_refused", detail=str(session.ended))
    code = "online.login_cut" if session.opened or caller.login.tls else "online.login_failed"
    raise _failed("login", where, code, detail=str(session.ended))


def _round_trip(caller: Caller, session: Session, where: str) -> Check:
    test, clock = SelfTest(caller.topics), caller.clock
    test.connected(clock.monotonic())
    until = clock.monotonic() + ROUND_TRIP_SECONDS
    while test.result == "running" and session.up and clock.monotonic() < until:
        while session.acks:
            mid, reason = session.acks.popleft()
            if mid == test.mid:
                test.confirmed(reason.value if reason is not None else 0)
        while session.received:
            topic, payload, retained = session.received.popleft()
            if topic == test.topic:
                test.heard(payload, retained=retained, now=clock.monotonic())
        test.step(session, clock.monotonic(), room=True)
        clock.sleep(0.02)
    if test.result == "passed":
        return _check("round_trip", where, Verdict.OK, "online.round_trip_ok")
    detail = test.detail if session.up else "selftest.cut"
    return _check("round_trip", where, Verdict.FAIL, "agent.selftest_failed", detail=detail)


def _alone(caller: Caller, session: Session, where: str) -> Check:
    """See whether somebody else comes under our client id, whom our login has thrown out."""
    clock = caller.clock
    until = clock.monotonic() + TAKEOVER_SECONDS
    while session.up and clock.monotonic() < until:
        clock.sleep(0.05)
    return _alone_or_not(caller, where, alone=session.up)


def _not_thrown_out(caller: Caller, link: Link, where: str) -> Check:
    return _alone_or_not(caller, where, alone=not link.cut_short)


def _alone_or_not(caller: Caller, where: str, *, alone: bool) -> Check:
    client_id = {"client_id": caller.login.client_id}
    if alone:
        return _check("alone", where, Verdict.OK, "online.alone_ok", **client_id)
    return _check("alone", where, Verdict.FAIL, "online.cloned", **client_id)


def _wait(clock: Clock, woken: threading.Event, done: Callable[[], bool], seconds: float) -> None:
    until = clock.monotonic() + seconds
    while not done() and clock.monotonic() < until:
        woken.wait(0.1)
        woken.clear()


def _in_time(question: Callable[[], T]) -> T:
    """Ask what takes no deadline of its own. Raises TimeoutError."""
    answer: list[T] = []
    problem: list[Exception] = []

    def ask() -> None:
        try:
            answer.append(question())
        except Exception as error:  # noqa: BLE001 - handed on below
            problem.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(LAYER_SECONDS)
    if problem:
        raise problem[0]
    if not answer:
        raise TimeoutError("no answer in time")
    return answer[0]


def _check(layer: str, where: str, verdict: Verdict, code: str, **params: str | int) -> Check:
    cause = Cause(code=code, params={"where": where, **params})
    return Check(layer=layer, where=where, verdict=verdict, cause=cause)


def _failed(layer: str, where: str, code: str, **params: str | int) -> _FailedError:
    return _FailedError(_check(layer, where, Verdict.FAIL, code, **params))


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
