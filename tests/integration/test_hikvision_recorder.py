"""The driver against a simulated recorder over HTTP, its bad manners included."""

import subprocess
import time
from collections.abc import Callable
from datetime import date, timedelta

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
from drivers.readings import Reason, Unknown
from drivers.recorder.readings import ChannelReading, RecorderReading
from simulators.archive import SimulatedChannel
from simulators.hikvision import NAMESPACES, Fault, HikvisionSimulator
from simulators.truth import Truth
from tests.integration.recorder_desk import DEADLINE_SECONDS, Desk, failed_logins
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
    now = recorder.wall_clock()
    hole = now.date() - timedelta(days=3)
    recorder.channels[0].holes.add(hole)
    known: dict[int, dict[date, bool]] = {1: {}, 2: {}, 5: {}}
    for reading in sit().survey(days=30):
        assert not isinstance(reading.days, Unknown)
        known[reading.channel] |= {day: one.present for day, one in reading.days.items()}
    wanted = [now.date() - timedelta(days=back) for back in range(1, 31)]
    for channel in recorder.channels:
        for day in wanted:
            assert known[channel.number][day] == channel.has(day, now), (channel.number, day)
    assert known[1][hole] is False


FAULTS: list[tuple[Fault, type[DriverError]]] = [
    ("busy", BusyError),
    ("device_error", BusyError),
    ("silent", DeviceTimeoutError),
    ("truncated", ProtocolError),
    ("wrong_length", ProtocolError),
    ("html", ProtocolError),
    ("empty", ProtocolError),
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
    ],
)
def test_one_channel_without_a_calendar_costs_the_others_nothing(
    recorder: HikvisionSimulator, sit: Callable[..., Desk], fault: Fault, reason: Reason
) -> None:
    recorder.fault, recorder.fault_path = fault, "tracks/201/"
    found = sit().survey(days=1)
    calendar = {one.channel: one.days for one in found if one.grade == "B"}
    refused = calendar[2]
    assert isinstance(refused, Unknown)
    assert refused.reason is reason
    assert not isinstance(calendar[1], Unknown)
    assert not isinstance(calendar[5], Unknown)
    # Yesterday is looked at by the search, whatever the calendar does.
    yesterday = recorder.wall_clock().date() - timedelta(days=1)
    looked_at = [one.days for one in found if one.grade == "A" and one.channel == 2]
    assert any(not isinstance(days, Unknown) and days[yesterday].present for days in looked_at)


def test_a_calendar_that_stays_silent_costs_a_survey_its_time_and_no_more(
    recorder: HikvisionSimulator, sit: Callable[..., Desk]
) -> None:
    recorder.fault, recorder.fault_path = "silent", "tracks/201/"
    found = sit().survey(days=1, seconds=3)
    assert {one.channel for one in found if not isinstance(one.days, Unknown)} == {1}
    silent = [one.days for one in found if isinstance(one.days, Unknown)]
    assert [one.reason for one in silent] == [Reason.TIMEOUT]


def test_a_recorder_that_ignores_the_channel_is_searched_instead(
    recorder: HikvisionSimulator, sit: Callable[..., Desk]
) -> None:
    recorder.calendar = "same_for_all"
    found = sit().survey(days=30)
    refused = [one.days for one in found if one.grade == "B"]
    assert {one.reason for one in refused if isinstance(one, Unknown)} == {Reason.INCONSISTENT}
    held = {one.channel: 0 for one in found}
    for one in found:
        if one.grade == "A" and not isinstance(one.days, Unknown) and len(one.days) > 1:
            held[one.channel] += sum(day.present for day in one.days.values())
    assert held == {1: 30, 2: 30, 5: 20}


def test_a_user_who_may_not_list_channels_still_sees_his_days(
    recorder: HikvisionSimulator, sit: Callable[..., Desk]
) -> None:
    recorder.allow_channel_list = False
    desk = sit()
    channels = [one for one in desk.poll() if isinstance(one, ChannelReading)]
    assert [one.channel for one in channels] == [1, 2, 5]
    assert all(isinstance(one.online, Unknown) for one in channels)
    assert not any(isinstance(one.days, Unknown) for one in desk.survey())


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
    desk.survey(days=90)
    assert {line["method"] for line in truth.lines("request")} == {"GET", "POST"}
    posts = {line["path"] for line in truth.lines("request") if line["method"] == "POST"}
    assert all(str(path).endswith(("/dailyDistribution", "/search")) for path in posts)
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
    now = recorder.wall_clock()
    days = [recorder.channels[0].has(now.date() - timedelta(days=n), now) for n in range(-1, 5)]
    recorder.stop()
    assert days == [False, True, True, True, False, False]


def test_an_answer_in_pieces_is_read_as_a_whole(
    recorder: HikvisionSimulator, sit: Callable[..., Desk]
) -> None:
    recorder.fault = "chunked"
    reading = sit().poll()[0]
    assert isinstance(reading, RecorderReading)
    assert (reading.model, reading.summer_time) == ("DS-7616NI-SIM", False)


def test_a_zone_with_summer_time_is_told_and_the_digits_are_believed(
    recorder: HikvisionSimulator, sit: Callable[..., Desk]
) -> None:
    # qb60/hikvision-downloader#5
    recorder.zone_text = "CST-8:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00"
    reading = sit().poll()[0]
    assert isinstance(reading, RecorderReading)
    assert reading.summer_time is True
    assert isinstance(reading.clock_offset_seconds, float)
    assert abs(reading.clock_offset_seconds) < 5
