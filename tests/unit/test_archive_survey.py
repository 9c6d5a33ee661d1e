"""What a survey asks, and what it makes of the answers; the recorder is on paper."""

from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from agent.monitors.ledger import Ledgers, merged
from agent.survey.archive import ArchiveSurvey
from agent.survey.view import Wanted, months_of, spans
from drivers.errors import DeviceTimeoutError
from drivers.readings import Reason, Unknown
from drivers.recorder.readings import RecordedDaysReading
from drivers.recordings import Extent
from tests.simulated_clock import SimulatedClock
from tests.unit.paper_recorder import BUSY, PaperRecorder

WALL = datetime(2026, 9, 1, 10)  # noqa: DTZ001 - a recorder's wall clock
YESTERDAY = date(2026, 8, 31)
DAY = timedelta(days=1)


def back(count: int, until: date = YESTERDAY) -> set[date]:
    return {until - n * DAY for n in range(count)}


class Night:
    """One recorder, its ledgers and a survey of two channels, one of 30 days and one of 90."""

    def __init__(self, clock: SimulatedClock, *targets: int, held: int = 120) -> None:
        self.clock = clock
        self.paper = PaperRecorder(clock, WALL, back(held))
        self.ledgers = Ledgers()
        self.wanted = [Wanted(n + 1, days) for n, days in enumerate(targets or (30,))]
        self.survey = ArchiveSurvey(
            self.paper, self.wanted, self.ledgers, clock, ZoneInfo("Asia/Shanghai"), Random(1)
        )
        self.complete: list[bool] = []

    def run(
        self, *, missing_only: bool = False, seconds: float = 1800
    ) -> list[RecordedDaysReading]:
        """Survey into the ledgers; return the readings."""
        found: list[RecordedDaysReading] = []
        run = self.survey.run(self.clock.monotonic() + seconds, missing_only=missing_only)
        self.paper.asked.clear()
        while True:
            try:
                reading = next(run)
            except StopIteration as ended:
                self.complete.append(ended.value)
                return found
            assert isinstance(reading, RecordedDaysReading)
            found.append(reading)
            wall = self.paper.wall
            assert isinstance(wall, datetime)
            key = ("nvr-1", reading.channel)
            ledger, _ = merged(self.ledgers.channel(*key), reading, wall.date() - DAY)
            self.ledgers.put_channel(*key, ledger)

    def next_day(self) -> None:
        assert isinstance(self.paper.wall, datetime)
        self.paper.wall += DAY
        self.paper.held.add(self.paper.wall.date() - DAY)
        self.clock.advance(86_400)

    def held(self) -> list[bool]:
        """Return what is known of the last 30 days of the first channel."""
        return [there for day, there in self.known().items() if day > YESTERDAY - 30 * DAY]

    def known(self, channel: int = 1) -> dict[date, bool]:
        days = self.ledgers.channel("nvr-1", channel).days
        return {day: one.present for day, one in days.items()}


@pytest.fixture
def night(clock: SimulatedClock) -> Night:
    return Night(clock)


def refusals(readings: list[RecordedDaysReading]) -> list[Reason]:
    return [one.days.reason for one in readings if isinstance(one.days, Unknown)]


def test_a_cold_survey_asks_every_month_once_and_then_audits(clock: SimulatedClock) -> None:
    night = Night(clock, 30, 90, 90)
    night.paper.held.remove(date(2026, 8, 20))
    night.run()
    months = [question[1:] for question in night.paper.asked if question[0] == "month"]
    assert (
        months[:9]
        == [
            (1, 2026, 8),  # 30 days up to 31 August: no other month
            *((c, 2026, m) for c in (2, 3) for m in (8, 7, 6)),
            *months[7:],
        ][:9]
    )
    assert night.complete[-1]
    assert night.known()[date(2026, 8, 20)] is False
    graded = {d for d, one in night.ledgers.channel("nvr-1", 2).days.items() if one.grade == "A"}
    assert {YESTERDAY, YESTERDAY - 89 * DAY} <= graded
    assert len(graded) >= 3


