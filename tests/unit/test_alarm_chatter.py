"""A button that chatters is counted, not told press by press; its latch stays."""

from agent.county.event_data import AlarmEventData
from agent.findings import Verdict
from agent.monitors.incidents import CHATTER_PRESSES
from tests.alarm_bench import Bench, said


def press_and_release(bench: Bench, seconds: float = 0.5) -> list[str]:
    told = bench.reply(True, seconds=seconds)
    told += bench.reply(False, seconds=0.1)
    told += bench.reply(False, seconds=0.3)
    return [word[0] for word in told]


def test_above_ten_presses_a_minute_it_is_trouble_and_the_rest_is_counted() -> None:
    bench = Bench()
    bench.reply(False)
    for _ in range(CHATTER_PRESSES):
        assert press_and_release(bench) == ["press", "release"]
    assert press_and_release(bench) == ["trouble"]
    assert press_and_release(bench) == []
    assert (bench.state().incident, bench.state().presses) == (1, CHATTER_PRESSES + 2)
    assert bench.state().verdict is Verdict.FAIL
    assert {cause.code for cause in bench.state().causes} == {"alarm.chatter"}


def test_counted_presses_are_told_every_minute_and_when_it_is_over() -> None:
    bench = Bench()
    bench.reply(False)
    told = []
    for _ in range(200):  # three minutes of one press every 0.9 s
        told += press_and_release(bench)
        events = bench.monitor.tick(bench.now())
        told += [word[0] for word in said(events)]
        for event in events:
            assert isinstance(event.data, AlarmEventData)
            if event.data.what == "presses":
                assert 50 <= (event.data.count or 0) <= 70
                assert event.data.press == bench.state().presses
    assert told.count("press") == CHATTER_PRESSES
    assert told.count("presses") == 2
    assert told.count("trouble") == 1
    presses = bench.state().presses
    assert presses == 200
    quiet = [
        word[0] for _ in range(70) for word in [*bench.reply(False, seconds=1), *bench.tick(0)]
    ]
    assert quiet == ["presses", "restored"]
    assert press_and_release(bench) == ["press", "release"]


def test_ten_presses_spread_over_more_than_a_minute_are_all_told() -> None:
    bench = Bench()
    bench.reply(False)
    told = [word for _ in range(30) for word in press_and_release(bench, seconds=7)]
    assert told == ["press", "release"] * 30


def test_a_press_asks_for_attention_again_after_a_minute_or_an_acknowledgement() -> None:
    bench = Bench()
    bench.reply(False)

    def attention(seconds: float) -> bool | None:
        bench.clock.advance(seconds)
        events = bench.monitor.incidents.press("gate", bench.now())
        [data] = [event.data for event in events]
        assert isinstance(data, AlarmEventData)
        return data.attention

    assert attention(0) is True
    assert attention(10) is False
    assert attention(59) is False
    assert attention(61) is True
    bench.monitor.incidents.acknowledge(1, bench.now(), by="key:desk")
    assert attention(10) is True
    assert attention(10) is False


def test_a_press_that_opens_an_incident_is_told_whatever_the_button_does() -> None:
    bench = Bench()
    bench.reply(False)
    for _ in range(CHATTER_PRESSES + 2):
        press_and_release(bench)
    bench.monitor.reset("gate", bench.now(), by="uid:0")
    assert press_and_release(bench) == ["press"]
    assert (bench.state().incident, bench.state().presses) == (2, 1)
    assert press_and_release(bench) == []


def test_what_was_counted_outlives_a_restart_and_a_reset() -> None:
    bench = Bench()
    bench.reply(False)
    for _ in range(CHATTER_PRESSES + 5):
        press_and_release(bench)
    again = bench.restart()
    assert [word[0] for word in again.tick()] == ["presses", "restored"]
    assert data(again).count == 5
    _, told = bench.monitor.reset("gate", bench.now(), by="uid:0")
    assert [word[0] for word in said(told)] == ["presses", "closed"]
    assert isinstance(told[0].data, AlarmEventData)
    assert (told[0].data.count, told[0].data.incident) == (5, 1)


def data(bench: Bench) -> AlarmEventData:
    first = bench.events[0].data
    assert isinstance(first, AlarmEventData)
    return first
