"""Times of the day and posts, each with its line in the report."""

import csv
import io
from datetime import date
from pathlib import Path

from agent.monitors.readers import WatchedTime
from agent.policy_patrol import Checkpoint, PatrolPolicy, Post, Round
from tests.reported_school import SETTINGS, patrol, store
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_school import HOUR, POINTS, School


def test_every_time_and_post_has_its_line(tmp_path: Path) -> None:
    clock = SimulatedClock()  # 10:00 in Shanghai on Tuesday, 1 September
    windows = ("11:00-12:00", "14:00-15:00", "18:00-19:00", "21:00-22:00")
    hose = Checkpoint(id="hose", name="Hose", tag="nfca:D3", round="fire")
    school = School(
        clock,
        checkpoints=(*POINTS, hose),
        rounds=(Round(id="fire", name="Fire"),),
        policy=PatrolPolicy(tours_min_per_day=2, min_gap_minutes=0, windows=windows),
        posts=(
            Post(
                id="crossing", name="Crossing", tag="nfca:D1", times=("12:30-13:00", "16:30-17:30")
            ),
            Post(id="gatehouse", name="Gatehouse", tag="nfca:D2", every_hours=4),
        ),
    )
    whole = {date(2026, 9, 1): 10.0 * HOUR}
    kept = WatchedTime(seconds=whole, until=clock.now(), closed=date(2026, 8, 31))
    school.monitor.restore([], school.now, kept)
    school.live(1.5 * HOUR)
    school.tour()
    school.live(HOUR)
    school.scan("nfca:D1")
    school.scan("nfca:D2")
    school.scan("nfca:D3")
    school.live(2.5 * HOUR)  # a quarter past three: late
    school.tour()
    school.live(5 * HOUR)
    school.lose()
    school.wait(HOUR)
    school.live(4 * HOUR)
    texts = {"crossing": "D1", "gatehouse": "D2"}
    posts = "".join(
        f'[[post]]\nid = "{name}"\nname = "{name.title()}"\ntag = "nfca:{tag}"\n'
        for name, tag in texts.items()
    )
    fire = '[[round]]\nid = "fire"\nname = "Fire"\n[[checkpoint]]\nid = "hose"\nname = "Hose"\n'
    posts += fire + 'tag = "nfca:D3"\nround = "fire"\n'
    settings = SETTINGS.format(directory=tmp_path).replace('gate_manned = "x"', "")
    settings = settings.replace("[patrol]", posts + "[patrol]")
    (tmp_path / "site.toml").write_text(settings, encoding="utf-8")
    store(school, tmp_path / "events.db")
    place = tmp_path / "day.csv"
    words = ("--day", "2026-09-01", "--csv", str(place), "--lang", "en")
    done = patrol(tmp_path, "report", *words)
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader(io.StringIO(place.read_text(encoding="utf-8-sig"))))
    begin = rows.index(["Times and posts"]) + 2
    found = [row[1:] for row in rows[begin : rows.index([], begin)]]
    assert found == [
        ["tour", "11:00-12:00", "done", ""],
        ["tour", "14:00-15:00", "done late", ""],
        ["tour", "18:00-19:00", "missed", ""],
        ["tour", "21:00-22:00", "not observed", ""],
        ["Crossing", "12:30-13:00", "done", ""],
        ["Crossing", "16:30-17:30", "missed", ""],
        ["Fire", "2026-09", "done", ""],
        ["Gatehouse", "", "left unmanned", "1 taps; unmanned since: 16:42"],
    ]
    page = tmp_path / "day.html"
    done = patrol(tmp_path, "report", "--day", "2026-09-01", "--html", str(page), "--lang", "zh")
    assert done.returncode == 0, done.stderr
    assert "迟到完成" in page.read_text(encoding="utf-8")