def test_a_calendar_is_compared_with_the_search_once_a_firmware(night: Night) -> None:
    night.paper.held.remove(date(2026, 8, 20))
    night.run()
    assert night.paper.calendar_right is True
    assert ("segments", 1, date(2026, 8, 20), date(2026, 8, 20)) in night.paper.asked
    night.next_day()
    night.run()
    assert ("segments", 1, date(2026, 8, 20), date(2026, 8, 20)) not in night.paper.asked


def test_a_steady_night_asks_two_months_a_channel(clock: SimulatedClock) -> None:
    night = Night(clock, 90, 90)
    night.run()
    night.next_day()
    night.run()
    first = [q for q in night.paper.asked if q[0] == "month"][:4]
    # One of 1 September's two: the day itself, and the day that is now the edge.
    assert [q[1:] for q in first] == [(1, 2026, 9), (1, 2026, 6), (2, 2026, 9), (2, 2026, 6)]
    assert night.paper.count("month") == 6  # and one of the months between, each
    assert night.paper.count("segments") == 6


def test_a_restart_asks_nothing_that_was_answered_today(night: Night) -> None:
    night.run()
    assert night.run(missing_only=True) == []
    assert night.paper.asked == []
    night.next_day()
    assert night.run(missing_only=True)


def test_a_survey_that_ran_out_of_time_goes_on_where_it_stopped(clock: SimulatedClock) -> None:
    night = Night(clock, 90, 90, 90)
    night.paper.seconds_each = 1.0
    night.run(seconds=4.5)
    assert len(night.paper.asked) <= 6
    night.run(missing_only=True)
    assert night.complete == [False, True]
    assert all(len(night.known(number)) >= 90 for number in (1, 2, 3))


@pytest.mark.parametrize("reason", [Reason.NOT_SUPPORTED, Reason.NOT_MEASURED, Reason.FORBIDDEN])
def test_without_a_calendar_the_days_are_searched_in_weeks(night: Night, reason: Reason) -> None:
    night.paper.no_calendar = Unknown(reason=reason)
    night.paper.held.remove(date(2026, 8, 20))
    readings = night.run()
    assert refusals(readings) == [reason]
    weeks = [q[2:] for q in night.paper.asked if q[0] == "segments"][:5]
    first = YESTERDAY - 29 * DAY
    assert weeks == [
        (first + n * 7 * DAY, min(first + (n * 7 + 6) * DAY, YESTERDAY)) for n in range(5)
    ]
    assert night.known()[date(2026, 8, 20)] is False
    assert sum(night.held()) == 29


@pytest.mark.parametrize("reason", [Reason.BUSY, Reason.MALFORMED])
def test_a_calendar_that_is_busy_is_not_searched_around(night: Night, reason: Reason) -> None:
    night.paper.no_calendar = Unknown(reason=reason)
    night.run()
    assert night.paper.count("segments") == 1  # the audit of yesterday alone


def test_an_empty_calendar_is_no_empty_archive(night: Night) -> None:
    night.paper.lies = dict.fromkeys(back(150), False)
    readings = night.run()
    assert night.paper.calendar_right is None
    assert refusals(readings) == [Reason.INCONSISTENT]
    assert sum(night.held()) == 30
    assert all(one.grade == "A" for one in readings if not isinstance(one.days, Unknown))


def test_an_empty_calendar_that_nothing_confirms_is_unknown(night: Night) -> None:
    night.paper.lies = dict.fromkeys(back(150), False)
    night.paper.no_segments = Unknown(reason=Reason.NOT_SUPPORTED)
    assert set(refusals(night.run())) == {Reason.INCONSISTENT, Reason.NOT_SUPPORTED}
    assert night.known() == {}


def test_an_empty_archive_is_known_to_be_empty(clock: SimulatedClock) -> None:
    night = Night(clock, 30, held=0)
    night.run()
    assert len(night.known()) >= 30
    assert not any(night.known().values())


def test_a_calendar_that_is_wrong_about_one_day_is_not_believed_again(night: Night) -> None:
    night.run()
    night.next_day()
    night.paper.lies = {date(2026, 9, 1): False}  # and that is yesterday by now
    night.run()
    assert night.paper.calendar_right is False
    assert night.known()[date(2026, 9, 1)] is True
    assert sum(night.held()) >= 30


