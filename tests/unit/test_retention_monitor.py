from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from agent.county.contract import Event
from agent.county.event_data import DeviceEventData
from agent.findings import Verdict
from agent.monitors.ledger import Ledgers
from drivers.readings import Outage, Reason, Unknown
from drivers.recorder.readings import RecordedDay
from tests.unit.retention_site import (
    START,
    YESTERDAY,
    Site,
    codes,
    last,
    surveyed,
    words,
)


def test_before_anything_was_read_all_is_unknown() -> None:
    site = Site()
    state = site.recording()
    assert (state.word, state.verdict) == ("unknown", Verdict.UNKNOWN)
    assert codes(state) == {"unknown.not_yet"}
    assert (state.depth_days_lower, state.grade, state.surveyed_until) == ("unknown", None, None)
    assert site.recorder_state().verdict is Verdict.UNKNOWN
    assert site.tick() == []


def test_the_best_a_day_map_gives_is_claimed_and_a_warning() -> None:
    site = Site()
    events = site.see(site.recorder(), *site.months(2, last(40)))
    assert words(events) == [("yard-cam", "claimed")]
    state = site.recording()
    assert (state.verdict, state.grade, state.surveyed_until) == (Verdict.WARN, "B", YESTERDAY)
    assert (state.depth_days_lower, state.depth_days_upper) == (40, 40)
    assert (state.missing_days_lower, state.missing_days_upper) == (0, 0)
    assert codes(state) == {"recording.claimed_only"}


def test_key_area_channels_need_ninety_days() -> None:
    site = Site()
    site.see(site.recorder(), *site.months(1, last(89)), *site.months(2, last(89)))
    assert site.recording("gate-cam").word == "short"
    assert site.recording("gate-cam").verdict is Verdict.FAIL
    assert site.recording("gate-cam").retention_min_days == 90
    assert site.recording("yard-cam").word == "claimed"
    (cause,) = [c for c in site.recording("gate-cam").causes if "depth" in c.code]
    assert cause.params == {"depth_days": 89, "target_days": 90}


def test_one_power_cut_does_not_paint_the_school_red() -> None:
    site = surveyed(set(last(40)) - {date(2026, 9, 5), date(2026, 9, 6)})
    state = site.recording()
    assert state.word == "claimed"
    assert (state.depth_days_lower, state.missing_days_lower) == (40, 2)
    assert "recording.missing_days" in codes(state)


def test_more_holes_than_allowed_and_no_days_at_all_are_short() -> None:
    holes = {YESTERDAY - timedelta(days=back) for back in (1, 5, 9, 20)}
    assert "recording.too_many_holes" in codes(surveyed(set(last(40)) - holes).recording())
    state = surveyed([]).recording()
    assert state.word == "short"
    assert codes(state) == {"recording.no_days"}


def test_today_does_not_count() -> None:
    site = surveyed([*last(29), date(2026, 9, 11)])
    assert site.recording().depth_days_upper == 29
    assert site.recording().word == "short"


def test_days_the_recorder_left_out_are_neither_held_nor_missing() -> None:
    site = Site()
    current, *older = site.months(2, last(40))
    assert not isinstance(current.days, Unknown)
    few = {day: known for day, known in current.days.items() if day.day < 4}
    partly = current.model_copy(update={"days": few})
    site.see(site.recorder(), partly, *older)
    state = site.recording()
    assert state.word == "unknown"
    assert (state.missing_days_lower, state.missing_days_upper) == (0, 7)
    assert "recording.unknown_days" in codes(state)


def test_an_unknown_month_is_named_and_changes_nothing_until_it_is_old() -> None:
    site = surveyed(last(40))
    site.wait(3600)
    unknown = Unknown(reason=Reason.BUSY, detail="HTTP 503")
    refused = [
        one.model_copy(update={"days": unknown, "observed_at": site.wall})
        for one in site.months(2, [])
    ]
    assert site.see(*refused) == []
    assert site.recording().word == "claimed"
    site.wait(36 * 3600)
    site.see(site.recorder())
    assert site.recording().word == "unknown"


def test_the_lagging_flag_of_a_day_that_was_not_over_is_no_evidence_later() -> None:
    site = surveyed(last(40))  # lists 11 September, then today, as without video
    site.wait(86_400)
    site.see(site.recorder(), *site.months(2, last(40))[1:])  # September is not answered
    state = site.recording()
    assert state.surveyed_until == date(2026, 9, 11)
    assert (state.missing_days_lower, state.missing_days_upper) == (0, 1)


