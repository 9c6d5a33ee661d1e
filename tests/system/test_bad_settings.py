"""A site's file that is partly wrong: what is wrong is named and stays off, the alarm works."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.hikvision import HikvisionSimulator
from simulators.truth import Truth
from tests.daemon import RecorderBlock, alarm_only
from tests.system.gatehouse import Gatehouse

SECOND_PASSWORD = "Second-pass/1234 ö"


@pytest.fixture
def school(tmp_path: Path) -> Iterator[Gatehouse]:
    school = Gatehouse(tmp_path)
    yield school
    school.stop()


@pytest.fixture
def second() -> Iterator[HikvisionSimulator]:
    """One more recorder, with a truth log of its own."""
    recorder = HikvisionSimulator(Truth(), password=SECOND_PASSWORD, days={1: 40})
    recorder.start()
    yield recorder
    recorder.stop()


def block(school: Gatehouse, second: HikvisionSimulator, mode: int = 0o600) -> RecorderBlock:
    secret = school.secret("second", SECOND_PASSWORD, mode)
    return RecorderBlock("second", second.port, school.cameras.port, secret, channels=1)


def problems_told(school: Gatehouse) -> str:
    """Return what the county is told of the settings."""
    school.expect("agent/agent", "warn", "agent.settings")
    causes = school.newest("agent/agent")["causes"]
    return "; ".join(one["params"]["detail"] for one in causes if one["code"] == "agent.settings")


def everything_else_works(school: Gatehouse) -> None:
    school.expect("recorder/nvr", "ok")
    school.expect("reader/reader", "ok")
    school.press()


def test_a_password_that_others_can_read_costs_its_recorder_alone(
    school: Gatehouse, second: HikvisionSimulator
) -> None:
    school.start(block(school, second, mode=0o644))
    school.restart()
    everything_else_works(school)
    told = problems_told(school)
    assert "second" in told
    assert str(school.directory / "second.secret") in told
    assert school.verdict("recorder/second")[0] == "unknown"
    assert second.truth.lines() == []
    check = subprocess.run(
        [sys.executable, "-m", "agent", "config", "check", "--json", str(school.daemon.config)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert check.returncode == 2
    problem = json.loads(check.stdout)["problems"][0]
    assert (problem["code"], problem["device"]) == ("credential.exposed", "second")
    captured = [payload for _, payload in school.tap.messages()]
    for said in (*captured, check.stdout, check.stderr, school.daemon.said().encode()):
        assert SECOND_PASSWORD.encode() not in said


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ('driver = "hikvision"\n', 'driver = "hikvison"\n'),
        # The recorder is left without any channel.
        ('id = "second-1"', 'id = "Second 1"'),
    ],
)
def test_a_bad_device_block_costs_that_device_alone(
    school: Gatehouse, second: HikvisionSimulator, good: str, bad: str
) -> None:
    def spoilt(settings: str) -> str:
        head, name, tail = settings.partition('id = "second"\n')
        assert good in tail
        return head + name + tail.replace(good, bad, 1)

    school.start(block(school, second), change=spoilt)
    school.restart()
    everything_else_works(school)
    assert f"{school.daemon.config}:" in problems_told(school)
    status = school.county.wait_for(lambda one: one.kind == "status" and one.body["online"])
    assert "agent.settings" in status.body["problems"]
    # What is not watched is not well.
    for duty in ("recordings", "pictures"):
        school.expect(f"duty/{duty}", "unknown", "duty.device_left_out")


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