def test_a_day_that_vanished_is_looked_for_before_it_is_lost(night: Night) -> None:
    night.run()
    night.paper.lies = {date(2026, 8, 12): False, date(2026, 8, 13): False}
    night.run()
    assert ("segments", 1, date(2026, 8, 13), date(2026, 8, 13)) in night.paper.asked
    assert all(night.known()[day] for day in night.paper.lies)
    assert night.paper.calendar_right is False


def test_a_day_that_really_vanished_is_absent(night: Night) -> None:
    night.run()
    night.paper.held -= {date(2026, 8, 12), date(2026, 8, 13)}
    night.run()
    assert night.known()[date(2026, 8, 12)] is False
    assert night.ledgers.channel("nvr-1", 1).days[date(2026, 8, 12)].lost
    assert night.paper.calendar_right is True


def test_a_vanished_day_that_cannot_be_looked_for_stays(night: Night) -> None:
    night.run()
    night.paper.held -= {date(2026, 8, 12), date(2026, 8, 13)}
    night.paper.no_segments = BUSY
    night.run()
    assert night.known()[date(2026, 8, 12)] is True


def test_days_of_a_wrong_clock_are_looked_at_until_they_are_cleared(night: Night) -> None:
    night.run()
    when = night.clock.now()
    wall = datetime(2026, 8, 20, 9)  # noqa: DTZ001 - a recorder's wall clock
    night.ledgers.clock_read("nvr-1", 900.0, wall, when, wrong=True, jump=60)
    assert date(2026, 8, 20) not in night.ledgers.believed("nvr-1", 1)
    for _ in range(3):
        night.next_day()
        night.run()
    asked = ("segments", 1, date(2026, 8, 20), date(2026, 8, 20))
    assert asked not in night.paper.asked  # cleared the night before
    assert date(2026, 8, 20) in night.ledgers.believed("nvr-1", 1)


def test_locked_clips_do_not_pass_for_the_edge(clock: SimulatedClock) -> None:
    night = Night(clock, 90, held=20)
    night.paper.locked = {YESTERDAY - n * DAY for n in (40, 60, 89)}
    night.paper.lies = dict.fromkeys(night.paper.locked, True)
    night.run()
    days = night.ledgers.channel("nvr-1", 1).days
    assert all(days[day].usable is False for day in night.paper.locked)
    assert days[YESTERDAY - 19 * DAY].usable is True


def test_the_edge_is_gone_so_the_months_between_are_asked(clock: SimulatedClock) -> None:
    night = Night(clock, 90)
    night.run()
    night.next_day()
    night.paper.held = back(10, date(2026, 9, 1))
    night.run()
    assert sum(night.held()) == 10


def test_a_day_overwritten_while_it_is_looked_at_does_not_discredit_the_calendar(
    clock: SimulatedClock,
) -> None:
    night = Night(clock, 30, held=29)
    night.paper.lies = {YESTERDAY - 29 * DAY: True}  # it was there a minute ago
    night.run()
    assert night.known()[YESTERDAY - 29 * DAY] is False
    assert night.paper.calendar_right is True


def test_video_on_days_to_come_is_another_months(night: Night) -> None:
    night.paper.lies = {date(2026, 9, 20): True}
    night.paper.wall = WALL + 5 * DAY
    assert Reason.INCONSISTENT in refusals(night.run())


def test_three_questions_in_a_row_without_an_answer_end_it(clock: SimulatedClock) -> None:
    night = Night(clock, 90)
    night.paper.no_calendar = Unknown(reason=Reason.TIMEOUT)
    with pytest.raises(DeviceTimeoutError, match="3 questions about its recordings"):
        night.run()
    assert len(night.paper.asked) == 3


def test_a_recorder_that_only_lists_is_listed_once_and_then_by_the_day(
    clock: SimulatedClock,
) -> None:
    night = Night(clock, 90)
    night.paper.gives, night.paper.span_days = frozenset({"segments"}), 92
    night.run()
    assert night.paper.asked[0] == ("segments", 1, YESTERDAY - 89 * DAY, YESTERDAY)
    assert night.paper.count("segments") == 1  # all was looked at a minute ago
    night.next_day()
    night.run()
    edge = date(2026, 9, 1) - 89 * DAY
    assert [q[2] for q in night.paper.asked[:2]] == [date(2026, 9, 1), edge]
    assert night.paper.count("segments") == 3


