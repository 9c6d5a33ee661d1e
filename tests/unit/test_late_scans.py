"""Scans of a wand come hours late: what they change is told anew, and nothing is taken back."""

import random
from datetime import timedelta

import pytest

from agent.monitors import tally
from agent.monitors.duty_calendar import COUNTED_BACK_DAYS
from agent.policy_patrol import GuardCard, PatrolPolicy
from agent.text.messages import event_line
from tests.simulated_clock import SimulatedClock
from tests.unit.late_school import (
    ALONE,
    BOTH,
    at,
    days,
    live_until,
    row,
    school_at_midnight,
    tours,
    walked,
    windows,
)
from tests.unit.patrol_school import HOUR, NORTH, ROOF, SOUTH, School

# ---- tours


def test_a_tour_found_late_is_told_at_its_own_time_and_counts(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock)
    live_until(school, 12)
    school.upload(*walked(8))
    assert tours(school) == [("1", "completed", True)]
    [event] = [one for one in school.events if one.data.kind == "tour"]
    assert event.time == at(8) + timedelta(minutes=10)
    assert school.tours()[0].started_at == at(8)
    assert school.patrol().tours_done == 1


def test_both_clocks_are_told_of_a_scan(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock)
    live_until(school, 12)
    school.upload(*walked(8), guard_tag="nfca:0A")
    first, _ = school.scans()
    assert (first.wand, first.checkpoint, first.offset_seconds) == ("W1", "north", 7)
    assert first.device_time == at(8) - timedelta(seconds=7)
    assert first.guard_tag == "nfca:0A"
    assert next(event.time for event in school.events if event.data.kind == "scan") == at(8)


def test_a_late_tour_takes_its_place_among_those_that_were_told(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock)
    live_until(school, 10)
    school.tour()
    live_until(school, 12)
    school.upload(*walked(8))
    assert tours(school) == [("1", "completed", False), ("2", "completed", True)]
    assert school.patrol().tours_done == 2


def test_a_late_scan_completes_a_tour_that_was_told_as_incomplete(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock)
    live_until(school, 8)
    school.scan(NORTH)
    live_until(school, 12)
    assert tours(school) == [("1", "incomplete", False)]
    school.upload((SOUTH, at(8.5)))
    assert tours(school)[1:] == [("1", "completed", True)]


def test_late_scans_may_make_two_tours_one(clock: SimulatedClock) -> None:
    """Whoever walked from 08:00 on carried the wand half the way: no second tour began there."""
    school = school_at_midnight(clock)
    live_until(school, 8.2)
    school.scan(NORTH)
    live_until(school, 8.4)
    school.scan(SOUTH)
    assert tours(school) == [("1", "completed", False)]
    live_until(school, 12)
    school.upload((NORTH, at(8)))
    assert tours(school)[1:] == [("1", "replaced", True), ("2", "completed", True)]
    assert school.patrol().tours_done == 1


def test_what_did_not_change_is_not_told_again(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock)
    live_until(school, 8)
    school.tour()
    live_until(school, 12)
    before = len(school.events)
    school.upload((ROOF, at(7)))
    assert [one.data.kind for one in school.events[before:]] == ["scan"]


def test_the_gap_between_two_tours_is_that_of_their_own_times(clock: SimulatedClock) -> None:
    policy = PatrolPolicy(tours_min_per_day=2, min_gap_minutes=30)
    school = school_at_midnight(clock, policy=policy)
    live_until(school, 12)
    school.upload(*walked(8), *walked(8.5), *walked(10))
    assert [one.too_soon for one in school.tours()] == [False, True, False]


def test_scans_of_one_wand_are_not_folded_for_coming_together(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock)
    live_until(school, 12)
    school.upload((NORTH, at(8)), (NORTH, at(8) + timedelta(seconds=30)), (NORTH, at(9)))
    assert [one.folded for one in school.scans()] == [False, True, False]


def test_a_scan_that_is_handed_over_again_is_told_once(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock)
    live_until(school, 12)
    school.upload(*walked(8))
    school.upload(*walked(8))
    assert len(school.scans()) == 2
    school.again(school.monitor.watched_time(school.now))
    school.upload(*walked(8))
    assert len(school.scans()) == 2
    assert school.patrol().tours_done == 1


