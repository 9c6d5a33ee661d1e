"""The ONVIF driver against a simulated recorder: clocks, signatures, searches that never end."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from agent.store.login_budget import FileLoginBudget
from agent.store.quirks import FileQuirks
from drivers.errors import AuthenticationError, DriverError, ProtocolError
from drivers.readings import Reason, Unknown
from drivers.recorder.gate import CredentialState, RecorderGate
from drivers.recorder.onvif import OnvifDriver
from drivers.recorder.readings import ChannelReading, RecorderReading
from drivers.recorder.settings import RecorderSettings
from drivers.recorder.soap import SEARCH
from drivers.stream import probe_stream
from drivers.stream_target import StreamTarget
from simulators.archive import SimulatedChannel
from simulators.onvif import Fault, OnvifSimulator
from simulators.rtsp import RtspSimulator
from simulators.rtsp_paths import read_address
from simulators.truth import Truth
from tests.integration.recorder_desk import ZONE, LateClock

DAY = timedelta(days=1)


class Desk:
    """What the agent has of one recorder behind ONVIF."""

    def __init__(self, recorder: OnvifSimulator, path: Path, password: str) -> None:
        self.clock = LateClock()
        secret = SecretStr(password)
        self.gate = RecorderGate(
            "nvr-1", "inspector", secret, FileLoginBudget(path), self.clock, request_gap_seconds=0
        )
        settings = RecorderSettings(
            id="nvr-1",
            driver="onvif",
            host="127.0.0.1",
            http_port=recorder.port,
            username="inspector",
        )
        quirks = FileQuirks(path.with_name("quirks"))
        self.driver = OnvifDriver(
            settings, secret, self.gate, self.clock, quirks, zone=ZONE, channels=(1, 2, 70)
        )
        self.driver.open()

    def poll(self) -> list[object]:
        return list(self.driver.poll(deadline=self.clock.monotonic() + 5))

    def days(self) -> dict[int, tuple[date, date]]:
        found = self.driver.extents(deadline=self.clock.monotonic() + 20)
        assert not isinstance(found, Unknown), found
        return {n: (one.oldest.date(), one.newest.date()) for n, one in found.items()}


@pytest.fixture
def onvif(truth: Truth) -> Iterator[OnvifSimulator]:
    made = OnvifSimulator(truth, days={1: 40, 2: 3, 3: 95})
    made.start()
    yield made
    made.stop()


@pytest.fixture
def sit_down(onvif: OnvifSimulator, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def made(password: str = "secret") -> Desk:
        desks.append(Desk(onvif, tmp_path / "budget", password))
        return desks[-1]

    yield made
    for desk in desks:
        desk.driver.close()


def expected(onvif: OnvifSimulator) -> dict[int, tuple[date, date]]:
    today = onvif.wall_clock().date()
    return {each.number: (today - each.depth_days * DAY, today) for each in onvif.channels}


@pytest.mark.parametrize("services", [True, False])
@pytest.mark.parametrize("sources_from", [0, 1])
def test_who_it_is_and_what_it_claims(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk], sources_from: int, services: bool
) -> None:
    onvif.manners.services, onvif.manners.sources_from = services, sources_from
    onvif.clock_offset_seconds = -120
    desk = sit_down()
    recorder, *channels = desk.poll()
    assert isinstance(recorder, RecorderReading)
    assert (recorder.maker, recorder.model, recorder.serial_number) == (
        "onvif",
        "NVR-SIM-G",
        "SIM0003",
    )
    assert recorder.clock_offset_seconds == pytest.approx(-120, abs=2)
    found = [one.online for one in channels if isinstance(one, ChannelReading)]
    assert [one.reason for one in found if isinstance(one, Unknown)] == [
        Reason.NOT_MEASURED,
        Reason.NOT_MEASURED,
        Reason.INCONSISTENT,  # 70 is not there
    ]
    assert desk.days() == expected(onvif)
    assert onvif.open_searches == 0


def test_64_channels_cost_a_handful_of_questions(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk], truth: Truth
) -> None:
    onvif.channels[:] = [SimulatedChannel(number, depth_days=95) for number in range(1, 65)]
    desk = sit_down()
    desk.poll()
    before = len(truth.lines("request"))
    assert desk.days() == expected(onvif)
    assert len(truth.lines("request")) - before == 4


@pytest.mark.parametrize("oddity", ["repeats_batches", "searching_for_ever"])
def test_a_search_that_never_ends_is_ended(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk], oddity: str
) -> None:
    setattr(onvif.manners, oddity, True)
    desk = sit_down()
    desk.poll()
    assert desk.days() == expected(onvif)
    assert onvif.open_searches == 0


@pytest.mark.parametrize("without_edges", [True, False])
@pytest.mark.parametrize("local", [True, False])
def test_what_its_times_mean_is_learnt_from_a_channel_that_records(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk], local: bool, without_edges: bool
) -> None:
    onvif.manners.times_are_local, onvif.manners.without_edges = local, without_edges
    desk = sit_down()
    desk.poll()
    assert desk.days() == expected(onvif)


def test_without_a_channel_that_records_its_times_mean_nothing(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk]
) -> None:
    today = onvif.wall_clock().date()
    for each in onvif.channels:
        each.holes = {today, today - DAY}
    desk = sit_down()
    desk.poll()
    found = desk.driver.extents(deadline=desk.clock.monotonic() + 20)
    assert isinstance(found, Unknown)
    assert found.reason is Reason.NOT_YET


@pytest.mark.parametrize("skew", [5, 300])
@pytest.mark.parametrize("offset", [0, -26 * 365 * 86_400, 5 * 3600])
def test_a_wrong_clock_is_no_wrong_password(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk], truth: Truth, offset: int, skew: int
) -> None:
    onvif.clock_offset_seconds, onvif.manners.skew_seconds = offset, skew
    recorder = sit_down().poll()[0]
    assert isinstance(recorder, RecorderReading)
    assert recorder.clock_offset_seconds == pytest.approx(offset, abs=2)
    assert truth.lines("wrong_time") == []


def test_a_recorder_whose_utc_is_local_time_is_signed_to_by_ours(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk], truth: Truth
) -> None:
    onvif.manners.utc_is_local = True
    recorder = sit_down().poll()[0]
    assert isinstance(recorder, RecorderReading)
    assert recorder.clock_offset_seconds == pytest.approx(0, abs=2)
    assert truth.lines("login_failed") == truth.lines("wrong_time") == []


def test_a_recorder_that_is_really_eight_hours_off_is_signed_to_by_its_own(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk], truth: Truth
) -> None:
    onvif.clock_offset_seconds = 8 * 3600
    desk = sit_down()
    recorder = desk.poll()[0]
    assert isinstance(recorder, RecorderReading)
    assert recorder.clock_offset_seconds == pytest.approx(8 * 3600, abs=2)
    assert len(truth.lines("wrong_time")) == 1  # tried both ways, and remembered which
    assert truth.lines("login_failed") == []
    assert desk.gate.credential is CredentialState.OK


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_wrong_password_costs_one_login_over_restarts(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk], truth: Truth, status: int
) -> None:
    onvif.manners.fault_status = status
    errors: list[DriverError] = []
    for _ in range(4):
        try:
            sit_down("wrong").poll()
        except DriverError as error:
            errors.append(error)
    assert isinstance(errors[0], AuthenticationError)
    assert len(errors) == 4
    assert len(truth.lines("login_failed")) == 1
    assert "wrong'" not in str(errors)


def test_a_model_that_wants_digest_in_front_of_the_question_gets_it(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk], truth: Truth
) -> None:
    onvif.manners.transport_digest = True
    desk = sit_down()
    assert isinstance(desk.poll()[0], RecorderReading)
    assert desk.days() == expected(onvif)
    assert truth.lines("login_failed") == []


FAULTS: list[Fault] = ["truncated", "html", "huge", "wrong_length", "empty"]


@pytest.mark.parametrize("fault", FAULTS)
def test_noise_is_an_error_and_passes(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk], fault: Fault
) -> None:
    desk = sit_down()
    onvif.fault = fault
    with pytest.raises(ProtocolError, match="nvr-1"):
        desk.poll()
    onvif.fault = None
    assert isinstance(desk.poll()[0], RecorderReading)


def test_only_questions_are_asked(sit_down: Callable[..., Desk]) -> None:
    desk = sit_down()
    for service, name in ((SEARCH, "GetEndOfTime"), ("x", "SystemReboot")):
        with pytest.raises(ValueError, match="not among the questions"):
            desk.driver._soap.ask(
                "/onvif/device_service", service, name, created=None, deadline=1e9
            )


@pytest.mark.parametrize("media2", [True, False])
@pytest.mark.parametrize("from_place", [0, 1])
def test_streams_are_where_the_recorder_says_under_the_host_we_know(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk], media2: bool, from_place: int
) -> None:
    onvif.manners.media2, onvif.manners.sources_from = media2, from_place
    onvif.manners.escapes_twice = media2
    desk = sit_down()
    unasked = desk.driver.live_path(1, "sub")
    assert isinstance(unasked, Unknown)
    desk.poll()
    asked = read_address(f"rtsp://h{desk.driver.live_path(2, 'main')}")
    assert asked is not None
    assert (asked.channel, asked.sub) == (2, False)
    asked = read_address(f"rtsp://h{desk.driver.live_path(2, 'sub')}")
    assert asked is not None
    assert (asked.channel, asked.sub) == (2, True)
    missing = desk.driver.live_path(70, "main")
    assert isinstance(missing, Unknown)
    assert missing.reason is Reason.NOT_MEASURED


def test_a_recorder_that_names_no_streams_is_not_asked_again_and_again(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk]
) -> None:
    onvif.manners.names_streams = False
    desk = sit_down()
    desk.poll()
    before = len(onvif.truth.lines("request"))
    desk.poll()
    assert len(onvif.truth.lines("request")) - before == 1  # its clock
    answer = desk.driver.live_path(1, "main")
    assert isinstance(answer, Unknown)
    assert answer.reason is Reason.NOT_SUPPORTED


def test_a_camera_behind_onvif_plays(
    onvif: OnvifSimulator, sit_down: Callable[..., Desk], truth: Truth
) -> None:
    cameras = RtspSimulator(truth, password="secret")
    cameras.start()
    desk = sit_down()
    desk.poll()
    path = desk.driver.live_path(1, "sub")
    target = StreamTarget(
        device_id="cam-1",
        url=f"rtsp://127.0.0.1:{cameras.port}{path}",
        username="inspector",
        password=SecretStr("secret"),
        window_seconds=0.5,
    )
    reading = probe_stream(target, desk.clock).reading
    cameras.stop()
    assert (reading.fault, reading.width) == (None, 640), reading.detail
