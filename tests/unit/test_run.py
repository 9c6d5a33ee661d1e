"""The daemon's start and end, with a disk that hangs: in a process of its own."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon import alarm_only
from tests.waiting import wait_until

# The daemon, on a disk whose first open never returns.
HANGING = """
import sys, time
from agent.store.database import Database
Database._open = lambda self: time.sleep(3600)
from agent.cli.run import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    settings = tmp_path / "site.toml"
    settings.write_text(alarm_only(tmp_path, 1), encoding="utf-8")
    command = [sys.executable, "-c", HANGING, "--config", str(settings)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield process
    process.kill()
    process.wait(10)


def said(directory: Path) -> str:
    return (directory / "log").read_text(encoding="utf-8")


def ends(process: subprocess.Popen[bytes]) -> float:
    since = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    return time.monotonic() - since


def test_a_disk_that_hangs_does_not_keep_it_from_starting_or_stopping(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    wait_until(lambda: "agent started" in said(tmp_path), 20)
    wait_until(lambda: "sent all the same" in said(tmp_path))  # the alarm lane's first event
    assert ends(process) < 5


def test_sigterm_ends_a_start_that_hangs(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    wait_until((tmp_path / "state").exists, 20)
    assert ends(process) < 5
