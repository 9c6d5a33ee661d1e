"""Logins at a simulated recorder, counted by the recorder itself; curl is the stranger."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.errors import (
    AuthenticationError,
    DriverError,
    PermitRefusedError,
    UnsupportedDeviceError,
)
from drivers.recorder.gate import CredentialState
from drivers.recorder.readings import RecorderReading
from simulators.digest_door import LOCK_SECONDS
from simulators.hikvision import HikvisionSimulator
from simulators.truth import Truth
from tests.integration.recorder_desk import CLOCK, Desk, LateClock, failed_logins


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("nonce_once", [True, False])
def test_logins_by_both_algorithms_and_nonce_habits(
    recorder: HikvisionSimulator,
    truth: Truth,
    sit: Callable[..., Desk],
    algorithm: str,
    nonce_once: bool,
) -> None:
    recorder.door.algorithm = "MD5" if algorithm == "MD5" else "SHA-256"
    recorder.door.nonce_once = nonce_once
    desk = sit()
    for _ in range(3):
        desk.poll()
    assert failed_logins(truth) == 0
    assert len(truth.lines("login_ok")) == 2 + 3 * 3 + 2  # who it is, then its upkeep once an hour


def test_a_stale_nonce_is_no_failure(
    recorder: HikvisionSimulator, truth: Truth, sit: Callable[..., Desk]
) -> None:
    recorder.door.stale_answers = 1
    desk = sit()
    assert desk.poll()
    assert desk.gate.credential is CredentialState.OK
    assert failed_logins(truth) == 0


def test_a_wrong_password_costs_one_login_over_polls_and_restarts(
    recorder: HikvisionSimulator, truth: Truth, sit: Callable[..., Desk]
) -> None:
    clock = LateClock()
    errors: list[DriverError] = []
    for _ in range(5):
        try:
            desk = sit("wrong", clock)
        except DriverError as error:
            errors.append(error)
            continue
        for _ in range(20):
            clock.ahead += 60
            with pytest.raises(DriverError) as raised:
                desk.poll()
            errors.append(raised.value)
    assert failed_logins(truth) == 1
    assert isinstance(errors[0], AuthenticationError)
    assert all(isinstance(error, PermitRefusedError) for error in errors[1:])
    assert len(errors) > 20
    assert "wrong" not in "".join(f"{error!r}" for error in errors).replace("a wrong password", "")
    # The person types the right one, and it is noticed at once.
    assert isinstance(sit("secret", clock).poll()[0], RecorderReading)
    assert failed_logins(truth) == 1
    assert truth.lines("locked") == []


def test_a_401_whatever_we_say_costs_one_login(
    recorder: HikvisionSimulator, truth: Truth, sit: Callable[..., Desk]
) -> None:
    recorder.fault = "unauthorized"
    desk = sit()
    for _ in range(5):
        with pytest.raises(DriverError):
            desk.poll()
    signed = [line for line in truth.lines("request") if line["signed"]]
    assert len(signed) == 1


def test_a_password_changed_on_the_recorder_costs_one_login(
    recorder: HikvisionSimulator, truth: Truth, sit: Callable[..., Desk]
) -> None:
    clock = LateClock()
    desk = sit("secret", clock)
    desk.poll()
    recorder.door.password = "changed"
    for _ in range(60):
        clock.ahead += 60
        with pytest.raises(DriverError):
            desk.poll()
    assert failed_logins(truth) == 1


def test_a_locked_recorder_is_left_alone_until_a_minute_after(
    recorder: HikvisionSimulator, truth: Truth, tmp_path: Path, sit: Callable[..., Desk]
) -> None:
    clock = LateClock()
    recorder.door._monotonic = clock.monotonic
    recorder.door.lock_now()  # somebody else's doing
    desk = sit("secret", clock)
    with pytest.raises(AuthenticationError, match="locked"):
        desk.poll()
    requests = len(truth.lines("request"))
    for _ in range(10):
        clock.ahead += LOCK_SECONDS / 10
        with pytest.raises(PermitRefusedError):
            desk.poll()
    assert len(truth.lines("request")) == requests
    clock.ahead += 60
    assert isinstance(desk.poll()[0], RecorderReading)
    assert len(truth.lines("login_while_locked")) == 1


def test_basic_alone_is_refused_and_the_password_not_sent(
    recorder: HikvisionSimulator, truth: Truth, sit: Callable[..., Desk]
) -> None:
    recorder.door.basic_only = True
    with pytest.raises(UnsupportedDeviceError, match="Basic"):
        sit().driver._ask("/ISAPI/System/deviceInfo", CLOCK.monotonic() + 1)
    assert not any(line["signed"] for line in truth.lines("request"))


def curl(recorder: HikvisionSimulator, path: str, user: str, *more: str) -> tuple[int, str]:
    command = ["curl", "-s", "--noproxy", "*", "--digest", "-u", user, "-m", "10", *more]
    url = f"http://127.0.0.1:{recorder.port}{path}"
    done = subprocess.run(
        [*command, "-w", "\n%{http_code}", url], capture_output=True, text=True, check=True
    )
    body, _, code = done.stdout.rpartition("\n")
    return int(code), body


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_curl_is_let_in_and_kept_out_like_the_driver(
    recorder: HikvisionSimulator, truth: Truth, algorithm: str
) -> None:
    recorder.door.algorithm = "MD5" if algorithm == "MD5" else "SHA-256"
    code, body = curl(recorder, "/ISAPI/System/deviceInfo", "inspector:secret")
    assert code == 200
    assert "<model>DS-7616NI-SIM</model>" in body
    code, body = curl(
        recorder,
        "/ISAPI/ContentMgmt/record/tracks/101/dailyDistribution",
        "inspector:secret",
        "-d",
        "<trackDailyParam><year>2026</year><monthOfYear>8</monthOfYear></trackDailyParam>",
    )
    assert code == 200
    assert body.count("<day>") == 31
    code, body = curl(recorder, "/ISAPI/System/deviceInfo", "inspector:wrong")
    assert code == 401
    assert "<retryLoginTime>4</retryLoginTime>" in body
    assert failed_logins(truth) == 1
    for _ in range(4):
        curl(recorder, "/ISAPI/System/deviceInfo", "inspector:wrong")
    assert len(truth.lines("locked")) == 1
    code, body = curl(recorder, "/ISAPI/System/deviceInfo", "inspector:secret")
    assert code == 401
    assert "<lockStatus>lock</lockStatus>" in body
