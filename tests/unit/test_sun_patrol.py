"""Tags that prove themselves on a patrol: a copy is told and kept, and walks no tour."""

import json

import pytest

from agent.county.event_data import ScanEventData
from agent.monitors.readers import WatchedTime
from agent.policy_patrol import Checkpoint, GuardCard, Post
from agent.text import Language
from agent.text.messages import event_line
from drivers.nfc.sun import Refusal
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_school import NORTH, POINTS, SOUTH, School

PROVING = tuple(
    Checkpoint(**{**point.model_dump(), "require": "sun"}) if point.id == "north" else point
    for point in POINTS
)


@pytest.fixture
def school(clock: SimulatedClock) -> School:
    return School(clock, checkpoints=PROVING)


def line(lang: Language, scan: ScanEventData) -> str:
    return event_line(lang, "scan", json.loads(scan.model_dump_json()))


def test_a_tag_that_proves_itself_is_a_visit(school: School) -> None:
    school.scan(NORTH, assurance="sun")
    school.scan(SOUTH)
    assert [(scan.checkpoint, scan.assurance, scan.refused) for scan in school.scans()] == [
        ("north", "sun", None),
        ("south", "uid", None),
    ]
    assert [tour.what for tour in school.tours()] == ["completed"]


def test_its_number_alone_is_kept_and_is_no_visit(school: School) -> None:
    school.scan(NORTH)
    school.scan(SOUTH)
    assert [(scan.checkpoint, scan.refused) for scan in school.scans()] == [
        ("north", "not_sun"),
        ("south", None),
    ]
    assert school.tours() == []


@pytest.mark.parametrize("refused", ["bad_mac", "replayed"])
def test_a_copy_is_told_and_is_no_visit_anywhere(school: School, refused: Refusal) -> None:
    for tag in (NORTH, SOUTH):
        school.scan(tag, assurance="sun", refused=refused)
    assert [(scan.checkpoint, scan.refused) for scan in school.scans()] == [
        ("north", refused),
        ("south", refused),
    ]
    assert school.patrol().open_tour is None
    assert school.patrol().last_scan_at is None


def test_a_refused_tag_does_not_fold_the_good_one_behind_it(school: School) -> None:
    school.scan(NORTH)
    school.scan(NORTH, assurance="sun")
    assert [scan.folded for scan in school.scans()] == [False, False]
    assert school.patrol().open_tour is not None


def test_a_refused_card_names_no_guard_and_mans_no_post(clock: SimulatedClock) -> None:
    school = School(
        clock,
        guards=[GuardCard(id="wang", name="Wang", tag="nfca:01")],
        posts=[Post(id="gatehouse", name="Gatehouse", tag="nfca:02")],
    )
    for tag in ("nfca:01", "nfca:02"):
        school.scan(tag, assurance="sun", refused="replayed")
    assert [(scan.guard, scan.post, scan.refused) for scan in school.scans()] == [
        (None, None, "replayed"),
        (None, None, "replayed"),
    ]


def test_what_was_refused_stays_refused_over_a_restart(
    school: School, clock: SimulatedClock
) -> None:
    school.scan(NORTH, assurance="sun", refused="replayed")
    school.scan(SOUTH)
    again = School(clock, checkpoints=PROVING)
    again.monitor.restore(school.journal, again.now, WatchedTime(seconds={}, until=clock.now()))
    assert again.patrol().tours_done == 0
    again.scan(NORTH, assurance="sun")
    assert again.patrol().tours_done == 1


@pytest.mark.parametrize("refused", ["bad_mac", "replayed", "not_sun"])
def test_every_refusal_reads_as_a_sentence(refused: str) -> None:
    scan = ScanEventData.model_validate(
        {
            "reader": "r1",
            "checkpoint": "north",
            "tag_id": "nfca:04",
            "assurance": "sun",
            "refused": refused,
        }
    )
    assert line("en", scan).startswith("tag nfca:04 refused: ")
    assert line("zh", scan).startswith("拒收标签 nfca:04：")
    for lang in ("zh", "en"):
        assert "north" in line(lang, scan)
        assert "r1" in line(lang, scan)
