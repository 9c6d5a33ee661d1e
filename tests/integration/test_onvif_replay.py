"""Recordings replayed as ONVIF has it: found by the driver, played by our own RTSP client."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from agent.clock import SystemClock
from agent.monitors.proof import outcome
from drivers.readings import Reason, StreamFault, Unknown
from drivers.recorder.readings import PlaybackReading
from drivers.recordings import PlaybackAddress
from drivers.replay import replay_stream
from drivers.stream_target import PlaybackTarget, StreamTarget
from drivers.stream_workers import StreamWorkers
from simulators.onvif import OnvifSimulator
from simulators.rtsp import RtspSimulator
from simulators.truth import Truth
from simulators.video import Codec
from tests.integration.test_onvif_recorder import Desk

CLOCK = SystemClock()
PASSWORD = "secret"
SYSTEM_PYTHON = "/usr/bin/python3"
STRANGER = str(Path(__file__).with_name("gst_onvif_replay.py"))


@pytest.fixture(scope="module")
def onvif() -> Iterator[OnvifSimulator]:
    made = OnvifSimulator(Truth(), days={1: 40, 2: 3}, password=PASSWORD)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def cameras(onvif: OnvifSimulator) -> Iterator[RtspSimulator]:
    made = RtspSimulator(
        Truth(), channels=2, password=PASSWORD, main_size=(640, 360), main_gop=10, holds=onvif.plays
    )
    made.start()
    for codec in ("hevc", "h264"):  # coded before anybody waits for it
        made.channel(1).set_codec("hevc" if codec == "hevc" else "h264")
        made._media(made.channel(1), sub=False)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def workers() -> Iterator[StreamWorkers]:
    made = StreamWorkers(CLOCK)
    yield made
    made.close()


@pytest.fixture
def desk(onvif: OnvifSimulator, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(onvif, tmp_path / "budget", PASSWORD)
    made.poll()
    yield made
    made.driver.close()


def noon(days_ago: int) -> datetime:
    today = (datetime.now(UTC) + timedelta(hours=8)).replace(tzinfo=None)
    return (today - timedelta(days=days_ago)).replace(hour=12, minute=0, second=7, microsecond=0)


def address(desk: Desk, at: datetime, channel: int = 1) -> PlaybackAddress | Unknown:
    until = at + timedelta(minutes=2)
    return desk.driver.playback(channel, at, until, deadline=CLOCK.monotonic() + 5)


@pytest.fixture
def played(
    desk: Desk, cameras: RtspSimulator, workers: StreamWorkers
) -> Iterator[Callable[[datetime], PlaybackReading]]:
    """Play by the address the driver learnt, at the simulated recorder's own RTSP port."""
    desk.days()

    def play(at: datetime) -> PlaybackReading:
        found = address(desk, at)
        assert isinstance(found, PlaybackAddress), found
        live = StreamTarget(
            device_id="cam-1",
            url=cameras.url(1, sub=False),
            username="inspector",
            password=SecretStr(PASSWORD),
            window_seconds=0.4,
            open_seconds=10,  # four tests at a time code slowly
            key_frame_seconds=5,
            read_seconds=2,
        )
        url = f"rtsp://127.0.0.1:{cameras.port}{found.path}"
        target = PlaybackTarget(
            device_id="nvr-1",
            channel=1,
            asked_at=at,
            digits_at=found.digits_at,
            recorded=live.model_copy(update={"url": url, "replay_from": found.digits_at}),
            live=live,
        )
        [reading] = workers.play_back(target, CLOCK.monotonic() + 60)
        assert isinstance(reading, PlaybackReading), reading
        return reading

    yield play
    cameras.channel(1).restore()
    cameras.channel(1).set_codec("h264")


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_recording_is_replayed_and_dated_by_its_frames(
    played: Callable[[datetime], PlaybackReading], cameras: RtspSimulator, codec: Codec
) -> None:
    cameras.channel(1).set_codec(codec)
    reading = played(noon(30))
    assert (reading.fault, reading.live_fault) == (None, None), reading.detail
    assert reading.shown_after_seconds == 0
    assert outcome(reading) == "proven"
    asked = cameras.truth.lines("playback_asked")[-1]
    assert asked["start"] == noon(30).isoformat()  # by the recorder's wall clock, not by UTC
    assert cameras.truth.lines("replay")[-1]["require"] == "onvif-replay"


