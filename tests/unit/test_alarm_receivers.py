"""An alarm receiver's reports, as the monitor judges them."""

import pytest

from agent.county.event_data import AlarmEventData
from agent.findings import Verdict
from agent.monitors.incidents import AlarmRefusedError
from agent.policy import AlarmEquipment, AlarmReceiver, ZoneButton
from drivers.readings import Outage, Reason, ReceiverReading, Unknown
from tests.alarm_bench import Bench, said

LIBRARY = ZoneButton(id="library", name="Library", account="1234", partition="01", zone="001")
HALL = ZoneButton(id="hall", name="Hall", account="1234", zone="002", latching=True)
SITE = AlarmEquipment(
    receivers=(
        AlarmReceiver(
            id="host", name="Alarm host", buttons=(LIBRARY, HALL), silent_after_seconds=110
        ),
    )
)


def bench() -> Bench:
    made = Bench(site=SITE)
    made.heartbeat()
    return made


def first(one: Bench) -> AlarmEventData:
    data = one.events[0].data
    assert isinstance(data, AlarmEventData)
    return data


def test_before_its_first_word_nothing_is_known_and_a_heartbeat_says_that_nothing_waits() -> None:
    one = Bench(site=SITE)
    assert (one.state("library").position, one.state("library").verdict) == (
        "unknown",
        Verdict.UNKNOWN,
    )
    assert one.heartbeat() == []
    assert one.state("library").position == "rest"
    assert {cause.code for cause in one.state("library").causes} == {"alarm.not_tested"}


def test_a_panic_code_is_a_press_of_its_zone_and_its_restore_a_release() -> None:
    one = bench()
    assert one.line("120") == [("press", "library", 1, 1)]
    assert first(one).cause is not None
    assert one.state("library").position == "pressed"
    assert one.line("120", "restore") == [("release", "library", 1, 1)]
    assert one.state("library").incident == 1
    assert one.line("120", zone="002", partition="09") == [("press", "hall", 2, 1)]


def test_an_alarm_of_no_zone_that_is_listed_is_the_receivers_own() -> None:
    one = bench()
    assert one.line("120", zone="077") == [("press", "host", 1, 1)]
    assert one.line("110", account="9999") == [("press", "host", 1, 2)]
    assert one.state("host").incident == 1


def test_what_is_said_again_under_the_same_token_is_one_event() -> None:
    one = bench()
    assert one.line("120", token="t1") == [("press", "library", 1, 1)]
    assert one.line("120", token="t1", resend=True) == []


def test_a_resend_that_may_be_a_second_press_joins_its_incident_and_says_so() -> None:
    one = bench()
    one.line("120", token="t1")
    assert one.line("120", token="t2", resend=True) == [("press", "library", 1, 2)]
    assert first(one).resend


def test_the_line_that_was_not_answered_before_a_restart_is_marked_when_it_comes_again() -> None:
    one = bench()
    one.line("120")
    again = one.restart()
    assert again.line("120", seconds=5) == [("press", "library", 1, 2)]
    assert first(again).resend
    much_later = one.restart()
    much_later.line("120", seconds=100)
    assert not first(much_later).resend


def test_alarm_codes_are_never_folded_away() -> None:
    one = bench()
    told = [one.line("120")[0] for _ in range(30)]
    assert told == [("press", "library", 1, number) for number in range(1, 31)]


def test_trouble_and_tamper_stay_until_their_own_restore() -> None:
    one = bench()
    assert one.line("371") == [("trouble", "library", None, None)]
    assert one.line("144") == [("tamper", "library", None, None)]
    assert one.state("library").position == "tamper"
    assert [word[0] for word in one.line("371")] == ["note"]
    assert [word[0] for word in one.line("371", "restore")] == ["restored"]
    assert one.state("library").verdict is Verdict.FAIL
    assert [word[0] for word in one.line("144", "restore")] == ["restored"]
    assert one.state("library").position == "rest"
    assert [word[0] for word in one.line("144", "restore")] == ["note"]


def test_a_bypassed_button_is_a_fault_over_restarts() -> None:
    one = bench()
    one.line("570")
    again = one.restart()
    again.heartbeat()
    assert {cause.code for cause in again.state("library").causes} == {"receiver.bypassed"}
    assert [word[0] for word in again.line("570", "restore")] == ["restored"]


def test_tests_prove_their_button_and_notes_are_on_record() -> None:
    one = bench()
    assert [word[0] for word in one.line("611")] == ["proven"]
    assert one.events[0].test
    assert one.state("library").verdict is Verdict.OK
    assert one.line("602", zone="000") == [("proven", "host", None, None)]
    one.line("120")
    assert one.line("406") == [("note", "library", 1, 1)]
    assert one.state("library").incident == 1
    assert [word[0] for word in one.line("120", "status")] == ["note"]


def test_what_is_no_contact_id_is_kept_raw() -> None:
    one = bench()
    reading = ReceiverReading(
        device_id="host",
        observed_at=one.clock.now(),
        receiver="01",
        line="1",
        event=Unknown(reason=Reason.NOT_SUPPORTED),
        raw="S011[#1234|NRP000]",
        token="t9",
        resend=False,
    )
    [event] = one.monitor.observe(reading, one.now())
    assert isinstance(event.data, AlarmEventData)
    assert (event.data.what, event.data.raw) == ("line", "S011[#1234|NRP000]")


def test_in_a_test_window_a_panic_is_a_test_and_duress_is_not() -> None:
    one = bench()
    one.monitor.start_test(["library", "hall"], one.now(), by="t-7", minutes=15)
    assert one.line("120") == [("press", "library", None, 1)]
    assert one.events[0].test
    assert one.line("121", zone="002") == [("press", "hall", 1, 1)]
    assert not one.events[0].test


def test_a_test_alarm_without_a_restore_goes_live_unless_the_button_latches() -> None:
    one = bench()
    one.monitor.start_test(["library", "hall"], one.now(), by="t-7", minutes=15)
    one.line("120")
    one.line("120", zone="002")
    assert one.tick(3) == []
    assert one.tick(2) == [("press", "library", 1, 1)]
    events = one.monitor.incidents.end_window(one.now(), by="t-7", reason="ended")
    assert said(events)[1:] == [("press", "hall", 2, 1)]


def test_a_receiver_that_is_silent_too_long_is_trouble_at_once_for_all_behind_it() -> None:
    one = bench()
    outage = Outage(device_id="host", observed_at=one.clock.now(), reason=Reason.TIMEOUT)
    events = one.monitor.observe(outage, one.now())
    assert [word[:2] for word in said(events)] == [
        ("trouble", "library"),
        ("trouble", "hall"),
        ("trouble", "host"),
    ]
    assert [word[0] for word in one.heartbeat()] == ["restored"] * 3
    one.tick(0)
    assert one.tick(109) == []
    assert [word[0] for word in one.tick(2)] == ["trouble"] * 3


def test_a_panel_that_never_restores_can_be_reset_with_a_reason() -> None:
    one = bench()
    one.line("120")
    with pytest.raises(AlarmRefusedError, match="reason_needed"):
        one.monitor.reset("library", one.now(), by="uid:0")
    incident, _ = one.monitor.reset("library", one.now(), by="uid:0", reason="panel sends none")
    assert incident == 1
    assert one.state("library").position == "rest"
    assert one.line("120") == [("press", "library", 2, 1)]
