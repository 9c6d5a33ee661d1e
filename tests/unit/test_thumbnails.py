"""Pictures on disk: of an open fault alone, once, and not for long."""

import os
from pathlib import Path

import numpy as np
import pytest

from agent.monitors.camera_board import CameraBoard
from agent.thumbnails import Thumbnails
from drivers.picture_thumbnail import keep_thumbnail
from tests.simulated_clock import SimulatedClock

HOURS = 72.0
PICTURE = np.full((360, 640, 3), 90, np.uint8)


@pytest.fixture
def board() -> CameraBoard:
    return CameraBoard()


@pytest.fixture
def thumbnails(tmp_path: Path, board: CameraBoard, clock: SimulatedClock) -> Thumbnails:
    return Thumbnails(tmp_path / "thumbnails", board, clock)


def kept(thumbnails: Thumbnails, clock: SimulatedClock, camera: str = "gate") -> Path:
    place = thumbnails.wanted(camera, HOURS)
    assert place is not None
    keep_thumbnail(PICTURE, place)
    os.utime(place, (clock.now().timestamp(),) * 2)
    return place


def test_a_healthy_camera_has_none(thumbnails: Thumbnails) -> None:
    assert thumbnails.wanted("gate", HOURS) is None


def test_a_fault_has_one_and_it_goes_with_the_fault(
    thumbnails: Thumbnails, board: CameraBoard, clock: SimulatedClock
) -> None:
    board.faulty = frozenset({"gate"})
    place = kept(thumbnails, clock)
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.parent.stat().st_mode & 0o777 == 0o700
    thumbnails.tidy(HOURS)
    assert thumbnails.wanted("gate", HOURS) is None  # once a fault
    assert thumbnails.of("gate") == place
    board.faulty = frozenset()
    thumbnails.tidy(HOURS)
    assert thumbnails.of("gate") is None
    board.faulty = frozenset({"gate"})
    assert thumbnails.wanted("gate", HOURS) == place


def test_an_old_one_goes_though_the_fault_stays_and_none_follows(
    thumbnails: Thumbnails, board: CameraBoard, clock: SimulatedClock
) -> None:
    board.faulty = frozenset({"gate"})
    thumbnails.tidy(HOURS)
    assert thumbnails.wanted("gate", HOURS)  # the check before brought no picture
    kept(thumbnails, clock)
    clock.advance(HOURS * 3600 + 1)
    thumbnails.tidy(HOURS)
    assert thumbnails.of("gate") is None
    assert thumbnails.wanted("gate", HOURS) is None


def test_one_of_before_a_restart_or_from_the_future_goes(
    thumbnails: Thumbnails, board: CameraBoard, clock: SimulatedClock
) -> None:
    board.faulty = frozenset({"gate", "yard"})
    kept(thumbnails, clock, "gate")
    place = kept(thumbnails, clock, "yard")
    os.utime(place, (clock.now().timestamp() + 3600,) * 2)
    board.faulty = frozenset({"yard"})
    thumbnails.tidy(HOURS)
    assert list(place.parent.iterdir()) == []


def test_none_is_made_where_none_is_wanted(thumbnails: Thumbnails, board: CameraBoard) -> None:
    board.faulty = frozenset({"gate"})
    assert thumbnails.wanted("gate", 0) is None
    thumbnails.tidy(0)  # there is no directory yet
