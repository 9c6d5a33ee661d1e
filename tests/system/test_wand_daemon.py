"""A wand docked at a running agent: killed in the middle, and the same file laid down again."""

import csv
import io
import os
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from simulators.broker import Broker
from simulators.county import County, Heard
from simulators.truth import Truth
from simulators.wand import WandSimulator
from tests.daemon import Daemon, alarm_and_patrol
from tests.reported_school import patrol
from tests.waiting import wait_until

SHANGHAI = ZoneInfo("Asia/Shanghai")
TAG = "nfca:04A1B2C3D4E580"


def with_wand(settings: str, directory: Path) -> str:
    """Let there be wands alone."""
    for before, after in (
        ('"pn532"', '"wand"'),
        (str(directory / "reader"), str(directory / "wand")),
    ):
        assert before in settings
        settings = settings.replace(before, after)
    return settings


def well(heard: Heard) -> bool:
    return heard.kind == "state/reader/reader" and heard.body["data"]["verdict"] == "ok"


def told(county: County, kind: str) -> list[dict[str, Any]]:
    # By its id: what a killed agent did not know to be confirmed comes again.
    events = {one.body["id"]: one.body["data"] for one in county.heard(f"event/{kind}")}
    return list(events.values())


@pytest.mark.usefixtures("module")
@pytest.mark.deep
def test_each_scan_is_told_once_however_often_it_comes(
    tmp_path: Path, broker: Broker, county: County
) -> None:
    place = tmp_path / "wand"
    place.mkdir()
    now = datetime.now(SHANGHAI).replace(microsecond=0)
    wand = WandSimulator(place, Truth(), now - timedelta(days=9), ahead_seconds=90)
    # 150 scans are handed over in two parts; it is killed between them, if not before or after.
    times = [now - timedelta(hours=1, seconds=-20 * number) for number in range(150)]
    for moment in times:
        wand.tap(TAG, moment)
    daemon = Daemon(tmp_path, with_wand(alarm_and_patrol(tmp_path, broker.port), tmp_path))
    daemon.start()
    try:
        county.wait_for(well, 30)
        wand.dock(now, erase=False)
        wait_until(lambda: len(told(county, "scan")) > 20, 30)
        daemon.kill()
        daemon.start()
        wait_until((place / "export.csv.done").exists, 60)
        wand.dock(now, "again.csv")
        wait_until((place / "again.csv.done").exists, 30)
        scans, tours = told(county, "scan"), told(county, "tour")
        assert len(scans) == 150
        assert {one["offset_seconds"] for one in scans} == {-90.0}
        assert {tuple(one["remarks"]) for one in scans} == {("clock_off",)}
        # The one checkpoint makes each of them a tour.
        completed = [one for one in tours if one["what"] == "completed"]
        assert len({one["started_at"] for one in completed}) == len(completed) == 150
        assert all(one["late_upload"] for one in tours)
        assert (tmp_path / "state" / "wand-reader.json").stat().st_size > 1000
    finally:
        if daemon.running:
            daemon.stop()
    day = min(times).astimezone(SHANGHAI).date()
    listed = tmp_path / "day.csv"
    words = ("--day", day.isoformat(), "--csv", str(listed), "--lang", "en")
    done = patrol(tmp_path, "report", *words)
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader(io.StringIO(listed.read_text(encoding="utf-8-sig"))))
    [first, *_] = [row for row in rows if TAG in row]
    assert first[1] == f"{min(times):%H:%M:%S}"
    assert first[-1] == "wand W1, wand's clock off by over a minute, put right"
    assert any("complete, uploaded late" in row for row in rows)


@pytest.mark.usefixtures("module")
def test_a_file_whose_bytes_come_slowly_is_read_when_it_is_whole(
    tmp_path: Path, broker: Broker, county: County
) -> None:
    place = tmp_path / "wand"
    place.mkdir()
    now = datetime.now(SHANGHAI).replace(microsecond=0)
    wand = WandSimulator(place, Truth(), now)
    wand.tap(TAG, now - timedelta(minutes=5))
    data = wand.export(None)
    daemon = Daemon(tmp_path, with_wand(alarm_and_patrol(tmp_path, broker.port), tmp_path))
    daemon.start()
    try:
        county.wait_for(well, 30)
        handle = os.open(place / "slow.csv", os.O_CREAT | os.O_WRONLY, 0o644)
        for byte in range(0, len(data), len(data) // 4):
            os.write(handle, data[byte : byte + len(data) // 4])
            time.sleep(1.5)
        os.close(handle)
        assert told(county, "scan") == []
        wait_until(lambda: len(told(county, "scan")) == 1, 30)
        wait_until((place / "slow.csv.done").exists, 10)
        assert not (place / "slow.csv.rejected.csv").exists()
    finally:
        if daemon.running:
            daemon.stop()
