"""The patrol duty as the county reads it: tours, days and verdicts."""

from datetime import UTC, date, datetime, time

import pytest
from pydantic import ValidationError

from agent.county.event_data import ScanEventData
from agent.findings import Verdict
from agent.policy_patrol import Checkpoint
from tests.unit.patrol_school import (
    HOUR,
    NORTH,
    POINTS,
    ROOF,
    SOUTH,
    MovableClock,
    School,
    settled,
)


@pytest.fixture
def school(clock: MovableClock) -> School:
    return settled(clock)


def test_every_mandatory_checkpoint_in_any_order_completes_a_tour(clock: MovableClock) -> None:
    school = School(clock)
    school.scan(SOUTH)
    assert school.patrol().open_tour == "2026-09-01-1"
    school.wait(300)
    school.scan(NORTH)
    done = school.tours()
    assert [(tour.what, tour.tour, tour.number) for tour in done] == [
        ("completed", "2026-09-01-1", 1)
    ]
    assert done[0].missed_checkpoints == ()
    assert done[0].started_at == datetime(2026, 9, 1, 2, 0, tzinfo=UTC)
    assert school.patrol().tours_done == 1
    assert school.patrol().open_tour is None


def test_a_tour_that_takes_too_long_ends_incomplete_once(clock: MovableClock) -> None:
    school = School(clock)
    school.scan(NORTH)
    school.wait(120 * 60)
    assert school.tours() == []
    school.wait(1)
    school.wait(1)
    ended = school.tours()
    assert [(tour.what, tour.number, tour.missed_checkpoints) for tour in ended] == [
        ("incomplete", 0, ("south",))
    ]
    assert school.patrol().open_tour is None


def test_a_scan_behind_the_time_limit_opens_the_next_tour(clock: MovableClock) -> None:
    school = School(clock)
    school.scan(NORTH)
    clock.sleep(120 * 60 + 1)
    school.scan(SOUTH)  # no tick came in between
    assert [tour.what for tour in school.tours()] == ["incomplete"]
    assert school.patrol().open_tour == "2026-09-01-2"
    assert school.patrol().tours_done == 0


def test_an_optional_checkpoint_opens_no_tour_and_completes_none(clock: MovableClock) -> None:
    school = School(clock)
    school.scan(ROOF)
    assert school.patrol().open_tour is None
    assert school.scans()[0].checkpoint == "roof"
    school.scan(NORTH)
    school.wait(100)
    school.scan(ROOF)
    assert school.patrol().open_tour is not None


def test_a_repeat_is_told_and_does_not_count(clock: MovableClock) -> None:
    school = School(clock)
    school.scan(NORTH)
    for _ in range(5):  # each within a minute of the one before
        school.wait(59)
        school.scan(NORTH)
    school.wait(60)
    school.scan(NORTH)
    assert [scan.folded for scan in school.scans()] == [False, *[True] * 5, False]


def test_a_card_left_on_the_reader_walks_no_tours(clock: MovableClock) -> None:
    school = School(clock, checkpoints=POINTS[:1])
    for _ in range(100):
        school.scan(NORTH)
        school.wait(30)
    assert [tour.what for tour in school.tours()] == ["completed"]


def test_an_unknown_tag_is_told_and_counts_for_nothing(clock: MovableClock) -> None:
    school = School(clock)
    school.scan("nfca:99")
    assert school.scans() == [
        ScanEventData(reader="gate", checkpoint=None, tag_id="nfca:99", assurance="uid")
    ]
    assert school.patrol().open_tour is None
    assert school.patrol().last_scan_at is None


def test_a_morning_without_tours_is_neither_a_fault_nor_well(school: School) -> None:
    assert school.patrol().verdict is Verdict.OK  # two tours before ten
    school.live(14 * HOUR)  # midnight
    assert school.patrol().duty_day == date(2026, 9, 3)
    assert school.patrol().tours_done == 0
    assert school.patrol().verdict is Verdict.WARN
    assert [cause.model_dump() for cause in school.patrol().causes] == [
        {"code": "patrol.tours_due", "params": {"done": 0, "required": 2, "remaining": 2}}
    ]


