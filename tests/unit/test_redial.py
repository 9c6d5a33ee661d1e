"""Which broker is called when; times are those of a clock that the tests move."""

from dataclasses import dataclass

import pytest

from agent.county.redial import BACK_OFF_SECONDS, SHORT_CUTS, SHORT_WITHIN_SECONDS, Redial

FIRST, SECOND = ("a", 1883), ("b", 1883)


@dataclass
class Past:
    """A connection that is no more; a broker accepted it and the line ended it, if not said."""

    address: tuple[str, int] = FIRST
    mqtt5: bool = True
    opened: bool = True
    answered: bool = True
    accepted: bool = True
    refused_version: bool = False
    cut: bool = True


DEAD = Past(opened=False, answered=False, accepted=False, cut=False)
SILENT = Past(answered=False, accepted=False, cut=False)


def call(redial: Redial, now: float, *, urgent: bool = False) -> tuple[str, int]:
    address = redial.due(now, urgent=urgent)
    assert address is not None
    return address


def test_the_list_is_gone_round() -> None:
    redial = Redial([FIRST, SECOND])
    called = []
    for number in range(4):
        called.append(call(redial, number * 100.0))
        redial.ended(DEAD, "no connection", number * 100.0)
    assert called == [FIRST, SECOND, FIRST, SECOND]


def test_nobody_is_called_when_there_is_nobody() -> None:
    assert Redial([]).due(0.0, urgent=True) is None


def test_it_waits_longer_after_each_failure_up_to_a_limit_and_never_the_same() -> None:
    waits = []
    for _ in range(20):
        redial, now, each = Redial([FIRST]), 0.0, []
        for _ in range(9):
            call(redial, now)
            redial.ended(DEAD, "no connection", now)
            due = now
            while redial.due(due, urgent=False) is None:
                due += 0.01
            each.append(due - now)
            now = due
        waits.append(each)
    for number in range(9):
        longest = min(BACK_OFF_SECONDS[1], BACK_OFF_SECONDS[0] * 2 ** (number + 1))
        spread = [each[number] for each in waits]
        assert all(longest / 2 - 0.02 <= wait <= longest + 0.02 for wait in spread)
        assert max(spread) - min(spread) > longest / 10


def test_an_alarm_does_not_wait_for_the_back_off() -> None:
    redial = Redial([FIRST])
    for _ in range(8):
        redial.ended(DEAD, "no connection", 0.0)
    assert redial.due(4.0, urgent=False) is None
    assert redial.due(4.0, urgent=True) == FIRST
    assert redial.due(5.0, urgent=True) is None  # but is no storm


@pytest.mark.parametrize("past", [SILENT, Past(accepted=False, refused_version=True, cut=False)])
def test_a_broker_without_mqtt_5_is_called_at_once_by_3_1_1_and_later_by_5_again(
    past: Past,
) -> None:
    redial = Redial([FIRST, SECOND])
    call(redial, 0.0)
    redial.ended(past, "no answer", 5.0)
    assert not redial.mqtt5
    assert redial.due(5.0, urgent=False) == FIRST
    redial.ended(Past(mqtt5=False), "connection lost", 100.0)
    assert redial.mqtt5


def test_brokers_that_end_what_they_accepted_are_counted_and_forgotten() -> None:
    redial = Redial([FIRST])
    for number in range(SHORT_CUTS):
        assert redial.cut_short(number * 40.0) == 0
        call(redial, number * 40.0)
        redial.ended(Past(), "connection lost", number * 40.0 + 2)
    last = (SHORT_CUTS - 1) * 40.0 + 2
    assert redial.cut_short(last) == SHORT_CUTS
    assert redial.cut_short(last + SHORT_WITHIN_SECONDS) == 0


@pytest.mark.parametrize(
    ("past", "lasted"),
    [(DEAD, 1.0), (SILENT, 5.0), (Past(cut=False), 2.0), (Past(), 3600.0)],
    ids=["never reached", "never answered", "given up by us", "lost after an hour"],
)
def test_other_ends_are_no_sign_of_a_second_box(past: Past, lasted: float) -> None:
    redial, now = Redial([FIRST]), 0.0
    for _ in range(2 * SHORT_CUTS):
        now += 30.0
        call(redial, now)
        redial.ended(past, "why", now + lasted)
        now += lasted
    assert redial.cut_short(now) == 0