def test_a_refusal_that_has_passed_is_not_named_any_more() -> None:
    site = Site()
    current, *older = site.months(2, last(40))
    assert not isinstance(current.days, Unknown)
    unknown = Unknown(reason=Reason.BUSY)
    site.see(site.recorder(), *older, current.model_copy(update={"days": unknown}))
    assert "unknown.busy" in codes(site.recording())
    site.see(current.model_copy(update={"days": {date(2026, 9, 1): RecordedDay(present=True)}}))
    assert "recording.unknown_days" in codes(site.recording())
    assert "unknown.busy" not in codes(site.recording())


def test_a_refused_first_survey_says_why() -> None:
    site = Site()
    unknown = Unknown(reason=Reason.FORBIDDEN, detail="no right")
    site.see(
        site.recorder(),
        *(one.model_copy(update={"days": unknown}) for one in site.months(2, [])),
    )
    assert site.recording().word == "unknown"
    assert codes(site.recording()) == {"unknown.forbidden"}


def test_evidence_from_the_future_is_of_unknown_age() -> None:
    site = surveyed(last(40))
    site.wall -= timedelta(days=3)  # somebody set the clock back
    site.monotonic += 3600
    assert words(site.see(site.recorder())) == [("yard-cam", "unknown")]
    assert codes(site.recording()) == {"recording.survey_stale"}


def test_an_old_survey_proves_nothing() -> None:
    site = surveyed(last(40))
    for _ in range(37):
        site.wait(3600)
        site.see(site.recorder())
    assert words(site.tick()) == []  # said already, at the reading that showed it
    state = site.recording()
    assert (state.word, state.verdict) == ("unknown", Verdict.UNKNOWN)
    assert codes(state) == {"recording.survey_stale"}
    assert state.depth_days_lower == "unknown"


def test_silence_alone_makes_an_old_survey_unknown() -> None:
    site = surveyed(last(40))
    site.wait(36.5 * 3600)
    assert words(site.tick()) == [("yard-cam", "unknown")]


@pytest.mark.parametrize(
    ("offset", "present", "word", "verdict"),
    [
        (30.0, 40, "claimed", Verdict.OK),
        (-90.0, 40, "claimed", Verdict.WARN),
        (400.0, 40, "unknown", Verdict.FAIL),  # good by a calendar we do not trust
        (400.0, 20, "short", Verdict.FAIL),  # one day more or less would not help
        (400.0, 29, "unknown", Verdict.FAIL),  # it might
        (90_000.0, 20, "unknown", Verdict.FAIL),  # a day and more off: whose days are these?
        (Unknown(reason=Reason.FORBIDDEN), 40, "unknown", Verdict.UNKNOWN),
    ],
)
def test_what_the_recorders_clock_does_to_the_words(
    offset: float | Unknown, present: int, word: str, verdict: Verdict
) -> None:
    site = Site()
    until = YESTERDAY
    if isinstance(offset, float):
        until = (START + timedelta(hours=8, seconds=offset)).date() - timedelta(days=1)
    site.see(site.recorder(offset), *site.months(2, last(present, until), until=until))
    site.see(site.channel(1), site.channel(2))
    assert site.recording().word == word
    assert site.recorder_state().verdict is verdict
    if word == "unknown":
        assert codes(site.recording()) & {"recorder.clock_off", "recorder.clock_unknown"}


def test_days_are_those_of_the_recorders_own_calendar() -> None:
    site = Site()
    site.wall = datetime(2026, 9, 10, 16, 2, tzinfo=UTC)  # 00:02 on the 11th by our clock
    site.see(site.recorder(-240.0), *site.months(2, last(29, date(2026, 9, 10))))
    assert site.recording().surveyed_until == date(2026, 9, 9)  # 23:58 on the 10th by its own


def test_an_offline_channel_is_named_by_the_recorders_word() -> None:
    site = surveyed(last(40))
    site.see(site.channel(1), site.channel(2, online=False, condition="userpwerror"))
    assert "channel.wrong_camera_password" in codes(site.recording())
    assert site.recording().word == "claimed"
    state = site.recorder_state()
    assert (state.verdict, state.channels_online, state.channels_total) == (Verdict.WARN, 1, 2)
    assert codes(state) == {"channel.wrong_camera_password"}
    site.see(site.channel(2, online=False, condition="somethingnew"))
    assert "channel.offline" in codes(site.recording())
    site.see(site.channel(2))
    assert site.recorder_state().verdict is Verdict.OK


