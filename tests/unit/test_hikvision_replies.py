"""The driver on replies of real recorders; fixtures name their sources and carry ignored fields."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from drivers.errors import (
    AuthenticationError,
    BusyError,
    DriverError,
    ForbiddenError,
    PermitRefusedError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.readings import Reason, Unknown
from drivers.recorder.gate import RecorderGate
from drivers.recorder.hikvision import HikvisionDriver, live_path
from drivers.recorder.hikvision_recordings import days_of_month
from drivers.recorder.http import HttpDoor
from drivers.recorder.isapi import Reply, parse
from drivers.recorder.readings import ChannelReading, RecorderReading
from drivers.recorder.settings import RecorderSettings
from tests.simulated_clock import SimulatedClock
from tests.unit.login_budgets import MemoryBudget
from tests.unit.quirk_sheets import MemoryQuirks

FIXTURES = Path(__file__).parents[1] / "fixtures"
ZONE = ZoneInfo("Asia/Shanghai")
Answer = Callable[[httpx.Request], httpx.Response]


def fixture(name: str) -> bytes:
    return (FIXTURES / f"hikvision_{name}.xml").read_bytes()


def canned(**answers: bytes | tuple[int, bytes]) -> Answer:
    """Answer by the last word of the path, after one digest round; 404 for the rest."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "authorization" not in request.headers:
            challenge = 'Digest realm="r", nonce="n", qop="auth"'
            headers = {"WWW-Authenticate": challenge}
            return httpx.Response(401, headers=headers, stream=httpx.ByteStream(b""))
        found = answers.get(request.url.path.rpartition("/")[2], (404, b""))
        status, body = found if isinstance(found, tuple) else (200, found)
        return httpx.Response(status, stream=httpx.ByteStream(body))

    return answer


@pytest.fixture
def make(clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., HikvisionDriver]:
    def made(answer: Answer, channels: tuple[int, ...] = ()) -> HikvisionDriver:
        client = httpx.Client(transport=httpx.MockTransport(answer))
        monkeypatch.setattr(HttpDoor, "_open_client", lambda _: client)
        password = SecretStr("secret")
        gate = RecorderGate("nvr-1", "u", password, MemoryBudget(), clock, request_gap_seconds=0)
        settings_ = RecorderSettings(id="nvr-1", driver="hikvision", host="nvr", username="u")
        driver = HikvisionDriver(
            settings_, password, gate, clock, MemoryQuirks(), zone=ZONE, channels=channels
        )
        driver._door._is_open = True
        driver._recordings._learn(looks_at_track=True)
        return driver

    return made


def test_a_recorder_and_its_clock(
    make: Callable[..., HikvisionDriver], clock: SimulatedClock
) -> None:
    driver = make(
        canned(deviceInfo=fixture("device_info_ds7608nxi"), time=fixture("time_ds7608ni"))
    )
    found = driver.poll(deadline=clock.monotonic() + 10)[0]
    assert isinstance(found, RecorderReading)
    assert found.model == "DS-7608NXI-I2/8P/S"
    assert found.firmware == "V4.62.210 build 230612"
    assert found.serial_number == "DS-7608NXI-I0/0P/S0000000000CCRRJ00000000WCVU"
    # The digits count, and the zone of the settings: not the +03:00 behind them.
    assert found.device_today == datetime(2021, 10, 21, 17, 32, 54)  # noqa: DTZ001 - as on screen
    there = datetime(2021, 10, 21, 9, 32, 54, tzinfo=UTC)
    assert found.clock_offset_seconds == pytest.approx((there - clock.now()).total_seconds())


def test_channels_from_a_list_whose_size_lies_and_a_status_of_mixed_namespaces(
    make: Callable[..., HikvisionDriver], clock: SimulatedClock
) -> None:
    driver = make(
        canned(
            deviceInfo=fixture("device_info_ds7608nxi"),
            time=fixture("time_ds7608ni"),
            channels=fixture("channels_behind_nat"),
            status=fixture("channel_status_mixed"),
        ),
        channels=(1, 7),
    )
    readings = driver.poll(deadline=clock.monotonic() + 10)[1:]
    found = {one.channel: one for one in readings if isinstance(one, ChannelReading)}
    assert {number: one.name for number, one in found.items()} == {
        1: "Garage",
        2: "Entry",
        3: "Stairs Deck",
        7: "",
    }
    assert (found[1].online, found[1].condition) == (True, "connect")
    assert (found[2].online, found[2].condition) == (False, "userpwerror")
    assert isinstance(found[3].online, Unknown)
    assert found[3].online.reason is Reason.MALFORMED
    assert isinstance(found[3].condition, Unknown)
    assert isinstance(found[7].online, Unknown)
    assert found[7].online.reason is Reason.INCONSISTENT
    assert "channel 7" in found[7].online.detail


