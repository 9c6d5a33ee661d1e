from datetime import timedelta
from typing import Any

import pytest

from agent.county.contract import Event
from agent.county.event_data import CameraEventData
from agent.county.state_data import CameraState
from agent.findings import Verdict
from agent.monitors import Instant
from agent.monitors.cameras import CamerasMonitor
from agent.policy import Camera, PicturePolicy
from drivers.base import Clock
from drivers.readings import (
    Outage,
    PictureReading,
    Reading,
    Reason,
    StreamFault,
    StreamLayer,
    StreamReading,
    Unknown,
)
from drivers.recorder.readings import ChannelReading

CAMERA = Camera(
    id="gate-cam",
    name="Gate",
    recorder="nvr-1",
    channel=1,
    expect_fps=25,
    expect_codec="h264",
)
GOOD_PICTURE: dict[str, float] = {
    "luma_mean": 120,
    "luma_std": 40,
    "luma_p2": 30,
    "luma_p98": 200,
    "saturated_ratio": 0.01,
    "flat_ratio": 0.2,
    "dominant_ratio": 0.2,
}
EMPTY = {"flat_ratio": 1, "dominant_ratio": 1, "luma_std": 0}
BLACK = {**EMPTY, "luma_mean": 8, "luma_p2": 8, "luma_p98": 8}
GREY = {**EMPTY, "luma_mean": 112, "luma_p2": 112, "luma_p98": 112}
WHITE = {**EMPTY, "luma_mean": 250, "luma_p2": 250, "luma_p98": 250, "saturated_ratio": 1}
MAX_AGE = 900.0


class Site:
    """One camera under watch, probed by hand."""

    def __init__(self, clock: Any, policy: PicturePolicy) -> None:
        self.clock = clock
        self.monitor = CamerasMonitor([CAMERA], policy, max_age_seconds=MAX_AGE)

    @property
    def now(self) -> Instant:
        clock: Clock = self.clock
        return Instant(clock.now(), clock.monotonic())

    def see(self, *readings: Reading) -> list[CameraEventData]:
        found: list[Event] = []
        for reading in readings:
            found += self.monitor.observe(reading, self.now)
        return [event.data for event in found if isinstance(event.data, CameraEventData)]

    def stream(self, fault: StreamFault | None = None, **changes: object) -> StreamReading:
        fields: dict[str, object] = {
            "device_id": "gate-cam",
            "observed_at": self.clock.now(),
            "layer": StreamLayer.PLAYING if fault is None else StreamLayer.PORT,
            "fault": fault,
            "codec": "h264",
            "width": 640,
            "height": 360,
            "fps": 25.0,
            "bitrate_kbps": 600.0,
            "gop_frames": 25,
            "open_seconds": 0.1,
            **changes,
        }
        return StreamReading.model_validate(fields)

    def picture(self, **changes: float) -> PictureReading:
        return PictureReading.model_validate(
            {
                "device_id": "gate-cam",
                "observed_at": self.clock.now(),
                **GOOD_PICTURE,
                **changes,
            }
        )

    def good_round(self, **changes: float) -> list[CameraEventData]:
        self.clock.advance(300)
        return self.see(self.picture(**changes), self.stream())

    def failed_round(self, fault: StreamFault) -> list[CameraEventData]:
        self.clock.advance(300)
        return self.see(self.stream(fault))

    def recorder_says(self, *, online: bool | Unknown) -> list[CameraEventData]:
        self.clock.advance(60)
        return self.see(
            ChannelReading(
                device_id="nvr-1",
                observed_at=self.clock.now(),
                channel=1,
                name="Gate",
                online=online,
                condition=Unknown(reason=Reason.NOT_MEASURED),
            )
        )

    @property
    def state(self) -> CameraState:
        (state,) = self.monitor.states(self.now)
        assert state.id == "gate-cam"
        assert isinstance(state.data, CameraState)
        return state.data

    def verdict(self) -> Verdict:
        return self.state.verdict

    @property
    def codes(self) -> list[str]:
        return [cause.code for cause in self.state.causes]


@pytest.fixture
def site(clock: Any) -> Site:
    """Faults are raised and cleared by the first check."""
    return Site(clock, PicturePolicy(raise_after=1, clear_after=1))


@pytest.fixture
def patient(clock: Any) -> Site:
    return Site(clock, PicturePolicy(raise_after=3, clear_after=2))


def test_a_camera_nobody_checked_is_unknown(site: Site) -> None:
    assert site.verdict() is Verdict.UNKNOWN
    assert site.codes == ["unknown.not_yet"]
    assert site.state.online == "unknown"
    assert site.state.observed_at is None


@pytest.mark.parametrize("picture_first", [True, False])
def test_stream_and_picture_of_one_round_make_ok(site: Site, picture_first: bool) -> None:
    pair = [site.picture(), site.stream()]
    site.see(*(pair if picture_first else pair[::-1]))
    state = site.state
    assert (state.verdict, state.online, state.picture) == (Verdict.OK, True, "good")
    assert (state.layer, state.fps, state.codec) == ("playing", 25.0, "h264")
    assert state.causes == ()


