"""Stores of other versions: every earlier one is read, and a later one does us no harm."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.liveness import Liveness
from agent.monitors.alarm_memory import AlarmMemory
from agent.store import inspections, journal, patrol_record
from agent.store.alarms import AlarmStore
from agent.store.database import Database
from agent.store.formats import ALARM_FORMATS, EVENT_FORMATS
from agent.store.login_budget import FileLoginBudget
from agent.store.outbox import Outbox
from drivers.readings import ScanReading

# What each format's own version wrote: an open incident, two presses of which one is confirmed, a
# scan, a tour that waits. Made once, by that version, with `.dump` of sqlite3; never changed since.
STORES = Path(__file__).parents[1] / "fixtures" / "stores"
EARLIER = sorted(
    (file.stem.rsplit("-", 1)[0], int(file.stem.rsplit("-", 1)[1])) for file in STORES.glob("*.sql")
)
LATER = """
PRAGMA user_version = {later};
ALTER TABLE message ADD COLUMN priority INTEGER NOT NULL DEFAULT 7;
CREATE TABLE something_new(id INTEGER PRIMARY KEY, what TEXT NOT NULL);
INSERT INTO something_new(what) VALUES ('kept');
"""


def laid_out(directory: Path, store: str, number: int) -> Path:
    path = directory / f"{store}.db"
    db = sqlite3.connect(path)
    db.executescript((STORES / f"{store}-{number}.sql").read_text(encoding="utf-8"))
    db.close()
    return path


def opened(path: Path, formats: Sequence[str]) -> Database:
    return Database(path, formats, Liveness(SystemClock()).beat("store"))


def alarms(path: Path) -> tuple[AlarmStore, AlarmMemory]:
    store = AlarmStore(opened(path, ALARM_FORMATS))
    return store, store.start()


def check_alarms(path: Path) -> None:
    store, memory = alarms(path)
    assert store.outbox.database.problem is None
    assert memory.incidents == 3
    assert memory.buttons["gate"].incident == 3
    assert memory.buttons["gate"].faults["supply"].code == "alarm.supply_cut"
    waiting = store.outbox.waiting(10, ()).result(5)
    assert [json.loads(row.body)["data"]["press"] for row in waiting] == [2]
    epoch, seq = store.outbox.number()
    assert (epoch, seq) == ("0123456789ab", 5)
    store.save((), memory).result(5)
    store.outbox.stop()


def check_events(path: Path) -> None:
    box = Outbox(opened(path, EVENT_FORMATS), "event")
    box.start()
    assert box.database.problem is None
    (scan,) = journal.since(box.database, "scan", 0).result(5)
    assert isinstance(scan, ScanReading)
    assert scan.tag_id == "nfca:04A1B2C3D4E580"
    assert [json.loads(row.body)["data"]["tour"] for row in box.waiting(10, ()).result(5)] == [
        "t-1"
    ]
    later = scan.model_copy(update={"observed_at": scan.observed_at + timedelta(seconds=1)})
    box.put((), journal.writer("scan", [later], {"clock.nvr-1": "{}"})).result(5)
    assert len(journal.since(box.database, "scan", 0).result(5)) == 2
    assert journal.remembered(box.database).result(5)["clock.nvr-1"] == "{}"
    box.stop()


def test_what_was_seen_of_a_camera_is_gone_on_with(tmp_path: Path) -> None:
    store = opened(laid_out(tmp_path, "events", 3), EVENT_FORMATS)
    store.start()
    kept = inspections.history(store, "gate-cam", 0).result(5)
    assert [(one.checks, one.verdict) for one in kept] == [(1, "fail"), (13, "ok")]
    store.stop()


STORES_NOW: dict[str, tuple[Callable[[Path], None], Sequence[str]]] = {
    "alarms": (check_alarms, ALARM_FORMATS),
    "events": (check_events, EVENT_FORMATS),
}


def test_there_is_a_store_of_every_format() -> None:
    alarm = [("alarms", number) for number in range(1, len(ALARM_FORMATS) + 1)]
    event = [("events", number) for number in range(1, len(EVENT_FORMATS) + 1)]
    assert [*alarm, *event] == EARLIER


@pytest.mark.parametrize(("store", "number"), EARLIER)
def test_a_store_of_an_earlier_version_is_gone_on_with(
    tmp_path: Path, store: str, number: int
) -> None:
    path = laid_out(tmp_path, store, number)
    check, formats = STORES_NOW[store]
    check(path)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (len(formats),)
    db.close()


def test_a_store_of_before_the_formats_had_numbers_is_the_first_format(tmp_path: Path) -> None:
    path = laid_out(tmp_path, "alarms", 1)
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 0")
    db.close()
    check_alarms(path)


def test_after_a_roll_back_the_store_of_the_newer_version_serves(tmp_path: Path) -> None:
    """A newer version may have added columns, tables, and fields to all that is kept as JSON."""
    for store, (check, formats) in STORES_NOW.items():
        newest = len(formats)
        path = laid_out(tmp_path, store, newest)
        db = sqlite3.connect(path)
        db.executescript(LATER.format(later=newest + 1))
        for table, key in (("meta", "value"), ("reading", "body")):
            if table == "reading" and store == "alarms":
                continue
            added = f"UPDATE {table} SET {key} = json_set({key}, '$.added', json('[1]'))"
            db.execute(f"{added} WHERE json_valid({key}) AND json_type({key}) = 'object'")
        db.execute(
            "UPDATE meta SET value = json_set(value, '$.buttons.gate.added', 1,"
            " '$.buttons.gate.faults.supply.added', 1) WHERE key = 'alarm_memory'"
        )
        db.commit()
        db.close()
        check(path)
        db = sqlite3.connect(path)
        assert db.execute("PRAGMA user_version").fetchone() == (newest + 1,)
        assert db.execute("SELECT what FROM something_new").fetchall() == [("kept",)]
        db.close()


def test_a_reading_that_makes_no_sense_costs_no_other(tmp_path: Path) -> None:
    path = laid_out(tmp_path, "events", 1)
    db = sqlite3.connect(path)
    db.execute("INSERT INTO reading(kind, observed_at, body) VALUES ('scan', 1, '{}')")
    db.commit()
    db.close()
    check_events(path)


def test_a_login_budget_that_a_newer_version_has_added_to_is_read(tmp_path: Path) -> None:
    path = tmp_path / "login-nvr.json"
    known = {"salt": "0" * 32, "credential": "f" * 64, "state": "rejected", "failures": 2}
    path.write_text(json.dumps({**known, "added": [1]}), encoding="utf-8")
    state = FileLoginBudget(path).load()
    assert state is not None
    assert (state.state, state.failures) == ("rejected", 2)


def test_the_patrols_record_is_gone_on_with(tmp_path: Path) -> None:
    path = laid_out(tmp_path, "events", 4)
    box = Outbox(opened(path, EVENT_FORMATS), "event", beside=patrol_record.add)
    box.start()
    box.put([]).result(5)
    box.stop()
    with closing(sqlite3.connect(path)) as db:
        assert patrol_record.verify(db)[:4] == (2, 1, patrol_record.seal(db), None)
