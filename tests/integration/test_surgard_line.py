"""The Sur-Gard driver and a receiver with a will of its own, over a real pseudo-terminal and TCP.

What happened is read from the receiver's log and the desk's commits, in their order.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.errors import DeviceTimeoutError, PortLostError, ProtocolError
from drivers.readings import ContactIdEvent
from simulators.surgard import SurgardSimulator
from simulators.tcp_line import TcpLine
from simulators.truth import Truth
from tests.integration.alarm_desk import CLOCK, AlarmDesk, settings_for
from tests.waiting import wait_until


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def receiver(tmp_path: Path, truth: Truth) -> Iterator[SurgardSimulator]:
    made = SurgardSimulator(
        tmp_path / "host", truth, baud=19200, ack_seconds=0.5, heartbeat_seconds=1.0
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def desk(receiver: SurgardSimulator, tmp_path: Path, truth: Truth) -> Iterator[AlarmDesk]:
    made = AlarmDesk(settings_for(tmp_path / "host"), truth)
    made.start()
    yield made
    made.stop()


def order(truth: Truth, text: str) -> list[str]:
    """What happened to one line, in the order in which it did."""
    whats = ("line", "committed", "ack", "ack_lost", "nak", "gave_up")
    return [
        str(one["what"]) for one in truth.lines() if one.get("text") == text if one["what"] in whats
    ]


def assert_never_acked_before_committed(truth: Truth) -> None:
    committed: set[object] = set()
    acked = 0
    for one in truth.lines():
        if one["what"] == "committed":
            committed.add(one["text"])
        if one["what"] in ("ack", "ack_lost") and one["text"] != "heartbeat":
            assert one["text"] in committed
            acked += 1
    assert acked


def test_a_press_is_read_committed_and_then_answered(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth
) -> None:
    press = receiver.report("120", zone="007")
    wait_until(lambda: receiver.waiting == 0)
    assert order(truth, press) == ["line", "committed", "ack"]
    (reading,) = desk.heard
    assert reading.event == ContactIdEvent(
        account="1234", qualifier="new", code="120", partition="01", zone="007"
    )
    assert (reading.receiver, reading.line, reading.resend) == ("01", "1", False)


def test_three_events_are_heard_once_each_though_the_first_ack_is_lost(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth
) -> None:
    receiver.lose_acks = 1
    lines = [receiver.report("120"), receiver.report("120", qualifier="R")]
    lines.append(receiver.queue("3011    001234PA0001"))
    wait_until(lambda: receiver.waiting == 0)
    assert desk.first_heard == lines
    assert [reading.raw for reading in desk.heard if reading.resend] == lines[:1]
    assert [reading.understood for reading in desk.heard] == [True, True, True, False]
    assert order(truth, lines[0])[:4] == ["line", "committed", "ack_lost", "line"]
    assert_never_acked_before_committed(truth)
    # Our ACK had gone out, so this may be a second press: it must not look like the same event.
    assert desk.heard[0].token != desk.heard[1].token


def test_a_resend_of_what_is_owned_is_answered_at_once(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth
) -> None:
    receiver.lose_acks = 1
    press = receiver.report("120")
    wait_until(lambda: "ack_lost" in order(truth, press))
    desk.committing.clear()
    wait_until(lambda: receiver.waiting == 0)
    assert order(truth, press) == ["line", "committed", "ack_lost", "line", "ack"]


def test_a_second_press_like_the_first_is_not_answered_before_it_is_owned(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth
) -> None:
    press = receiver.report("120")
    wait_until(lambda: desk.heartbeats >= 1 and receiver.waiting == 0)
    desk.committing.clear()
    receiver.report("120")
    wait_until(lambda: len(desk.heard) >= 3)
    assert order(truth, press).count("ack") == 1
    desk.committing.set()
    wait_until(lambda: receiver.waiting == 0)
    tokens = [reading.token for reading in desk.heard[:3]]
    assert tokens[0] != tokens[1] == tokens[2]
    assert [reading.resend for reading in desk.heard[:3]] == [False, True, True]


def test_what_is_not_confirmed_is_sent_again_and_answered_once_it_is(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth
) -> None:
    desk.committing.clear()
    press = receiver.report("120")
    wait_until(lambda: len(desk.heard) >= 2)
    assert order(truth, press) == ["line", "line"]
    desk.committing.set()
    wait_until(lambda: receiver.waiting == 0)
    assert order(truth, press)[-1] == "ack"
    assert_never_acked_before_committed(truth)
    assert [reading.resend for reading in desk.heard][:2] == [False, True]
    assert len({reading.token for reading in desk.heard}) == 1


def test_a_receiver_that_gave_up_starts_again_with_the_first_heartbeat(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth
) -> None:
    desk.committing.clear()
    press, later = receiver.report("120"), receiver.report("602")
    wait_until(lambda: "gave_up" in order(truth, press))
    assert order(truth, later) == []
    desk.committing.set()
    wait_until(lambda: receiver.waiting == 0)
    assert desk.first_heard == [press, later]
    assert_never_acked_before_committed(truth)


def test_a_slow_commit_is_no_reason_to_answer_early(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth
) -> None:
    desk.commit_seconds = 0.2
    lines = [receiver.report(code) for code in ("120", "121", "122")]
    wait_until(lambda: receiver.waiting == 0)
    assert desk.first_heard == lines
    assert_never_acked_before_committed(truth)


def test_heartbeats_are_answered_at_once_and_only_when_it_is_quiet(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth
) -> None:
    wait_until(lambda: len(truth.lines("ack")) >= 2)
    assert {one["text"] for one in truth.lines("ack")} == {"heartbeat"}
    assert desk.heartbeats >= 2
    assert desk.errors == []
    assert truth.lines("stray") == []


def test_a_receiver_that_falls_silent_is_a_timeout_until_it_speaks_again(
    receiver: SurgardSimulator, tmp_path: Path, truth: Truth
) -> None:
    receiver.heartbeat_seconds = 0.1
    desk = AlarmDesk(settings_for(tmp_path / "host", heartbeat_seconds=0.3), truth)
    desk.start()
    try:
        wait_until(lambda: desk.heartbeats >= 2)
        receiver.mute = True
        wait_until(lambda: any(isinstance(one, DeviceTimeoutError) for one in desk.errors))
        assert "alarm receiver host" in str(desk.errors[-1])
        receiver.mute = False
        press = receiver.report("120")
        wait_until(lambda: receiver.waiting == 0)
        assert desk.first_heard == [press]
    finally:
        desk.stop()


def test_glued_lines_are_all_heard_and_all_owned_before_one_ack(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth
) -> None:
    receiver.mute = True
    lines = [receiver.report(code) for code in ("120", "123", "570")]
    receiver.glue = True
    receiver.mute = False
    wait_until(lambda: receiver.waiting == 0)
    assert desk.first_heard == lines
    assert_never_acked_before_committed(truth)


@pytest.mark.parametrize("noise", [b"\x00\xff\x7f5011", b"\r\n\x00\r\n", b"\x14\x14"])
def test_noise_in_front_of_a_press_hides_nothing(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth, noise: bytes
) -> None:
    receiver.noise_before = noise
    press = receiver.report("120")
    wait_until(lambda: receiver.waiting == 0)
    assert order(truth, press) == ["line", "committed", "ack"]
    assert desk.first_heard == [press]


def test_noise_of_its_own_is_an_error_and_the_press_behind_it_is_read(
    receiver: SurgardSimulator, desk: AlarmDesk
) -> None:
    receiver.noise_before = b"\xfe\x81#\x14"
    press = receiver.report("120")
    wait_until(lambda: receiver.waiting == 0)
    assert desk.first_heard == [press]
    wait_until(lambda: len(desk.errors) == 1)
    assert isinstance(desk.errors[0], ProtocolError)


def test_a_damaged_press_is_asked_for_again_at_once(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth
) -> None:
    receiver.spoil = 1
    press = receiver.report("120")
    wait_until(lambda: receiver.waiting == 0)
    assert order(truth, press) == ["line", "nak", "line", "committed", "ack"]
    assert desk.first_heard == [press]
    assert [type(error) for error in desk.errors] == [ProtocolError]


def test_words_of_the_receivers_own_are_taken_when_they_come_twice(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth
) -> None:
    odd = receiver.queue("5011 17-NOT-CONTACT-ID")
    press = receiver.report("120")
    wait_until(lambda: receiver.waiting == 0)
    assert order(truth, odd) == ["line", "nak", "line", "committed", "ack"]
    assert desk.first_heard == [odd, press]
    assert not desk.heard[0].understood


def test_7e1_read_as_8n1(receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth) -> None:
    receiver.parity = True
    press = receiver.report("120")
    wait_until(lambda: receiver.waiting == 0)
    assert order(truth, press) == ["line", "committed", "ack"]
    assert desk.first_heard == [press]


def test_a_pulled_adapter_loses_no_event(
    receiver: SurgardSimulator, desk: AlarmDesk, truth: Truth
) -> None:
    before = receiver.report("120")
    wait_until(lambda: receiver.waiting == 0)
    receiver.line.unplug()
    wait_until(lambda: any("lost while" in str(error) for error in desk.errors))
    while_away = receiver.report("121")
    wait_until(lambda: any("cannot be opened" in str(error) for error in desk.errors))
    assert all("alarm receiver host" in str(error) for error in desk.errors)
    receiver.line.plug()
    wait_until(lambda: receiver.waiting == 0)
    assert desk.first_heard == [before, while_away]
    assert_never_acked_before_committed(truth)


def test_a_backlog_is_not_answered_heartbeat_by_heartbeat(
    receiver: SurgardSimulator, tmp_path: Path, truth: Truth
) -> None:
    """Nobody read for a while: each old heartbeat answered now would be taken for the press."""
    receiver.heartbeat_seconds = 0.1
    wait_until(lambda: len(truth.lines("heartbeat")) >= 3)
    press = receiver.report("120")
    wait_until(lambda: len(order(truth, press)) >= 1)
    desk = AlarmDesk(settings_for(tmp_path / "host"), truth)
    desk.committing.clear()
    desk.start()
    try:
        wait_until(lambda: len(desk.heard) >= 2)
        assert "ack" not in order(truth, press)
        desk.committing.set()
        wait_until(lambda: receiver.waiting == 0)
        assert_never_acked_before_committed(truth)
    finally:
        desk.stop()


def test_a_port_server_is_read_and_its_end_is_a_lost_port(tmp_path: Path, truth: Truth) -> None:
    receiver = SurgardSimulator(
        tmp_path / "host", truth, ack_seconds=0.5, heartbeat_seconds=1.0, make_wire=TcpLine
    )
    assert isinstance(receiver.line, TcpLine)
    receiver.start()
    desk = AlarmDesk(settings_for(receiver.line.url), truth)
    desk.start()
    try:
        press = receiver.report("120")
        wait_until(lambda: receiver.waiting == 0)
        assert desk.first_heard == [press]
        receiver.line.unplug()
        wait_until(lambda: any(isinstance(error, PortLostError) for error in desk.errors))
        later = receiver.report("121")
        receiver.line.plug()
        wait_until(lambda: receiver.waiting == 0)
        assert desk.first_heard == [press, later]
        assert_never_acked_before_committed(truth)
    finally:
        desk.stop()
        receiver.stop()


def test_a_silent_receiver_costs_no_more_than_the_deadline(
    receiver: SurgardSimulator, tmp_path: Path, truth: Truth
) -> None:
    receiver.mute = True
    driver = AlarmDesk(settings_for(tmp_path / "host"), truth).driver
    driver.open()
    started = CLOCK.monotonic()
    assert list(driver.poll(deadline=started + 0.2)) == []
    assert CLOCK.monotonic() - started < 1.2
    driver.close()
