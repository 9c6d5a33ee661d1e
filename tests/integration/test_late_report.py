"""The report of a day of which a wand told late: what was missed is seen, and what came of it."""

import csv
import io
from pathlib import Path

from agent.policy_patrol import PatrolPolicy
from tests.reported_school import SETTINGS, patrol, store
from tests.simulated_clock import SimulatedClock
from tests.unit.late_school import at, live_until, school_at_midnight, walked
from tests.unit.patrol_school import NORTH, SOUTH

DOCK = '[[nfc_reader]]\nid = "dock"\nname = "Dock"\ndriver = "wand"\nport = "/nowhere"\n\n'


def test_what_was_missed_is_made_good_and_the_day_is_met(tmp_path: Path) -> None:
    policy = PatrolPolicy(
        tours_min_per_day=2, min_gap_minutes=0, windows=("08:00-09:00", "10:00-11:00")
    )
    school = school_at_midnight(SimulatedClock(), policy=policy)
    live_until(school, 10.3)
    school.scan(NORTH)
    school.live(600)
    school.scan(SOUTH)
    live_until(school, 1, day=3)
    school.upload(*walked(8.2), (NORTH, at(10.1)))
    settings = SETTINGS.format(directory=tmp_path).replace(
        "[[checkpoint]]", DOCK + "[[checkpoint]]", 1
    )
    (tmp_path / "site.toml").write_text(settings, encoding="utf-8")
    store(school, tmp_path / "events.db")
    place = tmp_path / "day.csv"
    words = ("--day", "2026-09-02", "--csv", str(place), "--lang", "en")
    done = patrol(tmp_path, "report", *words)
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader(io.StringIO(place.read_text(encoding="utf-8-sig"))))

    def table(title: str) -> list[list[str]]:
        begin = rows.index([title]) + 2
        return rows[begin : rows.index([], begin)]

    [[_, word, tours, *_]] = table("Days")
    assert (word, tours) == ("met", "2")
    assert [(row[2], row[6]) for row in table("Tours")] == [
        ("08:12", "complete, uploaded late"),
        ("10:06", "complete, uploaded late"),  # told as begun at 10:18 before
    ]
    assert [row[1:4] for row in table("Times and posts")] == [
        ["tour", "08:00-09:00", "missed; done by what was uploaded late"],
        ["tour", "10:00-11:00", "done"],
    ]
    assert [(row[1], row[5], row[6]) for row in table("Scans")][:2] == [
        ("08:12:00", "Dock", "wand W1"),
        ("08:22:00", "Dock", "wand W1"),
    ]
