"""Two halves by one hand agree in their mistakes: others play our simulator, we probe theirs."""

import contextlib
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from time import monotonic

import pytest

from agent.clock import SystemClock
from agent.monitors.proof import outcome
from drivers.image_quality import picture_features
from drivers.playback import play_back
from drivers.readings import Unknown
from drivers.stream import probe_stream
from drivers.stream_target import PlaybackTarget, StreamTarget
from simulators import scenes
from simulators.rtsp import RtspSimulator
from simulators.truth import Truth
from simulators.video import encode

SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("gst_rtsp_server.py")
IMPORTS = "import gi; gi.require_version('GstRtspServer', '1.0')"


@pytest.fixture(scope="module")
def recorder() -> Iterator[RtspSimulator]:
    simulator = RtspSimulator(Truth(), password="gatehouse")
    simulator.start()
    yield simulator
    simulator.stop()


def ffprobe(url: str, password: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [
                "ffprobe",
                *("-v", "error", "-rtsp_transport", "tcp", "-read_intervals", "%+2"),
                *("-show_entries", "stream=codec_name,width,height,avg_frame_rate,nb_read_frames"),
                *("-count_frames", "-of", "json"),
                url.replace("rtsp://", f"rtsp://inspector:{password}@"),
            ],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except FileNotFoundError:
        pytest.fail("ffprobe is missing: install the Debian package ffmpeg (make debian)")


def test_ffprobe_plays_our_simulator(recorder: RtspSimulator) -> None:
    played = ffprobe(recorder.url(1), "gatehouse")
    assert played.returncode == 0, played.stderr
    (stream,) = json.loads(played.stdout)["streams"]
    assert stream["codec_name"] == "h264"
    assert (stream["width"], stream["height"]) == (640, 360)
    assert int(stream["nb_read_frames"]) > 5


def test_ffprobe_is_refused_with_a_wrong_password(recorder: RtspSimulator) -> None:
    refused = ffprobe(recorder.url(1), "wrong")
    assert refused.returncode != 0
    assert "401 Unauthorized" in refused.stderr


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Ten seconds of a corridor; in containers, since GStreamer gives a raw stream no times."""
    if subprocess.run([SYSTEM_PYTHON, "-c", IMPORTS], check=False).returncode:
        pytest.fail(
            "GStreamer's RTSP server is missing: install gir1.2-gst-rtsp-server-1.0 (make debian)"
        )
    raw = tmp_path_factory.mktemp("clips") / "corridor.h264"
    raw.write_bytes(encode(scenes.corridor, 640, 360).annex_b() * 5)
    x265 = ("-preset", "ultrafast", "-x265-params", "bframes=0:keyint=25:log-level=none")
    coding = {"h264": ("-c", "copy"), "h265": ("-c:v", "libx265", *x265)}
    made = {codec: raw.with_suffix(f".{codec}.mp4") for codec in coding}
    for codec, how in coding.items():
        command = ["ffmpeg", "-v", "error", "-r", "25", "-i", str(raw), *how, str(made[codec])]
        subprocess.run(command, check=True)
    return made


@contextlib.contextmanager
def serving(codec: str, clip: Path, then: signal.Signals | None = None) -> Iterator[str]:
    """Serve; with `then`, send the server that signal while it is being watched."""
    server = subprocess.Popen(
        [
            *(SYSTEM_PYTHON, str(SERVER), "--port", "0", "--file", str(clip), "--codec", codec),
            *("--user", "inspector", "--password", "gatehouse"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        try:
            assert server.stdout is not None
            words = server.stdout.readline().split()
            assert words[:1] == ["ready"]
            timer = threading.Timer(1.2, server.send_signal, [then or signal.SIGCONT])
            timer.start()
            yield f"rtsp://127.0.0.1:{words[1]}/camera"
            timer.cancel()
        finally:
            server.kill()


def target(url: str, password: str) -> StreamTarget:
    return StreamTarget.model_validate(
        {"device_id": "cam", "url": url, "username": "inspector", "password": password}
    )


@pytest.mark.parametrize(("coded", "codec"), [("h264", "h264"), ("h265", "hevc")])
def test_our_probe_reads_gstreamers_server(clips: dict[str, Path], coded: str, codec: str) -> None:
    with serving(coded, clips[coded]) as url:
        reading, picture, *_ = probe_stream(target(url, "gatehouse"), SystemClock())
    assert (reading.layer, reading.fault) == ("playing", None), reading.detail
    assert (reading.codec, reading.width, reading.height) == (codec, 640, 360)
    assert reading.fps == pytest.approx(25, abs=1)
    assert reading.gop_frames == 25
    assert picture is not None
    drawn = picture_features(scenes.corridor(0, 640, 360))
    assert picture_features(picture).luma_mean == pytest.approx(drawn.luma_mean, abs=5)


def test_our_playback_reads_gstreamers_server(
    clips: dict[str, Path], recorder: RtspSimulator
) -> None:
    noon = datetime.combine(date(2026, 10, 10), time(12))
    with serving("h265", clips["h265"]) as url:
        played = play_back(
            PlaybackTarget(
                device_id="nvr",
                channel=1,
                asked_at=noon,
                digits_at=noon,
                recorded=target(url, "gatehouse"),
                live=target(recorder.url(1), "gatehouse"),
            ),
            SystemClock(),
        )
    assert (played.fault, played.live_fault) == (None, None), played.detail
    assert isinstance(played.shown_after_seconds, Unknown)  # a server of files names no clock
    assert outcome(played) == "proven"


def test_our_probe_understands_gstreamers_refusals(clips: dict[str, Path]) -> None:
    with serving("h264", clips["h264"]) as url:
        wrong = probe_stream(target(url, "wrong"), SystemClock()).reading
        elsewhere = url.replace("camera", "x")
        missing = probe_stream(target(elsewhere, "gatehouse"), SystemClock()).reading
    assert wrong.fault == "unauthorized", wrong.detail
    assert missing.fault == "not_found", missing.detail


@pytest.mark.parametrize(
    ("sent", "fault"), [(signal.SIGSTOP, "stalled"), (signal.SIGKILL, "ended_early")]
)
def test_our_probe_tells_a_server_that_hangs_from_one_that_dies(
    clips: dict[str, Path], sent: signal.Signals, fault: str
) -> None:
    with serving("h264", clips["h264"], sent) as url:
        aim = target(url, "gatehouse").model_copy(
            update={"window_seconds": 6.0, "read_seconds": 1.0}
        )
        began = monotonic()
        reading = probe_stream(aim, SystemClock()).reading
        took = monotonic() - began
    assert (reading.layer, reading.fault) == ("first_key_frame", fault), reading.detail
    assert took < aim.bound_seconds
