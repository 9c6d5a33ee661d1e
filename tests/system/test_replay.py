"""What the county missed it gets: by its own command, and by the collector that is its example."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from simulators.broker import Broker
from simulators.county import County, Heard
from simulators.modbus import ModbusSimulator
from tests.daemon import Daemon
from tests.hearing import alarm, all_of, at_rest
from tests.system.test_incident import audited, publish, replies
from tests.waiting import wait_until

COLLECTOR = Path(__file__).parents[2] / "docs" / "examples" / "collector.py"


def sign(tmp_path: Path, *words: str) -> str:
    command = [sys.executable, "-m", "agent", "county", "sign", words[0], "--key", "duty-desk"]
    command += ["--key-file", str(tmp_path / "key.pem"), "--county", "county", "--site", "school"]
    done = subprocess.run(
        [*command, *words[1:]], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout


def press(county: County, module: ModbusSimulator, times: int) -> list[Heard]:
    for _ in range(times):
        before, released = len(all_of(county, "press")), len(all_of(county, "release"))
        module.press()
        wait_until(lambda n=before: len(all_of(county, "press")) > n)  # type: ignore[misc]
        module.release()
        wait_until(lambda n=released: len(all_of(county, "release")) > n)  # type: ignore[misc]
    return all_of(county, "press")


def test_numbers_are_sent_again_under_the_ids_they_have(
    tmp_path: Path, keyed: Daemon, broker: Broker, county: County, module: ModbusSimulator
) -> None:
    at_rest(county)
    press(county, module, 3)
    wait_until(lambda: county.heard("status")[-1].body["heads"]["alarm"]["seq"] >= 7)
    once = [one.body for one in county.heard("event/alarm")]
    wanted = {(body["seq"], body["id"]) for body in once if 2 <= body["seq"] <= 5}
    epoch = once[0]["epoch"]
    numbers = ("--stream", "alarm", "--epoch", epoch, "--first", "2", "--last", "5")
    publish(broker, sign(tmp_path, "replay", *numbers), "replay")
    wait_until(lambda: len(replies(county)) == 1)
    answer = replies(county)[-1].body
    assert (answer["ok"], answer["data"]) == (True, {"count": 4})

    def again() -> set[tuple[int, str]]:
        heard = [one.body for one in county.heard("event/alarm")][len(once) :]
        return {(body["seq"], body["id"]) for body in heard if not body["again"]}

    wait_until(lambda: again() >= wanted)
    county.wait_for(audited("accepted", "command.done"))
    # Somebody has recorded the command and says it again.
    command = sign(tmp_path, "replay", *numbers)
    publish(broker, command, "replay")
    wait_until(lambda: len(replies(county)) == 2)
    publish(broker, command, "replay")
    county.wait_for(audited("refused", "command.repeated"))
    assert [one.body["code"] for one in replies(county)[2:]] == ["command.repeated"]
    # Another store's numbers are none of ours.
    other = ("--stream", "alarm", "--epoch", "0" * 12, "--first", "1", "--last", "9")
    publish(broker, sign(tmp_path, "replay", *other), "replay")
    wait_until(lambda: len(replies(county)) == 4)
    assert replies(county)[-1].body["data"] == {"count": 0}


def test_a_resync_brings_every_state_and_about_again(
    tmp_path: Path, keyed: Daemon, broker: Broker, county: County
) -> None:
    at_rest(county)
    wait_until(lambda: len(county.heard("state/duty/patrol")) > 0)
    before = {one.topic for one in county.heard("state/")}
    count = len(county.heard(""))
    publish(broker, sign(tmp_path, "resync"), "resync")
    wait_until(lambda: before <= {one.topic for one in county.heard("")[count:]}, 20)
    assert any(one.kind == "about" for one in county.heard("")[count:])


def test_a_verb_that_is_off_is_refused_and_on_record(
    tmp_path: Path, keyed: Daemon, broker: Broker, county: County
) -> None:
    keyed.stop()
    settings = keyed.config.read_text(encoding="utf-8").replace("resync = true", "resync = false")
    keyed.config.write_text(settings, encoding="utf-8")
    keyed.start()
    keyed.wait_until_ready()
    wait_until(lambda: len(county.heard("about")) > 0)
    publish(broker, sign(tmp_path, "resync"), "resync")
    county.wait_for(audited("refused", "command.not_allowed"))


def test_the_collector_of_the_docs_finds_what_it_missed(
    tmp_path: Path, keyed: Daemon, broker: Broker, county: County, module: ModbusSimulator
) -> None:
    at_rest(county)
    county.wait_for(alarm("started"))
    press(county, module, 4)  # with no collector there
    store = tmp_path / "county.db"
    command = [sys.executable, str(COLLECTOR), "127.0.0.1", str(broker.port), str(store)]

    def stored(query: str) -> set[str]:
        if not store.exists():
            return set()
        with closing(sqlite3.connect(store)) as db:
            try:
                return {str(one) for (one,) in db.execute(query)}
            except sqlite3.OperationalError:
                return set()

    def kept() -> set[str]:
        found = stored("SELECT body FROM event WHERE stream = 'alarm'")
        return {str(json.loads(body)["id"]) for body in found}

    def button() -> set[str]:
        return stored("SELECT verdict FROM present WHERE object = 'button/gate'")

    def heard() -> set[str]:
        return {str(one.body["id"]) for one in county.heard("event/alarm")}

    said = tmp_path / "said"
    with said.open("wb") as out:
        collector = subprocess.Popen([*command, str(tmp_path / "key.pem")], stdout=out)
        try:
            wait_until(lambda: len(kept()) >= 9 and kept() >= heard(), 40)
            wait_until(
                lambda: button() == {county.heard("state/button")[-1].body["data"]["verdict"]}
            )
            keyed.kill()  # the broker says so after the will's delay
            wait_until(lambda: button() == {"unknown"}, 30)
            keyed.start()
            wait_until(lambda: button() not in ({"unknown"}, set()), 30)
            with closing(sqlite3.connect(store)) as db, db:
                db.execute("UPDATE state SET valid_until = valid_until - 3600")
            assert button() == {"unknown"}  # nothing said for an hour
        finally:
            collector.kill()
            collector.wait(10)
    assert "asked for alarm 1 to" in said.read_text(encoding="utf-8")


def test_a_diagnosis_names_every_verdict_and_what_is_wrong(
    tmp_path: Path, keyed: Daemon, broker: Broker, county: County, module: ModbusSimulator
) -> None:
    at_rest(county)
    module.unit(1).dead = True
    county.wait_for(lambda one: one.body.get("data", {}).get("what") == "trouble")
    publish(broker, sign(tmp_path, "diag"), "diag")
    wait_until(lambda: len(replies(county)) == 1)
    said = replies(county)[-1].body["data"]
    assert said["verdict"] == "fail"
    assert said["verdicts"]["button"] == {"gate": "fail"}
    assert said["causes"]["button/gate"][0] in ("alarm.no_reply", "alarm.timeout")
    heard = {one.kind.removeprefix("state/") for one in county.heard("state/")}
    told = {f"{kind}/{name}" for kind, ids in said["verdicts"].items() for name in ids}
    assert heard <= told
    county.wait_for(audited("accepted", "command.done"))