def test_a_channel_the_recorder_does_not_list_is_named() -> None:
    site = surveyed(last(40))
    absent = Unknown(reason=Reason.INCONSISTENT, detail="not listed")
    site.see(site.channel(1), site.channel(2, online=absent))
    assert "channel.not_listed" in codes(site.recording())
    state = site.recorder_state()
    assert (state.verdict, state.channels_online) == (Verdict.UNKNOWN, "unknown")


def outage(site: Site, reason: Reason) -> Outage:
    return Outage(device_id="nvr-1", observed_at=site.wall, reason=reason)


def device_events(events: Sequence[Event]) -> list[str]:
    return [event.data.what for event in events if isinstance(event.data, DeviceEventData)]


def test_a_recorder_is_lost_once_and_restored_once() -> None:
    site = surveyed(last(40))
    site.see(site.channel(1), site.channel(2))
    events = [event for _ in range(10) for event in site.see(outage(site, Reason.TIMEOUT))]
    assert device_events(events) == ["lost"]
    state = site.recorder_state()
    assert (state.verdict, state.clock_offset_seconds) == (Verdict.UNKNOWN, "unknown")
    assert (state.channels_online, codes(state)) == ("unknown", {"unknown.timeout"})
    assert site.recording().word == "claimed"  # what it held last night it still held last night
    assert device_events(site.see(site.recorder(), site.recorder())) == ["restored"]


def test_one_missed_poll_is_no_news_but_a_refused_login_is() -> None:
    site = surveyed(last(40))
    assert site.see(outage(site, Reason.BUSY), site.recorder(), outage(site, Reason.BUSY)) == []
    (event,) = site.see(outage(site, Reason.AUTH_REJECTED))
    assert isinstance(event.data, DeviceEventData)
    assert event.data.cause is not None
    assert event.data.cause.code == "unknown.auth_rejected"


def test_silence_loses_a_recorder() -> None:
    site = surveyed(last(40))
    site.wait(299)
    assert device_events(site.tick()) == []
    site.wait(2)
    assert device_events(site.tick()) == ["lost"]
    assert device_events(site.tick()) == []
    assert codes(site.recorder_state()) == {"unknown.stale"}


def test_a_long_survey_is_not_silence() -> None:
    site = surveyed(last(40))
    for month in site.months(2, last(40)):
        site.wait(200)
        assert device_events([*site.see(month), *site.tick()]) == []


def restarted(before: Site) -> Site:
    """A new process that reads what the old one had stored."""
    facts = before.ledgers.take_unsaved()
    site = Site(Ledgers())
    site.wall, site.monotonic = before.wall, 50.0
    site.ledgers.restore(facts)
    site.monitor.restored(site.now)
    return site


def test_a_restart_goes_on_without_news() -> None:
    site = restarted(surveyed(last(40)))
    site.wait(7200)
    assert site.recording().word == "unknown"  # the recorder's clock has not been seen yet
    assert [*site.tick(), *site.see(site.recorder()), *site.tick()] == []
    assert site.recording().word == "claimed"
    site.wait(34.5 * 3600)
    site.see(site.recorder())
    assert site.recording().word == "unknown"  # the survey was made before the restart


def test_a_restored_word_that_the_clock_now_denies_is_news() -> None:
    site = restarted(surveyed(last(40)))
    assert words(site.see(site.recorder(5000.0))) == [("yard-cam", "unknown")]


def test_what_a_newer_version_stored_and_what_makes_no_sense_is_passed_over() -> None:
    before = surveyed(last(40))
    facts = {
        name: body.replace("{", '{"newer": 1, ', 1)
        for name, body in before.ledgers.take_unsaved().items()
    }
    ledgers = Ledgers()
    ledgers.restore({**facts, "ledger.nvr-1.1": "{", "ledger.nvr-1.x": "{}", "patrol": "1"})
    assert ledgers.channel("nvr-1", 2).days == before.ledgers.channel("nvr-1", 2).days
    assert ledgers.channel("nvr-1", 1).days == {}


def test_strangers_are_passed_over() -> None:
    site = Site()
    other = site.recorder().model_copy(update={"device_id": "nvr-9"})
    assert site.see(other, site.channel(99), *site.months(99, last(40))) == []


def test_a_recorder_that_moves_its_clock_in_spring_is_warned_of() -> None:
    site = surveyed(last(40))
    site.see(site.channel(1), site.channel(2))
    site.see(site.recorder().model_copy(update={"summer_time": True}))
    assert site.recorder_state().verdict is Verdict.WARN
    assert "recorder.summer_time" in codes(site.recorder_state())
