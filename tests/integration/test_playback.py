"""Recordings played back from the simulated recorder, by our workers and by strangers."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
from pydantic import SecretStr

from agent.clock import SystemClock
from agent.monitors.proof import outcome
from drivers.readings import StreamFault, Unknown
from drivers.recorder.readings import PlaybackReading
from drivers.stream_target import PlaybackTarget, StreamTarget
from drivers.stream_workers import StreamWorkers
from simulators.archive import SimulatedChannel
from simulators.rtsp import RtspSimulator
from simulators.truth import Truth
from simulators.video import Codec
from tests.waiting import wait_until

CLOCK = SystemClock()
PASSWORD = "gatehouse"
CHANNELS = 4
NOW = datetime.combine(date(2026, 10, 30), time(2, 0))
NOON = datetime.combine(date(2026, 10, 10), time(12, 0, 7))
DEPTH_DAYS = 40


@pytest.fixture(scope="module")
def workers() -> Iterator[StreamWorkers]:
    made = StreamWorkers(CLOCK)
    yield made
    made.close()


@pytest.fixture(scope="module")
def running() -> Iterator[RtspSimulator]:
    archive = SimulatedChannel(1, depth_days=DEPTH_DAYS)
    simulator = RtspSimulator(
        Truth(),
        channels=CHANNELS,
        password=PASSWORD,
        main_size=(640, 360),
        main_kbps=600,
        main_gop=10,
        holds=lambda _, instant: archive.plays(instant, NOW),
    )
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def recorder(running: RtspSimulator) -> RtspSimulator:
    for number in range(1, CHANNELS + 1):
        running.channel(number).restore()
        running.channel(number).set_codec("h264")
    return running


def path(number: int, start: datetime, maker: str = "hikvision") -> str:
    """Write an address as its maker's document has it, not as our driver does."""
    end = start + timedelta(minutes=2)
    if maker == "dahua":
        span = f"starttime={start:%Y_%m_%d_%H_%M_%S}&endtime={end:%Y_%m_%d_%H_%M_%S}"
        return f"/cam/playback?channel={number}&subtype=0&{span}"
    span = f"starttime={start:%Y%m%dT%H%M%SZ}&endtime={end:%Y%m%dT%H%M%SZ}"
    return f"/Streaming/tracks/{number}01/?{span}"


def target(recorder: RtspSimulator, recorded: str, number: int = 1) -> PlaybackTarget:
    live = StreamTarget(
        device_id=f"cam-{number}",
        url=recorder.url(number, sub=False),
        username="inspector",
        password=SecretStr(PASSWORD),
        window_seconds=0.4,
        key_frame_seconds=2,
        read_seconds=0.5,
    )
    return PlaybackTarget(
        device_id="nvr",
        channel=number,
        asked_at=NOON,
        digits_at=NOON,
        recorded=live.model_copy(update={"url": f"rtsp://127.0.0.1:{recorder.port}{recorded}"}),
        live=live,
    )


def played(
    workers: StreamWorkers, recorder: RtspSimulator, recorded: str, number: int = 1
) -> PlaybackReading:
    aim = target(recorder, recorded, number)
    [reading] = workers.play_back(aim, CLOCK.monotonic() + 60)
    assert isinstance(reading, PlaybackReading), reading
    return reading


@pytest.mark.parametrize(("maker", "codec"), [("hikvision", "h264"), ("dahua", "hevc")])
def test_a_recording_is_played_and_shown_not_to_be_live(
    workers: StreamWorkers, recorder: RtspSimulator, maker: str, codec: Codec
) -> None:
    recorder.channel(1).set_codec(codec)
    reading = played(workers, recorder, path(1, NOON, maker))
    assert (reading.fault, reading.live_fault) == (None, None), reading.detail
    assert isinstance(reading.changed_ratio, float)
    assert reading.changed_ratio > 0.5
    said = None if isinstance(reading.shown_after_seconds, Unknown) else 0.0
    assert said == (0.0 if maker == "hikvision" else None)
    assert outcome(reading) == "proven"


def test_the_live_picture_is_caught(workers: StreamWorkers, recorder: RtspSimulator) -> None:
    recorder.channel(1).play_live()
    reading = played(workers, recorder, path(1, NOON))
    assert (reading.fault, reading.live_fault) == (None, None), reading.detail
    assert outcome(reading) == "like_live", reading


