"""Single pictures: of all makers' simulated recorders, by our drivers, by curl and by ffprobe."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from queue import SimpleQueue
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from agent.camera_rounds import CameraProbe, CameraRounds
from agent.clock import SystemClock
from agent.store.login_budget import FileLoginBudget
from agent.store.quirks import FileQuirks
from drivers.base import Gate, RecorderDriver
from drivers.errors import AuthenticationError
from drivers.picture_snapshot import jpeg_size
from drivers.readings import PictureReading, Reading, Reason, StreamReading, Unknown
from drivers.recorder.gate import RecorderGate
from drivers.recorder.makers import DRIVERS
from drivers.recorder.settings import Maker, RecorderSettings
from drivers.stream_target import StreamTarget
from drivers.stream_workers import StreamWorkers
from simulators.dahua import DahuaSimulator
from simulators.hikvision import HikvisionSimulator
from simulators.http_recorder import CommonFault, HttpRecorder
from simulators.onvif import OnvifSimulator
from simulators.rtsp import RtspSimulator
from simulators.truth import Truth

SIMULATORS: dict[Maker, type[HttpRecorder]] = {
    "hikvision": HikvisionSimulator,
    "dahua": DahuaSimulator,
    "onvif": OnvifSimulator,
}
PASSWORD = "secret"


class FastClock(SystemClock):
    """Does not wait for the next picture."""

    def sleep(self, seconds: float) -> None:
        assert seconds <= 1


CLOCK = FastClock()


class Desk:
    """A recorder with two cameras, and a driver that has polled it."""

    def __init__(self, maker: Maker, directory: Path, password: str = PASSWORD) -> None:
        self.recorder = SIMULATORS[maker](Truth(), days={1: 3, 2: 3}, password=PASSWORD)
        self.recorder.start()
        settings = RecorderSettings(
            id="nvr",
            driver=maker,
            host="127.0.0.1",
            http_port=self.recorder.port,
            username=self.recorder.door.user,
            reply_timeout_seconds=2,
        )
        secret, budget = SecretStr(password), FileLoginBudget(directory / "budget")
        gate = RecorderGate("nvr", settings.username, secret, budget, CLOCK, request_gap_seconds=0)
        self.driver = cast(
            "RecorderDriver",
            DRIVERS[maker](
                settings,
                secret,
                gate,
                CLOCK,
                FileQuirks(directory / "quirks"),
                zone=ZoneInfo("Asia/Shanghai"),
                channels=(1, 2),
            ),
        )
        self.driver.open()

    def snapshot(self, channel: int = 1) -> bytes | Unknown:
        return self.driver.snapshot(channel, deadline=CLOCK.monotonic() + 5)

    def requests(self) -> int:
        return sum("pictur" in str(one["path"]) for one in self.recorder.truth.lines("request"))

    def close(self) -> None:
        self.driver.close()
        self.recorder.stop()


@pytest.fixture
def sit_down(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def made(maker: Maker, password: str = PASSWORD) -> Desk:
        desks.append(Desk(maker, tmp_path, password))
        return desks[-1]

    yield made
    for desk in desks:
        desk.close()


@pytest.mark.parametrize("maker", list(SIMULATORS))
def test_every_maker_gives_a_picture(maker: Maker, sit_down: Callable[..., Desk]) -> None:
    desk = sit_down(maker)
    list(desk.driver.poll(deadline=CLOCK.monotonic() + 5))
    picture = desk.snapshot(2)
    assert isinstance(picture, bytes), picture
    assert jpeg_size(picture) == (1280, 720)
    assert [one["channel"] for one in desk.recorder.truth.lines("picture_given")] == [2]


def test_the_address_that_works_is_remembered(sit_down: Callable[..., Desk]) -> None:
    desk = sit_down("hikvision")
    assert isinstance(desk.recorder, HikvisionSimulator)
    desk.recorder.pictures = "ContentMgmt/StreamingProxy"
    for _ in range(3):
        assert isinstance(desk.snapshot(), bytes)
    # The first time a challenge and its answer at each address, then at the good one alone.
    assert desk.requests() == 4 + 2 + 2
    desk.recorder.pictures = "neither"
    refused = desk.snapshot()
    assert isinstance(refused, Unknown)
    assert refused.reason is Reason.MALFORMED


def test_a_camera_that_is_away_is_busy_and_asked_for_once(sit_down: Callable[..., Desk]) -> None:
    desk = sit_down("hikvision")
    desk.recorder.channels[0].online = False
    refused = desk.snapshot()
    assert isinstance(refused, Unknown)
    assert refused.reason is Reason.BUSY
    assert desk.requests() == 2


def test_a_dahua_recorder_refuses_pictures_of_cameras_it_records(
    sit_down: Callable[..., Desk],
) -> None:
    desk = sit_down("dahua")
    assert isinstance(desk.recorder, DahuaSimulator)
    desk.recorder.manners.without_picture = (1,)
    assert isinstance(desk.snapshot(1), Unknown)
    assert isinstance(desk.snapshot(2), bytes)


@pytest.mark.parametrize("manner", ["empty", "absent"])
def test_onvif_may_name_no_pictures(manner: str, sit_down: Callable[..., Desk]) -> None:
    desk = sit_down("onvif")
    assert isinstance(desk.recorder, OnvifSimulator)
    desk.recorder.manners.pictures = "empty" if manner == "empty" else "absent"
    list(desk.driver.poll(deadline=CLOCK.monotonic() + 5))
    assert isinstance(desk.snapshot(), Unknown)
    before = len(desk.recorder.truth.lines("request"))
    assert isinstance(desk.snapshot(), Unknown)
    assert len(desk.recorder.truth.lines("request")) == before  # it has said so


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("text_picture", Reason.MALFORMED),
        ("truncated", Reason.MALFORMED),
        ("html", Reason.MALFORMED),
        ("huge", Reason.MALFORMED),
        ("empty", Reason.MALFORMED),
        ("not_found", Reason.NOT_SUPPORTED),
    ],
)
def test_what_is_no_whole_picture_is_none(
    fault: CommonFault, reason: Reason, sit_down: Callable[..., Desk]
) -> None:
    desk = sit_down("dahua")
    desk.recorder.fault = fault
    refused = desk.snapshot()
    assert isinstance(refused, Unknown)
    assert refused.reason is reason


@pytest.mark.parametrize("maker", ["hikvision", "dahua"])
def test_a_wrong_password_costs_one_login(maker: Maker, sit_down: Callable[..., Desk]) -> None:
    desk = sit_down(maker, "wrong")
    with pytest.raises(AuthenticationError):
        desk.snapshot()
    assert len(desk.recorder.truth.lines("login_failed")) == 1


@pytest.mark.parametrize(
    ("maker", "path"),
    [
        ("hikvision", "/ISAPI/Streaming/channels/101/picture"),
        ("dahua", "/cgi-bin/snapshot.cgi?channel=1"),
        ("onvif", "/snap/1?proto=onvif"),
    ],
)
def test_curl_fetches_it_and_ffprobe_reads_it(
    maker: Maker, path: str, sit_down: Callable[..., Desk], tmp_path: Path
) -> None:
    desk, place = sit_down(maker), tmp_path / "picture.jpg"
    url = f"http://127.0.0.1:{desk.recorder.port}{path}"
    login = ["--digest", "-u", f"{desk.recorder.door.user}:{PASSWORD}"]
    fetched = subprocess.run(
        ["curl", "-sf", *login, "-o", str(place), url], timeout=20, check=False
    )
    assert fetched.returncode == 0
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of",
         "csv=p=0", str(place)],
        capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert shown.stdout.strip() == "mjpeg,1280,720"


class OpenGate:
    def permit(self, use: str, *, deadline: float) -> nullcontext[None]:
        del use, deadline
        return nullcontext()

    def login_succeeded(self) -> None:
        """Nobody counts."""


def round_of(probe: CameraProbe, wanted: int) -> list[Reading]:
    """Have one round, and return what it posts."""
    posted: SimpleQueue[Reading] = SimpleQueue()
    rounds = CameraRounds([probe], StreamWorkers(CLOCK), CLOCK, round_seconds=3600)
    rounds.start(posted.put)
    try:
        return [posted.get(timeout=30) for _ in range(wanted)]
    finally:
        rounds.ask_to_stop()
        rounds.stop()


def test_a_camera_without_streams_is_judged_by_its_pictures(sit_down: Callable[..., Desk]) -> None:
    desk, gate = sit_down("dahua"), cast("Gate", OpenGate())
    nothing = Unknown(reason=Reason.NOT_SUPPORTED)
    probe = CameraProbe("cam", lambda: nothing, gate, desk.snapshot, streams=False)
    picture, stream = round_of(probe, 2)
    assert isinstance(picture, PictureReading)
    assert isinstance(stream, StreamReading)
    assert picture.observed_at == stream.observed_at
    assert (stream.layer, stream.fault, stream.width) == ("snapshot", None, 1280)
    assert picture.luma_std > 12
    desk.recorder.fault = "text_picture"
    [failed] = round_of(probe, 1)
    assert isinstance(failed, StreamReading)
    assert failed.fault == "malformed"
    desk.recorder.fault = "silent"
    [silent] = round_of(probe, 1)
    assert silent.model_dump()["reason"] == "timeout"


def test_a_stream_that_fails_is_told_from_a_camera_that_does(sit_down: Callable[..., Desk]) -> None:
    desk, cameras = sit_down("dahua"), RtspSimulator(Truth(), channels=1, password=PASSWORD)
    cameras.start()
    cameras.channel(1).refuse(404)
    target = StreamTarget(
        device_id="cam", url=cameras.url(1), username="inspector", password=SecretStr(PASSWORD)
    )
    probe = CameraProbe("cam", lambda: target, cast("Gate", OpenGate()), desk.snapshot)
    try:
        stream, second = round_of(probe, 2)
    finally:
        cameras.stop()
    assert stream.model_dump()["fault"] == "not_found"
    assert second.model_dump()["kind"] == "snapshot"
    assert isinstance(second, PictureReading)