def test_a_user_without_rights_leaves_channels_and_clock_unknown(
    make: Callable[..., HikvisionDriver], clock: SimulatedClock
) -> None:
    refused = (
        fixture("device_error")
        .replace(b"deviceError", b"lowPrivilege")
        .replace(b"<statusCode>3", b"<statusCode>4")
    )
    driver = make(
        canned(
            deviceInfo=fixture("device_info_ds7608nxi"),
            time=(403, refused),
            channels=(403, refused),
            status=(403, refused),
        ),
        channels=(4,),
    )
    recorder, channel, *_ = driver.poll(deadline=clock.monotonic() + 10)
    assert isinstance(recorder, RecorderReading)
    assert isinstance(recorder.clock_offset_seconds, Unknown)
    assert recorder.clock_offset_seconds.reason is Reason.FORBIDDEN
    assert isinstance(channel, ChannelReading)
    assert isinstance(channel.online, Unknown)
    assert channel.online.reason is Reason.FORBIDDEN


def test_the_calendar_of_the_guide(
    make: Callable[..., HikvisionDriver], clock: SimulatedClock
) -> None:
    asked: list[httpx.Request] = []
    inner = canned(dailyDistribution=fixture("calendar_2021_08"))

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return inner(request)

    days = make(answer).month_days(1, 2021, 8, deadline=clock.monotonic() + 10)
    assert not isinstance(days, Unknown)
    assert [day for day, present in days.items() if present] == [*range(1, 14), 18]
    assert len(days) == 31
    assert asked[-1].url.path == "/ISAPI/ContentMgmt/record/tracks/101/dailyDistribution"
    assert b"<year>2021</year><monthOfYear>08</monthOfYear>" in asked[-1].content


def day_rows(*rows: tuple[object, object]) -> bytes:
    days = "".join(f"<day><dayOfMonth>{d}</dayOfMonth><record>{r}</record></day>" for d, r in rows)
    return f"<trackDailyDistribution><dayList>{days}</dayList></trackDailyDistribution>".encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (day_rows(), Reason.NOT_MEASURED),
        (day_rows((1, "true"), (31, "false")), Reason.INCONSISTENT),  # of a month with 30 days
        (day_rows((1, "true"), (1, "false")), Reason.INCONSISTENT),
        (day_rows(("x", "true")), Reason.MALFORMED),
        (day_rows((1, "")), Reason.MALFORMED),
        (day_rows((1, "yes")), Reason.MALFORMED),
        ((404, b"<html>"), Reason.NOT_SUPPORTED),
        ((403, b""), Reason.FORBIDDEN),
        ((403, fixture("invalid_operation")), Reason.NOT_SUPPORTED),
        ((500, fixture("device_error")), Reason.BUSY),
        ((200, fixture("device_error")), Reason.BUSY),
        (b"<trackDailyDistribution><dayList>", Reason.MALFORMED),
        (b"<html><body>hello</body></html>", Reason.MALFORMED),
    ],
)
def test_a_month_that_cannot_be_believed_is_unknown_and_never_without_days(
    make: Callable[..., HikvisionDriver],
    clock: SimulatedClock,
    body: bytes | tuple[int, bytes],
    reason: Reason,
) -> None:
    driver = make(canned(dailyDistribution=body))
    days = driver.month_days(1, 2026, 9, deadline=clock.monotonic() + 60)
    assert isinstance(days, Unknown)
    assert days.reason is reason


def test_a_recorder_that_ignores_the_track_is_not_believed(
    make: Callable[..., HikvisionDriver], clock: SimulatedClock
) -> None:
    driver = make(canned(dailyDistribution=fixture("calendar_2021_08")))
    driver._recordings._learn(looks_at_track=None)
    for _ in range(2):  # it is asked for a channel that cannot be, and remembered for its firmware
        days = driver.month_days(1, 2021, 8, deadline=clock.monotonic() + 60)
        assert isinstance(days, Unknown)
        assert days.reason is Reason.INCONSISTENT


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, fixture("device_error"), BusyError),
        (200, fixture("device_error"), BusyError),
        (503, b"", BusyError),
        (403, fixture("invalid_operation"), UnsupportedDeviceError),
        (403, b"", ForbiddenError),
        (404, b"<html>", UnsupportedDeviceError),
        (500, b"oops", ProtocolError),
        (302, b"", ProtocolError),
        (200, b"", ProtocolError),
        (200, b'<!DOCTYPE x [<!ENTITY a "b">]><DeviceInfo>&a;</DeviceInfo>', ProtocolError),
        (200, b'<!DOCTYPE DeviceInfo SYSTEM "http://nvr/x.dtd"><DeviceInfo/>', ProtocolError),
        (200, b'<?xml version="1.0" encoding="klingon"?><DeviceInfo/>', ProtocolError),
        (403, b"<userCheck><lockStatus>lock</lockStatus></userCheck>", AuthenticationError),
    ],
)
def test_what_an_answer_means(
    make: Callable[..., HikvisionDriver],
    clock: SimulatedClock,
    status: int,
    body: bytes,
    error: type[DriverError],
) -> None:
    driver = make(canned(deviceInfo=(status, body)))
    with pytest.raises(error, match="nvr-1") as raised:
        driver.poll(deadline=clock.monotonic() + 10)
    assert "secret" not in f"{raised.value!r} {raised.value}"
    assert Reason(raised.value.reason)