def test_whoever_carries_the_wand_walks_the_tour(clock: SimulatedClock) -> None:
    guards = (GuardCard(id="w-12", name="Wang", tag="nfca:0A"),)
    school = school_at_midnight(clock, guards=guards)
    live_until(school, 12)
    school.upload(*walked(8), guard_tag="nfca:0A")
    school.upload(*walked(9), guard_tag="nfca:0B")
    assert [one.guard for one in school.tours()] == ["w-12", None]


def test_a_tour_is_not_ended_while_its_file_is_still_being_read(clock: SimulatedClock) -> None:
    for readers in (BOTH, ALONE):
        school = school_at_midnight(clock, readers)
        live_until(school, 12)
        first, second = walked(8)
        school.observe(row(first, more=True))
        school.live(60)
        school.observe(row(second, more=False))
        assert tours(school) == [("1", "completed", True)]
        clock.jump((at(10, 1) - clock.now()).total_seconds())


def test_whatever_the_order_of_two_dockings_the_day_comes_to_the_same(
    clock: SimulatedClock,
) -> None:
    """What comes in pieces, late and out of order, counts as if it had come in time."""
    chance = random.Random(7)
    for _ in range(12):
        scans = [
            (chance.choice([NORTH, SOUTH, ROOF]), at(1 + number * chance.choice([0.2, 0.3])))
            for number in range(30)
        ]
        scans = sorted(
            {moment: (tag, moment) for tag, moment in scans}.values(), key=lambda s: s[1]
        )
        done = []
        for shuffled in (False, True):
            school = School(SimulatedClock(), readers=BOTH, tours=2, upload_hours={"dock": 24})
            school.clock.jump((at(14) - school.clock.now()).total_seconds())
            pieces = [scans[i : i + 5] for i in range(0, len(scans), 5)]
            if shuffled:
                chance.shuffle(pieces)
            for piece in pieces:
                school.upload(*piece)
            final = {one.tour: one for one in school.tours()}
            counted = sorted(one.started_at for one in final.values() if one.what == "completed")
            done.append((school.patrol().tours_done, counted))
        assert done[0] == done[1]


# ---- days and windows


def test_a_day_told_as_missed_is_met_by_tours_found_late(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock)
    live_until(school, 8)
    school.tour()
    live_until(school, 1, day=3)
    assert days(school) == [(2, "missed", 1, False)]
    assert "patrol.tours_missed" in school.causes()
    school.upload(*walked(10))
    assert days(school)[1:] == [(2, "met", 2, True)]
    assert "patrol.tours_missed" not in school.causes()
    school.upload(*walked(14))
    assert len(days(school)) == 2


def test_a_day_that_stays_short_is_not_told_again(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock)
    live_until(school, 1, day=3)
    school.upload(*walked(10))
    assert days(school) == [(2, "missed", 0, False)]


def test_a_window_stays_missed_and_is_made_good(clock: SimulatedClock) -> None:
    policy = PatrolPolicy(tours_min_per_day=1, windows=("08:00-09:00", "20:00-21:00"))
    school = school_at_midnight(clock, policy=policy)
    live_until(school, 12)
    told = [("08:00-09:00", "late"), ("08:00-09:00", "missed")]
    assert windows(school) == told
    school.upload(*walked(8.2))
    told.append(("08:00-09:00", "made_good"))
    assert windows(school) == told
    assert [one.window for one in school.tours()] == ["08:00-09:00"]
    school.upload(*walked(8.5))
    school.again(school.monitor.watched_time(school.now))
    school.upload(*walked(8.7))
    assert windows(school) == told


def test_a_window_that_was_never_told_as_missed_is_not_made_good(clock: SimulatedClock) -> None:
    policy = PatrolPolicy(tours_min_per_day=1, windows=("08:00-09:00",))
    school = School(clock, readers=BOTH, policy=policy, upload_hours={"dock": 24})
    school.live(60)
    school.upload(*walked(8.2, 1))
    assert windows(school) == []
    assert school.patrol().tours_done == 1


