"""An incident from press to reset: commands of technician and county, and a restart between."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from simulators.broker import Broker
from simulators.county import County, Heard
from simulators.modbus import ModbusSimulator
from tests.daemon import Daemon
from tests.hearing import alarm, all_of, at_rest, button
from tests.waiting import wait_until


def campus(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    socket = ["--socket", str(tmp_path / "control.sock"), "--lang", "en"]
    command = [sys.executable, "-m", "agent", words[0], *socket, *words[1:]]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_technician_sees_the_incident_and_resets_it(
    tmp_path: Path, daemon: Daemon, county: County, module: ModbusSimulator
) -> None:
    at_rest(county)
    module.press()
    county.wait_for(alarm("press"))
    refused = campus(tmp_path, "alarm", "reset", "gate")
    assert refused.returncode == 1
    assert "still pressed" in refused.stderr
    module.release()
    county.wait_for(alarm("release"))
    shown = campus(tmp_path, "status").stdout
    assert "School (county/school)" in shown
    assert "incident 1: gate, presses 1" in shown
    assert "acknowledged by nobody yet" in shown
    assert "nothing waits" in shown
    assert "button gate" in campus(tmp_path, "status", "--all").stdout
    known = json.loads(campus(tmp_path, "status", "--json").stdout)
    assert {"site", "link", "backlog", "states"} == set(known)
    assert {"kind", "id", "since", "data"} == set(known["states"][0])
    done = campus(tmp_path, "alarm", "reset", "gate")
    assert done.returncode == 0, done.stderr
    closed = county.wait_for(alarm("closed")).body["data"]
    assert (closed["incident"], closed["by"]) == (1, f"uid:{os.getuid()}")
    county.wait_for(button(position="rest", incident=None, verdict="ok"))
    daemon.stop()
    gone = campus(tmp_path, "status")
    assert gone.returncode == 1
    assert "not running" in gone.stderr


def publish(broker: Broker, payload: str, verb: str = "ack") -> None:
    command = ["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-s"]
    subprocess.run(
        [*command, "-t", f"cmd/v1/county/school/{verb}"],
        input=payload,
        text=True,
        timeout=20,
        check=True,
    )


def replies(county: County) -> list[Heard]:
    """Answers to commands; the site's own round trip is none."""
    return [heard for heard in county.heard("reply/") if heard.kind != "reply/selftest"]


def audited(what: str, code: str) -> Callable[[Heard], bool]:
    return lambda heard: (
        heard.kind == "event/audit"
        and (heard.body["data"]["what"], heard.body["data"]["code"]) == (what, code)
    )


def test_the_county_acknowledges_and_forgeries_are_refused_and_on_record(
    tmp_path: Path, keyed: Daemon, broker: Broker, county: County, module: ModbusSimulator
) -> None:
    at_rest(county)
    module.press()
    press = county.wait_for(alarm("press")).body
    sign = [
        *(sys.executable, "-m", "agent", "county", "sign", "ack", "--key", "duty-desk"),
        *("--key-file", str(tmp_path / "key.pem"), "--county", "county", "--site", "school"),
        *("--incident", str(press["data"]["incident"]), "--epoch", press["epoch"]),
    ]
    signed = subprocess.run(sign, capture_output=True, text=True, timeout=30, check=True).stdout

    publish(broker, '{"incident": 1}')
    county.wait_for(audited("refused", "command.unsigned"))
    publish(broker, signed.replace("duty-desk", "stranger"))
    county.wait_for(audited("refused", "command.unknown_key"))
    publish(broker, signed.replace("campus.command", "campus_command"))
    county.wait_for(audited("refused", "command.bad_signature"))
    assert not all_of(county, "acknowledged")

    publish(broker, signed)
    seen = county.wait_for(alarm("acknowledged")).body["data"]
    assert (seen["incident"], seen["by"]) == (1, "key:duty-desk")
    county.wait_for(audited("accepted", "command.done"))
    wait_until(lambda: bool(replies(county)))
    reply = replies(county)[0].body
    assert (reply["ok"], reply["data"]["incident"]) == (True, 1)
    publish(broker, signed)
    wait_until(lambda: len(replies(county)) == 2)
    assert replies(county)[1].body["ok"] is True
    assert len(all_of(county, "acknowledged")) == 1
    assert keyed.running


def test_an_open_incident_is_announced_again_live_after_a_restart(
    daemon: Daemon, county: County, module: ModbusSimulator
) -> None:
    at_rest(county)
    module.press()
    press = county.wait_for(alarm("press")).body
    module.release()
    county.wait_for(alarm("release"))
    daemon.kill()
    daemon.start()
    again = county.wait_for(lambda heard: heard.body.get("again") is True, 20).body
    assert again["id"] == press["id"]
    assert again["seq"] == press["seq"]
    assert again["late"] is False
    assert again["data"] == press["data"]


def test_the_county_opens_and_ends_a_test_window_and_a_technician_does(
    tmp_path: Path, keyed: Daemon, broker: Broker, county: County, module: ModbusSimulator
) -> None:
    at_rest(county)

    def sign(*words: str) -> str:
        command = [
            *(sys.executable, "-m", "agent", "county", "sign", "test", "--key", "duty-desk"),
            *("--key-file", str(tmp_path / "key.pem"), "--county", "county", "--site", "school"),
            *("--by", "d-3", *words),
        ]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=True
        ).stdout

    publish(broker, '{"action": "start", "by": "d-3", "buttons": ["gate"]}', "test")
    county.wait_for(audited("refused", "command.unsigned"))
    begin = sign("start", "gate")
    publish(broker, begin, "test")
    begun = county.wait_for(alarm("test_started")).body
    assert (begun["test"], begun["data"]["buttons"]) == (True, ["gate"])
    assert begun["data"]["by"] == "d-3 (key:duty-desk)"
    county.wait_for(
        lambda heard: heard.kind == "state/test-window/alarm" and heard.body["data"]["open"]
    )
    topic = "campus/v1/county/school/state/test-window/alarm"
    latecomer = ["mosquitto_sub", "-p", str(broker.port), "-C", "1", "-W", "5", "-t", topic]
    retained = subprocess.run(latecomer, capture_output=True, text=True, timeout=20, check=True)
    assert json.loads(retained.stdout)["data"]["buttons"] == ["gate"]
    module.press()
    press = county.wait_for(alarm("press")).body
    assert (press["test"], press["data"]["incident"]) == (True, None)
    module.release()
    county.wait_for(alarm("release"))
    publish(broker, begin, "test")  # a repeat opens no second window
    wait_until(lambda: len(replies(county)) == 2)
    publish(broker, sign("end"), "test")
    ended = county.wait_for(alarm("test_ended")).body["data"]
    assert (ended["reason"], ended["untested"]) == ("ended", [])
    assert len(all_of(county, "test_started")) == 1

    done = campus(tmp_path, "alarm", "test", "start", "gate", "--by", "w-12", "--minutes", "5")
    assert done.returncode == 0, done.stderr
    assert "gate" in done.stdout
    again = campus(tmp_path, "alarm", "test", "start", "gate", "--by", "w-12")
    assert (again.returncode, "going on already" in again.stderr) == (1, True)
    assert campus(tmp_path, "alarm", "test", "end").returncode == 0
    module.press()
    wait_until(lambda: len(all_of(county, "press")) == 2)
    assert all_of(county, "press")[1].body["test"] is False
    assert keyed.running
