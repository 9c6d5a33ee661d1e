"""Posts: who is there shows it by a tag; what nobody watched is nobody's fault."""

from datetime import timedelta

from agent.county.event_data import PostEventData
from agent.county.state_data import PostState
from agent.findings import Verdict
from agent.monitors.readers import WatchedTime
from agent.policy_patrol import Post
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_school import HOUR, NORTH, School

GATE = "nfca:99"
POST = Post(id="gatehouse", name="Gatehouse", tag=GATE, every_hours=2)


def school_of(clock: SimulatedClock) -> School:
    return School(clock, posts=(POST,))


def state(school: School) -> PostState:
    data = {one.id: one.data for one in school.monitor.states(school.now)}["gatehouse"]
    assert isinstance(data, PostState)
    return data


def said(school: School) -> tuple[str, list[str]]:
    shown = state(school)
    return str(shown.verdict), [cause.code for cause in shown.causes]


def told(school: School) -> list[str]:
    data = [event.data for event in school.events]
    return [one.what for one in data if isinstance(one, PostEventData)]


def test_a_post_is_well_while_its_tag_is_read_in_time(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.live(60)
    assert said(school) == ("unknown", ["post.not_tapped"])
    for _ in range(5):
        school.scan(GATE)
        assert state(school).due_at == clock.now() + timedelta(hours=2)
        school.live(1.9 * HOUR)
        assert said(school) == ("ok", [])
    assert told(school) == []
    assert [scan.post for scan in school.scans()] == ["gatehouse"] * 5
    school.scan(NORTH)
    assert school.scans()[-1].post is None


def test_a_post_that_nobody_taps_is_unmanned_until_somebody_does(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.scan(GATE)
    school.live(2.5 * HOUR)
    assert said(school) == ("fail", ["post.unmanned"])
    assert state(school).causes[0].params["minutes"] in {29, 30}
    assert told(school) == ["unmanned"]
    school.scan(GATE)
    assert said(school) == ("ok", [])
    assert told(school) == ["unmanned", "manned"]


def test_one_that_was_never_tapped_is_unmanned_too(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.live(2.1 * HOUR)
    assert (said(school), told(school)) == (("fail", ["post.unmanned"]), ["unmanned"])


def test_what_no_reader_watched_is_not_unmanned(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.scan(GATE)
    school.live(HOUR)
    school.lose()
    school.wait(600)
    school.live(HOUR)
    assert said(school) == ("unknown", ["post.not_observed"])
    assert told(school) == []
    school.scan(GATE)
    school.live(2.1 * HOUR)
    assert told(school) == ["unmanned"]  # watched throughout this time


def test_a_restart_knows_the_last_tap_and_how_long_nothing_ran(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.scan(GATE)
    school.live(HOUR)
    watched = school.monitor.watched_time(school.now)
    clock.advance(120)
    again = school_of(clock)
    again.monitor.restore(school.journal, again.now, watched)
    again.live(0.5 * HOUR)
    assert said(again) == ("ok", [])
    again.live(HOUR)
    assert said(again) == ("fail", ["post.unmanned"])
    clock.advance(HOUR)
    third = school_of(clock)
    third.monitor.restore(school.journal, third.now, WatchedTime(seconds={}, until=watched.until))
    third.live(60)
    assert said(third) == ("unknown", ["post.not_observed"])


def test_a_jump_of_the_wall_clock_leaves_no_post_unmanned(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.scan(GATE)
    school.live(HOUR)
    clock.jump(5 * HOUR)
    school.live(60)
    assert state(school).verdict is Verdict.OK
