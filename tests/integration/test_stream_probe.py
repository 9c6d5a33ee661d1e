import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
from pydantic import ValidationError

from agent.clock import SystemClock
from drivers.image_quality import Picture, picture_features
from drivers.readings import Reason, StreamFault, StreamLayer, StreamReading, Unknown
from drivers.stream import probe_stream
from drivers.stream_target import StreamTarget
from simulators import scenes
from simulators.rtsp import RtspSimulator
from simulators.rtsp_channel import SimulatedChannel
from simulators.truth import Truth

PASSWORD = "p@ss:w/ö%41#? +&x"
SLACK_SECONDS = 3.0  # for a machine busy with something else


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth()


@pytest.fixture(scope="module")
def running(truth: Truth) -> Iterator[RtspSimulator]:
    simulator = RtspSimulator(truth, password=PASSWORD, main_size=(1280, 720), channels=2)
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def recorder(running: RtspSimulator) -> RtspSimulator:
    running.channel(1).restore()
    running.channel(1).set_scene("gate")
    return running


def target(url: str, **changes: object) -> StreamTarget:
    fields = {
        "device_id": "gate-cam",
        "url": url,
        "username": "inspector",
        "password": PASSWORD,
        "window_seconds": 1.0,
        "open_seconds": 1.0,
        "read_seconds": 0.5,
        "key_frame_seconds": 2.0,
        **changes,
    }
    return StreamTarget.model_validate(fields)


def probe(aim: StreamTarget) -> tuple[StreamReading, Picture | None]:
    """Probe, and hold the probe to the time its own target promises."""
    began = time.monotonic()
    reading, picture, *_ = probe_stream(aim, SystemClock())
    assert time.monotonic() - began < aim.bound_seconds + SLACK_SECONDS
    return reading, picture


def test_a_playing_sub_stream_is_measured(recorder: RtspSimulator) -> None:
    reading, picture = probe(target(recorder.url(1), window_seconds=2.0))
    assert (reading.layer, reading.fault) == (StreamLayer.PLAYING, None)
    assert (reading.codec, reading.width, reading.height) == ("h264", 640, 360)
    assert reading.fps == pytest.approx(25, abs=0.5)
    assert reading.bitrate_kbps == pytest.approx(600, rel=0.3)
    assert reading.gop_frames == 25
    assert picture is not None
    assert picture.shape == (360, 640, 3)
    brought, drawn = picture_features(picture), picture_features(scenes.gate(0, 640, 360))
    assert brought.luma_mean == pytest.approx(drawn.luma_mean, abs=5)
    assert brought.luma_std == pytest.approx(drawn.luma_std, abs=5)


def test_a_main_stream_comes_home_at_640_by_360(recorder: RtspSimulator) -> None:
    reading, picture = probe(target(recorder.url(1, sub=False), open_seconds=5.0))
    assert (reading.width, reading.height) == (1280, 720)
    assert picture is not None
    assert picture.shape == (360, 640, 3)


@pytest.mark.parametrize(
    ("scene", "low", "high"), [("black", 0, 20), ("no_signal", 105, 130), ("overexposed", 220, 255)]
)
def test_the_picture_is_the_one_now_shown(
    recorder: RtspSimulator, scene: str, low: float, high: float
) -> None:
    recorder.channel(1).set_scene(scene)
    _, picture = probe(target(recorder.url(1), window_seconds=0.2))
    assert picture is not None
    assert low <= picture_features(picture).luma_mean <= high


def test_frame_rate_is_the_streams_own(recorder: RtspSimulator) -> None:
    recorder.channel(1).send_every(5)
    reading, _ = probe(target(recorder.url(1), open_seconds=5.0))
    assert reading.fps == pytest.approx(5, abs=0.3)
    assert reading.fault is None


@pytest.mark.parametrize("step", [0, 10 * 90_000])
def test_a_stream_with_a_broken_clock_has_no_frame_rate(recorder: RtspSimulator, step: int) -> None:
    recorder.channel(1).break_clock(step)
    reading, picture = probe(target(recorder.url(1)))
    assert isinstance(reading.fps, Unknown)
    assert reading.fps.reason == Reason.INCONSISTENT
    assert isinstance(reading.bitrate_kbps, Unknown)
    assert picture is not None


Switch = Callable[[SimulatedChannel], None]