def test_what_other_faults_look_like(
    played: Callable[[datetime], PlaybackReading], cameras: RtspSimulator
) -> None:
    channel, at = cameras.channel(1), noon(30)

    def told(spoil: Callable[[], None]) -> tuple[StreamFault | None, str | None]:
        channel.restore()
        spoil()
        reading = played(at)
        return reading.fault, outcome(reading)

    assert told(channel.play_live) == (None, "like_live")
    assert told(lambda: channel.play_late(86_400)) == (None, "other_time")
    assert told(lambda: channel.spoil(at.date())) == ("not_found", "unplayable")
    assert told(lambda: channel.spoil(at.date(), "silent")) == ("silent", "unplayable")
    assert told(channel.forbid_playback) == ("unauthorized", "forbidden")
    assert told(lambda: channel.refuse(503)) == ("busy", None)


def test_a_refused_login_is_tried_once(
    played: Callable[[datetime], PlaybackReading], cameras: RtspSimulator
) -> None:
    before = len(cameras.truth.lines("login_refused"))
    cameras.channel(1).refuse_logins()
    reading = played(noon(30))
    assert (reading.fault, reading.live_fault) == ("unauthorized", "unauthorized")
    assert len(cameras.truth.lines("login_refused")) - before == 2  # once live, once replayed


def test_an_address_is_had_of_what_was_listed_alone(desk: Desk, onvif: OnvifSimulator) -> None:
    desk.days()
    old = address(desk, noon(20), channel=2)
    assert isinstance(old, Unknown)
    assert old.reason is Reason.NOT_YET
    onvif.manners.replays = False
    refused = address(desk, noon(30))
    onvif.manners.replays = True
    assert isinstance(refused, Unknown)
    assert refused.reason is Reason.NOT_SUPPORTED


def test_a_silent_a_garbled_and_a_dead_recorder_are_told_apart(cameras: RtspSimulator) -> None:
    def fault(port: int) -> StreamFault | None:
        target = StreamTarget(
            device_id="cam-1",
            url=f"rtsp://127.0.0.1:{port}/replay/1?proto=onvif",
            username="inspector",
            password=SecretStr(PASSWORD),
            open_seconds=0.5,
            replay_from=noon(30),
        )
        return replay_stream(target, CLOCK).reading.fault

    channel = cameras.channel(1)
    channel.silence("request")
    assert fault(cameras.port) == "silent"
    channel.restore()
    channel.garble()
    assert fault(cameras.port) == "malformed"
    channel.restore()
    assert fault(1) == "refused"


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_our_client_plays_gstreamers_replay_server(codec: str) -> None:
    at = datetime.fromisoformat("2026-11-01T04:00:07")
    with subprocess.Popen(
        [SYSTEM_PYTHON, STRANGER, "--serve", codec], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            words = server.stdout.readline().split()
            assert words[:1] == ["ready"], "gir1.2-gst-rtsp-server-1.0 is missing (make debian)"
            target = StreamTarget(
                device_id="cam-1",
                url=f"rtsp://127.0.0.1:{words[1]}/replay",
                username="inspector",
                password=SecretStr(PASSWORD),
                window_seconds=0.5,
                replay_from=at,
            )
            reading, picture, begins_at, _ = replay_stream(target, CLOCK)
        finally:
            server.kill()
    assert (reading.fault, begins_at) == (None, at), reading.detail
    assert picture is not None
    assert picture.shape == (240, 320, 3)
    assert 200 < picture.max() <= 255  # a white ball
    assert picture.mean() < 20  # on black


def test_gstreamers_client_plays_our_replay(
    played: Callable[[datetime], PlaybackReading], cameras: RtspSimulator
) -> None:
    del played  # its fixture puts the channel in order
    at = noon(30)
    asked = at - timedelta(hours=8)  # Range: clock is UTC
    seconds = round((asked - datetime.fromisoformat("1900-01-01")).total_seconds())
    url = f"rtsp://127.0.0.1:{cameras.port}/replay/1?proto=onvif"
    done = subprocess.run(
        [SYSTEM_PYTHON, STRANGER, "--play", url, str(seconds)],
        capture_output=True, text=True, timeout=40, check=True,
    )  # fmt: skip
    count, first, last = map(int, done.stdout.split())
    assert (count >= 100, first) == (True, seconds), done.stderr
    assert seconds <= last <= seconds + 5
    assert cameras.truth.lines("playback_asked")[-1]["start"] == at.isoformat()
