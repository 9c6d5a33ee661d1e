"""The driver against a simulated recorder over HTTP, its bad manners included."""

import subprocess
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from drivers.errors import (
    BusyError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    DriverError,
    ForbiddenError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.readings import ChannelReading, DayMapReading, Reason, RecorderReading, Unknown
from simulators.hikvision import NAMESPACES, Fault, HikvisionSimulator, SimulatedChannel
from simulators.truth import Truth
from tests.integration.recorder_desk import CLOCK, DEADLINE_SECONDS, Desk, failed_logins
from tests.waiting import wait_until


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
