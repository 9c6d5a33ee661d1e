"""Cameras over hours: what is usual for their stream, dusk, and what is looked at again at once."""

from collections.abc import Sequence
from typing import Any

import pytest

from agent.monitors import Instant
from agent.monitors.camera_board import CameraBoard
from agent.monitors.cameras import CamerasMonitor
from agent.policy import Camera, PicturePolicy
from drivers.readings import (
    PictureReading,
    Reading,
    SnapshotReading,
    StreamFault,
    StreamLayer,
    StreamReading,
)
from tests.simulated_clock import SimulatedClock

POLICY = PicturePolicy(raise_after=2, clear_after=2, learned_checks=5, learned_hours=1)
CAMERA = Camera(id="yard", name="Yard", recorder="nvr", channel=1)
MAX_AGE_SECONDS = 900.0


class Site:
    """One camera, checked every five minutes, and what is on the board."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.board = CameraBoard()
        self.monitor = CamerasMonitor(
            [CAMERA], POLICY, max_age_seconds=MAX_AGE_SECONDS, board=self.board
        )

    @property
    def now(self) -> Instant:
        return Instant(self.clock.now(), self.clock.monotonic())

    def check(self, stream: dict[str, object] | None = None, **picture: object) -> Sequence[str]:
        """Have the camera looked at; return the codes of its state."""
        self.clock.advance(300)
        fields = {
            "device_id": "yard", "observed_at": self.clock.now(), "layer": StreamLayer.PLAYING,
            "fault": None, "codec": "h264", "width": 1280, "height": 720, "fps": 25.0,
            "bitrate_kbps": 900.0, "gop_frames": 50, "open_seconds": 0.1, **(stream or {}),
        }  # fmt: skip
        shown = {
            "device_id": "yard", "observed_at": self.clock.now(), "luma_mean": 120,
            "luma_std": 40, "luma_p2": 30, "luma_p98": 200, "saturated_ratio": 0,
            "flat_ratio": 0.1, "dominant_ratio": 0.2, "mode": "colour", "learned_checks": 40,
            **picture,
        }  # fmt: skip
        reading = StreamReading.model_validate(fields)
        found: list[Reading] = [reading]
        if reading.fault is None:
            found.insert(0, PictureReading.model_validate(shown))
        for one in found:
            self.monitor.observe(one, self.now)
        return self.codes()

    def codes(self) -> Sequence[str]:
        [state] = self.monitor.states(self.now)
        causes = state.data.model_dump()["causes"]
        return [cause["params"].get("fault", cause["code"]) for cause in causes]


@pytest.fixture
def site(clock: SimulatedClock) -> Site:
    return Site(clock)


def learned(site: Site) -> None:
    for _ in range(14):
        assert site.check() == []


def test_a_frame_rate_below_what_is_usual_is_told(site: Site) -> None:
    assert site.check({"fps": 6.0}) == []  # nothing is known yet
    learned(site)
    assert site.check({"fps": 20.0}) == []
    assert site.check({"fps": 6.0}) == ["camera.low_fps"]
    site.check({"fps": 6.0})
    [state] = site.monitor.states(site.now)
    [cause] = state.data.model_dump()["causes"]
    assert cause["code"] == "camera.low_fps"
    assert cause["params"]["expected"] == pytest.approx(23, abs=2)


def test_a_picture_that_became_small_is_told_and_a_codec_that_saves_bits_is_not(site: Site) -> None:
    learned(site)
    assert site.check({"bitrate_kbps": 90.0, "gop_frames": 400, "codec": "hevc"}) == []
    assert site.check({"width": 640, "height": 360}) == ["camera.smaller"]


def test_an_accepted_camera_is_learned_anew(site: Site) -> None:
    learned(site)
    assert site.check({"fps": 6.0}) == ["camera.low_fps"]
    site.check({"fps": 6.0}, learned_checks=0, begun_anew=True)
    assert site.check({"fps": 6.0}, learned_checks=1) == ["camera.low_fps"]  # clears after two
    assert site.check({"fps": 6.0}, learned_checks=2) == []


def test_the_first_night_forgets_nothing(site: Site) -> None:
    learned(site)
    for _ in range(4):
        assert site.check(mode="grey", learned_checks=0) == []
    assert site.check({"fps": 6.0}, mode="grey", learned_checks=1) == ["camera.low_fps"]


VIEW: dict[str, Any] = {"view_change": 0.95, "view_usual": 0.1, "structured_ratio": 0.7}


def test_a_fault_stands_until_it_is_seen_to_be_gone(site: Site) -> None:
    for _ in range(7):
        told = site.check(**VIEW, kept_ratio=0.0)
    assert told == ["camera.view_changed"]
    for _ in range(4):  # by night, which it has not learned yet
        assert site.check(mode="grey", learned_checks=0) == ["camera.view_changed"]
    for _ in range(4):
        assert "camera.view_changed" in site.check(luma_p98=10)
    as_before = {**VIEW, "view_change": 0.1}
    assert [site.check(**as_before) for _ in range(2)][-1] == []


def test_a_picture_that_stood_still_is_well_when_it_is_seen_to_move(site: Site) -> None:
    for _ in range(2):
        told = site.check(still_levels=0, still_ratio=0.01)
    assert told == ["camera.frozen"]
    for _ in range(4):  # too soon after the one before to tell, or a scene that often stands still
        assert site.check() == ["camera.frozen"]
        assert site.check(still_levels=0, still_ratio=0.9) == ["camera.frozen"]
    assert [site.check(still_levels=9, still_ratio=0.9) for _ in range(2)][-1] == []


def test_what_it_was_held_against_goes_with_the_view_that_was_accepted(site: Site) -> None:
    for _ in range(7):
        told = site.check(**VIEW, kept_ratio=0.0, noise_levels=9)
    assert set(told) == {"camera.view_changed", "camera.noise"}
    at_night = site.check(mode="grey", learned_checks=0, noise_levels=9, begun_anew=True)
    assert at_night == ["camera.noise"]


def test_what_is_usual_outlives_a_restart(site: Site, clock: SimulatedClock) -> None:
    learned(site)
    again = Site(clock)
    again.monitor.restore(site.monitor.habits())
    assert again.check({"fps": 6.0}) == ["camera.low_fps"]
    again.monitor.restore("nonsense")
    assert again.check({"fps": 6.0}) == ["camera.low_fps"]


def test_at_dusk_only_light_is_judged_for_a_while(site: Site) -> None:
    site.check()
    assert site.check(mode="grey", view_change=1.0, structured_ratio=0.7) == []
    assert site.check(mode="grey", luma_p98=10) == ["camera.dark"]
    site.check(mode="grey")
    site.check(mode="grey")
    assert site.check(mode="grey", view_change=1.0, structured_ratio=0.7) == ["camera.view_changed"]


def test_after_a_stream_came_back_only_light_is_judged_for_a_while(site: Site) -> None:
    site.check()
    site.check({"fault": StreamFault.STALLED, "layer": StreamLayer.FIRST_PACKET})
    assert site.check(view_change=1.0, structured_ratio=0.7) == []
    site.clock.advance(300)
    assert site.check(view_change=1.0, structured_ratio=0.7) == ["camera.view_changed"]


def test_what_is_grave_is_in_question_until_it_is_known(site: Site) -> None:
    black: dict[str, Any] = {"luma_p98": 3, "luma_mean": 2, "flat_ratio": 1, "dominant_ratio": 1}
    nobody, yard = frozenset[str](), frozenset({"yard"})
    site.check(noise_levels=9)
    assert site.board.in_question == nobody
    site.check()
    site.check(**black)
    assert (site.board.in_question, site.board.faulty) == (yard, nobody)
    site.check(**black)
    assert (site.board.in_question, site.board.faulty) == (nobody, yard)
    assert site.board.well == nobody
    for _ in range(3):
        site.check()
    assert (site.board.well, site.board.faulty) == (yard, nobody)


def test_a_camera_the_recorder_still_shows_is_a_warning_and_says_so(site: Site) -> None:
    dead: dict[str, object] = {"fault": StreamFault.SILENT, "layer": StreamLayer.DESCRIBE}
    site.check(dead)
    assert site.check(dead) == ["camera.silent"]
    [state] = site.monitor.states(site.now)
    assert state.data.model_dump()["verdict"] == "fail"

    def opinion(luma_p98: float) -> SnapshotReading:
        return SnapshotReading.model_validate(
            {
                "device_id": "yard", "observed_at": site.clock.now(), "luma_mean": 90,
                "luma_std": 40, "luma_p2": 3, "luma_p98": luma_p98, "saturated_ratio": 0,
                "flat_ratio": 0.1, "dominant_ratio": 0.2,
            }
        )  # fmt: skip

    site.monitor.observe(opinion(luma_p98=10), site.now)
    assert site.codes() == ["camera.silent"]  # a black picture is none
    site.monitor.observe(opinion(luma_p98=200), site.now)
    assert site.codes() == ["camera.snapshot_shows", "camera.silent"]
    [state] = site.monitor.states(site.now)
    assert state.data.model_dump()["verdict"] == "warn"
    other: dict[str, object] = {"fault": StreamFault.REFUSED, "layer": StreamLayer.NETWORK}
    assert site.check(other) == ["camera.refused"]  # it was no opinion on this
    site.check(dead)
    site.clock.advance(MAX_AGE_SECONDS)
    site.check(dead)
    assert site.codes() == ["camera.silent"]  # that was long ago
    site.monitor.observe(opinion(luma_p98=200), site.now)
    site.check()
    assert site.check(dead) == ["camera.silent"]


def test_what_comes_and_goes_by_itself_is_a_fault_after_an_hour(site: Site) -> None:
    site.check()
    hidden: dict[str, Any] = {"view_change": 0.9, "kept_ratio": 0.5, "structured_ratio": 0.7}
    for number in range(1, POLICY.slow_checks):
        assert site.check(**hidden) == ["camera.obstructed"], number
        assert site.board.faulty == frozenset()
    assert site.board.in_question == frozenset()  # nobody looks twice at a lorry
    site.check(**hidden)
    assert site.board.faulty == {"yard"}


def test_another_view_is_looked_at_again_at_once_where_nothing_is_left_of_the_old(
    site: Site,
) -> None:
    nobody, yard = frozenset[str](), frozenset({"yard"})
    site.check()
    site.check(view_change=0.9, kept_ratio=0.3, structured_ratio=0.7)
    assert site.board.in_question == nobody
    for _ in range(POLICY.view_checks - 2):
        site.check(view_change=0.9, kept_ratio=0.05, structured_ratio=0.7)
        assert (site.board.in_question, site.board.faulty) == (yard, nobody)
    site.check(view_change=0.9, kept_ratio=0.05, structured_ratio=0.7)
    assert (site.board.in_question, site.board.faulty) == (nobody, yard)
