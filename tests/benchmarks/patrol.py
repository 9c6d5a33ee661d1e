"""What a tap takes, what the record takes on disk, and how long a month of it takes to report.

Ninety days of eight tours over twenty checkpoints, as a busy boarding school walks them.
"""

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from agent.clock import SystemClock
from agent.county.contract import Event
from agent.county.event_data import PatrolDayEventData, ScanEventData, TourEventData
from agent.county.messages import Composer
from agent.county.topics import Topics
from agent.store import patrol_record
from agent.store.formats import EVENT_FORMATS
from agent.store.outbox import Lane, Row
from tests.benchmarks.figures import Figures
from tests.benchmarks.patrol_taps import taps

DAYS, TOURS, CHECKPOINTS = 90, 8, 20
RUNS = 5
MONTH = "2026-08"

SETTINGS = """
[site]
county = "anping"
id = "no-1"
name = "Anping No. 1"
[state]
directory = "{directory}"
[broker]
hosts = ["127.0.0.1:1"]
[[nfc_reader]]
id = "gate"
driver = "pn532"
port = "/dev/ttyUSB9"
{checkpoints}
[not_fitted]
alarm = "x"
recordings = "x"
pictures = "x"
"""
CHECKPOINT = '[[checkpoint]]\nid = "p-{n}"\nname = "Checkpoint {n}"\ntag = "nfca:04{n:012X}"\n'


def events() -> list[Event]:
    """Everything that is told of ninety days from 1 July on."""
    found = []
    midnight = datetime(2026, 7, 1, tzinfo=UTC) - timedelta(hours=8)
    for number in range(DAYS):
        start = midnight + timedelta(days=number)
        day = (start + timedelta(hours=8)).date()
        for tour in range(TOURS):
            begun = start + timedelta(hours=1 + 2.8 * tour)
            for point in range(CHECKPOINTS):
                at = begun + timedelta(minutes=2 * point)
                data = ScanEventData(
                    reader="gate",
                    checkpoint=f"p-{point}",
                    tag_id=f"nfca:04{point:012X}",
                    assurance="uid",
                )
                found.append(Event(subject="gate", time=at, data=data))
            told = TourEventData(
                what="completed",
                tour=f"{day}-{tour + 1}",
                duty_day=day,
                number=tour + 1,
                started_at=begun,
            )
            found.append(Event(subject="site", time=at, data=told))
        over = PatrolDayEventData(
            what="met", duty_day=day, tours_done=TOURS, tours_min_per_day=5, blind_minutes=0
        )
        found.append(Event(subject="site", time=start + timedelta(days=1), data=over))
    return found


def fill(path: Path) -> int:
    """Write the record; return how many rows it has."""
    composer = Composer(Topics("anping", "no-1"), SystemClock(), lambda: "ntp")
    with sqlite3.connect(path, isolation_level=None) as db:
        for script in EVENT_FORMATS:
            db.executescript(script)
        empty = path.stat().st_size
        rows = []
        for number, event in enumerate(events(), 1):
            row = composer.event(event, Lane.EVENT, "event", ("e", number))
            at = event.time.timestamp()
            rows.append(
                Row(str(uuid4()), "e", number, Lane.EVENT, row.topic, row.body, at, 0.0, "boot")
            )
        db.execute("BEGIN")
        patrol_record.add(db, rows)
        db.execute("COMMIT")
        db.execute("VACUUM")
    assert path.stat().st_size > empty
    return len(rows)


def timed(*words: str) -> float:
    """Return the quickest of some runs of the command, its start included."""
    took = []
    for _ in range(RUNS):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "agent", "patrol", *words], check=True,
                       capture_output=True)  # fmt: skip
        took.append(time.monotonic() - began)
    return sorted(took)[len(took) // 2]


def main() -> None:
    """Print every figure."""
    figures = Figures("patrol")
    taps(figures)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        points = "".join(CHECKPOINT.format(n=number) for number in range(CHECKPOINTS))
        config = directory / "site.toml"
        config.write_text(SETTINGS.format(directory=directory, checkpoints=points))
        rows = fill(directory / "events.db")
        size = (directory / "events.db").stat().st_size
        figures.print("store_bytes_90_days", size, "B", n=rows)
        page = str(directory / "page.html")
        base = timed("report", "--day", "2026-01-01", "--config", str(config))
        took = timed("report", "--month", MONTH, "--html", page, "--config", str(config))
        figures.print("report_seconds", took, "s", n=RUNS, baseline=base)
        assert json.dumps(MONTH)[1:-1] in Path(page).read_text(encoding="utf-8")
        took = timed("verify", "--config", str(config))
        figures.print("verify_seconds", took, "s", n=rows)


if __name__ == "__main__":
    main()
