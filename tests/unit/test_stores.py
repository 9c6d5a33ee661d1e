import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.liveness import Liveness
from agent.monitors.alarm_memory import AlarmMemory
from agent.store.alarms import AlarmStore
from agent.store.database import Database
from agent.store.formats import ALARM_FORMATS
from agent.store.outbox import Lane, Outbox, Row


def database(path: Path, *, max_bytes: int = 64 << 20) -> Database:
    return Database(path, ALARM_FORMATS, Liveness(SystemClock()).beat("store"), max_bytes=max_bytes)


def row(number: tuple[str, int], *, lane: Lane = Lane.EVENT, size: int = 10) -> Row:
    epoch, seq = number
    return Row(
        id=f"{epoch}-{seq}",
        epoch=epoch,
        seq=seq,
        lane=lane,
        topic="t",
        body='{"pad":"' + "x" * size + '"}',
        created_at=0.0,
        created_monotonic=0.0,
        machine_boot="boot",
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "events.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    box = Outbox(database(path), "event")
    box.start()
    yield box
    box.stop()


def again(path: Path) -> Outbox:
    box = Outbox(database(path), "event")
    box.start()
    return box


def test_the_backlog_is_counted_by_an_index_of_its_own(outbox: Outbox) -> None:
    rows = [row(outbox.number()) for _ in range(4)]
    outbox.put(rows).result(5)
    outbox.acked([rows[0].id], at=1.0).result(5)
    outbox.refuse(rows[1].id, "no").result(5)
    asked: list[str] = []

    def watched(db: sqlite3.Connection) -> None:
        db.set_trace_callback(asked.append)

    outbox.database.submit(watched).result(5)
    assert outbox.backlog().result(5) == 2
    [query] = [one for one in asked if one.startswith("SELECT")]

    def plan(db: sqlite3.Connection) -> str:
        return str(db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())

    assert "message_waiting" in outbox.database.submit(plan).result(5)


def test_rows_wait_until_they_are_confirmed(outbox: Outbox) -> None:
    rows = [row(outbox.number()) for _ in range(3)]
    outbox.put(rows).result(5)
    outbox.acked([rows[0].id], at=1.0).result(5)
    assert [one.seq for one in outbox.waiting(10, ()).result(5)] == [2, 3]


def test_rows_of_the_alarm_lane_come_first(outbox: Outbox) -> None:
    outbox.put([row(outbox.number()), row(outbox.number(), lane=Lane.ALARM)]).result(5)
    assert [one.seq for one in outbox.waiting(10, ()).result(5)] == [2, 1]


def test_what_is_on_its_way_is_not_read_again(outbox: Outbox) -> None:
    rows = [row(outbox.number()) for _ in range(3)]
    outbox.put(rows).result(5)
    assert [one.seq for one in outbox.waiting(1, {rows[0].id}).result(5)] == [2]


def test_a_refused_row_steps_aside_and_is_counted(outbox: Outbox) -> None:
    rows = [row(outbox.number()) for _ in range(2)]
    outbox.put(rows).result(5)
    outbox.refuse(rows[0].id, "Not authorized").result(5)
    assert [one.seq for one in outbox.waiting(10, ()).result(5)] == [2]
    assert outbox.counts().result(5) == {"waiting": 1, "refused": 1}


def test_confirmed_rows_stay_as_journal_for_30_days(outbox: Outbox, path: Path) -> None:
    rows = [row(outbox.number()) for _ in range(2)]
    outbox.put(rows).result(5)
    outbox.acked([rows[0].id], at=1_000.0).result(5)
    outbox.acked([rows[1].id], at=2_000.0).result(5)
    outbox.prune(1_500.0 + 30 * 86_400).result(5)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT seq FROM message").fetchall() == [(2,)]


def test_a_clean_stop_leaves_no_hole_in_the_numbers(path: Path) -> None:
    first = again(path)
    first.put([row(first.number())]).result(5)
    first.stop()
    second = again(path)
    assert second.numbers.void is None
    assert second.number() == (first.numbers.epoch, 2)
    second.stop()


def test_after_a_crash_reserved_numbers_are_void_and_never_used_again(path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tests.unit.test_stores import again, row\n"
        "box = again(Path(sys.argv[1]))\n"
        "box.put([row(box.number())]).result(5)\n"
        "box.number()  # taken, perhaps sent, never on disk\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert done.returncode == -9
    second = again(path)
    assert second.numbers.void is not None
    assert second.numbers.void[0] == 2
    assert second.number()[1] == second.numbers.void[1] + 1
    second.stop()


def test_numbers_are_reserved_again_before_they_run_out(outbox: Outbox, path: Path) -> None:
    for _ in range(1500):
        outbox.number()
    outbox.counts().result(5)
    with sqlite3.connect(path) as db:
        reserved = db.execute("SELECT value FROM meta WHERE key='reserved'").fetchone()[0]
    assert reserved >= 3000
    assert outbox.number()[1] == 1501


def test_a_corrupt_store_is_set_aside_and_a_new_epoch_begins(path: Path) -> None:
    first = again(path)
    first.stop()
    path.write_bytes(b"\0" * 8192)
    second = again(path)
    assert second.database.durable
    assert second.database.set_aside is not None
    assert "corrupt" in str(second.database.problem)
    assert second.numbers.epoch != first.numbers.epoch
    second.put([row(second.number())]).result(5)
    second.stop()


def _spoil_a_page(path: Path) -> None:
    """Overwrite one page in the middle of the file, as a dying disk does."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xa5" * 4096
    path.write_bytes(content)


def test_what_can_be_read_of_a_corrupt_store_is_salvaged_and_sent(path: Path) -> None:
    first = again(path)
    rows = [row(first.number(), size=300) for _ in range(400)]
    first.put(rows).result(5)
    first.acked([rows[0].id, rows[-1].id], 1.0).result(5)
    first.stop()
    _spoil_a_page(path)
    second = again(path)
    assert second.database.set_aside is not None
    assert 300 < second.database.salvaged < 400
    waiting = second.waiting(1000, ()).result(5)
    assert {one.id for one in waiting} < {one.id for one in rows}
    assert len(waiting) >= second.database.salvaged - 2
    assert {one.epoch for one in waiting} == {first.numbers.epoch}
    assert second.numbers.epoch != first.numbers.epoch
    assert second.number()[1] == 1
    second.stop()


def test_a_corrupt_alarm_store_keeps_its_memory_where_it_can(tmp_path: Path) -> None:
    store = AlarmStore(database(tmp_path / "alarms.db"))
    memory = store.start()
    memory.incidents = 7
    store.save([row(store.outbox.number(), size=300) for _ in range(400)], memory).result(5)
    store.outbox.stop()
    _spoil_a_page(tmp_path / "alarms.db")
    second = AlarmStore(database(tmp_path / "alarms.db"))
    assert second.start().incidents == 7
    second.outbox.stop()


def test_a_store_that_cannot_be_opened_is_replaced_by_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    box = again(tmp_path / "file" / "events.db")
    assert not box.database.durable
    assert "cannot be opened" in str(box.database.problem)
    box.put([row(box.number())]).result(5)
    assert [one.seq for one in box.waiting(10, ()).result(5)] == [1]
    box.stop()


def test_a_row_that_found_the_disk_full_is_stored_when_there_is_room(path: Path) -> None:
    box = Outbox(database(path, max_bytes=160 << 10), "event")
    box.start()
    stored = 0
    while box.put([row(box.number(), size=4000)]).exception(5) is None:
        stored += 1
        assert stored < 100
    late = box.numbers.head
    assert box.unsaved == 1
    box.database.submit(
        lambda db: db.execute("DELETE FROM message WHERE seq <= ?", (stored // 2,)).rowcount
    ).result(5)
    box.put(()).result(5)
    assert late in [one.seq for one in box.waiting(1000, ()).result(5)]
    assert box.unsaved == 0
    box.stop()


def test_an_alarm_and_its_memory_are_one_commit(tmp_path: Path) -> None:
    store = AlarmStore(database(tmp_path / "alarms.db"))
    assert store.start() == AlarmMemory()
    store.save([row(store.outbox.number())], AlarmMemory(incidents=3)).result(5)
    store.outbox.stop()
    again_store = AlarmStore(database(tmp_path / "alarms.db"))
    assert again_store.start().incidents == 3
    again_store.outbox.stop()


def test_rows_that_need_what_is_put_with_them_are_in_no_commit_before(
    outbox: Outbox, path: Path
) -> None:
    def fails(_: sqlite3.Connection) -> None:
        raise OSError("killed here")

    blocked = threading.Event()
    outbox.database.submit(lambda _: blocked.wait(5))
    first, second, third = (row(outbox.number()) for _ in range(3))
    outbox.put([first])
    failed = outbox.put([second], also=fails, together=True)
    blocked.set()
    with pytest.raises(OSError, match="killed here"):
        failed.result(5)

    def stored() -> list[int]:
        with closing(sqlite3.connect(path)) as db:
            return [seq for (seq,) in db.execute("SELECT seq FROM message ORDER BY seq")]

    assert stored() == [1]
    # What is not killed stores it with the next, and none behind it first.
    outbox.put([third]).result(5)
    assert stored() == [1, 2, 3]


def test_every_commit_is_full(outbox: Outbox) -> None:
    level = outbox.database.submit(lambda db: db.execute("PRAGMA synchronous").fetchone()[0])
    assert level.result(5) == 2, "synchronous must be FULL"


def test_what_is_asked_for_once_more_goes_last_and_stays_delivered(outbox: Outbox) -> None:
    rows = [row(outbox.number()) for _ in range(4)]
    outbox.put(rows).result(5)
    outbox.acked([one.id for one in rows[:3]], at=1.0).result(5)
    assert outbox.replay(rows[0].epoch, 1, 2).result(5) == 2
    assert outbox.counts().result(5)["waiting"] == 1
    waiting = [one.id for one in outbox.waiting(9, ()).result(5)]
    assert waiting == [rows[3].id, rows[0].id, rows[1].id]
    outbox.acked([rows[0].id], at=2.0).result(5)
    assert [one.id for one in outbox.waiting(9, ()).result(5)] == [rows[3].id, rows[1].id]


def test_a_corrupt_store_of_an_earlier_format_is_salvaged(path: Path) -> None:
    first = Outbox(Database(path, ALARM_FORMATS[:1], Liveness(SystemClock()).beat("s")), "event")
    first.database.start()
    first.database.submit(
        lambda db: db.executemany(
            "INSERT INTO message(id, epoch, seq, lane, topic, body, created_at, created_monotonic,"
            " machine_boot) VALUES (?, 'e', ?, 1, 't', ?, 0, 0, 'b')",
            [(str(number), number, "x" * 2000) for number in range(100)],
        )
    ).result(5)
    first.database.stop()
    content = bytearray(path.read_bytes())
    content[40 * 4096 : 41 * 4096] = b"\xff" * 4096
    path.write_bytes(bytes(content))
    second = again(path)
    assert second.database.set_aside is not None
    assert len(second.waiting(200, ()).result(5)) > 50
    second.stop()
