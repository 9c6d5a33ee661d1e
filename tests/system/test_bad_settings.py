"""A site's file that is partly wrong: what is wrong is named and stays off, the alarm works."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from simulators.hikvision import HikvisionSimulator
from simulators.truth import Truth
from tests.daemon import RecorderBlock, alarm_only
from tests.system.gatehouse import Gatehouse
from tests.system.leaks import secret_in

EXPOSED = "Second-pass/1234 ö"
LEFT_OUT = {
    "misspelt": ('driver = "hikvision"', 'driver = "hikvison"'),
    "bare": ('id = "bare-1"', 'id = "Bare 1"'),  # which leaves it without any channel
}


@pytest.fixture(scope="module")
def others() -> Iterator[HikvisionSimulator]:
    """The recorder whose password all can read, with a truth log of its own."""
    recorder = HikvisionSimulator(Truth(), password=EXPOSED, days={1: 40})
    recorder.start()
    yield recorder
    recorder.stop()


@pytest.fixture(scope="module")
def school(
    others: HikvisionSimulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gatehouse]:
    """One good recorder, one whose password all can read, and two whose blocks are wrong."""
    school = Gatehouse(tmp_path_factory.mktemp("school"))
    secret = school.secret("exposed", EXPOSED, mode=0o644)
    exposed = RecorderBlock("exposed", others.port, school.cameras.port, secret, channels=1)
    bad = [replace(school.recorder, id=name, channels=1) for name in LEFT_OUT]
    try:
        school.start(exposed, *bad, change=spoilt)
        school.restart()
        yield school
    finally:
        school.stop()


def spoilt(settings: str) -> str:
    for name, (good, bad) in LEFT_OUT.items():
        head, mark, tail = settings.partition(f'id = "{name}"\n')
        assert good in tail
        settings = head + mark + tail.replace(good, bad, 1)
    return settings


def check(school: Gatehouse) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent", "config", "check", "--json", "--lang", "en"]
    return subprocess.run(
        [*command, str(school.daemon.config)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_everything_that_is_right_works(school: Gatehouse) -> None:
    school.expect("recorder/nvr", "ok")
    school.expect("reader/reader", "ok")
    assert school.press().body["durable"] is True
    assert school.daemon.running


def test_the_agent_names_what_it_left_out(school: Gatehouse) -> None:
    school.expect("agent/agent", "warn", "agent.settings")
    causes = school.newest("agent/agent")["causes"]
    told = [one["params"]["detail"] for one in causes if one["code"] == "agent.settings"]
    assert len(told) == 3
    assert sum(one.startswith(f"{school.daemon.config}:") for one in told) == 2
    assert any(
        one.startswith("exposed: ") and str(school.directory / "exposed.secret") in one
        for one in told
    )
    status = school.county.wait_for(lambda one: one.kind == "status" and one.body["online"])
    assert status.body["problems"].count("agent.settings") == 3
    problems = json.loads(check(school).stdout)["problems"]
    assert {problem["device"] for problem in problems} == {"misspelt", "recorder.3.channel.0"}


def test_what_is_left_out_is_never_asked_and_never_well(
    school: Gatehouse, others: HikvisionSimulator
) -> None:
    school.expect("recorder/exposed", "unknown")
    school.expect("camera/exposed-1", "unknown")
    for duty in ("recordings", "pictures"):
        school.expect(f"duty/{duty}", "unknown", "duty.device_left_out")
    assert others.truth.lines() == []


def test_a_password_that_others_can_read_is_not_repeated(school: Gatehouse) -> None:
    settings = school.daemon.config.read_text(encoding="utf-8")
    school.daemon.config.write_text(unspoilt(settings), encoding="utf-8")
    checked = check(school)
    school.daemon.config.write_text(settings, encoding="utf-8")
    assert checked.returncode == 2
    problem = json.loads(checked.stdout)["problems"][0]
    assert (problem["code"], problem["device"]) == ("credential.exposed", "exposed")
    captured = [payload for _, payload in school.tap.messages()]
    log = school.daemon.said().encode()
    for said in (*captured, log, checked.stdout.encode(), checked.stderr.encode()):
        assert not secret_in(said, EXPOSED)


def unspoilt(settings: str) -> str:
    for good, bad in LEFT_OUT.values():
        settings = settings.replace(bad, good)
    return settings


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("input = 0", 'input = "zero"'),
        lambda text: text.replace("[[alarm_module", "[[alarm_modul"),
        lambda text: text.replace("[[alarm_module]]", "[[alarm_module"),
        lambda _: "",
        lambda _: "\x00\xff",
    ],
)
def test_without_a_readable_alarm_section_it_exits_78_with_a_sentence(
    tmp_path: Path, spoil: object
) -> None:
    file = tmp_path / "site.toml"
    assert callable(spoil)
    file.write_text(spoil(alarm_only(tmp_path, 1)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "agent", "run", "--lang", "en", "--config", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    *problems, sentence = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (78, "")
    assert sentence == (
        f"{file} has no usable alarm section, cannot start: see campus-agent config check"
    )
    assert problems
    assert all(problem.startswith(f"{file}:") for problem in problems)