def test_a_short_watched_day_is_missed_until_today_is_met(school: School) -> None:
    school.live(14 * HOUR)
    school.tour()
    assert school.patrol().verdict is Verdict.WARN
    school.live(24 * HOUR)
    assert school.patrol().verdict is Verdict.FAIL
    assert school.patrol().causes[0].code == "patrol.tours_missed"
    assert school.patrol().causes[0].params == {"duty_day": "2026-09-03", "done": 1, "required": 2}
    assert school.causes()[1:] == ["patrol.tours_due"]
    school.tour()
    school.tour()
    assert school.patrol().verdict is Verdict.OK
    assert school.causes() == []


def test_a_tour_over_midnight_belongs_to_the_day_it_began(school: School) -> None:
    school.live(13 * HOUR + 50 * 60)  # 23:50
    school.scan(NORTH)
    school.live(20 * 60)
    assert school.patrol().duty_day == date(2026, 9, 3)
    assert school.patrol().open_tour == "2026-09-02-3"
    school.scan(SOUTH)
    assert school.tours()[-1].duty_day == date(2026, 9, 2)
    assert school.tours()[-1].number == 3
    assert school.patrol().tours_done == 0


def test_yesterday_is_not_judged_while_its_last_tour_is_walked(school: School) -> None:
    school.live(14 * HOUR)
    school.tour()
    school.live(23 * HOUR + 40 * 60)
    school.scan(NORTH)  # 23:52
    school.live(20 * 60)
    assert school.causes() == ["patrol.tours_due"]
    school.scan(SOUTH)
    assert school.causes() == ["patrol.tours_due"]
    assert school.tours()[-1].number == 2


def test_a_clock_set_back_neither_makes_nor_loses_a_tour(
    school: School, clock: MovableClock
) -> None:
    school.live(15 * HOUR)
    school.scan(NORTH)
    clock.jump(-2 * HOUR)
    school.scan(NORTH)
    assert school.scans()[-1].folded
    school.live(600)
    school.scan(SOUTH)
    assert [(tour.what, tour.duty_day) for tour in school.tours()] == [
        ("completed", date(2026, 9, 3))
    ]
    school.live(2 * HOUR)
    assert school.patrol().duty_day == date(2026, 9, 3)
    assert school.patrol().tours_done == 1


def test_a_clock_set_forward_ends_no_tour(school: School, clock: MovableClock) -> None:
    school.scan(NORTH)
    clock.jump(5 * HOUR)
    school.tick()
    assert school.tours() == []
    assert school.patrol().open_tour is not None


def test_nothing_to_visit_or_nobody_to_read_is_unknown(clock: MovableClock) -> None:
    bare = School(clock, checkpoints=POINTS[2:])
    bare.scan(ROOF)
    assert (bare.patrol().verdict, bare.causes()) == (Verdict.UNKNOWN, ["patrol.no_checkpoints"])
    blind = School(clock, readers=())
    assert (blind.patrol().verdict, blind.causes()) == (Verdict.UNKNOWN, ["patrol.no_reader"])


def test_strange_devices_are_none_of_its_business(clock: MovableClock) -> None:
    school = School(clock)
    school.scan(NORTH, reader="another-site")
    school.lose("camera")
    assert school.events == []


@pytest.mark.parametrize("tag", ["nfca:04a1", "04A1B2C3", "nfca:", "NFCA:04A1"])
def test_a_checkpoint_takes_no_tag_that_no_reader_would_say(tag: str) -> None:
    with pytest.raises(ValidationError):
        Checkpoint(id="north", name="North", tag=tag)


def test_days_begin_when_the_duty_begins(clock: MovableClock) -> None:
    school = School(clock, day_starts=time(6, 0))
    clock.sleep(20 * HOUR - 1)  # 5:59:59 in Shanghai
    assert school.patrol().duty_day == date(2026, 9, 1)
    clock.sleep(1)
    assert school.patrol().duty_day == date(2026, 9, 2)
    assert school.monitor.restore_since(school.now) == datetime(2026, 8, 30, 22, 0, tzinfo=UTC)
