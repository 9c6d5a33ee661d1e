"""Small files that look alike, and a tree a newcomer can guess."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_LINES = 400
REFUSED_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}


def python_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines()]


def test_no_file_has_outgrown_its_subject() -> None:
    files = python_files()
    assert len(files) > 50
    long = {str(file): len(file.read_text().splitlines()) for file in files}
    assert {name: lines for name, lines in long.items() if lines > MAX_LINES} == {}


def test_no_file_is_called_after_nothing() -> None:
    assert [file for file in python_files() if file.stem in REFUSED_NAMES] == []


def test_every_package_of_the_product_is_named_in_the_architecture() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    modules = [
        file.relative_to(ROOT)
        for file in python_files()
        if file.relative_to(ROOT).parts[0] in {"agent", "drivers"} and file.stem != "__init__"
    ]
    missing = [str(module) for module in modules if module.stem not in text]
    assert missing == []
