"""Where nobody scans but with a wand, nothing is said before one is docked."""

from datetime import timedelta

from agent.findings import Verdict
from agent.policy_patrol import Checkpoint, PatrolPolicy, Post
from tests.simulated_clock import SimulatedClock
from tests.unit.late_school import (
    ALONE,
    BOTH,
    days,
    live_until,
    school_at_midnight,
    walked,
    windows,
)
from tests.unit.patrol_school import HOUR, NORTH, POINTS, School


def test_of_wands_alone_a_day_is_judged_once_one_is_docked_behind_it(
    clock: SimulatedClock,
) -> None:
    school = school_at_midnight(clock, ALONE)
    live_until(school, 12)
    school.upload(*walked(8))
    live_until(school, 6, day=3)
    assert days(school) == []
    assert school.patrol().verdict is not Verdict.FAIL
    assert "patrol.not_docked" in school.causes()
    school.upload(*walked(20))
    assert days(school) == [(2, "met", 2, False)]
    assert "patrol.not_docked" not in school.causes()


def test_of_wands_alone_a_short_day_is_missed_at_the_docking(clock: SimulatedClock) -> None:
    school = school_at_midnight(clock, ALONE)
    live_until(school, 6, day=3)
    school.upload(*walked(20))
    assert days(school) == [(2, "missed", 1, False)]


def test_a_wand_that_is_not_docked_for_a_day_leaves_its_day_not_observed(
    clock: SimulatedClock,
) -> None:
    school = school_at_midnight(clock, ALONE, hours=20)
    live_until(school, 19.9, day=3)
    assert days(school) == []
    live_until(school, 20.1, day=3)
    assert days(school) == [(2, "not_observed", 0, False)]
    school.upload(*walked(8), *walked(20))
    assert days(school)[1:] == [(2, "met", 2, True)]


def test_of_wands_alone_no_window_is_late_before_one_is_docked(clock: SimulatedClock) -> None:
    policy = PatrolPolicy(
        tours_min_per_day=2, windows=("08:00-09:00", "10:00-11:00", "20:00-21:00")
    )
    school = school_at_midnight(clock, ALONE, policy=policy)
    live_until(school, 12)
    assert windows(school) == []
    words = {one.window: one.word for one in school.patrol().windows}
    assert words == {
        "08:00-09:00": "not_observed",
        "10:00-11:00": "not_observed",
        "20:00-21:00": "planned",
    }
    assert "patrol.window_not_docked" in school.causes()
    school.upload(*walked(8.2))
    assert windows(school) == [("10:00-11:00", "missed")]
    words = {one.window: one.word for one in school.patrol().windows}
    assert (words["08:00-09:00"], words["10:00-11:00"]) == ("done", "missed")
    # Nobody docks it any more.
    live_until(school, 22, day=3)
    assert windows(school)[1:] == [("20:00-21:00", "not_observed")]


def test_of_wands_alone_a_restart_misses_nothing(clock: SimulatedClock) -> None:
    policy = PatrolPolicy(tours_min_per_day=1, windows=("08:00-09:00", "10:00-11:00"))
    school = school_at_midnight(clock, ALONE, policy=policy)
    live_until(school, 7)
    kept = school.monitor.watched_time(school.now)
    clock.advance(5 * HOUR)
    school.again(kept)
    school.live(60)
    school.upload(*walked(8.2))
    assert windows(school) == [("10:00-11:00", "missed")]
    live_until(school, 1, day=3)
    school.upload()
    kept = school.monitor.watched_time(school.now)
    assert days(school) == [(2, "met", 1, False)]
    school.again(kept)
    school.tick()
    school.live(60)
    assert len(days(school)) == 1


def test_a_post_is_not_unmanned_for_want_of_a_docking(clock: SimulatedClock) -> None:
    posts = [Post(id="gatehouse", name="Gatehouse", tag="nfca:02", every_hours=2)]
    school = School(clock, readers=ALONE, posts=posts, upload_hours={"dock": 24})
    school.live(HOUR)
    school.upload(("nfca:02", school.now.wall))
    school.live(5 * HOUR)
    kinds = [event.data.kind for event in school.events]
    assert "post" not in kinds


def test_a_late_tap_does_not_set_a_post_back(clock: SimulatedClock) -> None:
    posts = [Post(id="gatehouse", name="Gatehouse", tag="nfca:02", every_hours=2)]
    school = School(clock, readers=BOTH, posts=posts, upload_hours={"dock": 24})
    school.live(5 * HOUR)
    school.scan("nfca:02")
    school.upload(("nfca:02", school.now.wall - timedelta(hours=4)))
    school.live(1.5 * HOUR)
    told = [event.data for event in school.events if event.data.kind == "post"]
    assert [getattr(one, "what", "") for one in told] == ["unmanned", "manned"]


def test_checkpoints_keep_their_rules_for_late_scans(clock: SimulatedClock) -> None:
    proving = [Checkpoint(**{**one.model_dump(), "require": "sun"}) for one in POINTS]
    school = School(clock, readers=BOTH, checkpoints=proving, upload_hours={"dock": 24})
    school.live(60)
    school.upload((NORTH, school.now.wall - timedelta(hours=1)))
    assert [one.refused for one in school.scans()] == ["not_sun"]
    assert school.scans()[0].wand == "W1"
