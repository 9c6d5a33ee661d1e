"""When a camera was last found good: a record of every look, kept a year in little space."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.liveness import Liveness
from agent.monitors.inspection import Inspection, merged
from agent.store import inspections
from agent.store.database import Database
from agent.store.formats import EVENT_FORMATS

START = datetime(2026, 9, 1, tzinfo=UTC)


def database(path: Path) -> Database:
    made = Database(path, EVENT_FORMATS, Liveness(SystemClock()).beat("store"))
    made.start()
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    made = database(tmp_path / "events.db")
    yield made
    made.stop()


def look(number: int, verdict: str = "ok", codes: str = "", camera: str = "gate") -> Inspection:
    """One look every five minutes."""
    moment = START + timedelta(minutes=5 * number)
    at = moment.timestamp()
    return Inspection(camera, at, at, moment.date().isoformat(), 1, verdict, codes)


def test_looks_that_show_the_same_on_one_day_are_one_row(store: Database) -> None:
    inspections.keep(store, [look(0), look(1)]).result(5)
    inspections.keep(store, [look(2), look(3, "fail", "camera.black")]).result(5)
    inspections.keep(store, [look(4, camera="yard"), look(4), look(288)]).result(5)
    found = inspections.history(store, "gate", 0).result(5)
    told = [(one.day, one.checks, one.verdict, one.codes) for one in found]
    assert told == [
        ("2026-09-02", 1, "ok", ""),
        ("2026-09-01", 1, "ok", ""),
        ("2026-09-01", 1, "fail", "camera.black"),
        ("2026-09-01", 3, "ok", ""),
    ]
    assert found[-1].last_at - found[-1].first_at == 600


def test_when_it_was_last_good_is_known(store: Database) -> None:
    assert inspections.last_good(store, "gate").result(5) is None
    inspections.keep(store, [look(0), look(7), look(9, "warn", "camera.dark")]).result(5)
    assert inspections.last_good(store, "gate").result(5) == look(7).last_at


def test_no_look_is_lost_and_none_is_invented(store: Database) -> None:
    chance = random.Random(4)
    looks = [
        look(number, chance.choice(["ok", "ok", "fail"]), camera=chance.choice(["gate", "yard"]))
        for number in range(600)
    ]
    at = 0
    while at < len(looks):
        size = chance.randint(1, 40)
        inspections.keep(store, merged([], looks[at : at + size])).result(5)
        at += size
    for camera in ("gate", "yard"):
        kept = inspections.history(store, camera, 0).result(5)
        for verdict in ("ok", "fail"):
            counted = sum(one.checks for one in kept if one.verdict == verdict)
            assert counted == sum((one.camera, one.verdict) == (camera, verdict) for one in looks)
        assert all(later.first_at > one.last_at for later, one in pairwise(kept))


def test_a_year_is_kept_and_no_more(store: Database) -> None:
    year = 366 * 288
    inspections.keep(store, [look(0), look(288), look(year)]).result(5)
    inspections.prune(store, look(year).last_at + 1).result(5)
    days = [one.day for one in inspections.history(store, "gate", 0).result(5)]
    assert days == ["2027-09-02", "2026-09-02"]


def test_a_year_of_64_cameras_is_small(tmp_path: Path) -> None:
    """One row a day where nothing happens; measured on fewer days."""
    store, days = database(tmp_path / "events.db"), 20
    empty = store.path.stat().st_size
    rows = [
        look(288 * day, camera=f"cam-{number:02}")._replace(checks=288)
        for day in range(days)
        for number in range(64)
    ]
    inspections.keep(store, rows).result(5)
    store.stop()
    assert (store.path.stat().st_size - empty) * 365 / days < 4_000_000
