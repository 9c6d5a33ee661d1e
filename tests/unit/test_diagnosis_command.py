"""The command itself: a user's mistake is a sentence, and what is asked for is what is run."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli import online
from agent.cli.diagnose import main
from agent.control.protocol import CommandError, Reply
from agent.county.online import Caller
from agent.county.online import Check as Layer
from agent.credentials import Credentials
from agent.diagnosis import own_look, plan, ports
from agent.diagnosis.checks import AREAS, Check, result
from agent.findings import Cause, Verdict
from agent.liveness import Liveness
from agent.monitors.alarm_memory import AlarmMemory
from agent.site_file import load_site
from agent.store.database import Database
from agent.store.formats import ALARM_FORMATS
from agent.store.numbers import write_meta
from tests.daemon import RecorderBlock, alarm_only, whole_site
from tests.simulated_clock import SimulatedClock


@pytest.mark.parametrize(
    "words",
    [
        ["--config", "no-such-file.toml"],
        ["--config", "/"],
        ["--config", "no-such-file.toml", "--only", "settings"],
    ],
)
def test_a_file_that_cannot_be_read_is_one_thing_to_do(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--lang", "en"]) == 2
    said = capsys.readouterr()
    assert "next: run campus-agent config check" in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    "words", [["--watch", "0"], ["--watch", "x"], ["--seconds", "-1"], ["--bogus"], ["x"]]
)
def test_a_miswritten_word_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_file_alone_is_asked_for_without_touching_the_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "site.toml"
    place.write_text(alarm_only(tmp_path, 1), encoding="utf-8")
    assert main(["--config", str(place), "--only", "settings.file", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["id"] == "settings.file"
    assert main(["--config", str(place), "--only", "settings.f,duty", "--json"]) == 0
    ids = [one["id"] for one in json.loads(capsys.readouterr().out)]
    assert ids[0] == "settings.file"
    assert {one.split(":")[0] for one in ids[1:]} == {"duty.fitted"}
    assert not (tmp_path / "state").exists()


def test_every_check_of_a_site_is_in_an_area_that_can_be_asked_for(
    tmp_path: Path, clock: SimulatedClock
) -> None:
    place = tmp_path / "site.toml"
    block = RecorderBlock("nvr", 80, 554, tmp_path / "nvr.secret", 2)
    place.write_text(whole_site(tmp_path, 1883, [block]), encoding="utf-8")
    site = load_site(place).site
    assert site is not None
    secrets = Credentials(None)
    look = plan.SharedLook(tmp_path / "control.sock", site, secrets, clock)
    every = plan.of_site(site, look, secrets, lambda: (), clock)
    assert {check.area for check in every} <= set(AREAS)
    assert plan.wanted([], every) == every
    assert {one.area for one in plan.wanted(["camera.picture:nvr-1"], every)} == {"camera"}
    # Disk and outbox are also told of by what asks the machine and the agent.
    assert {one.area for one in plan.wanted(["disk"], every)} == {"machine", "service"}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], True),
        (["serial"], True),
        (["serial.port"], True),
        (["serial.po"], True),
        (["serial.port:io"], True),
        (["alarm", "serial.port"], True),
        (["seri"], False),
        (["serial.holder"], False),
        (["alarm"], False),
    ],
)
def test_areas_and_beginnings_of_ids(words: list[str], wanted: bool) -> None:
    assert plan.is_wanted(words, result("serial.port", "io")) is wanted


def test_a_word_that_names_no_area_is_found() -> None:
    assert plan.no_such(["alarm", "camera.picture:x"]) is None
    assert plan.no_such(["alarm", "camrea"]) == "camrea"


@pytest.mark.parametrize(
    ("code", "client_id", "layers"),
    [
        ("control.not_running", "county-school", ["clock", "login", "alone"]),
        ("control.denied", "county-school-check", ["clock", "login"]),
        ("control.no_answer", "county-school-check", ["clock", "login"]),
    ],
)
def test_an_agent_that_may_not_be_asked_is_not_thrown_out_by_our_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, client_id: str, layers: list[str]
) -> None:
    def refused(*_: object) -> Reply:
        raise CommandError(code)

    def broker(caller: Caller, _: object) -> Iterator[Layer]:
        assert caller.login.client_id == client_id
        for layer in ("login", "alone"):
            cause = Cause(code="online.connect_ok")
            yield Layer(layer=layer, where="x", verdict=Verdict.OK, cause=cause)

    monkeypatch.setattr(online, "call", refused)
    monkeypatch.setattr(online, "broker", broker)
    place = tmp_path / "site.toml"
    place.write_text(alarm_only(tmp_path, 1), encoding="utf-8")
    site = load_site(place).site
    assert site is not None
    assert [one.layer for one in online.checks(site, {}, SimulatedClock())] == layers


# ---- a look without the agent


def test_a_brief_look_asks_soon_and_judges_at_the_first_sight(tmp_path: Path) -> None:
    place = tmp_path / "site.toml"
    block = RecorderBlock("nvr", 80, 554, tmp_path / "nvr.secret", 2, poll_seconds=60)
    text = whole_site(tmp_path, 1883, [block]).replace("raise_after = 1\n", "")
    place.write_text(text.replace("reply_timeout_seconds = 1", ""), encoding="utf-8")
    site = load_site(place).site
    assert site is not None
    hasty = own_look.hasty(site)
    assert hasty.pictures.raise_after == 1
    assert hasty.recorder[0].polled_every_seconds == own_look.POLL_SECONDS
    assert hasty.recorder[0].reply_timeout_seconds == own_look.REPLY_SECONDS
    assert hasty.recorder[0].username == site.recorder[0].username


def test_the_files_of_a_wand_are_left_to_the_agent(tmp_path: Path, clock: SimulatedClock) -> None:
    place = tmp_path / "site.toml"
    wand = '[[nfc_reader]]\nid = "dock"\ndriver = "wand"\nport = "/srv/wands"\n'
    block = RecorderBlock("nvr", 80, 554, tmp_path / "nvr.secret", 2)
    text = whole_site(tmp_path, 1883, [block])
    place.write_text(text.replace("[[checkpoint]]", f"{wand}[[checkpoint]]"), encoding="utf-8")
    site = load_site(place).site
    assert site is not None
    assert list(ports.ports_of(site).values()) == ["io", "reader"]
    assert [one.id for one in own_look.hasty(site).nfc_reader] == ["reader"]
    silence = Cause(code="control.not_running")
    look = own_look.OwnLook(site, Credentials(None), clock, silence)
    assert look.state("reader", "dock") is None
    assert not (tmp_path / "state").exists()


def test_what_the_agent_knew_of_the_buttons_is_read_and_never_written(tmp_path: Path) -> None:
    assert own_look.alarm_memory(tmp_path) == AlarmMemory()
    database = Database(
        tmp_path / "alarms.db", ALARM_FORMATS, Liveness(SimulatedClock()).beat("store")
    )
    database.start()
    body = AlarmMemory(incidents=7).model_dump_json()
    database.submit(lambda db: write_meta(db, "alarm_memory", body)).result(10)
    database.stop()
    before = (tmp_path / "alarms.db").stat().st_mtime_ns
    assert own_look.alarm_memory(tmp_path).incidents == 7
    assert (tmp_path / "alarms.db").stat().st_mtime_ns == before
    (tmp_path / "alarms.db").write_bytes(b"spoilt" * 1000)
    assert own_look.alarm_memory(tmp_path) == AlarmMemory()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_wrote_belongs_to_the_service(tmp_path: Path) -> None:
    for name, uid in (("login-nvr.json", 0), ("events.db", 4711)):
        (tmp_path / name).write_text("{}")
        os.chown(tmp_path / name, uid, uid)
    own_look.give_back(tmp_path)
    assert (tmp_path / "login-nvr.json").stat().st_uid == 0  # root's own directory
    os.chown(tmp_path, 999, 998)
    own_look.give_back(tmp_path)
    owners = {place.name: place.stat().st_uid for place in tmp_path.iterdir()}
    assert owners == {"login-nvr.json": 999, "events.db": 4711}


def test_a_check_that_is_not_well_always_says_what_to_do() -> None:
    found = result("recorder.reach", "nvr", "fail", Cause(code="camera.new_fault"))
    assert found.next_step is not None
    assert Check("recorder.reach:nvr", list).area == "recorder"