@pytest.mark.parametrize(
    ("switch", "layer", "fault"),
    [
        (lambda c: c.refuse(404), "auth", "not_found"),
        (lambda c: c.refuse(453), "auth", "busy"),
        (lambda c: c.refuse(503), "auth", "busy"),
        (lambda c: c.refuse(500), "auth", "malformed"),
        (lambda c: c.refuse_logins(), "port", "unauthorized"),
        (lambda c: c.garble(), "port", "malformed"),
        (lambda c: c.silence("request"), "port", "silent"),
        (lambda c: c.silence("describe"), "describe", "silent"),
        (lambda c: c.silence("play"), "describe", "silent"),
        (lambda c: c.end_early(0), "describe", "ended_early"),
        (lambda c: c.end_early(40), "first_key_frame", "ended_early"),
        (lambda c: c.drop_key_frames(), "first_packet", "no_key_frame"),
    ],
)
def test_every_fault_is_named_with_the_last_layer_reached(
    recorder: RtspSimulator, switch: Switch, layer: str, fault: str
) -> None:
    switch(recorder.channel(1))
    reading, _ = probe(target(recorder.url(1), window_seconds=2.5))
    assert (reading.layer, reading.fault) == (layer, fault)
    assert reading.detail


def test_a_stream_that_stalls_is_not_one_that_plays(recorder: RtspSimulator) -> None:
    timer = threading.Timer(2.0, recorder.channel(1).stall)
    timer.start()
    reading, _ = probe(target(recorder.url(1), window_seconds=6.0))
    timer.join()
    assert (reading.layer, reading.fault) == ("first_key_frame", "stalled")


def test_a_wrong_password_is_tried_once(recorder: RtspSimulator, truth: Truth) -> None:
    before = len(truth.lines("login_refused"))
    reading, picture = probe(target(recorder.url(1), password="wrong"))
    assert (reading.layer, reading.fault) == (StreamLayer.PORT, StreamFault.UNAUTHORIZED)
    assert picture is None
    assert reading.fps == Unknown(reason=Reason.NOT_MEASURED)
    assert len(truth.lines("login_refused")) == before + 1


def test_the_password_is_not_sent_in_the_clear(recorder: RtspSimulator, truth: Truth) -> None:
    recorder.channel(1).ask_in_the_clear()
    reading, _ = probe(target(recorder.url(1)))
    assert (reading.layer, reading.fault) == (StreamLayer.PORT, StreamFault.UNAUTHORIZED)
    assert "in the clear" in reading.detail
    assert truth.lines("password_in_the_clear") == []


def test_damaged_pictures_end_in_a_verdict(recorder: RtspSimulator) -> None:
    recorder.channel(1).corrupt()
    reading, _ = probe(target(recorder.url(1)))
    assert reading.layer in {StreamLayer.FIRST_PACKET, StreamLayer.PLAYING}


def test_a_monstrous_picture_is_not_decoded(
    recorder: RtspSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.stream.MAX_PIXELS", 640 * 360 - 1)
    reading, picture = probe(target(recorder.url(1)))
    assert (reading.fault, picture) == (StreamFault.MALFORMED, None)
    assert "640 x 360" in reading.detail


def test_a_closed_port_is_refused(free_port: Callable[[], int]) -> None:
    reading, _ = probe(target(f"rtsp://127.0.0.1:{free_port()}/x"))
    assert (reading.layer, reading.fault) == (StreamLayer.NETWORK, StreamFault.REFUSED)


def test_a_device_that_drops_connection_requests_is_a_timeout() -> None:
    # A listener whose queue is full drops the next SYN.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        queued = [socket.socket() for _ in range(4)]
        for waiting in queued:
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        reading, _ = probe(target(f"rtsp://127.0.0.1:{port}/x"))
        for waiting in queued:
            waiting.close()
    assert (reading.layer, reading.fault) == (StreamLayer.NETWORK, StreamFault.TIMEOUT)


def test_an_endless_header_is_bounded() -> None:
    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with closing(connection), suppress(OSError):
            connection.sendall(b"RTSP/1.0 200 OK\r\nX: ")
            for _ in range(100):
                connection.sendall(b"a")
                time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        reading, _ = probe(target(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x"))
        thread.join()
    assert (reading.layer, reading.fault) == (StreamLayer.PORT, StreamFault.SILENT)


def test_the_password_is_in_no_reading_log_or_error(
    recorder: RtspSimulator, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    secret = "Tr0ub4dor"
    switches: list[Switch] = [
        lambda c: c.restore(),
        lambda c: c.refuse(404),
        lambda c: c.garble(),
        lambda c: c.silence("play"),
    ]
    for switch in switches:
        switch(recorder.channel(1))
        aim = target(recorder.url(1), password=secret)
        said += [repr(aim), str(aim), repr(probe(aim))]
    with pytest.raises(ValidationError) as caught:
        target(f"rtsp://inspector:{secret}@127.0.0.1/x", password=secret)
    out, err = capfd.readouterr()
    everything = "\n".join([*said, str(caught.value), caplog.text, out, err])
    assert secret not in everything
    assert "gate-cam" in everything
