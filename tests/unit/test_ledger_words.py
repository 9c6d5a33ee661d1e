"""What a ledger of days allows to say: met, growing, days that were lost, clocks that jumped."""

from datetime import date, timedelta

from agent.county.contract import Event
from agent.county.event_data import RecordingEventData
from agent.findings import Verdict
from agent.policy import Channel
from tests.unit.retention_site import CHANNELS, YESTERDAY, Site, codes, last, surveyed, words


def proven(site: Site, days: int = 40, number: int = 2) -> list[Event]:
    """A survey as it is made: the calendar, then yesterday and the edge by their segments."""
    edge = YESTERDAY - timedelta(days=29 if number == 2 else 89)
    return site.see(
        site.recorder(),
        *site.months(number, last(days)),
        site.looked_at(number, YESTERDAY, edge),
    )


def test_met_is_ok_once_the_edge_is_checked_by_segments() -> None:
    site = Site()
    assert words(proven(site)) == [("yard-cam", "claimed"), ("yard-cam", "met")]
    state = site.recording()
    assert (state.word, state.verdict, state.grade) == ("met", Verdict.OK, "A")
    assert (state.sampled_days, state.covered_ratio, state.causes) == (2, 1.0, ())


def test_met_with_few_holes_or_thin_days_is_a_warning() -> None:
    site = Site()
    proven(site)
    events = site.see(site.looked_at(2, date(2026, 9, 1), seconds=0))
    assert events == []  # a calendar was wrong about it: nothing was lost
    assert (site.recording().word, site.recording().verdict) == ("met", Verdict.WARN)
    assert "recording.missing_days" in codes(site.recording())
    other = Site()
    proven(other)
    other.see(other.looked_at(2, date(2026, 9, 1), seconds=600))
    assert (other.recording().word, other.recording().verdict) == ("met", Verdict.WARN)
    assert codes(other.recording()) == {"recording.thin_days"}
    assert (other.recording().sampled_days, other.recording().thin_days) == (3, 1)


def test_a_day_that_goes_inside_the_target_is_lost_at_once_and_told_once() -> None:
    site = Site()
    proven(site)
    gone = {date(2026, 9, 3), date(2026, 9, 4)}
    events = site.see(*site.months(2, set(last(40)) - gone))
    (lost,) = [event.data for event in events if isinstance(event.data, RecordingEventData)]
    assert (lost.what, lost.channel, lost.lost_days) == ("lost", "yard-cam", tuple(sorted(gone)))
    assert "recording.days_lost" in {cause.code for cause in lost.causes}
    assert site.see(*site.months(2, set(last(40)) - gone)) == []
    assert site.recording().verdict is Verdict.WARN


def test_a_day_that_ages_out_of_the_target_is_not_lost() -> None:
    site = Site()
    proven(site)
    site.wait(86_400)
    until = YESTERDAY + timedelta(days=1)
    events = site.see(site.recorder(), *site.months(2, last(30, until), until=until))
    assert [e for e in events if getattr(e.data, "what", "") == "lost"] == []


def test_what_was_seen_of_older_days_is_no_word_about_today() -> None:
    site = Site()
    for night in range(45):
        until = YESTERDAY + timedelta(days=night)
        site.see(site.recorder(), site.looked_at(2, until, until - timedelta(days=29)))
        site.wait(86_400)
    site.see(site.recorder())
    assert site.recording().word == "met"
    assert site.recording().depth_days_lower in (30, 31)


def test_a_channel_known_to_be_short_does_not_cry_every_night() -> None:
    site = surveyed(last(20))
    assert site.recording().word == "short"
    for night in range(1, 4):
        site.wait(86_400)
        until = YESTERDAY + timedelta(days=night)
        assert site.see(site.recorder(), *site.months(2, last(20, until), until=until)) == []
        assert "recording.days_lost" not in codes(site.recording())
    until = YESTERDAY + timedelta(days=3)
    hole = until - timedelta(days=2)
    events = site.see(*site.months(2, set(last(20, until)) - {hole}, until=until))
    assert [e.data.lost_days for e in events if isinstance(e.data, RecordingEventData)] == [(hole,)]


