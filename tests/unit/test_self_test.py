"""The broker's round trip, by a clock of the test's own."""

import pytest

from agent.county.self_test import (
    AGAIN_AFTER_FAILURE_SECONDS,
    AGAIN_SECONDS,
    ANSWER_SECONDS,
    AVOIDED_SECONDS,
    CUTS_UNTIL_AVOIDED,
    SelfTest,
)
from agent.county.topics import Topics


class Line:
    """A session that only notes what is asked of it; packet ids count up."""

    def __init__(self) -> None:
        self.refused_subscriptions: set[int] = set()
        self.subscribed: list[str] = []
        self.published: list[bytes] = []
        self.mid = 0

    def subscribe(self, topic: str) -> int | None:
        self.subscribed.append(topic)
        self.mid += 1
        return self.mid

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int | None:
        assert not retain
        assert topic == self.subscribed[-1]
        self.published.append(payload)
        self.mid += 1
        return self.mid


def begun() -> tuple[SelfTest, Line]:
    test, line = SelfTest(Topics("county", "school")), Line()
    test.connected(0.0)
    test.step(line, 0.0, room=True)
    return test, line


def result(test: SelfTest) -> str:
    return test.result


def test_what_comes_back_passes_and_is_tried_again_later() -> None:
    test, line = begun()
    assert line.subscribed == ["campus/v1/county/school/reply/selftest"]
    test.step(line, 1.0, room=True)
    assert (len(line.published), test.result) == (1, "running")
    test.confirmed(0)
    assert result(test) == "running"
    test.heard(line.published[0], retained=False, now=1.0)
    assert test.result == "passed"
    test.step(line, AGAIN_SECONDS + 0.9, room=True)
    assert len(line.published) == 1
    test.step(line, AGAIN_SECONDS + 1.0, room=True)
    assert len(set(line.published)) == 2
    assert test.result == "passed"


def test_it_counts_among_the_unconfirmed_until_it_is_confirmed_though_it_has_come_back() -> None:
    test, line = begun()
    test.heard(line.published[0], retained=False, now=0.1)
    assert (test.result, test.unconfirmed) == ("passed", True)
    test.confirmed(0)
    assert not test.unconfirmed


def test_what_is_old_retained_or_strange_proves_nothing() -> None:
    test, line = begun()
    test.heard(line.published[0], retained=True, now=1.0)
    test.heard(b"{}", retained=False, now=1.0)
    assert result(test) == "running"
    test.step(line, ANSWER_SECONDS, room=True)
    assert result(test) == "running"
    test.step(line, ANSWER_SECONDS + 0.1, room=True)
    assert (test.result, test.detail) == ("failed", "selftest.silent")
    test.heard(line.published[0], retained=False, now=6.0)
    assert test.result == "failed"


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        (0x10, "selftest.no_subscribers"),
        (0x80, "selftest.not_writable"),
        (0x87, "selftest.not_writable"),
    ],
)
def test_refusals_have_their_own_words_and_a_later_try_may_pass(reason: int, detail: str) -> None:
    test, line = begun()
    test.confirmed(reason)
    test.step(line, 1.0, room=True)
    assert (test.result, test.detail) == ("failed", detail)
    test.step(line, 1.0 + AGAIN_AFTER_FAILURE_SECONDS, room=True)
    assert len(line.subscribed) == 2  # the right may have been given since
    test.heard(line.published[1], retained=False, now=40.0)
    assert (test.result, test.detail) == ("passed", "")


def test_a_refused_subscription_is_named_whatever_the_confirmation_says() -> None:
    test, line = begun()
    line.refused_subscriptions.add(line.mid - 1)
    test.confirmed(0x10)
    test.step(line, 1.0, room=True)
    assert (test.result, test.detail) == ("failed", "selftest.not_readable")


def test_nothing_more_is_sent_while_the_window_is_full_or_the_last_is_unconfirmed() -> None:
    test, line = SelfTest(Topics("county", "school")), Line()
    test.connected(0.0)
    test.step(line, 0.0, room=False)
    assert line.published == []
    test.step(line, 0.1, room=True)
    test.step(line, 1000.0, room=True)
    test.step(line, 2000.0, room=True)
    assert (len(line.published), test.result) == (1, "failed")
    test.confirmed(0)
    test.step(line, 2001.0, room=True)
    assert len(line.published) == 2


def test_only_a_passed_test_of_the_same_connection_vouches_for_what_was_confirmed() -> None:
    test, line = begun()
    test.taken("r1")
    assert test.vouched() == []
    test.disconnected(1.0)
    test.connected(2.0)
    test.step(line, 2.0, room=True)
    test.taken("r2")
    test.heard(line.published[1], retained=False, now=2.1)
    assert test.vouched() == ["r2"]
    assert test.vouched() == []
    test.taken("r3")
    assert test.vouched() == ["r3"]
    test.disconnected(3.0)
    assert test.result == "running"


def test_a_broker_that_hangs_up_on_the_test_is_spared_it_for_a_while() -> None:
    test, line = SelfTest(Topics("county", "school")), Line()
    now = 0.0
    for _ in range(CUTS_UNTIL_AVOIDED):
        test.connected(now)
        test.step(line, now, room=True)
        now += 1.0
        test.disconnected(now)
    test.connected(now)
    test.step(line, now, room=True)
    assert (test.result, test.detail) == ("failed", "selftest.cut")
    assert len(line.published) == CUTS_UNTIL_AVOIDED
    later = now + AVOIDED_SECONDS
    test.step(line, later, room=True)
    assert len(line.published) == CUTS_UNTIL_AVOIDED + 1
    test.disconnected(later)
    test.connected(later + 1)
    assert result(test) == "failed"  # once more is enough, it is known for that
    test.step(line, later + 1 + AVOIDED_SECONDS, room=True)
    test.heard(line.published[-1], retained=False, now=later + 2 + AVOIDED_SECONDS)
    assert result(test) == "passed"


def test_a_line_that_is_cut_now_and_then_is_not_taken_for_a_broker_that_hangs_up() -> None:
    test, line = begun()
    for second in range(1, 20, 2):
        test.disconnected(float(second))
        test.connected(float(second))
        test.step(line, float(second), room=True)
        if second % 4 == 1:
            test.confirmed(0)
        assert test.result == "running"
