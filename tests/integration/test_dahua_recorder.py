"""The Dahua driver against a simulated recorder over HTTP, its bad manners included; curl too."""

import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from agent.store.login_budget import FileLoginBudget
from agent.store.quirks import FileQuirks
from drivers.errors import (
    AuthenticationError,
    BusyError,
    DriverError,
    PermitRefusedError,
    ProtocolError,
)
from drivers.readings import Reason, Unknown
from drivers.recorder.dahua import DahuaDriver, live_path
from drivers.recorder.gate import CredentialState, RecorderGate
from drivers.recorder.readings import ChannelReading, RecorderReading
from drivers.recorder.settings import RecorderSettings
from drivers.recordings import Segments
from simulators.dahua import DahuaSimulator, Fault
from simulators.truth import Truth
from tests.integration.recorder_desk import ZONE, LateClock

DAY = timedelta(days=1)


class Desk:
    """What the agent has of one Dahua recorder."""

    def __init__(self, recorder: DahuaSimulator, path: Path, password: str) -> None:
        self.clock = LateClock()
        secret = SecretStr(password)
        self.gate = RecorderGate(
            "nvr-1", "inspector", secret, FileLoginBudget(path), self.clock, request_gap_seconds=0
        )
        settings = RecorderSettings(
            id="nvr-1",
            driver="dahua",
            host="127.0.0.1",
            http_port=recorder.port,
            username="inspector",
        )
        self.driver = DahuaDriver(
            settings,
            secret,
            self.gate,
            self.clock,
            FileQuirks(path.with_name("quirks")),
            zone=ZONE,
            channels=(1, 2, 5),
        )
        self.driver.open()

    def poll(self) -> list[object]:
        return list(self.driver.poll(deadline=self.clock.monotonic() + 5))

    def segments(self, channel: int, start: datetime, end: datetime) -> Segments | Unknown:
        return self.driver.segments(channel, start, end, deadline=self.clock.monotonic() + 20)


@pytest.fixture
def dahua(truth: Truth) -> Iterator[DahuaSimulator]:
    made = DahuaSimulator(truth, days={1: 10, 2: 4, 5: 0})
    made.channels[0].name = "东门"
    made.start()
    yield made
    made.stop()