def test_an_extent_is_taken_at_its_word(clock: SimulatedClock) -> None:
    night = Night(clock, 30, 90, 30)
    night.paper.gives = frozenset({"extent"})
    night.paper.claims = {
        1: Extent(WALL - 40 * DAY, WALL),
        2: Extent(WALL - 20 * DAY, WALL - 3 * DAY),
    }
    readings = night.run()
    assert {one.grade for one in readings} == {"C"}
    assert [day for day, there in night.known(1).items() if there] == [
        YESTERDAY - 39 * DAY,
        YESTERDAY,
    ]
    assert not {YESTERDAY - n * DAY for n in range(1, 39)} & night.known(1).keys()
    known = night.known(2)
    assert [day for day, present in known.items() if present] == [
        YESTERDAY - 19 * DAY,
        YESTERDAY - 2 * DAY,
    ]
    assert (known[YESTERDAY], known[YESTERDAY - 20 * DAY]) == (False, False)
    assert refusals(readings) == [Reason.NOT_MEASURED]
    assert night.complete[-1]


def test_without_its_clock_the_days_are_the_sites(night: Night) -> None:
    night.paper.wall = Unknown(reason=Reason.FORBIDDEN)
    run = night.survey.run(night.clock.monotonic() + 100, missing_only=False)
    reading = next(run)
    assert isinstance(reading, RecordedDaysReading)
    assert night.paper.asked[0] == ("month", 1, 2026, 8)


@pytest.mark.parametrize(
    ("until", "days", "months"),
    [
        (date(2026, 8, 31), 30, [(2026, 8)]),
        (date(2026, 8, 30), 31, [(2026, 8), (2026, 7)]),
        (date(2026, 1, 15), 90, [(2026, 1), (2025, 12), (2025, 11), (2025, 10)]),
        (date(2024, 3, 1), 2, [(2024, 3), (2024, 2)]),
    ],
)
def test_only_the_months_that_are_needed(
    until: date, days: int, months: list[tuple[int, int]]
) -> None:
    assert months_of(until - (days - 1) * DAY, until) == months


def test_spans_have_no_gaps_and_no_more_days_than_they_may() -> None:
    days = [date(2026, 8, n) for n in (1, 2, 3, 4, 7, 8, 20)]
    assert spans(days, 3) == [
        (date(2026, 8, 1), date(2026, 8, 3)),
        (date(2026, 8, 4), date(2026, 8, 4)),
        (date(2026, 8, 7), date(2026, 8, 8)),
        (date(2026, 8, 20), date(2026, 8, 20)),
    ]
    assert spans([], 3) == []


def test_a_full_survey_asks_one_channel_that_reaches_back_for_the_oldest(
    clock: SimulatedClock,
) -> None:
    night = Night(clock, 30, 90, 200)
    readings = night.run()
    assert [q for q in night.paper.asked if q[0] == "oldest"] == [
        ("oldest", 2, date(2010, 1, 1), YESTERDAY - 89 * DAY)
    ]
    [oldest] = [one for one in readings if one.channel == 2 and one.grade == "A"][-1:]
    assert not isinstance(oldest.days, Unknown)
    assert list(oldest.days) == [YESTERDAY - 119 * DAY]
    night.run(missing_only=True)
    assert night.paper.count("oldest") == 0


def test_a_recorder_that_lists_the_newest_first_has_not_said_what_is_oldest(
    clock: SimulatedClock,
) -> None:
    night = Night(clock, 30)
    night.paper.newest_first = True
    looked_at = [one.days for one in night.run() if one.grade == "A"]
    days = {day for one in looked_at if not isinstance(one, Unknown) for day in one}
    assert min(days) == YESTERDAY - 29 * DAY
    night.paper.locked = {YESTERDAY - 119 * DAY}
    night.paper.newest_first = False
    night.next_day()
    night.run()
    assert YESTERDAY - 118 * DAY in night.known()
    assert YESTERDAY - 119 * DAY not in night.known()
