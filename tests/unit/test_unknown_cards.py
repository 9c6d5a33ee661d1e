"""Somebody tries cards at a reader: told once, for an hour."""

from agent.findings import Verdict
from agent.policy_patrol import GuardCard, Post
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_school import HOUR, NORTH, ROOF, School, settled

CODE = "patrol.unknown_cards"
MINUTE = 60


def strangers(site: School, count: int, every: float = MINUTE) -> None:
    for number in range(count):
        site.live(every)
        site.scan(f"nfca:9{number}")


def test_three_tags_of_nobody_within_ten_minutes_are_told_for_an_hour() -> None:
    site = settled(SimulatedClock())
    strangers(site, 2)
    assert CODE not in site.causes()
    site.scan("nfca:AF")
    cause = next(one for one in site.patrol().causes if one.code == CODE)
    assert cause.params == {"cards": 3, "minutes": 10}
    assert site.patrol().verdict is Verdict.WARN
    site.live(HOUR - 1)
    assert CODE in site.causes()
    site.live(1)
    assert CODE not in site.causes()


def test_one_more_does_not_make_it_longer_and_three_more_do() -> None:
    site = settled(SimulatedClock())
    strangers(site, 3)
    site.live(5 * MINUTE)
    site.scan("nfca:AF")
    site.live(55 * MINUTE)
    assert CODE not in site.causes()
    strangers(site, 3)
    assert CODE in site.causes()


def test_it_is_told_of_a_day_whose_tours_are_done_too() -> None:
    site = settled(SimulatedClock())
    site.tour()
    site.tour()
    assert site.patrol().verdict is Verdict.OK
    strangers(site, 3)
    assert (site.patrol().verdict, site.causes()) == (Verdict.WARN, [CODE])


def test_three_in_a_longer_time_are_three_mistakes() -> None:
    site = settled(SimulatedClock())
    strangers(site, 5, every=5 * MINUTE + 1)
    assert CODE not in site.causes()


def test_the_same_tag_tried_again_counts_and_held_on_does_not() -> None:
    site = settled(SimulatedClock())
    for _ in range(4):
        site.scan("nfca:99")
        site.live(5)
    assert CODE not in site.causes()
    for _ in range(2):
        site.live(2 * MINUTE)
        site.scan("nfca:99")
    assert CODE in site.causes()


def test_tags_that_belong_here_are_no_strangers() -> None:
    guard = GuardCard(id="w-1", name="Wang", tag="nfca:01")
    post = Post(id="gatehouse", name="Gatehouse", tag="nfca:02")
    site = School(SimulatedClock(), guards=(guard,), posts=(post,))
    for tag in (NORTH, ROOF, guard.tag, post.tag) * 3:
        site.live(MINUTE / 2)
        site.scan(tag)
    assert CODE not in site.causes()


def test_it_outlives_a_restart() -> None:
    site = settled(SimulatedClock())
    strangers(site, 3)
    site.live(MINUTE)
    site.again(None)
    assert CODE in site.causes()
    site.live(HOUR)
    assert CODE not in site.causes()
