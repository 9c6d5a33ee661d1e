"""The guard's lamp at a real module, between a real broker and the county's signature."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from simulators.broker import Broker
from simulators.county import County, Heard
from simulators.modbus import ModbusSimulator
from simulators.truth import Truth
from tests.daemon import Daemon, alarm_only, with_county_key
from tests.hearing import alarm, at_rest
from tests.system.test_incident import campus, publish
from tests.waiting import wait_until

LAMP = """
[[alarm_module.output]]
id = "lamp"
name = "Lamp"
output = 2
shows = "alarm"
[[alarm_module.output]]
id = "link"
name = "Link lamp"
output = 3
shows = "county_link"
"""
GUARD = """
[guard]
telephone_after_seconds = 1.5
[guard.lamp]
pressed = "off"
recorded = "off"
sent = "off"
telephone = "on"
acknowledged = "off"
"""


def with_lamps(settings: str) -> str:
    head, not_fitted, rest = settings.partition("[not_fitted]")
    block = head.replace("polls_per_second", "outputs = 4\npolls_per_second")
    return block + LAMP + GUARD + not_fitted + rest


def stage(name: str) -> Callable[[Heard], bool]:
    return lambda heard: heard.kind == "state/button/gate" and heard.body["data"]["guard"] == name


def guard_of(county: County) -> str:
    return str(county.heard("state/button/gate")[-1].body["data"]["guard"])


def test_telephone_while_the_broker_is_away_then_sent_acknowledged_and_off(
    tmp_path: Path, broker: Broker, county: County, module: ModbusSimulator, truth: Truth
) -> None:
    key = [sys.executable, "-m", "agent", "county", "key", str(tmp_path / "key.pem")]
    public = subprocess.run(key, capture_output=True, text=True, timeout=30, check=True).stdout
    settings = with_county_key(with_lamps(alarm_only(tmp_path, broker.port)), public.strip())
    daemon = Daemon(tmp_path, settings)
    daemon.start()
    try:
        at_rest(county)
        wait_until(lambda: module.memory.coils[3])  # the round trip has passed
        broker.stop(kill=True)
        module.press()
        wait_until(lambda: module.memory.coils[2], 15)
        assert "telephone" in campus(tmp_path, "status", "--json").stdout
        assert "TELEPHONE NOW" in campus(tmp_path, "status").stdout
        module.release()
        broker.start()
        county.wait_for(stage("sent"), 30)
        wait_until(lambda: not module.memory.coils[2])
        press = county.wait_for(alarm("press")).body
        sign = [
            *(sys.executable, "-m", "agent", "county", "sign", "ack", "--key", "duty-desk"),
            *("--key-file", str(tmp_path / "key.pem"), "--county", "county", "--site", "school"),
            *("--incident", str(press["data"]["incident"]), "--epoch", press["epoch"]),
        ]
        signed = subprocess.run(sign, capture_output=True, text=True, timeout=30, check=True)
        publish(broker, signed.stdout)
        county.wait_for(stage("acknowledged"))
        assert campus(tmp_path, "alarm", "reset", "gate").returncode == 0
        wait_until(lambda: guard_of(county) == "off")
        assert truth.lines("coil")
    finally:
        daemon.stop()


def test_a_broker_that_gives_nothing_back_is_never_called_sent(
    tmp_path: Path, module: ModbusSimulator
) -> None:
    """Mosquitto grants the subscription and delivers nothing: only the round trip shows it."""
    acl = tmp_path / "acl"
    acl.write_text(
        "pattern readwrite #\npattern deny campus/v1/county/school/reply/selftest\n",
        encoding="utf-8",
    )
    broker = Broker(tmp_path / "broker", kind="mosquitto", settings=f"acl_file {acl}")
    broker.start()
    county = County(broker.port)
    county.start()
    daemon = Daemon(tmp_path, with_lamps(alarm_only(tmp_path, broker.port)))
    daemon.start()
    try:
        at_rest(county)
        module.press()
        county.wait_for(alarm("press"))
        county.wait_for(stage("telephone"), 20)
        county.wait_for(
            lambda heard: heard.kind == "status" and heard.body.get("self_test") == "failed", 20
        )
        assert not [heard for heard in county.heard() if stage("sent")(heard)]
        assert "reply/selftest" in campus(tmp_path, "status").stdout
        # Flashing: the link is up and not to be trusted.
        wait_until(lambda: module.memory.coils[3])
        wait_until(lambda: not module.memory.coils[3])
    finally:
        daemon.stop()
        county.stop()
        broker.stop()
