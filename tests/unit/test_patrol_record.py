"""The patrol's record: whole as it was written; what is done to it from outside is found."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from agent.clock import SystemClock
from agent.liveness import Liveness
from agent.store import patrol_record
from agent.store.database import Database
from agent.store.formats import EVENT_FORMATS
from agent.store.outbox import Lane, Outbox, Row

DAY = 86_400.0


def row(number: int, kind: str = "scan", at: float = 1e9) -> Row:
    return Row(
        id=str(uuid4()),
        epoch="e",
        seq=number,
        lane=Lane.EVENT,
        topic=f"campus/v1/county/school/event/{kind}",
        body=json.dumps({"number": number}),
        created_at=at + number,
        created_monotonic=0.0,
        machine_boot="boot",
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    database = Database(path, EVENT_FORMATS, Liveness(SystemClock()).beat("store"))
    made = Outbox(database, "event", beside=patrol_record.add)
    made.start()
    yield made
    made.stop()


def verified(path: Path) -> patrol_record.Verified:
    with closing(sqlite3.connect(path)) as db:
        return patrol_record.verify(db)


def test_the_record_holds_what_is_evidence_in_its_order(outbox: Outbox, path: Path) -> None:
    kinds = ["scan", "camera", "tour", "device", "alarm", "patrol-day"]
    rows = [row(number, kind) for number, kind in enumerate(kinds, 1)]
    for one in rows:
        outbox.put([one]).result(5)
    with closing(sqlite3.connect(path)) as db:
        kept = list(patrol_record.between(db, 0, 2e9))
        newest = patrol_record.seal(db)
    assert [one.kind for one in kept] == ["scan", "tour", "device", "patrol-day"]
    assert [one.body for one in kept] == [rows[at].body for at in (0, 2, 3, 5)]
    found = verified(path)
    assert (found.rows, found.first, found.wrong) == (4, 1, None)
    assert found.head == newest == (4, kept[-1].hash)


def test_a_row_that_is_stored_again_is_recorded_once(outbox: Outbox, path: Path) -> None:
    one, two = row(1), row(2)
    outbox.put([one]).result(5)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        patrol_record.add(db, [one, two])
    assert verified(path).rows == 2


Spoil = Callable[[sqlite3.Connection], object]


@pytest.mark.parametrize(
    ("spoil", "wrong", "why"),
    [
        (lambda db: db.execute("UPDATE patrol_record SET body='{}' WHERE number=4"), 4, "altered"),
        (lambda db: db.execute("UPDATE patrol_record SET at=at+60 WHERE number=1"), 1, "altered"),
        (
            lambda db: db.execute("UPDATE patrol_record SET kind='tour' WHERE number=9"),
            9,
            "altered",
        ),
        (lambda db: db.execute("UPDATE patrol_record SET hash='x' WHERE number=10"), 10, "altered"),
        (lambda db: db.execute("DELETE FROM patrol_record WHERE number=5"), 5, "missing"),
        (lambda db: db.execute("DELETE FROM patrol_record WHERE number<3"), 1, "missing"),
        (lambda db: db.execute("DELETE FROM patrol_record WHERE number>7"), 8, "missing"),
        (lambda db: db.execute("DELETE FROM patrol_record"), 1, "missing"),
        (
            lambda db: db.executescript(
                "UPDATE patrol_record SET number=99 WHERE number=6;"
                "UPDATE patrol_record SET number=6 WHERE number=7;"
                "UPDATE patrol_record SET number=7 WHERE number=99;"
            ),
            6,
            "altered",
        ),
        (
            lambda db: db.execute(
                "INSERT INTO patrol_record SELECT 11, 'new', at, kind, body, hash"
                " FROM patrol_record WHERE number=10"
            ),
            11,
            "altered",
        ),
    ],
)
def test_whatever_is_done_to_it_is_found(
    outbox: Outbox, path: Path, spoil: Spoil, wrong: int, why: str
) -> None:
    outbox.put([row(number) for number in range(1, 11)]).result(5)
    assert verified(path).wrong is None
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        spoil(db)
    found = verified(path)
    assert (found.wrong, found.why) == (wrong, why)


def test_an_older_copy_of_the_store_is_found_by_whoever_kept_a_seal(
    outbox: Outbox, path: Path
) -> None:
    outbox.put([row(1), row(2)]).result(5)
    before = verified(path).head
    outbox.put([row(3)]).result(5)
    assert verified(path).head != before


def test_what_is_too_old_goes_and_the_rest_stays_whole(outbox: Outbox, path: Path) -> None:
    outbox.put([row(number, at=number * DAY) for number in range(1, 11)]).result(5)
    patrol_record.prune(outbox.database, 5.5 * DAY + patrol_record.KEPT_SECONDS).result(5)
    found = verified(path)
    assert (found.rows, found.first, found.wrong) == (5, 6, None)
    outbox.put([row(11)]).result(5)
    assert verified(path).head.number == 11
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM patrol_record WHERE number=6")
    assert verified(path).wrong == 6


def test_a_school_without_patrols_has_an_empty_record(outbox: Outbox, path: Path) -> None:
    outbox.put([row(1, "camera")]).result(5)
    assert verified(path) == (0, 1, (0, ""), None, "")
