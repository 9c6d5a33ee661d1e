"""The unit, its companions and the installer, as far as they can be tried without a machine."""

import os
import re
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNIT = SYSTEMD / "campus-agent.service"
INSTALLED = "/opt/campus-agent/current/bin/campus-agent"
HARDEST = 20  # tenths: 2.0, "OK"


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(params=["campus-agent.service", "campus-agent-panel.service"])
def unit(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A unit with a program that is there: its own is only on a machine it is installed on."""
    name = str(request.param)
    text = (SYSTEMD / name).read_text(encoding="utf-8")
    assert INSTALLED in text
    unit = tmp_path / name
    unit.write_text(text.replace(INSTALLED, "/bin/true"), encoding="utf-8")
    return unit


def test_systemd_has_nothing_to_say_against_the_unit(unit: Path) -> None:
    done = run("systemd-analyze", "verify", str(unit))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    unit.write_text(unit.read_text(encoding="utf-8") + "Misspelt=yes\n", encoding="utf-8")
    assert "Misspelt" in run("systemd-analyze", "verify", str(unit)).stderr


def test_its_exposure_is_small_and_every_relaxed_line_has_its_reason(unit: Path) -> None:
    command = ("systemd-analyze", "security", "--offline=true")
    assert run(*command, f"--threshold={HARDEST}", str(unit)).returncode == 0
    assert run(*command, "--threshold=10", str(unit)).returncode == 1  # the check can fail
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    relaxed = [i for i, line in enumerate(lines) if re.match(r"(Private|Protect)\w+=no$", line)]
    assert relaxed
    for i in relaxed:
        above = next(line for line in reversed(lines[:i]) if not line.startswith("Set"))
        assert above.startswith("# "), lines[i]


def test_serial_adapters_are_allowed_by_number() -> None:
    text = UNIT.read_text(encoding="utf-8")
    assert "DeviceAllow=char-188 rw" in text
    assert "DeviceAllow=char-166 rw" in text
    assert not re.search(r"^DeviceAllow=char-tty", text, re.MULTILINE)


def test_input_devices_are_allowed_for_reading_and_their_group_is_there_before_the_service() -> (
    None
):
    text = UNIT.read_text(encoding="utf-8")
    assert re.findall(r"^DeviceAllow=char-input (.*)$", text, re.MULTILINE) == ["r"]
    [groups] = re.findall(r"^SupplementaryGroups=(.*)$", text, re.MULTILINE)
    # The service does not start while one of its groups is missing: sysusers makes them.
    members = (SYSTEMD / "campus-agent.sysusers").read_text(encoding="utf-8")
    assert groups.split() == re.findall(r"^m campus-agent (.*)$", members, re.MULTILINE)
    assert "input" in groups.split()


def test_the_installer_is_plain_shell() -> None:
    assert run("sh", "-n", str(SYSTEMD / "install.sh")).stderr == ""


@pytest.mark.parametrize("words", [("--bogus",), ("--purge",), ("--wheel",)])
def test_a_miswritten_call_of_the_installer_shows_how_it_is_called(words: tuple[str, ...]) -> None:
    done = run(str(SYSTEMD / "install.sh"), *words, LC_ALL="C")
    assert done.returncode == 2
    assert "usage:" in done.stderr
    chinese = run(str(SYSTEMD / "install.sh"), *words, LC_ALL="zh_CN.UTF-8")
    assert "用法" in chinese.stderr


def test_the_installer_asks_for_root_in_one_sentence() -> None:
    # Read from standard input: an ordinary user may have no way to the checkout.
    as_nobody = ("setpriv", "--reuid=65534", "--clear-groups") if os.geteuid() == 0 else ()
    done = subprocess.run(
        [*as_nobody, "sh", "-s"],
        input=(SYSTEMD / "install.sh").read_text(encoding="utf-8"),
        env={**os.environ, "LC_ALL": "C"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "sudo" in done.stderr
    assert len(done.stderr.splitlines()) == 1