def test_another_day_than_was_asked_for_is_caught(
    workers: StreamWorkers, recorder: RtspSimulator
) -> None:
    recorder.channel(1).play_late(86_400)
    reading = played(workers, recorder, path(1, NOON))
    assert (reading.shown_after_seconds, outcome(reading)) == (86_400, "other_time")


@pytest.mark.parametrize(("how", "fault"), [("refused", "not_found"), ("silent", "silent")])
def test_a_day_that_lists_and_does_not_play_is_caught(
    workers: StreamWorkers, recorder: RtspSimulator, how: str, fault: str
) -> None:
    recorder.channel(1).spoil(NOON.date(), "refused" if how == "refused" else "silent")
    reading = played(workers, recorder, path(1, NOON))
    assert (reading.fault, outcome(reading)) == (fault, "unplayable")


def test_what_is_not_held_does_not_play(workers: StreamWorkers, recorder: RtspSimulator) -> None:
    gone = NOON - timedelta(days=DEPTH_DAYS)
    assert outcome(played(workers, recorder, path(1, gone))) == "unplayable"


def test_an_account_without_the_right_to_play_is_told_from_a_wrong_password(
    workers: StreamWorkers, recorder: RtspSimulator
) -> None:
    recorder.channel(1).forbid_playback()
    reading = played(workers, recorder, path(1, NOON))
    assert (reading.fault, reading.live_fault) == ("unauthorized", None)
    assert outcome(reading) == "forbidden"
    recorder.channel(1).refuse_logins()
    reading = played(workers, recorder, path(1, NOON))
    assert (reading.live_fault, outcome(reading)) == (StreamFault.UNAUTHORIZED, None)


def test_a_recorder_that_plays_for_somebody_else_is_busy_and_no_fault(
    workers: StreamWorkers, recorder: RtspSimulator
) -> None:
    address = f"rtsp://inspector:{PASSWORD}@127.0.0.1:{recorder.port}{path(2, NOON)}"
    command = ["ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", address]
    before = len(recorder.truth.lines("playback_started"))
    with subprocess.Popen([*command, "-f", "null", "-"]) as somebody:
        try:
            wait_until(lambda: len(recorder.truth.lines("playback_started")) > before)
            reading = played(workers, recorder, path(1, NOON))
        finally:
            somebody.kill()
    assert (reading.fault, outcome(reading)) == ("busy", None)


def test_a_recorder_that_ends_without_a_word_has_played_all_the_same(
    workers: StreamWorkers, recorder: RtspSimulator
) -> None:
    recorder.channel(1).hang_up_on_teardown()
    assert outcome(played(workers, recorder, path(1, NOON))) == "proven"


def test_ffprobe_plays_the_other_codec_live_and_back(recorder: RtspSimulator) -> None:
    recorder.channel(3).set_codec("hevc")
    for address in (path(3, NOON), "/Streaming/Channels/302"):
        url = f"rtsp://inspector:{PASSWORD}@127.0.0.1:{recorder.port}{address}"
        command = ["ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-of", "csv=p=0", url]
        shown = subprocess.run(
            [*command, "-show_entries", "stream=codec_name,width,height"],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert shown.stdout.strip() == "hevc,640,360", shown.stderr


def date_in(recorder: RtspSimulator, address: str) -> datetime:
    """Have ffmpeg bring home one picture, and read the date in its lowest lines."""
    url = f"rtsp://inspector:{PASSWORD}@127.0.0.1:{recorder.port}{address}"
    command = ["ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", url, "-frames:v", "1"]
    done = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "gray", "-"],
        capture_output=True, timeout=30, check=True,
    )  # fmt: skip
    row = np.frombuffer(done.stdout, dtype=np.uint8).reshape(360, 640)[352]
    cells = [int(row[round((number + 0.5) * 640 / 34)]) > 128 for number in range(34)]
    assert cells[:2] == [True, False]
    seconds = int("".join(str(int(bit)) for bit in cells[2:]), 2)
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


@pytest.mark.parametrize("maker", ["hikvision", "dahua"])
def test_the_date_in_the_picture_is_the_one_that_was_asked_for(
    recorder: RtspSimulator, maker: str
) -> None:
    address = path(1, NOON, maker)
    assert date_in(recorder, address) == NOON
