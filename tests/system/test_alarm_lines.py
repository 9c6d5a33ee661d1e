"""Buttons that hang on modem lines and behind an alarm receiver, watched by the real daemon."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulators.broker import Broker
from simulators.county import County, Heard
from simulators.modem_lines import ModemLinesSimulator
from simulators.surgard import SurgardSimulator
from simulators.truth import Truth
from tests.daemon import NO_PATROL, SITE, WITHOUT_CAMERAS, Daemon
from tests.hearing import alarm, all_of
from tests.waiting import wait_until

RECEIVER = """
[[alarm_receiver]]
id = "host"
name = "Alarm host"
driver = "surgard"
port = "{directory}/host"
heartbeat_seconds = 1
ack_seconds = 1
[[alarm_receiver.button]]
id = "gate"
name = "Gate"
account = "1234"
zone = "001"
"""
LOOP = """
[[alarm_loop]]
id = "gate"
name = "Gate"
driver = "modem_lines"
port = "{url}"
closed_at_rest = "cts"
open_at_rest = "dsr"
challenge_seconds = 1
"""


def position(name: str, value: str) -> Callable[[Heard], bool]:
    return lambda heard: (
        heard.kind == f"state/button/{name}" and heard.body["data"]["position"] == value
    )


@pytest.fixture
def receiver(tmp_path: Path, truth: Truth) -> Iterator[SurgardSimulator]:
    made = SurgardSimulator(tmp_path / "host", truth, ack_seconds=1, heartbeat_seconds=1)
    made.start()
    yield made
    made.stop()


def run(tmp_path: Path, broker: Broker, lines: str) -> Daemon:
    site = SITE.format(directory=tmp_path, port=broker.port) + lines
    daemon = Daemon(tmp_path, site + WITHOUT_CAMERAS + NO_PATROL)
    daemon.start()
    return daemon


def test_a_receivers_alarms_arrive_and_only_then_is_it_answered(
    tmp_path: Path, broker: Broker, county: County, receiver: SurgardSimulator, truth: Truth
) -> None:
    daemon = run(tmp_path, broker, RECEIVER.format(directory=tmp_path))
    county.wait_for(position("gate", "rest"), 30)
    receiver.report("120")
    press = county.wait_for(alarm("press")).body["data"]
    assert (press["button"], press["cause"]["code"]) == ("gate", "receiver.panic")
    receiver.report("120", qualifier="R")
    county.wait_for(alarm("release"))
    receiver.report("131", zone="017")
    county.wait_for(lambda heard: alarm("press")(heard) and heard.body["data"]["button"] == "host")
    wait_until(lambda: receiver.waiting == 0)
    assert len(truth.lines("ack")) >= 3
    receiver.mute = True
    lost = county.wait_for(alarm("trouble"), 20).body["data"]
    assert lost["cause"]["code"] == "receiver.timeout"
    receiver.mute = False
    county.wait_for(alarm("restored"))
    daemon.stop()


def test_killed_between_hearing_and_answering_nothing_is_lost(
    tmp_path: Path, broker: Broker, county: County, receiver: SurgardSimulator, truth: Truth
) -> None:
    daemon = run(tmp_path, broker, RECEIVER.format(directory=tmp_path))
    county.wait_for(position("gate", "rest"), 30)
    for zone in range(100, 130):
        receiver.report("120", zone=f"{zone:03}")
    for number in range(3):
        wait_until(lambda n=number: receiver.waiting <= 25 - 8 * n, 30)  # type: ignore[misc]
        daemon.kill()
        daemon.start()
    wait_until(lambda: receiver.waiting == 0, 60)
    reported = {str(line["text"])[-3:] for line in truth.lines("event")}
    assert len(reported) == 30

    def heard() -> set[str]:
        return {str(one.body["data"]["cause"]["params"]["zone"]) for one in all_of(county, "press")}

    wait_until(lambda: heard() == reported, 30)
    daemon.stop()


def test_a_supervised_loop_is_heard_pressed_and_cut(
    tmp_path: Path, broker: Broker, county: County, truth: Truth
) -> None:
    loop = ModemLinesSimulator(truth)
    loop.plug()
    daemon = run(tmp_path, broker, LOOP.format(url=loop.url))
    county.wait_for(position("gate", "rest"), 30)
    loop.press()
    assert county.wait_for(alarm("press")).body["data"]["incident"] == 1
    loop.release()
    county.wait_for(alarm("release"))
    loop.cut()
    cut = county.wait_for(alarm("trouble")).body["data"]
    assert cut["cause"]["code"] == "loop.cut"
    county.wait_for(position("gate", "trouble"))
    loop.unplug()
    county.wait_for(
        lambda heard: (
            alarm("trouble")(heard) and heard.body["data"]["cause"]["code"] == "loop.port_lost"
        )
    )
    daemon.stop()
