"""The broker's round trip, by a clock of the test's own."""

from agent.county.self_test import (
    AGAIN_AFTER_FAILURE_SECONDS,
    AGAIN_SECONDS,
    ANSWER_SECONDS,
    SelfTest,
)
from agent.county.topics import Topics


def result(test: SelfTest) -> str:
    return test.result


def begun() -> tuple[SelfTest, bytes]:
    test = SelfTest(Topics("county", "school"))
    nonce = test.message(0.0)
    assert nonce is not None
    return test, nonce


def test_what_comes_back_passes_and_is_tried_again_later() -> None:
    test, nonce = begun()
    assert (test.topic, test.result) == ("campus/v1/county/school/reply/selftest", "running")
    assert test.message(1.0) is None
    test.confirmed(0, 1.0)
    test.heard(nonce, retained=False, now=1.1)
    assert test.result == "passed"
    assert test.message(AGAIN_SECONDS) is None
    again = test.message(AGAIN_SECONDS + 1.2)
    assert again not in (None, nonce)


def test_what_is_old_retained_or_strange_proves_nothing() -> None:
    test, nonce = begun()
    test.heard(nonce, retained=True, now=1.0)
    test.heard(b"{}", retained=False, now=1.0)
    assert result(test) == "running"
    test.tick(ANSWER_SECONDS + 0.1)
    assert (test.result, test.detail) == ("failed", "nothing came back")
    test.heard(nonce, retained=False, now=6.0)
    assert test.result == "failed"


def test_refusals_have_their_own_words_and_a_later_try_may_pass() -> None:
    for reason, detail in (
        (0x10, "no matching subscribers"),
        (0x87, "publishing is not authorised"),
        (None, "subscribing is not authorised"),
    ):
        test, _ = begun()
        if reason is None:
            test.refused(1.0)
        else:
            test.confirmed(reason, 1.0)
        assert (test.result, test.detail) == ("failed", detail)
        again = test.message(1.0 + AGAIN_AFTER_FAILURE_SECONDS)
        assert again is not None
        test.heard(again, retained=False, now=40.0)
        assert (test.result, test.detail) == ("passed", "")