@pytest.fixture
def sit_down(dahua: DahuaSimulator, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def made(password: str = "secret") -> Desk:
        desks.append(Desk(dahua, tmp_path / "budget", password))
        return desks[-1]

    yield made
    for desk in desks:
        desk.driver.close()


@pytest.mark.parametrize("gbk", [False, True])
@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_a_poll_in_every_handwriting(
    dahua: DahuaSimulator, sit_down: Callable[..., Desk], line_end: str, gbk: bool
) -> None:
    dahua.manners.line_end, dahua.manners.gbk = line_end, gbk
    dahua.manners.padded_time, dahua.manners.type_is_number = not gbk, gbk
    dahua.clock_offset_seconds = -90
    dahua.channels[1].online = False
    recorder, *channels = sit_down().poll()
    assert isinstance(recorder, RecorderReading)
    assert (recorder.maker, recorder.model) == ("dahua", "DHI-NVR5216-4KS2")
    assert recorder.firmware == "4.001.0000000.3,build:2022-05-11"
    assert recorder.clock_offset_seconds == pytest.approx(-90, abs=2)
    found = [one for one in channels if isinstance(one, ChannelReading)]
    assert [(one.channel, one.online, one.condition) for one in found] == [
        (1, True, "connected"),
        (2, False, "unconnect"),
        (5, True, "connected"),
    ]
    assert found[0].name == "东门"


def test_an_old_unit_says_only_where_there_is_no_picture(
    dahua: DahuaSimulator, sit_down: Callable[..., Desk]
) -> None:
    dahua.manners.camera_states = False
    dahua.channels[1].online = False
    channels = [one for one in sit_down().poll() if isinstance(one, ChannelReading)]
    assert [one.online for one in channels if not isinstance(one.online, Unknown)] == [False]
    assert channels[1].condition == "videoloss"


@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("paths", [True, False])
def test_channels_are_not_taken_for_their_neighbours(
    dahua: DahuaSimulator, sit_down: Callable[..., Desk], base: int, paths: bool
) -> None:
    dahua.manners.search_base = 1 if base else 0
    dahua.manners.paths_name_channels = paths
    desk = sit_down()
    desk.poll()
    now = dahua.wall_clock()
    for channel in dahua.channels:
        found = desk.segments(channel.number, now - 30 * DAY, now)
        assert isinstance(found, Segments)
        expected = list(channel.held(now - 30 * DAY, now, now))
        starts = [one.start for one in found.items]
        assert starts == [clip.start for clip in expected], channel.number
        assert found.complete
    assert dahua.open_finders == 0


def test_what_was_learnt_of_a_firmware_is_not_learnt_again(
    dahua: DahuaSimulator, sit_down: Callable[..., Desk], truth: Truth
) -> None:
    now = dahua.wall_clock()
    for _ in range(2):
        desk = sit_down()
        desk.poll()
        before = len(truth.lines("request"))
        desk.segments(1, now - DAY, now)
        desk.gate.release()
    wanted = 2 * len(["create", "findFile", "findNextFile", "close", "destroy"])
    assert len(truth.lines("request")) - before == wanted


@pytest.mark.parametrize("old_close", [False, True])
@pytest.mark.parametrize("end_is_error", [False, True])
def test_no_finder_is_left_behind(
    dahua: DahuaSimulator, sit_down: Callable[..., Desk], old_close: bool, end_is_error: bool
) -> None:
    dahua.manners.old_close, dahua.manners.end_is_error = old_close, end_is_error
    desk = sit_down()
    desk.poll()
    now = dahua.wall_clock()
    for _ in range(6):  # more often than it has finders
        assert isinstance(desk.segments(2, now - 2 * DAY, now), Segments)
    dahua.fault, dahua.fault_path, dahua.fault_count = "truncated", "findNextFile", 1
    desk.segments(2, now - 2 * DAY, now)
    dahua.fault, dahua.fault_path = "silent", "findNextFile"
    desk.driver.segments(2, now - DAY, now, deadline=desk.clock.monotonic() + 1)
    dahua.fault = None
    assert dahua.open_finders == 0


def test_error_is_nothing_found_only_while_others_find_something(
    dahua: DahuaSimulator, sit_down: Callable[..., Desk]
) -> None:
    desk = sit_down()
    desk.poll()
    now = dahua.wall_clock()
    assert desk.segments(2, now - 20 * DAY, now - 15 * DAY) == Segments((), complete=True)
    dahua.fault, dahua.fault_path = "error_200", "findFile"
    found = desk.segments(1, now - DAY, now)
    assert isinstance(found, Unknown)
    assert found.reason is Reason.BUSY
    dahua.manners.finders_max = 0
    dahua.fault = None
    assert isinstance(desk.segments(1, now - DAY, now), Unknown)


REFUSALS: list[Fault] = ["error_200", "error_400", "not_found"]
NOISE: list[Fault] = ["html", "wrong_length", "huge", "empty"]


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_clock_that_cannot_be_read_is_unknown(
    dahua: DahuaSimulator, sit_down: Callable[..., Desk], fault: Fault
) -> None:
    dahua.fault, dahua.fault_path = fault, "getCurrentTime"
    recorder = sit_down().poll()[0]
    assert isinstance(recorder, RecorderReading)
    assert isinstance(recorder.clock_offset_seconds, Unknown)


@pytest.mark.parametrize("fault", NOISE)
def test_noise_is_an_error_and_passes(
    dahua: DahuaSimulator, sit_down: Callable[..., Desk], fault: Fault
) -> None:
    desk = sit_down()
    dahua.fault, dahua.fault_path = fault, "getCurrentTime"
    with pytest.raises(ProtocolError, match="nvr-1"):
        desk.poll()
    dahua.fault = None
    assert isinstance(desk.poll()[0], RecorderReading)


def test_one_refusal_after_success_is_load_and_is_tried_once_more(
    dahua: DahuaSimulator, sit_down: Callable[..., Desk], truth: Truth
) -> None:
    desk = sit_down()
    desk.poll()
    dahua.fault, dahua.fault_path = "unauthorized", "/"
    with pytest.raises(BusyError, match="connections are used up"):
        desk.poll()
    asked = len(truth.lines("request"))
    with pytest.raises(PermitRefusedError):
        desk.poll()
    assert len(truth.lines("request")) == asked
    dahua.fault = None
    desk.clock.ahead += 601
    assert isinstance(desk.poll()[0], RecorderReading)
    assert desk.gate.credential is CredentialState.OK


def test_a_wrong_password_costs_one_login_over_restarts(
    dahua: DahuaSimulator, sit_down: Callable[..., Desk], truth: Truth
) -> None:
    errors: list[DriverError] = []
    for _ in range(4):
        try:
            sit_down("wrong").poll()
        except DriverError as error:
            errors.append(error)
    assert isinstance(errors[0], AuthenticationError)
    assert "secret" not in str(errors)
    assert "wrong" not in str(errors)
    assert len(errors) == 4
    assert len(truth.lines("login_failed")) == 1


def test_a_recorder_that_drips_costs_its_time_and_no_more(
    dahua: DahuaSimulator, sit_down: Callable[..., Desk]
) -> None:
    desk = sit_down()
    desk.poll()
    dahua.fault, dahua.fault_path = "drip", "getCurrentTime"
    started = time.monotonic()
    with pytest.raises(DriverError, match="in time"):
        desk.driver.poll(deadline=desk.clock.monotonic() + 1)
    assert time.monotonic() - started < 3


def test_only_questions_are_asked(
    dahua: DahuaSimulator, sit_down: Callable[..., Desk], truth: Truth
) -> None:
    desk = sit_down()
    desk.poll()
    desk.segments(1, dahua.wall_clock() - DAY, dahua.wall_clock())
    assert {line["method"] for line in truth.lines("request")} == {"GET"}
    for target in (
        "magicBox.cgi?action=reboot",
        "configManager.cgi?action=setConfig&NTP.Enable=true",
        "global.cgi?action=setCurrentTime&time=2026-01-01%2000:00:00",
        "configManager.cgi?action=getConfig&name=ChannelTitle&action=setConfig",
    ):
        with pytest.raises(ValueError, match="not among the questions"):
            desk.driver._cgi.ask(target, deadline=desk.clock.monotonic() + 1)


def test_curl_finds_its_way_through_the_simulator(dahua: DahuaSimulator) -> None:
    def curl(question: str) -> str:
        url = f"http://127.0.0.1:{dahua.port}/cgi-bin/{question}"
        login = ["--digest", "-u", "inspector:secret", "--noproxy", "*"]
        command = ["curl", "-s", "-g", *login, url]
        return subprocess.run(command, capture_output=True, check=True).stdout.decode()

    assert curl("magicBox.cgi?action=getDeviceType") == "type=DHI-NVR5216-4KS2\r\n"
    finder = curl("mediaFileFind.cgi?action=factory.create").strip().partition("=")[2]
    today = dahua.wall_clock().date()
    asked = curl(
        f"mediaFileFind.cgi?action=findFile&object={finder}&condition.Channel=1"
        f"&condition.StartTime={today - DAY}%2000:00:01&condition.EndTime={today - DAY}%2023:59:59"
        "&condition.Types[0]=dav&condition.VideoStream=Main"
    )
    assert asked == "OK\r\n"
    page = curl(f"mediaFileFind.cgi?action=findNextFile&object={finder}&count=100")
    assert page.startswith("found=24\r\n")
    assert f"items[0].StartTime={today - DAY} 00:00:00" in page
    assert curl(f"mediaFileFind.cgi?action=destroy&object={finder}") == "OK\r\n"
    assert dahua.open_finders == 0


def test_the_paths_of_live_streams() -> None:
    assert live_path(1, "main") == "/cam/realmonitor?channel=1&subtype=0"
    assert live_path(12, "sub") == "/cam/realmonitor?channel=12&subtype=1"