def test_late_scans_count_the_same_behind_a_restart(clock: SimulatedClock) -> None:
    policy = PatrolPolicy(
        tours_min_per_day=3,
        min_gap_minutes=0,
        windows=("08:00-09:00", "10:00-11:00", "20:00-21:00"),
    )
    school = school_at_midnight(clock, policy=policy)
    live_until(school, 10)
    school.tour()
    live_until(school, 12)
    school.upload(*walked(8.2))
    before = school.patrol()
    school.events.clear()
    school.again(school.monitor.watched_time(school.now))
    school.live(60)
    after = school.patrol()
    assert (
        (after.tours_done, after.windows)
        == (before.tours_done, before.windows)
        == (
            2,
            before.windows,
        )
    )
    assert school.tours() == []
    live_until(school, 1, day=3)
    assert days(school) == [(2, "missed", 2, False)]
    school.again(school.monitor.watched_time(school.now))
    school.live(60)
    school.upload(*walked(20.5))
    assert days(school)[1:] == [(2, "met", 3, True)]
    assert ("20:00-21:00", "made_good") in windows(school)
    school.again(school.monitor.watched_time(school.now))
    school.live(60)
    assert len(days(school)) == 2


def test_a_week_is_counted_and_what_is_older_is_kept_and_no_visit(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock)
    live_until(school, 1, day=3)
    clock.advance((COUNTED_BACK_DAYS - 1) * 24 * HOUR)
    school.live(60)
    school.events.clear()
    school.upload(*walked(8, 1), *walked(8), *walked(10))
    assert [one.too_late for one in school.scans()] == [True, True, False, False, False, False]
    assert school.scans()[0].checkpoint == "north"
    assert [str(one.duty_day) for one in school.tours()] == ["2026-09-02"] * 2
    assert days(school) == [(2, "met", 2, True)]
    school.again(school.monitor.watched_time(school.now))
    school.events.clear()
    school.upload(*walked(12))
    assert [one.tour for one in school.tours()] == ["2026-09-02-3"]


def test_more_scans_than_can_be_counted_anew_are_kept(
    clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "MOST_SCANS", 3)
    school = school_at_midnight(clock)
    live_until(school, 12)
    school.upload(*walked(8), *walked(10))
    assert [one.too_late for one in school.scans()] == [False, False, False, True]


def test_a_crash_in_the_middle_of_a_docking_loses_no_tour_and_tells_none_twice(
    clock: SimulatedClock,
) -> None:
    school = school_at_midnight(clock)
    live_until(school, 12)
    scans = [row(one, more=True) for one in (*walked(8), *walked(9))]
    for scan in scans[:3]:
        school.journal.append(scan)
        school.observe(scan)
    assert (len(school.scans()), school.tours()) == (3, [])
    school.again(school.monitor.watched_time(school.now))
    school.live(60)
    for scan in (*scans[:3], scans[3].model_copy(update={"more": False})):
        school.observe(scan)
    assert len(school.scans()) == 4
    assert tours(school) == [("1", "completed", True), ("2", "completed", True)]


def test_a_docking_whose_end_never_comes_is_taken_for_whole(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock)
    live_until(school, 12)
    for scan in walked(8):
        school.observe(row(scan, more=True))
    school.live(tally.PATIENCE_SECONDS - 60)
    assert school.tours() == []
    school.live(120)
    assert tours(school) == [("1", "completed", True)]


def test_scans_at_a_reader_count_on_while_a_docking_comes_in(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock)
    live_until(school, 12)
    first, second = walked(8)
    school.observe(row(first, more=True))
    school.scan(NORTH)
    school.live(120)
    school.scan(SOUTH)
    assert tours(school) == [("2", "completed", False)]
    school.observe(row(second, more=False))
    assert tours(school)[1:] == [("1", "completed", True)]
    assert school.patrol().tours_done == 2


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("tour", {"what": "completed", "late_upload": True}, "tour found by scans uploaded late"),
        (
            "tour",
            {"what": "completed", "late_upload": True, "too_soon": True},
            "tour completed too",
        ),
        ("tour", {"what": "incomplete", "late_upload": True}, "tour incomplete"),
        ("tour", {"what": "replaced", "late_upload": True}, "tour — is part of another"),
        ("patrol-window", {"what": "made_good"}, "tour walked in time after all"),
        ("patrol-day", {"what": "met", "correction": True}, "patrol duty met after all"),
        ("scan", {"too_late": True, "checkpoint": "north"}, "scan uploaded too late"),
    ],
)
def test_what_comes_late_reads_as_a_sentence(kind: str, data: dict[str, object], line: str) -> None:
    assert event_line("en", kind, data).startswith(line)
    assert event_line("zh", kind, data) != event_line("en", kind, data)