def test_a_stream_without_its_picture_is_not_ok(site: Site) -> None:
    site.see(site.stream())
    assert site.verdict() is Verdict.UNKNOWN
    assert site.codes == ["camera.picture_missing"]


def test_a_picture_of_an_earlier_round_does_not_count(site: Site) -> None:
    site.good_round()
    site.clock.advance(300)
    site.see(site.stream())
    assert site.verdict() is Verdict.UNKNOWN
    assert site.state.picture == "unknown"


def test_a_picture_on_its_way_does_not_disturb_the_finished_round(site: Site) -> None:
    site.good_round()
    site.clock.advance(300)
    site.see(site.picture())
    assert site.verdict() is Verdict.OK


@pytest.mark.parametrize(
    "fault", [fault for fault in StreamFault if fault not in {"busy", "unauthorized"}]
)
def test_a_failed_stream_fails_and_only_its_layer_alarms(site: Site, fault: StreamFault) -> None:
    site.good_round(**BLACK)
    (event,) = site.failed_round(fault)
    assert event.what == "fault"
    assert [cause.code for cause in event.causes] == [f"camera.{fault}"]
    assert event.causes[0].params == {"layer": "port"}
    assert (site.state.verdict, site.state.online) == (Verdict.FAIL, False)
    assert site.state.fault == fault


@pytest.mark.parametrize("fault", [StreamFault.BUSY, StreamFault.UNAUTHORIZED])
def test_a_busy_recorder_or_a_refused_login_says_nothing_of_the_camera(
    site: Site, fault: StreamFault
) -> None:
    site.good_round()
    assert site.failed_round(fault) == []
    assert site.verdict() is Verdict.UNKNOWN
    assert site.codes == [f"camera.{fault}"]
    assert site.state.online == "unknown"


@pytest.mark.parametrize(
    ("features", "code", "verdict"),
    [
        (BLACK, "camera.black", Verdict.FAIL),
        (GREY, "camera.no_signal", Verdict.FAIL),
        (WHITE, "camera.white", Verdict.FAIL),
        ({"luma_p98": 30}, "camera.dark", Verdict.WARN),
        ({"saturated_ratio": 0.5}, "camera.bright", Verdict.WARN),
        ({"luma_mean": 210}, "camera.bright", Verdict.WARN),
        ({"luma_std": 6}, "camera.low_contrast", Verdict.WARN),
        ({"luma_p2": 100, "luma_p98": 130}, "camera.low_contrast", Verdict.WARN),
    ],
)
def test_picture_faults(
    site: Site, features: dict[str, float], code: str, verdict: Verdict
) -> None:
    (event,) = site.good_round(**features)
    assert (event.what, event.verdict) == ("fault", verdict)
    assert site.codes == [code]
    assert (site.state.verdict, site.state.picture) == (verdict, "faulty")
    assert site.state.online is True
    (cleared,) = site.good_round()
    assert (cleared.what, cleared.causes) == ("cleared", ())
    assert site.verdict() is Verdict.OK


def test_a_flat_picture_of_many_colours_is_no_placeholder(site: Site) -> None:
    assert site.good_round(flat_ratio=0.9, dominant_ratio=0.3) == []
    assert site.verdict() is Verdict.OK


def test_picture_faults_need_checks_in_a_row_and_are_never_ok_meanwhile(patient: Site) -> None:
    patient.good_round()
    for checks in (1, 2):
        assert patient.good_round(**BLACK) == []
        assert patient.verdict() is Verdict.WARN
        assert patient.state.causes[0].params == {
            "fault": "camera.black",
            "checks": checks,
            "needed": 3,
        }
    (event,) = patient.good_round(**BLACK)
    assert event.verdict is Verdict.FAIL
    assert patient.good_round() == []
    assert patient.verdict() is Verdict.FAIL
    (cleared,) = patient.good_round()
    assert cleared.what == "cleared"


def test_one_good_check_starts_the_count_again(patient: Site) -> None:
    for features in (BLACK, BLACK, {}, BLACK, BLACK):
        assert patient.good_round(**features) == []


def test_a_stream_fault_needs_checks_in_a_row_and_clears_at_once(patient: Site) -> None:
    assert patient.failed_round(StreamFault.TIMEOUT) == []
    assert patient.verdict() is Verdict.UNKNOWN
    assert patient.codes == ["camera.unconfirmed"]
    assert patient.failed_round(StreamFault.TIMEOUT) == []
    assert len(patient.failed_round(StreamFault.TIMEOUT)) == 1
    (cleared,) = patient.good_round()
    assert cleared.what == "cleared"
    assert patient.verdict() is Verdict.OK


def test_the_recorders_word_confirms_a_stream_fault(patient: Site) -> None:
    patient.recorder_says(online=False)
    (event,) = patient.failed_round(StreamFault.NOT_FOUND)
    assert [cause.code for cause in event.causes] == ["camera.not_found"]


