"""Tours that begin with the card of the guard who walks them."""

from datetime import timedelta

from agent.policy_patrol import GuardCard, PatrolPolicy
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_school import HOUR, NORTH, SOUTH, School

WANG = GuardCard(id="w-1", name="Wang", tag="nfca:01")
LI = GuardCard(id="w-2", name="Li", tag="nfca:02")
MINUTE = 60


def school(*, opens_by_card: bool = True, max_minutes: float = 120) -> School:
    rules = PatrolPolicy(tours_min_per_day=2, min_gap_minutes=0, max_duration_minutes=max_minutes)
    return School(SimulatedClock(), policy=rules, guards=(WANG, LI), opens_by_card=opens_by_card)


def test_a_tour_counts_from_its_card_on() -> None:
    site = school()
    begun = site.clock.now()
    site.scan(WANG.tag)
    assert site.patrol().open_tour is not None
    site.live(10 * MINUTE)
    site.tour()
    (tour,) = site.tours()
    assert (tour.what, tour.guard, tour.started_at) == ("completed", "w-1", begun)


def test_without_the_setting_it_counts_from_its_first_checkpoint_on() -> None:
    site = school(opens_by_card=False)
    begun = site.clock.now()
    site.scan(WANG.tag)
    assert site.patrol().open_tour is None
    site.live(10 * MINUTE)
    site.tour()
    (tour,) = site.tours()
    assert (tour.guard, tour.started_at) == ("w-1", begun + timedelta(minutes=10))


def test_the_time_for_a_tour_runs_from_its_card_on() -> None:
    site = school(max_minutes=15)
    site.scan(WANG.tag)
    site.live(10 * MINUTE)
    site.scan(NORTH)
    site.live(6 * MINUTE)
    assert [tour.what for tour in site.tours()] == ["incomplete"]


def test_a_card_that_nobody_walks_on_is_no_tour() -> None:
    site = school()
    site.scan(WANG.tag)
    site.live(15 * MINUTE)
    assert site.patrol().open_tour is not None
    site.live(MINUTE)
    assert site.patrol().open_tour is None
    site.live(3 * HOUR)
    assert site.tours() == []
    begun = site.clock.now()
    site.tour()
    assert [(tour.started_at, tour.guard) for tour in site.tours()] == [(begun, None)]


def test_the_card_of_another_guard_who_sets_out_instead_begins_anew() -> None:
    site = school()
    site.scan(WANG.tag)
    site.live(5 * MINUTE)
    begun = site.clock.now()
    site.scan(LI.tag)
    site.live(5 * MINUTE)
    site.tour()
    assert [(tour.started_at, tour.guard) for tour in site.tours()] == [(begun, "w-2")]


def test_a_card_on_the_way_and_the_same_card_again_begin_nothing() -> None:
    site = school()
    begun = site.clock.now()
    site.scan(WANG.tag)
    site.live(20)
    site.scan(WANG.tag)
    site.live(100)
    site.scan(NORTH)
    site.live(5 * MINUTE)
    site.scan(LI.tag)
    site.scan(SOUTH)
    assert [(tour.started_at, tour.guard) for tour in site.tours()] == [(begun, "w-1")]


def test_a_restart_on_the_way_keeps_where_the_tour_began() -> None:
    site = school()
    begun = site.clock.now()
    site.scan(WANG.tag)
    site.live(5 * MINUTE)
    site.again(None)
    site.tour()
    assert [tour.started_at for tour in site.tours()] == [begun]
