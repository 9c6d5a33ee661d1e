"""What the patrol monitor knows of its readers, of blind hours, and behind a restart."""

from datetime import UTC, datetime

import pytest

from agent.findings import Verdict
from agent.monitors.readers import WatchedTime
from drivers.readings import ReaderReading, Reason
from tests.unit.patrol_school import HOUR, NORTH, ROOF, SOUTH, MovableClock, School, settled


@pytest.fixture
def school(clock: MovableClock) -> School:
    return settled(clock)


def test_a_short_day_with_a_lost_reader_is_unknown_never_missed(school: School) -> None:
    school.live(15 * HOUR)
    school.lose()
    school.wait(6 * 60)
    school.live(24 * HOUR)
    assert school.patrol().verdict is Verdict.UNKNOWN
    assert school.patrol().causes[0].code == "patrol.not_observed"
    assert school.patrol().causes[0].params["duty_day"] == "2026-09-03"
    assert school.patrol().causes[0].params["blind_minutes"] in {6, 7}


def test_a_short_gap_as_of_a_restart_does_not_excuse_a_day(school: School) -> None:
    school.live(15 * HOUR)
    school.lose()
    school.wait(4 * 60)
    school.live(24 * HOUR)
    assert school.patrol().causes[0].code == "patrol.tours_missed"


def test_a_silent_reader_leaves_a_day_unwatched_too(school: School) -> None:
    school.live(15 * HOUR)
    school.wait(15 * 60)  # no outage was reported, nothing came at all
    school.live(24 * HOUR)
    assert school.patrol().causes[0].code == "patrol.not_observed"


def test_one_blind_reader_of_two_is_enough_not_to_know(clock: MovableClock) -> None:
    school = School(clock, readers=("gate", "hall"))
    school.live(14 * HOUR)
    school.lose("hall")
    until = clock.monotonic() + 24 * HOUR
    while clock.monotonic() < until:
        school.observe(ReaderReading(device_id="gate", observed_at=clock.now(), firmware="1.6"))
        school.wait(20)
    assert school.causes() == [
        "patrol.not_observed",
        "patrol.reader_unwatched",
        "patrol.tours_due",
    ]


def test_a_day_before_the_agent_was_there_is_unknown(clock: MovableClock) -> None:
    school = School(clock)
    school.live(60)
    assert school.patrol().verdict is Verdict.UNKNOWN
    assert school.causes() == ["patrol.not_observed", "patrol.tours_due"]


def test_a_clock_corrected_by_years_accuses_nobody(school: School, clock: MovableClock) -> None:
    clock.jump(400 * 86400)
    school.live(60)
    assert school.causes()[0] == "patrol.not_observed"


def test_while_the_reader_is_down_the_count_is_not_known(school: School) -> None:
    school.live(15 * HOUR)
    school.lose()
    assert school.patrol().verdict is Verdict.UNKNOWN
    assert school.causes() == ["patrol.reader_unwatched", "patrol.tours_due"]
    school.live(20)
    assert school.patrol().verdict is Verdict.WARN


def test_a_reader_is_well_only_while_it_is_heard(clock: MovableClock) -> None:
    school = School(clock)
    assert school.reader().verdict is Verdict.UNKNOWN
    assert [cause.code for cause in school.reader().causes] == ["unknown.not_yet"]
    school.hear()
    assert (school.reader().verdict, school.reader().firmware) == (Verdict.OK, "1.6")
    clock.sleep(30)
    assert school.reader().verdict is Verdict.OK
    clock.sleep(1)
    assert school.reader().verdict is Verdict.UNKNOWN
    assert [cause.code for cause in school.reader().causes] == ["unknown.stale"]
    assert school.reader().firmware == "unknown"


def test_a_wall_clock_set_back_keeps_no_silent_reader_alive(clock: MovableClock) -> None:
    school = School(clock)
    school.hear()
    clock.sleep(31)
    clock.jump(-31)
    assert school.reader().verdict is Verdict.UNKNOWN


