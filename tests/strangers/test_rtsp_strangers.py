"""Two halves by one hand agree in their mistakes: others play our simulator, we probe theirs."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from drivers.image_quality import picture_features
from drivers.stream import probe_stream
from drivers.stream_target import StreamTarget
from simulators import scenes
from simulators.rtsp import RtspSimulator
from simulators.truth import Truth

SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("gst_rtsp_server.py")
IMPORTS = "import gi; gi.require_version('GstRtspServer', '1.0')"


@pytest.fixture(scope="module")
def recorder() -> Iterator[RtspSimulator]:
    simulator = RtspSimulator(Truth(), password="gatehouse", main_size=(1280, 720))
    simulator.start()
    yield simulator
    simulator.stop()


def ffprobe(url: str, password: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [
                "ffprobe",
                *("-v", "error", "-rtsp_transport", "tcp", "-read_intervals", "%+3"),
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


@pytest.mark.parametrize(("sub", "size"), [(True, (640, 360)), (False, (1280, 720))])
def test_ffprobe_plays_our_simulator(
    recorder: RtspSimulator, sub: bool, size: tuple[int, int]
) -> None:
    played = ffprobe(recorder.url(1, sub=sub), "gatehouse")
    assert played.returncode == 0, played.stderr
    (stream,) = json.loads(played.stdout)["streams"]
    assert stream["codec_name"] == "h264"
    assert (stream["width"], stream["height"]) == size
    assert int(stream["nb_read_frames"]) > 5


def test_ffprobe_is_refused_with_a_wrong_password(recorder: RtspSimulator) -> None:
    refused = ffprobe(recorder.url(1), "wrong")
    assert refused.returncode != 0
    assert "401 Unauthorized" in refused.stderr


@pytest.fixture(scope="module")
def gstreamer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if subprocess.run([SYSTEM_PYTHON, "-c", IMPORTS], check=False).returncode:
        pytest.fail(
            "GStreamer's RTSP server is missing: install gir1.2-gst-rtsp-server-1.0 (make debian)"
        )
    raw = tmp_path_factory.mktemp("clips") / "corridor.h264"
    raw.write_bytes(scenes.encode("corridor", 640, 360).annex_b() * 5)
    # From a raw stream GStreamer stamps every packet with the same RTP time; a container has times.
    clip = raw.with_suffix(".mp4")
    command = ["ffmpeg", "-v", "error", "-r", "25", "-i", str(raw), "-c", "copy", str(clip)]
    subprocess.run(command, check=True)
    server = subprocess.Popen(
        [
            *(SYSTEM_PYTHON, str(SERVER), "--port", "0", "--file", str(clip)),
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
            yield f"rtsp://127.0.0.1:{words[1]}/camera"
        finally:
            server.kill()


def target(url: str, password: str) -> StreamTarget:
    return StreamTarget.model_validate(
        {"device_id": "cam", "url": url, "username": "inspector", "password": password}
    )


def test_our_probe_reads_gstreamers_server(gstreamer: str) -> None:
    reading, picture = probe_stream(target(gstreamer, "gatehouse"), SystemClock())
    assert (reading.layer, reading.fault) == ("playing", None), reading.detail
    assert (reading.codec, reading.width, reading.height) == ("h264", 640, 360)
    assert reading.fps == pytest.approx(25, abs=1)
    assert reading.gop_frames == 25
    assert picture is not None
    drawn = picture_features(scenes.corridor(0, 640, 360))
    assert picture_features(picture).luma_mean == pytest.approx(drawn.luma_mean, abs=5)


@pytest.mark.parametrize(
    ("path", "password", "fault"),
    [("/camera", "wrong", "unauthorized"), ("/nothing", "gatehouse", "not_found")],
)
def test_our_probe_understands_gstreamers_refusals(
    gstreamer: str, path: str, password: str, fault: str
) -> None:
    url = gstreamer.replace("/camera", path)
    reading, picture = probe_stream(target(url, password), SystemClock())
    assert (reading.fault, picture) == (fault, None), reading.detail
