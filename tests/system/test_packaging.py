"""What a school gets: the wheel, installed into an environment of its own."""

import json
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent import __version__

ROOT = Path(__file__).parents[2]
SHIPPED = {"agent", "drivers"}


def run(command: Sequence[str | Path], directory: Path) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, by the setuptools of our own environment: nothing is downloaded."""
    source = tmp_path_factory.mktemp("source")
    for name in run(["git", "ls-files", "-co", "--exclude-standard"], ROOT).splitlines():
        copy = source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copyfile(ROOT / name, copy)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", "."]
    run(command, source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel alone, that also sees our dependencies."""
    folder = tmp_path_factory.mktemp("venv")
    run([sys.executable, "-m", "venv", "--without-pip", folder], folder)
    python = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--quiet"]
    run([*pip, "install", "--no-deps", "--no-index", str(wheel)], folder)
    # A path in a .pth file makes packages visible and does not run that folder's own .pth files:
    # the editable install of this checkout stays out.
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_wheel_holds_the_product_whole_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {name for name in names if ".dist-info/" not in name}
    assert {name.partition("/")[0] for name in modules} == SHIPPED
    tracked = run(["git", "ls-files", "-co", "--exclude-standard", *SHIPPED], ROOT).splitlines()
    assert modules == {name for name in tracked if (ROOT / name).is_file()}


def test_the_installed_command_runs_from_the_wheel(environment: Path) -> None:
    command = environment / "bin" / "campus-agent"
    assert run([command, "--version"], environment) == f"campus-agent {__version__}\n"
    example = ROOT / "config" / "site.example.toml"
    told = json.loads(run([command, "config", "check", "--json", example], environment))
    assert told["ok"] is True
    where = "import agent, drivers; print(agent.__file__, drivers.__file__)"
    python = environment / "bin" / "python"
    assert run([python, "-c", where], environment).count(str(environment)) == 2


def test_each_import_name_has_one_owner_among_all_that_is_installed(environment: Path) -> None:
    code = (
        "import json; from importlib.metadata import packages_distributions as owners;"
        f"print(json.dumps({{name: sorted(set(owners()[name])) for name in {sorted(SHIPPED)}}}))"
    )
    told = json.loads(run([environment / "bin" / "python", "-c", code], environment))
    assert told == {name: ["campus-agent"] for name in SHIPPED}
