"""The real daemon seen from outside: a button on a pty, a real broker, a subscriber of its own."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from simulators.broker import Broker
from simulators.county import County
from simulators.modbus import ModbusSimulator
from simulators.pn532 import Pn532Simulator
from simulators.truth import Truth
from tests.daemon import Daemon, alarm_and_patrol, alarm_only
from tests.hearing import alarm, all_of, at_rest, button
from tests.waiting import wait_until

LEAST_TAPS = 3


def test_a_press_reaches_the_county_and_the_incident_stays_open(
    daemon: Daemon, county: County, module: ModbusSimulator
) -> None:
    at_rest(county)
    module.press()
    press = county.wait_for(alarm("press")).body
    assert press["data"]["button"] == "gate"
    assert press["durable"] is True
    module.release()
    county.wait_for(alarm("release"))
    county.wait_for(button(position="rest", incident=press["data"]["incident"]))


def test_sigterm_ends_it_in_five_seconds_and_the_county_is_told(
    daemon: Daemon, county: County
) -> None:
    at_rest(county)
    status, seconds = daemon.stop()
    assert status == 0, daemon.said()
    assert seconds < 5
    county.wait_for(lambda heard: heard.body.get("reason") == "stopped")


def test_sigterm_ends_it_in_five_seconds_while_the_broker_hangs_and_the_line_is_cut(
    daemon: Daemon, county: County, broker: Broker, module: ModbusSimulator
) -> None:
    at_rest(county)
    module.line.unplug()
    broker.signal(signal.SIGSTOP)
    _, seconds = daemon.stop()
    broker.signal(signal.SIGCONT)
    assert seconds < 5


def test_sigterm_during_the_start_ends_it_too(tmp_path: Path, broker: Broker) -> None:
    daemon = Daemon(tmp_path, alarm_only(tmp_path, broker.port))
    daemon.start()
    wait_until((tmp_path / "state" / "alarms.db").exists)
    status, seconds = daemon.stop()
    assert seconds < 5
    assert status in (0, -signal.SIGTERM), daemon.said()


def test_a_site_that_dies_is_declared_lost_by_its_will(daemon: Daemon, county: County) -> None:
    at_rest(county)
    boot = county.wait_for(lambda heard: heard.kind == "status").body["boot"]
    daemon.kill()
    lost = county.wait_for(lambda heard: heard.body.get("reason") == "lost", 30)
    assert lost.body["boot"] == boot


def test_a_dead_line_is_trouble_within_two_seconds_and_comes_back(
    daemon: Daemon, county: County, module: ModbusSimulator
) -> None:
    at_rest(county)
    pulled = time.time()
    module.line.unplug()
    trouble = county.wait_for(alarm("trouble"))
    assert trouble.at - pulled < 2
    assert trouble.body["data"]["cause"]["code"] == "alarm.port_lost"
    county.wait_for(button(position="trouble", verdict="fail"))
    module.line.plug()
    county.wait_for(alarm("restored"), 15)


def test_a_dead_module_on_a_live_line_is_trouble_within_two_seconds(
    daemon: Daemon, county: County, module: ModbusSimulator
) -> None:
    at_rest(county)
    died = time.time()
    module.dead = True
    assert county.wait_for(alarm("trouble")).at - died < 2


def test_a_garbled_reply_costs_nothing(
    daemon: Daemon, county: County, module: ModbusSimulator
) -> None:
    at_rest(county)
    module.spoil("garble", "truncate", "garble")
    module.press()
    county.wait_for(alarm("press"))
    assert not [heard for heard in county.heard("event/alarm") if alarm("trouble")(heard)]


@pytest.mark.parametrize("trouble", ["a file in its way", "read-only"])
def test_a_state_directory_that_cannot_be_used_is_a_fail_and_the_alarm_goes_out(
    tmp_path: Path, broker: Broker, county: County, module: ModbusSimulator, trouble: str
) -> None:
    state = tmp_path / "state"
    daemon = Daemon(tmp_path, alarm_only(tmp_path, broker.port))
    if trouble == "read-only":
        state.mkdir()
        daemon.start(before=f"mount -t tmpfs -o ro none {state}")
    else:
        state.write_text("a file in the way of the directory")
        daemon.start()
    at_rest(county)
    module.press()
    assert county.wait_for(alarm("press")).body["durable"] is False
    agent = county.wait_for(lambda heard: heard.kind == "state/agent/agent").body["data"]
    assert agent["verdict"] == "fail"
    assert "agent.store_in_memory" in {cause["code"] for cause in agent["causes"]}
    daemon.stop()
    assert "store in memory" in daemon.said()


def test_a_disk_that_fills_up_is_a_fail_and_the_alarm_goes_out(
    tmp_path: Path, broker: Broker, county: County, module: ModbusSimulator
) -> None:
    """A real full file system: a small tmpfs in a mount namespace of its own."""
    state = tmp_path / "state"
    state.mkdir()
    daemon = Daemon(tmp_path, alarm_only(tmp_path, broker.port))
    daemon.start(
        before=f"mount -t tmpfs -o size=600k none {state}; "
        f"(while [ ! -e {tmp_path}/fill ]; do sleep 0.1; done; cat /dev/zero > {state}/ballast) &"
    )
    at_rest(county)
    (tmp_path / "fill").touch()
    for number in range(1, 200):
        module.press()
        wait_until(lambda n=number: len(all_of(county, "press")) >= n)  # type: ignore[misc]
        module.release()
        wait_until(lambda n=number: len(all_of(county, "release")) >= n)  # type: ignore[misc]
        if county.heard("event/alarm")[-1].body["durable"] is False:
            break
    county.wait_for(
        lambda heard: heard.kind == "state/agent/agent" and heard.body["data"]["verdict"] == "fail"
    )
    assert daemon.running
    daemon.stop()


def test_mosquitto_sub_sees_what_watch_sees(
    tmp_path: Path, daemon: Daemon, broker: Broker, county: County, module: ModbusSimulator
) -> None:
    at_rest(county)
    port = str(broker.port)
    commands = {
        "watch": [sys.executable, "-m", "agent", "watch", "--json", "--port", port],
        "mosquitto_sub": ["mosquitto_sub", "-p", port, "-V", "5", "-q", "1", "-t", "campus/#"],
    }
    heard = {name: tmp_path / name for name in commands}
    processes = []
    for name, command in commands.items():
        with heard[name].open("wb") as output:
            processes.append(subprocess.Popen(command, stdout=output))
    wait_until(lambda: all("campus.about" in file.read_text() for file in heard.values()))
    module.press()
    county.wait_for(alarm("press"))
    module.release()
    wait_until(lambda: all('"release"' in file.read_text() for file in heard.values()))
    for process in processes:
        process.terminate()
        process.wait(10)
    ids = {
        name: {
            body["id"]
            for body in map(json.loads, file.read_text().splitlines())
            if body["type"].startswith("campus.event")
        }
        for name, file in heard.items()
    }
    assert len(ids["watch"]) >= 2
    assert ids["watch"] == ids["mosquitto_sub"]


class Guard(threading.Thread):
    """Does something again and again, `every` so many seconds, until told to stop."""

    def __init__(self, once: Callable[[], None], every: tuple[float, float]) -> None:
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self._once, self._every = once, every

    def run(self) -> None:
        while not self.stopping.wait(random.uniform(*self._every)):
            self._once()

    def end(self) -> None:
        self.stopping.set()
        self.join(60)
        assert not self.is_alive()


def _scanned(county: County) -> set[str]:
    return {one.body["data"]["tag_id"] for one in county.heard("event/scan")}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("kills", "press_every"),
    # So seldom that it is no chatter, which is told a minute later; and as often as a child can.
    [(8, (0.4, 1.2)), pytest.param(500, (0.05, 0.3), marks=pytest.mark.deep)],
    ids=["few", "many"],
)
def test_random_kills_lose_no_press_and_no_scan(
    tmp_path: Path,
    broker: Broker,
    county: County,
    module: ModbusSimulator,
    truth: Truth,
    kills: int,
    press_every: tuple[float, float],
) -> None:
    reader = Pn532Simulator(tmp_path / "reader", truth)
    reader.start()
    daemon = Daemon(tmp_path, alarm_and_patrol(tmp_path, broker.port))
    daemon.start()
    at_rest(county)
    wait_until(lambda: bool(county.heard("state/reader/reader")))
    taps: list[str] = []

    def press() -> None:
        module.press()
        time.sleep(random.uniform(0.06, 0.3))  # a finger's time on the button
        module.release()

    def tap() -> None:
        # A tag of its own each time, held for as long as a guard does, over several looks: a scan
        # is on disk some milliseconds after the first, more on a busy machine.
        uid = bytes.fromhex("04A1B2C3D4") + len(taps).to_bytes(2, "big")
        if reader.tap_until_read(uid, reads=5, timeout=30):
            taps.append(uid.hex().upper())

    guards = [Guard(press, press_every), Guard(tap, (0.05, 0.3))]
    for guard in guards:
        guard.start()
    for killed in range(4 * kills):
        if killed >= kills and len(taps) >= LEAST_TAPS:
            break
        if killed % 2:  # else a slow machine has hardly started when it is killed again
            daemon.wait_until_ready()
        time.sleep(random.uniform(0.3, 2.0))  # the moment of the kill is the random input
        daemon.kill()
        daemon.start()
    for guard in guards:
        guard.end()
    daemon.kill()  # so many presses a minute are chatter: what was counted is told after a start
    daemon.start()
    daemon.wait_until_ready()
    pressed = len(truth.lines("press"))
    tapped = {f"nfca:{uid}" for uid in taps}
    try:
        assert pressed >= kills
        assert len(taps) >= LEAST_TAPS
        # Chatter once more, if many were counted at the last start: a minute until they are told.
        wait_until(lambda: _told(county) >= pressed, 90)
        wait_until(lambda: not tapped - _scanned(county), 20)
    finally:
        status, _ = daemon.stop()
        reader.stop()
    assert status == 0, daemon.said()

    assert _told(county) == pressed
    assert tapped - _scanned(county) == set()
    for stream in ("event/alarm", "event/scan"):
        numbers: dict[tuple[str, int], set[str]] = {}
        for one in county.heard(stream):
            numbers.setdefault((one.body["epoch"], one.body["seq"]), set()).add(one.body["id"])
        assert all(len(ids) == 1 for ids in numbers.values()), "a number was used twice"


def _told(county: County) -> int:
    """Return how many presses the county knows of, told one by one or counted."""
    one_by_one = {one.body["id"] for one in all_of(county, "press")}
    counted = {one.body["id"]: one.body["data"]["count"] for one in all_of(county, "presses")}
    return len(one_by_one) + sum(int(count) for count in counted.values())
