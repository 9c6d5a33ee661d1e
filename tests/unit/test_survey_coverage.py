"""Segments turned into days, against a count of every second."""

from datetime import date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.survey.coverage import days_of
from drivers.recordings import Segment, Segments

FIRST, LAST = date(2026, 8, 1), date(2026, 8, 4)
ORIGIN = datetime(2026, 8, 1)  # noqa: DTZ001 - a recorder's wall clock
NOW = datetime(2026, 8, 5, 2)  # noqa: DTZ001
HOUR = timedelta(hours=1)


def at(minutes: int) -> datetime:
    return ORIGIN + timedelta(minutes=minutes)


CLIPS = st.lists(
    st.builds(
        lambda start, length, locked: Segment(at(start), at(start + length), locked),
        st.integers(-2000, 5 * 1440),
        st.integers(0, 3000),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=80)
@given(CLIPS)
def test_days_agree_with_a_count_of_minutes(clips: list[Segment]) -> None:
    days = days_of(Segments(tuple(clips), complete=True), FIRST, LAST, now=at(100_000))
    for number in range(4):
        minutes, usable = set(), False
        for minute in range(number * 1440, (number + 1) * 1440):
            for clip in clips:
                if clip.start <= at(minute) < clip.end:
                    minutes.add(minute)
                    usable = usable or not clip.locked
        found = days[FIRST + timedelta(days=number)]
        assert found.covered_seconds == 60 * len(minutes)
        assert found.present == bool(minutes)
        assert found.usable == usable


def test_what_a_cut_answer_does_not_show_stays_unknown() -> None:
    clips = (Segment(at(60), at(120), locked=False), Segment(at(1500), at(1520), locked=True))
    days = days_of(Segments(clips, complete=False), FIRST, LAST, now=NOW)
    assert set(days) == {FIRST, FIRST + timedelta(days=1)}
    assert (days[FIRST].present, days[FIRST].usable) == (True, True)
    assert days[FIRST].covered_seconds is None
    assert days[FIRST + timedelta(days=1)].usable is None


def test_clips_of_wrong_clocks_do_not_count() -> None:
    old = datetime(2000, 1, 1)  # noqa: DTZ001
    clips = (
        Segment(old, at(600), locked=False),  # a clip that is a quarter of a century long
        Segment(old, old + HOUR, locked=False),
        Segment(NOW, NOW + 24 * HOUR, locked=False),
    )
    days = days_of(Segments(clips, complete=True), FIRST, date(2026, 8, 5), now=NOW)
    assert not any(day.present for day in days.values())


def test_a_clip_that_ends_at_midnight_is_nothing_of_the_next_day() -> None:
    clips = (Segment(at(1380), at(1440), locked=False),)
    days = days_of(Segments(clips, complete=True), FIRST, LAST, now=NOW)
    assert [day.present for day in days.values()] == [True, False, False, False]
