"""The outbox on a disk that fills up or hangs: nothing is forgotten, nothing is sent for ever."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.county.messages import Composer
from agent.county.site_status import SiteStatus
from agent.county.state_data import AgentState
from agent.county.topics import Topics
from agent.findings import Verdict
from agent.liveness import Liveness
from agent.monitors.alarm_memory import AlarmMemory, ButtonMemory
from agent.self_report import SelfReport
from agent.store.alarms import AlarmStore
from agent.store.outbox import Outbox
from tests.simulated_clock import SimulatedClock
from tests.unit.sick_database import SickDatabase
from tests.unit.test_stores import again, row
from tests.waiting import wait_until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def disk(path: Path) -> Iterator[SickDatabase]:
    database = SickDatabase(path)
    yield database
    database.heal()


@pytest.fixture
def outbox(disk: SickDatabase) -> Iterator[Outbox]:
    box = Outbox(disk, "event")
    box.start()
    yield box
    disk.heal()
    box.stop()


def waiting(box: Outbox) -> list[int]:
    return [one.seq for one in box.waiting(1000, ()).result(5)]


def test_what_was_confirmed_on_a_full_disk_does_not_come_back(
    outbox: Outbox, disk: SickDatabase
) -> None:
    rows = [row(outbox.number()) for _ in range(3)]
    outbox.put(rows).result(5)
    disk.full = True
    assert outbox.acked([rows[0].id], at=1.0).exception(5) is not None
    assert outbox.refuse(rows[1].id, "Not authorized").exception(5) is not None
    assert waiting(outbox) == [3]


def test_a_confirmation_the_disk_would_not_take_is_written_when_there_is_room(
    outbox: Outbox, disk: SickDatabase, path: Path
) -> None:
    one = row(outbox.number())
    outbox.put([one]).result(5)
    disk.full = True
    assert outbox.acked([one.id], at=7.0).exception(5) is not None
    disk.full = False
    outbox.put(()).result(5)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT acked_at FROM message").fetchall() == [(7.0,)]


def test_a_message_confirmed_before_it_was_stored_is_stored_as_confirmed(
    outbox: Outbox, disk: SickDatabase
) -> None:
    disk.full = True
    one = row(outbox.number())
    assert outbox.put([one]).exception(5) is not None
    disk.full = False
    outbox.acked([one.id], at=1.0).result(5)
    outbox.put(()).result(5)
    assert outbox.counts().result(5) == {"waiting": 0, "refused": 0}
    assert outbox.unsaved == 0


def test_a_disk_that_hangs_is_not_given_the_same_row_again_and_again(
    outbox: Outbox, disk: SickDatabase
) -> None:
    """Each commit that waited carried all that was unsaved: 2,000 events were 2,000,000 rows."""
    statements: list[str] = []
    disk.submit(lambda db: db.set_trace_callback(statements.append)).result(5)
    disk.may_work.clear()
    puts = [outbox.put([row(outbox.number())]) for _ in range(300)]
    disk.may_work.set()
    for put in puts:
        put.result(20)
    assert sum("INSERT OR IGNORE INTO message" in one for one in statements) < 1000
    assert len(outbox.waiting(5000, ()).result(5)) == 300


def test_what_is_unsaved_at_the_stop_is_stored_if_there_is_room_again(
    path: Path, disk: SickDatabase
) -> None:
    box = Outbox(disk, "event")
    box.start()
    disk.full = True
    assert box.put([row(box.number())]).exception(5) is not None
    disk.full = False
    box.stop()
    second = again(path)
    assert waiting(second) == [1]
    second.stop()


def test_what_the_broker_refused_is_deleted_after_30_days(outbox: Outbox, path: Path) -> None:
    one = row(outbox.number())  # created at 0
    outbox.put([one]).result(5)
    outbox.refuse(one.id, "Not authorized").result(5)
    outbox.prune(30 * 86_400 + 1).result(5)
    assert outbox.counts().result(5) == {"waiting": 0, "refused": 0}


def test_a_store_in_memory_does_not_claim_that_its_rows_are_durable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    box = again(tmp_path / "file" / "events.db")
    box.put([row(box.number())]).result(5)
    assert [one.durable for one in box.waiting(10, ()).result(5)] == [False]
    box.stop()


OPEN = AlarmMemory(incidents=7, buttons={"gate": ButtonMemory(active=True, incident=7, presses=2)})


def remembering(path: Path) -> SickDatabase:
    """Leave a store with an open incident, and come back to it with a disk that hangs."""
    store = AlarmStore(SickDatabase(path))
    store.start()
    store.save((), OPEN).result(5)
    store.outbox.stop()
    disk = SickDatabase(path)
    disk.may_open.clear()
    return disk


def test_a_memory_read_too_late_is_neither_lost_nor_overwritten(path: Path) -> None:
    disk = remembering(path)
    store = AlarmStore(disk)
    assert store.start(timeout=0.1) == AlarmMemory()
    blank = store.save((), AlarmMemory(incidents=1))
    assert store.recalled() is None
    disk.heal()
    blank.result(5)
    wait_until(lambda: store.recalled() == OPEN)
    assert store.recalled() is None, "it is told once"
    store.save((), AlarmMemory(incidents=8)).result(5)
    store.outbox.stop()
    third = AlarmStore(SickDatabase(path))
    assert third.start().incidents == 8
    third.outbox.stop()


def test_a_disk_that_hangs_holds_up_the_start_no_longer_than_it_may(path: Path) -> None:
    disk = remembering(path)
    store = AlarmStore(disk)
    assert store.start(timeout=0.3) == AlarmMemory()
    assert disk.problem is None
    disk.heal()
    store.outbox.stop()


def test_a_disk_that_hangs_does_not_report_alarms_as_durable(
    outbox: Outbox, disk: SickDatabase, clock: SimulatedClock
) -> None:
    liveness = Liveness(clock)
    beat = liveness.beat("store alarms")
    composer = Composer(Topics("county", "school"), clock, lambda: "ntp")
    status = SiteStatus(composer, (outbox,), {}, clock)
    report = SelfReport(outbox, outbox, liveness, (), clock.now(), status, last_good="")
    assert durable(report)
    with beat.waiting(f"writing {disk.path.name}"):
        clock.advance(6)
        assert not durable(report)
        assert report.state().data.verdict is Verdict.FAIL
    assert durable(report)


def durable(report: SelfReport) -> bool:
    data = report.state().data
    assert isinstance(data, AgentState)
    return data.alarms_durable
