"""The driver against a simulated recorder over HTTP, its bad manners included."""

import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from agent.clock import SystemClock
from agent.store.login_budget import FileLoginBudget
from drivers.errors import (
    AuthenticationError,
    BusyError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    DriverError,
    ForbiddenError,
    PermitRefusedError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.readings import ChannelReading, DayMapReading, Reason, RecorderReading, Unknown
from drivers.recorder.gate import CredentialState, RecorderGate
from drivers.recorder.hikvision import HikvisionDriver, HikvisionSettings
from simulators.digest_door import LOCK_SECONDS
from simulators.hikvision import NAMESPACES, Fault, HikvisionSimulator, SimulatedChannel
from simulators.truth import Truth
from tests.waiting import wait_until

ZONE = ZoneInfo("Asia/Shanghai")
CLOCK = SystemClock()
DEADLINE_SECONDS = 1.0


class LateClock(SystemClock):
    """The real clock, put ahead by hand."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def recorder(truth: Truth) -> Iterator[HikvisionSimulator]:
    made = HikvisionSimulator(truth, days={1: 40, 2: 40, 5: 20})
    made.start()
    yield made
    made.stop()


class Desk:
    """What the agent has of one recorder: a gate with a budget on disk, and a driver."""

    def __init__(
        self, recorder: HikvisionSimulator, path: Path, password: str, clock: SystemClock
    ) -> None:
        secret = SecretStr(password)
        self.gate = RecorderGate(
            "nvr-1", "inspector", secret, FileLoginBudget(path), clock, request_gap_seconds=0
        )
        settings = HikvisionSettings(
            id="nvr-1",
            driver="hikvision",
            host="127.0.0.1",
            http_port=recorder.port,
            username="inspector",
        )
        self._clock = clock
        self.driver = HikvisionDriver(
            settings, secret, self.gate, clock, zone=ZONE, channels=(1, 2, 5)
        )

    def poll(self) -> list[object]:
        return list(self.driver.poll(deadline=self._clock.monotonic() + DEADLINE_SECONDS))

    def survey(self, recorder: HikvisionSimulator, days: int = 30) -> list[DayMapReading]:
        until = recorder.wall_clock().date() - timedelta(days=1)
        deadline = self._clock.monotonic() + 20
        found = list(self.driver.survey(until=until, days=days, deadline=deadline))
        return [reading for reading in found if isinstance(reading, DayMapReading)]


@pytest.fixture
def sit(recorder: HikvisionSimulator, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def made(password: str = "secret", clock: SystemClock = CLOCK, file: str = "budget") -> Desk:
        desk = Desk(recorder, tmp_path / file, password, clock)
        desk.driver.open()
        desks.append(desk)
        return desk

    yield made
    for desk in desks:
        desk.driver.close()


def failed_logins(truth: Truth) -> int:
    return len(truth.lines("login_failed"))


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_poll_in_every_namespace(
    recorder: HikvisionSimulator, sit: Callable[..., Desk], namespace: str
) -> None:
    recorder.namespace = namespace
    recorder.clock_offset_seconds = 90
    recorder.channels[1].online = False
    recorder.channels[1].condition = "userPwError"
    found = sit().poll()
    assert isinstance(found[0], RecorderReading)
    assert found[0].clock_offset_seconds == pytest.approx(90, abs=2)
    assert found[0].model == "DS-7616NI-SIM"
    channels = [one for one in found[1:] if isinstance(one, ChannelReading)]
    assert [(one.channel, one.online) for one in channels] == [(1, True), (2, False), (5, True)]
    assert channels[1].condition == "userpwerror"


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
    assert len(truth.lines("login_ok")) == 2 + 3 * 3


def test_a_stale_nonce_is_no_failure(
    recorder: HikvisionSimulator, truth: Truth, sit: Callable[..., Desk]
) -> None:
    recorder.door.stale_answers = 1
    desk = sit()
    assert desk.poll()
    assert desk.gate.credential is CredentialState.OK
    assert failed_logins(truth) == 0


def test_the_survey_agrees_with_what_was_recorded(
    recorder: HikvisionSimulator, sit: Callable[..., Desk]
) -> None:
    today = recorder.wall_clock().date()
    hole = today - timedelta(days=3)
    recorder.channels[0].holes.add(hole)
    found = sit().survey(recorder, days=30)
    recorded: dict[int, set[object]] = {1: set(), 2: set(), 5: set()}
    for month in found:
        assert not isinstance(month.days, Unknown)
        for number, present in month.days.items():
            if present:
                recorded[month.channel].add((month.year, month.month, number))
    wanted = [today - timedelta(days=back) for back in range(1, 31)]
    for channel in recorder.channels:
        for day in wanted:
            known = (day.year, day.month, day.day) in recorded[channel.number]
            assert known == channel.has(day, today), (channel.number, day)
    assert (hole.year, hole.month, hole.day) not in recorded[1]


FAULTS: list[tuple[Fault, type[DriverError]]] = [
    ("busy", BusyError),
    ("device_error", BusyError),
    ("silent", DeviceTimeoutError),
    ("truncated", ProtocolError),
    ("wrong_length", ProtocolError),
    ("html", ProtocolError),
    ("huge", ProtocolError),
    ("drip", DeviceTimeoutError),
    ("status_with_200", UnsupportedDeviceError),
    ("low_privilege", ForbiddenError),
    ("not_found", UnsupportedDeviceError),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS)
def test_each_fault_is_one_error_in_time_and_passes(
    recorder: HikvisionSimulator,
    truth: Truth,
    sit: Callable[..., Desk],
    fault: Fault,
    error: type[DriverError],
) -> None:
    desk = sit()
    desk.poll()
    desk.driver.close()
    desk.driver.open()
    recorder.fault, recorder.fault_path = fault, "deviceInfo"
    started = time.monotonic()
    with pytest.raises(error, match="nvr-1") as raised:
        desk.poll()
    assert time.monotonic() - started < DEADLINE_SECONDS + 2
    assert "secret" not in f"{raised.value!r} {raised.value}"
    recorder.fault = None
    assert isinstance(desk.poll()[0], RecorderReading)
    assert failed_logins(truth) == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("busy", Reason.BUSY),
        ("truncated", Reason.MALFORMED),
        ("html", Reason.MALFORMED),
        ("status_with_200", Reason.NOT_SUPPORTED),
        ("low_privilege", Reason.FORBIDDEN),
        ("not_found", Reason.NOT_SUPPORTED),
        ("empty_days", Reason.NOT_MEASURED),
        ("silent", Reason.TIMEOUT),
    ],
)
def test_one_channel_that_fails_is_that_months_unknown(
    recorder: HikvisionSimulator, sit: Callable[..., Desk], fault: Fault, reason: Reason
) -> None:
    desk = sit()
    recorder.fault, recorder.fault_path = fault, "tracks/201/"
    until = recorder.wall_clock().date() - timedelta(days=1)
    survey = desk.driver.survey(until=until, days=1, deadline=CLOCK.monotonic() + 3)
    found = [one for one in survey if isinstance(one, DayMapReading)]
    assert [one.channel for one in found] == [1, 2, 5]
    assert not isinstance(found[0].days, Unknown)
    assert isinstance(found[1].days, Unknown)
    assert found[1].days.reason is reason
    if fault != "silent":  # which has used up the survey's time
        assert not isinstance(found[2].days, Unknown)


def test_a_recorder_that_ignores_the_channel_is_not_believed(
    recorder: HikvisionSimulator, sit: Callable[..., Desk]
) -> None:
    recorder.ignore_track = True
    for month in sit().survey(recorder):
        assert isinstance(month.days, Unknown)
        assert month.days.reason is Reason.INCONSISTENT


def test_a_user_who_may_not_list_channels_still_sees_his_days(
    recorder: HikvisionSimulator, sit: Callable[..., Desk]
) -> None:
    recorder.allow_channel_list = False
    desk = sit()
    channels = [one for one in desk.poll() if isinstance(one, ChannelReading)]
    assert [one.channel for one in channels] == [1, 2, 5]
    assert all(isinstance(one.online, Unknown) for one in channels)
    assert not any(isinstance(month.days, Unknown) for month in desk.survey(recorder))


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


def test_a_password_changed_on_the_recorder_costs_two_logins_in_all(
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
    assert failed_logins(truth) == 2


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


def test_nobody_there_and_a_power_cut(
    recorder: HikvisionSimulator, sit: Callable[..., Desk]
) -> None:
    desk = sit()
    desk.poll()
    recorder.stop()
    with pytest.raises(DeviceUnreachableError):
        desk.poll()
    with pytest.raises(DeviceUnreachableError, match="power, cable"):
        desk.driver.open()
    recorder.start()
    desk.driver.open()
    assert isinstance(desk.poll()[0], RecorderReading)


def test_questions_only(
    recorder: HikvisionSimulator, truth: Truth, sit: Callable[..., Desk]
) -> None:
    desk = sit()
    desk.poll()
    desk.survey(recorder, days=90)
    assert {line["method"] for line in truth.lines("request")} == {"GET", "POST"}
    posts = {line["path"] for line in truth.lines("request") if line["method"] == "POST"}
    assert all(str(path).endswith("/dailyDistribution") for path in posts)
    assert truth.lines("write_attempt") == []


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


def test_a_stop_frees_those_who_wait(recorder: HikvisionSimulator, truth: Truth) -> None:
    recorder.fault = "silent"
    asking = subprocess.Popen(
        ["curl", "-s", "--noproxy", "*", "-m", "20", f"http://127.0.0.1:{recorder.port}/x"]
    )
    wait_until(lambda: bool(truth.lines("request")))
    recorder.stop()
    assert asking.wait(timeout=5) != 0


def test_a_simulated_channel_records_up_to_today() -> None:
    recorder = HikvisionSimulator(Truth(), channels=[SimulatedChannel(1, depth_days=2)])
    today = recorder.wall_clock().date()
    days = [recorder.channels[0].has(today - timedelta(days=back), today) for back in range(-1, 5)]
    recorder.stop()
    assert days == [False, True, True, True, False, False]