def test_loss_and_return_are_told_on_the_edge_only(clock: MovableClock) -> None:
    school = School(clock)
    school.lose()
    school.lose(reason=Reason.TIMEOUT)
    assert [cause.code for cause in school.reader().causes] == ["unknown.timeout"]
    school.hear()
    school.hear()
    school.wait(31)
    school.wait(31)
    school.lose()
    told = school.device_events()
    assert [event.what for event in told] == ["lost", "restored", "lost"]
    assert [event.cause.code if event.cause else None for event in told] == [
        "unknown.port_lost",
        None,
        "unknown.stale",
    ]


def test_a_restart_goes_on_counting_and_announces_nothing(
    school: School, clock: MovableClock
) -> None:
    school.live(15 * HOUR)
    school.tour()
    school.scan(NORTH)
    kept = school.monitor.watched_time(school.now)
    clock.sleep(30)

    after = School(clock)
    since = after.monitor.restore_since(after.now)
    assert since == datetime(2026, 8, 31, 16, 0, tzinfo=UTC)
    after.monitor.restore([s for s in school.journal if s.observed_at >= since], after.now, kept)
    assert after.patrol().tours_done == 1
    assert after.patrol().open_tour == "2026-09-03-2"
    assert after.patrol().last_scan_at == school.patrol().last_scan_at
    after.hear()
    after.scan(NORTH)  # still within the minute
    assert after.scans()[-1].folded
    after.live(60)
    after.scan(SOUTH)
    assert [(tour.tour, tour.number) for tour in after.tours()] == [("2026-09-03-2", 2)]
    assert after.patrol().verdict is Verdict.OK


def test_a_watched_day_is_still_judged_behind_a_restart(
    school: School, clock: MovableClock
) -> None:
    school.live(15 * HOUR)
    kept = WatchedTime.model_validate_json(
        school.monitor.watched_time(school.now).model_dump_json()
    )
    for known, code in ((kept, "patrol.tours_missed"), (None, "patrol.not_observed")):
        after = School(clock)
        after.monitor.restore([], after.now, known)
        after.live(24 * HOUR)
        assert after.patrol().causes[0].code == code


def test_a_tour_that_ran_out_while_nobody_was_there_is_told_once(clock: MovableClock) -> None:
    school = School(clock)
    school.hear()
    school.scan(NORTH)
    school.live(HOUR)
    early = school.monitor.watched_time(school.now)
    school.live(2 * HOUR)
    late = school.monitor.watched_time(school.now)
    assert [tour.what for tour in school.tours()] == ["incomplete"]
    for known, told in ((early, ["incomplete"]), (late, [])):
        after = School(clock)
        after.monitor.restore(school.journal, after.now, known)
        after.tick()
        after.tick()
        assert [tour.what for tour in after.tours()] == told


def test_a_clock_behind_the_journal_still_counts_every_tour(clock: MovableClock) -> None:
    school = School(clock)
    school.tour()
    school.tour()
    school.scan(NORTH)
    clock.jump(-10 * 365 * 86400)  # a dead clock battery
    after = School(clock)
    after.monitor.restore(school.journal, after.now)
    clock.jump(10 * 365 * 86400)  # and NTP an hour later
    assert after.patrol().tours_done == 2
    after.wait(120 * 60 + 1)
    assert [tour.what for tour in after.tours()] == ["incomplete"]


def test_a_clock_set_back_in_the_journal_hides_no_time(clock: MovableClock) -> None:
    school = School(clock)
    school.scan(NORTH)
    clock.jump(-2 * HOUR)
    school.live(600)
    school.scan(ROOF)
    school.live(3 * HOUR + 600)
    school.scan(SOUTH)
    after = School(clock)
    after.monitor.restore(school.journal, after.now)
    assert [tour.what for tour in school.tours()] == ["incomplete"]
    assert after.patrol().tours_done == school.patrol().tours_done == 0
    assert after.patrol().open_tour == school.patrol().open_tour


def test_a_reader_not_heard_yet_is_not_lost(clock: MovableClock) -> None:
    school = School(clock)
    school.wait(300)
    assert school.device_events() == []
    assert school.reader().verdict is Verdict.UNKNOWN
