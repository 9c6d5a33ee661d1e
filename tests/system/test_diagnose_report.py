"""The hand-over report of a diagnosis: whole, and in `make deep` as a browser prints it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from tests.daemon import Daemon, alarm_only
from tests.system.gatehouse import BROKER_PASSWORD, PASSWORD, Gatehouse
from tests.waiting import wait_until


def diagnose(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent", "diagnose", "--config", str(config), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def test_the_report_has_what_the_sheet_has(tmp_path: Path, daemon: Daemon) -> None:
    daemon.wait_until_ready()
    place = tmp_path / "report.html"
    only = ("--only", "settings,alarm,disk", "--html", str(place), "--lang", "en")
    done = diagnose(daemon.config, *only)
    assert done.stdout.splitlines()[-1] == f"written: {place}", done.stderr
    text = place.read_text(encoding="utf-8")
    assert "<h1>Hand-over report</h1>" in text
    assert "Alarm buttons: last press and last test" in text
    assert "<td>Gate</td><td>never</td>" in text
    assert "What is to be done" in text
    refused = diagnose(daemon.config, *only[:3], str(tmp_path / "no" / "report.html"))
    assert refused.returncode == 2
    assert "report.html" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_without_an_agent_and_its_store_there_is_a_report_all_the_same(tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text(alarm_only(tmp_path, 1), encoding="utf-8")
    place = tmp_path / "report.html"
    words = ("--only", "settings,service", "--html", str(place), "--lang", "zh", "--json")
    done = diagnose(config, *words)
    assert str(place) in done.stderr
    assert "交付检查报告" in place.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    school = Gatehouse(tmp_path_factory.mktemp("school"))
    try:
        school.start()
        school.restart()
        yield school
    finally:
        school.stop()


@pytest.mark.deep
def test_chromium_prints_it_on_a4_without_an_error(school: Gatehouse, tmp_path: Path) -> None:
    wait_until(lambda: school.newest("recording/nvr-1").get("word") not in {None, "unknown"}, 60)
    place, printed, shown = (tmp_path / f"report.{form}" for form in ("html", "pdf", "png"))
    done = diagnose(school.daemon.config, "--html", str(place), "--lang", "zh")
    assert done.stdout.splitlines()[-1] == f"已生成：{place}", done.stderr
    text = place.read_text(encoding="utf-8")
    assert PASSWORD not in text
    assert BROKER_PASSWORD not in text
    assert "最近 90 天录像" in text
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    for what in (f"--print-to-pdf={printed}", f"--screenshot={shown}"):
        command = [*browser, "--enable-logging=stderr", "--window-size=800,2600", what]
        run = subprocess.run(
            [*command, place.as_uri()], capture_output=True, text=True, timeout=90, check=True
        )
        assert "CONSOLE" not in run.stderr, run.stderr
    assert len(re.findall(rb"/Type /Page\b", printed.read_bytes())) >= 3
    picture = cv2.imread(str(shown))
    assert picture is not None
    assert not (picture[:, -4:] < 128).any()  # nothing is cut off at the edge