def test_the_recorders_word_alone_raises_after_as_many_polls(patient: Site) -> None:
    patient.good_round()
    assert patient.recorder_says(online=False) == []
    assert patient.recorder_says(online=False) == []
    (event,) = patient.recorder_says(online=False)
    assert [cause.code for cause in event.causes] == ["camera.channel_offline"]
    assert (patient.state.verdict, patient.state.online) == (Verdict.FAIL, False)
    (cleared,) = patient.recorder_says(online=True)
    assert cleared.what == "cleared"


def test_a_camera_seen_playing_is_not_called_dead_on_the_recorders_word(site: Site) -> None:
    site.recorder_says(online=False)
    (event,) = site.good_round()
    assert [cause.code for cause in event.causes] == ["camera.recorder_disagrees"]
    assert (site.state.verdict, site.state.online) == (Verdict.WARN, True)


def test_an_unknown_word_of_the_recorder_is_no_word(site: Site) -> None:
    site.good_round()
    nothing = Unknown(reason=Reason.TIMEOUT)
    assert site.recorder_says(online=nothing) == []
    assert site.verdict() is Verdict.OK
    site.recorder_says(online=False)
    assert site.recorder_says(online=nothing) == []
    assert site.codes == ["camera.channel_offline"]


def test_another_channel_of_the_recorder_is_another_camera(site: Site) -> None:
    site.good_round()
    other = ChannelReading(
        device_id="nvr-1",
        observed_at=site.clock.now(),
        channel=2,
        name="",
        online=False,
        condition="offline",
    )
    assert site.see(other) == []
    assert site.verdict() is Verdict.OK


def test_frame_rate_and_codec_against_what_is_expected(site: Site) -> None:
    site.see(site.picture(), site.stream(fps=14.0, codec="hevc"))
    assert site.verdict() is Verdict.WARN
    assert {cause.code: cause.params for cause in site.state.causes} == {
        "camera.low_fps": {"fps": 14.0, "expected": 25.0},
        "camera.wrong_codec": {"codec": "hevc", "expected": "h264"},
    }


def test_an_unmeasured_frame_rate_is_not_a_low_one(site: Site) -> None:
    unmeasured = Unknown(reason=Reason.NOT_MEASURED)
    assert site.see(site.picture(), site.stream(fps=unmeasured)) == []
    assert (site.state.verdict, site.state.fps) == (Verdict.OK, "unknown")


def test_silence_makes_unknown_and_a_wall_clock_jump_does_not(site: Site) -> None:
    site.good_round()
    site.clock.jump(86_400)
    assert site.verdict() is Verdict.OK
    site.clock.jump(-2 * 86_400)
    site.clock.advance(MAX_AGE + 1)
    assert site.monitor.tick(site.now) == []
    assert site.verdict() is Verdict.UNKNOWN
    assert site.codes == ["unknown.stale"]
    assert (site.state.layer, site.state.online) == ("unknown", "unknown")


def test_a_stale_fault_is_unknown_and_its_clearing_is_still_told(site: Site) -> None:
    site.good_round(**BLACK)
    site.clock.advance(MAX_AGE + 1)
    site.monitor.tick(site.now)
    assert site.verdict() is Verdict.UNKNOWN
    (cleared,) = site.good_round()
    assert cleared.what == "cleared"


def test_checks_far_apart_are_not_in_a_row(patient: Site) -> None:
    for _ in range(4):
        assert patient.good_round(**BLACK) == []
        patient.clock.advance(MAX_AGE + 1)
        patient.monitor.tick(patient.now)
    assert patient.good_round(**BLACK) == []


def test_a_lost_worker_is_unknown_and_does_not_clear_a_fault(site: Site) -> None:
    site.good_round()
    outage = Outage(device_id="gate-cam", observed_at=site.clock.now(), reason=Reason.INTERNAL)
    assert site.see(outage) == []
    assert site.verdict() is Verdict.UNKNOWN
    assert site.codes == ["unknown.internal"]
    site.good_round(**BLACK)
    site.see(outage)
    assert site.verdict() is Verdict.FAIL
    assert site.codes == ["camera.black", "unknown.internal"]


def test_busy_for_long_lets_an_old_picture_fault_go_unknown(site: Site) -> None:
    site.good_round(**BLACK)
    for _ in range(4):
        assert site.failed_round(StreamFault.BUSY) == []
    assert site.verdict() is Verdict.UNKNOWN
    assert site.codes == ["camera.busy"]


def test_events_come_on_a_change_of_causes_only(site: Site) -> None:
    assert len(site.good_round(**BLACK)) == 1
    assert site.good_round(**{**BLACK, "luma_p98": 9}) == []
    (changed,) = site.good_round(luma_p98=30)
    assert [cause.code for cause in changed.causes] == ["camera.dark"]


def test_an_event_carries_the_evidences_time(site: Site) -> None:
    site.clock.advance(300)
    reading = site.stream(StreamFault.REFUSED)
    site.clock.advance(7)
    (event,) = site.monitor.observe(reading, site.now)
    assert event.time == site.now.wall - timedelta(seconds=7)
    assert event.subject == "gate-cam"
