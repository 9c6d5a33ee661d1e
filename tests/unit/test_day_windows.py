"""Times of the day: what is due, late, missed, and on which days there is school."""

from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.county.event_data import PatrolWindowEventData, PostEventData
from agent.county.state_data import PatrolState, PostState
from agent.monitors.day_windows import DayWindows
from agent.monitors.duty_calendar import DutyCalendar, SchoolCalendar
from agent.monitors.readers import WatchedTime
from agent.policy_patrol import CalendarPolicy, PatrolPolicy, Post
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_school import HOUR, NORTH, School

SHANGHAI = ZoneInfo("Asia/Shanghai")
CROSSING = Post(
    id="crossing",
    name="Crossing",
    tag="nfca:99",
    times=("11:00-12:00", "16:30-17:30"),
    school_days_only=True,
)
TWO = PatrolPolicy(
    tours_min_per_day=2,
    windows=("11:00-12:00", "21:00-22:00"),
    early_minutes=15,
    grace_minutes=30,
    min_gap_minutes=0,
)


def school_of(clock: SimulatedClock, policy: PatrolPolicy = TWO) -> School:
    """10:00 in Shanghai on Tuesday, 1 September; all was well before."""
    school = School(clock, policy=policy, posts=(CROSSING,))
    night = {date(2026, 8, 31): 24 * HOUR, date(2026, 9, 1): 10.0 * HOUR}
    kept = WatchedTime(seconds=night, until=clock.now(), closed=date(2026, 8, 31))
    school.monitor.restore([], school.now, kept)
    return school


def told(school: School) -> list[tuple[str, str | None]]:
    data = [event.data for event in school.events]
    return [
        (one.what, one.window)
        for one in data
        if isinstance(one, PatrolWindowEventData | PostEventData)
    ]


def tours_told(school: School) -> list[str]:
    return [one.data.what for one in school.events if isinstance(one.data, PatrolWindowEventData)]


def words(state: PatrolState) -> list[str]:
    return [one.word for one in state.windows]


def post(school: School) -> PostState:
    data = {one.id: one.data for one in school.monitor.states(school.now)}["crossing"]
    assert isinstance(data, PostState)
    return data