def test_a_refusal_inside_a_200_is_a_refusal(
    make: Callable[..., HikvisionDriver], clock: SimulatedClock
) -> None:
    said = (
        b"<userCheck><statusValue>401</statusValue><retryLoginTime>3</retryLoginTime></userCheck>"
    )
    driver = make(canned(userCheck=said, deviceInfo=fixture("device_info_ds7608nxi")))
    with pytest.raises(AuthenticationError, match="nvr-1"):
        driver.poll(deadline=clock.monotonic() + 10)
    with pytest.raises(PermitRefusedError):
        driver.poll(deadline=clock.monotonic() + 10)


def test_half_the_round_trip_is_not_the_clocks_fault(
    make: Callable[..., HikvisionDriver], clock: SimulatedClock
) -> None:
    inner = canned(deviceInfo=fixture("device_info_ds7608nxi"))

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/time") and "authorization" in request.headers:
            clock.advance(2)
            wall = clock.now().astimezone(ZONE).isoformat(timespec="seconds")
            clock.advance(2)
            body = f"<Time><localTime>{wall}</localTime></Time>".encode()
            return httpx.Response(200, stream=httpx.ByteStream(body))
        return inner(request)

    found = make(answer).poll(deadline=clock.monotonic() + 30)[0]
    assert isinstance(found, RecorderReading)
    assert found.clock_offset_seconds == 0


def test_a_busy_recorder_is_asked_for_a_month_once_more(
    make: Callable[..., HikvisionDriver], clock: SimulatedClock
) -> None:
    inner = canned(dailyDistribution=fixture("calendar_2021_08"))
    busy = [httpx.Response(503, stream=httpx.ByteStream(b""))]

    def answer(request: httpx.Request) -> httpx.Response:
        if "authorization" in request.headers and busy:
            return busy.pop()
        return inner(request)

    days = make(answer).month_days(1, 2021, 8, deadline=clock.monotonic() + 30)
    assert not isinstance(days, Unknown)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/ISAPI/System/time"),
        ("DELETE", "/ISAPI/System/time"),
        ("POST", "/ISAPI/System/time"),
        ("POST", "/ISAPI/System/deviceInfo"),
        ("GET", "/ISAPI/System/reboot"),
        ("GET", "/ISAPI/System/time/../reboot"),
        ("GET", "/ISAPI/System/time?x=1"),
        ("GET", "/ISAPI/System/timeZone"),
        ("POST", "/ISAPI/ContentMgmt/record/tracks/101"),
        ("POST", "/ISAPI/ContentMgmt/record/control/manual/start/tracks/101"),
    ],
)
def test_nothing_but_questions_can_be_sent(
    make: Callable[..., HikvisionDriver], clock: SimulatedClock, method: str, path: str
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    driver = make(answer)
    with pytest.raises(ValueError, match="not among the questions"):
        driver._isapi.ask(method, path, deadline=clock.monotonic() + 10)


def test_the_paths_of_live_streams() -> None:
    assert live_path(1, "main") == "/Streaming/Channels/101"
    assert live_path(12, "sub") == "/Streaming/Channels/1202"


def reply(body: bytes) -> Reply | None:
    root = parse(body)
    return None if root is None else Reply(root, datetime(2026, 9, 1, tzinfo=UTC), 0.0)


XML_BITS = st.sampled_from(
    [
        *("<day>", "</day>", "<dayOfMonth>", "</dayOfMonth>", "<record>", "</record>", "true"),
        *("<dayOfMonth>9</dayOfMonth>", "<record>true</record>", "1", "31", "<b/>", "<x:day>"),
    ]
)


@given(st.one_of(st.binary(max_size=300), st.lists(XML_BITS, max_size=30)))
def test_no_bytes_break_the_reader(body: bytes | list[str]) -> None:
    raw = body if isinstance(body, bytes) else f"<r>{''.join(body)}</r>".encode()
    found = reply(raw)
    if found is not None:
        days = days_of_month(found, 2026, 9)
        assert isinstance(days, Unknown) or (days and set(days) <= set(range(1, 31)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(min_value=0, max_value=2000))
def test_a_reply_cut_anywhere_is_no_calendar(cut: int) -> None:
    whole = fixture("calendar_2021_08").rstrip()
    assert reply(whole[: min(cut, len(whole) - 1)]) is None