def test_a_formatted_disk_is_lost_days_and_never_growing() -> None:
    installed = Channel(
        recorder="nvr-1", number=2, id="yard-cam", name="", installed=date(2026, 9, 1)
    )
    site = Site(channels=[installed])
    site.see(site.recorder(), *site.months(2, last(10)))
    assert (site.recording().word, site.recording().met_on) == ("growing", date(2026, 10, 1))
    assert site.recording().verdict is Verdict.WARN
    site.wait(86_400)
    until = YESTERDAY + timedelta(days=1)
    events = site.see(site.recorder(), *site.months(2, [until], until=until))
    assert [getattr(event.data, "what", "") for event in events] == ["changed", "lost"]
    for night in range(2, 15):
        site.wait(86_400)
        until = YESTERDAY + timedelta(days=night)
        site.see(site.recorder(), *site.months(2, last(night, until), until=until))
        assert site.recording().word == "short"


def test_a_lost_ledger_is_short_whatever_it_holds() -> None:
    for depth in (1, 12, 29):
        site = surveyed(last(depth))
        site.wait(86_400)
        until = YESTERDAY + timedelta(days=1)
        site.see(site.recorder(), *site.months(2, last(depth + 1, until), until=until))
        assert site.recording().word in {"short", "claimed"}


def test_a_camera_that_came_to_a_known_recorder_grows() -> None:
    site = Site(channels=CHANNELS[:1])
    site.see(site.recorder(), *site.months(1, last(100)))
    site.wait(3 * 86_400)
    grown = Site(site.ledgers)
    grown.wall = site.wall
    for night in range(3, 8):
        until = YESTERDAY + timedelta(days=night)
        held = last(night - 2, until)
        grown.see(grown.recorder(), *grown.months(2, held, until=until))
        grown.wait(86_400)
    state = grown.recording()
    assert (state.word, state.met_on) == ("growing", date(2026, 9, 13) + timedelta(days=30))
    # One that brings old recordings along is not new: it has lost the rest.
    other = Site(site.ledgers, channels=[CHANNELS[0].model_copy(update={"number": 3})])
    other.wall = grown.wall
    until = YESTERDAY + timedelta(days=8)
    other.see(other.recorder(), *other.months(3, last(12, until), until=until))
    assert other.recording("gate-cam").word == "short"


def test_a_clock_that_jumped_puts_its_days_in_doubt_until_they_are_looked_at() -> None:
    site = Site()
    proven(site)
    site.see(site.recorder(-3 * 86_400.0))  # a power cut, and the battery of the clock is flat
    site.see(site.recorder(0.0))
    known = site.ledgers.recorder("nvr-1").suspect
    assert set(known) == {date(2026, 9, 8), date(2026, 9, 11)}
    assert site.recording().word == "claimed"
    assert site.recording().missing_days_upper == 1
    site.wait(20 * 3600)
    site.see(site.recorder(), site.looked_at(2, date(2026, 9, 8)))
    assert site.recording().missing_days_upper != 0  # the clock has not been right for a day
    site.wait(30 * 3600)
    site.see(site.recorder(), *site.months(2, last(42, date(2026, 9, 12)), until=date(2026, 9, 12)))
    assert "recording.unknown_days" in codes(site.recording())  # a calendar clears nothing
    site.wait(5 * 3600)
    site.see(site.recorder(), site.looked_at(2, date(2026, 9, 8), date(2026, 9, 11)))
    assert site.recording().missing_days_upper == 0


def test_drift_is_no_jump_and_days_of_a_wrong_clock_are_in_doubt() -> None:
    site = Site()
    for offset in (0.0, 30.0, 60.0, 90.0):
        site.see(site.recorder(offset))
    assert site.ledgers.recorder("nvr-1").suspect == {}
    site.see(site.recorder(149.0), site.recorder(208.0), site.recorder(267.0), site.recorder(320.0))
    assert set(site.ledgers.recorder("nvr-1").suspect) == {date(2026, 9, 11)}
