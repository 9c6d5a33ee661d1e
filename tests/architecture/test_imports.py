"""The import contracts hold, and each of them notices an arrow turned round."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for package in ("agent", "drivers", "simulators"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_tree_as_it_is_keeps_every_contract(tree: Path) -> None:
    done = lint(tree)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("drivers/recorder/digest.py", "import agent.clock", "Drivers know nothing of the agent"),
        ("agent/clock.py", "import simulators.truth", "The product never imports a simulator"),
        ("simulators/truth.py", "import drivers.errors", "Simulators share no wire code"),
        ("agent/findings.py", "import agent.county.contract", "Inside the agent everything points"),
    ],
)
def test_an_arrow_turned_round_is_noticed(
    tree: Path, module: str, line: str, contract: str
) -> None:
    file = tree / module
    file.write_text(file.read_text() + f"\n{line}\n")
    done = lint(tree)
    assert done.returncode == 1
    broken = [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]
    assert len(broken) == 1
    assert broken[0].startswith(contract)


def test_a_school_without_a_recorder_carries_nothing_that_talks_to_one() -> None:
    script = (
        "import sys, agent.app; print(*sorted({'httpx', 'defusedxml', 'av'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