def test_a_tour_is_due_late_and_missed_once(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.live(0.5 * HOUR)
    state = school.patrol()
    assert words(state) == ["planned", "planned"]
    assert state.due_from == clock.now() + timedelta(minutes=15)
    assert (state.due_until, state.minutes_left) == (clock.now() + timedelta(hours=2), 120)
    school.live(HOUR)
    assert words(school.patrol()) == ["due", "planned"]
    assert tours_told(school) == []
    school.live(HOUR - 600)
    assert words(school.patrol()) == ["late", "planned"]
    assert "patrol.tour_late" in school.causes()
    assert tours_told(school) == ["late"]
    school.live(HOUR)
    assert words(school.patrol()) == ["missed", "planned"]
    assert tours_told(school) == ["late", "missed"]
    # Two tours are wanted and one time is left: the day cannot be saved.
    assert (school.patrol().verdict, "patrol.window_missed" in school.causes()) == ("fail", True)


def test_a_tour_counts_for_its_time_and_not_outside_of_one(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.live(600)
    school.tour()
    assert (school.tours()[-1].outside, school.tours()[-1].window) == (True, None)
    assert school.patrol().tours_done == 0
    school.live(1.2 * HOUR)
    school.tour()
    assert (school.tours()[-1].outside, school.tours()[-1].window) == (False, "11:00-12:00")
    assert (school.patrol().tours_done, words(school.patrol())) == (1, ["done", "planned"])
    school.live(600)
    school.tour()  # one more for the same time
    assert school.tours()[-1].outside
    assert school.patrol().tours_done == 1
    assert tours_told(school) == []


def test_a_tour_that_ends_behind_its_time_does_not_count(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.live(2.4 * HOUR)
    school.scan(NORTH)
    school.live(600)
    school.tour()
    [tour] = school.tours()
    assert (tour.window, tour.outside) == ("11:00-12:00", True)
    assert tours_told(school) == ["late", "missed"]


def test_what_nobody_could_see_is_not_missed(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.live(HOUR)
    school.lose()
    school.wait(HOUR)
    school.live(HOUR)
    assert words(school.patrol()) == ["not_observed", "planned"]
    assert "patrol.window_unseen" in school.causes()
    assert tours_told(school)[-1] == "not_observed"
    assert "missed" not in tours_told(school)


def test_a_time_that_is_new_in_the_settings_accuses_nobody(clock: SimulatedClock) -> None:
    school = School(
        clock, policy=TWO.model_copy(update={"windows": ("06:00-07:00", "08:00-09:00")})
    )
    whole = {date(2026, 8, 31): 24 * HOUR, date(2026, 9, 1): 10.0 * HOUR}
    school.monitor.restore([], school.now, WatchedTime(seconds=whole, until=clock.now()))
    school.live(HOUR)
    assert (tours_told(school), words(school.patrol())) == ([], ["not_observed"] * 2)


def test_late_and_missed_are_not_told_again_over_a_restart(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.live(2.2 * HOUR)
    for _ in range(3):
        school.again(school.monitor.watched_time(school.now)).live(0.2 * HOUR)
    assert tours_told(school) == ["late", "missed"]


def test_a_window_over_midnight_belongs_to_the_day_it_begins_in() -> None:
    calendar = DutyCalendar(SHANGHAI, time(6, 0))
    windows = DayWindows(["23:30-00:30", "01:00-02:00", "06:00-07:00"], calendar)
    day = date(2026, 9, 1)
    begins = [one.begins.astimezone(SHANGHAI) for one in windows.of(day)]
    assert [f"{one:%d %H:%M}" for one in begins] == ["01 06:00", "01 23:30", "02 01:00"]
    assert [(one.ends - one.begins) / timedelta(hours=1) for one in windows.of(day)] == [1, 1, 1]
    assert all(one.day == day for one in windows.of(day))


def test_a_peak_post_has_one_answer_for_each_of_its_times(clock: SimulatedClock) -> None:
    school = school_of(clock)
    school.live(HOUR + 600)
    school.scan("nfca:99")
    assert told(school) == [("manned", "11:00-12:00")]
    assert (post(school).verdict, post(school).times) == ("ok", CROSSING.times)
    assert post(school).due_at is not None
    school.live(7 * HOUR)
    assert told(school) == [
        ("manned", "11:00-12:00"),
        ("late", "11:00-12:00"),
        ("missed", "11:00-12:00"),
        ("unmanned", "16:30-17:30"),
    ]
    assert post(school).verdict == "fail"
    assert [cause.code for cause in post(school).causes] == ["post.time_missed"]
    school.live(24 * HOUR)
    assert [one for one in told(school) if one[1] == "16:30-17:30"] == [
        ("unmanned", "16:30-17:30"),
        ("unmanned", "16:30-17:30"),
    ]


def test_a_peak_post_is_not_wanted_when_there_is_no_school(clock: SimulatedClock) -> None:
    free = CalendarPolicy(holidays=("2026-08-30..2026-09-04",))
    school = School(clock, posts=(CROSSING,), school=free)
    school.live(30 * HOUR, step=25)
    assert [one for one in told(school) if one[1]] == []
    assert (post(school).verdict, post(school).due_at) == ("ok", None)


@pytest.mark.parametrize(
    ("day", "school"),
    [
        ("2026-09-01", True),
        ("2026-09-05", False),  # a Saturday
        ("2026-10-01", False),
        ("2026-10-07", False),
        ("2026-10-08", True),
        ("2026-10-10", True),  # a Saturday, worked for the holidays
        ("2026-10-05", True),  # a make-up day within the holidays
    ],
)
def test_a_school_day_is_a_weekday_no_holiday_or_made_up(day: str, school: bool) -> None:
    calendar = SchoolCalendar(
        CalendarPolicy(
            holidays=("2026-10-01..2026-10-07",), make_up_days=("2026-10-10", "2026-10-05")
        )
    )
    assert calendar.has_school(date.fromisoformat(day)) is school
