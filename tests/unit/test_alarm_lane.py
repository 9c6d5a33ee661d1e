"""The alarm's way out: on disk before it is sent, but sent whatever the disk does."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import pytest

from agent.alarm_lane import AlarmLane
from agent.clock import SystemClock
from agent.county.messages import Composer
from agent.county.publisher import Publisher
from agent.county.topics import Topics
from agent.monitors.alarm import AlarmMonitor
from agent.policy import Button
from agent.states import StateBoard
from agent.store.alarms import AlarmStore
from agent.store.outbox import Row
from drivers.readings import ContactsReading
from tests.unit.sick_database import SickDatabase

CLOCK = SystemClock()
GATE = Button(id="gate", name="Gate", input=0, wiring="no")


class Counter:
    """Stands in for the publisher; notes at the moment of the offer what the disk held."""

    def __init__(self, path: Path) -> None:
        self.rows: list[Row] = []
        self.states: list[Row] = []
        self.on_disk: list[bool] = []
        self._path = path

    def offer(self, row: Row) -> None:
        self.rows.append(row)
        if self._path.exists():
            with sqlite3.connect(self._path) as db:
                found = db.execute("SELECT 1 FROM message WHERE id=?", (row.id,)).fetchone()
            self.on_disk.append(found is not None)

    def offer_states(self, rows: Iterable[Row]) -> None:
        self.states += rows


class Desk:
    def __init__(self, directory: Path) -> None:
        self.path = directory / "alarms.db"
        self.disk = SickDatabase(self.path)
        self.store = AlarmStore(self.disk)
        self.counter = Counter(self.path)
        memory = self.store.start()
        self.monitor = AlarmMonitor({"io": [GATE]}, memory)
        self.lane = AlarmLane(
            self.monitor,
            self.store,
            Composer(Topics("county", "school"), CLOCK, lambda: "ntp"),
            cast(Publisher, self.counter),
            StateBoard(CLOCK),
            CLOCK,
        )

    def reply(self, active: bool) -> None:
        now = CLOCK.now()
        self.lane.handle(
            ContactsReading(device_id="io", observed_at=now, inputs=(active,), reply_seconds=0.02)
        )

    def said(self) -> list[tuple[str, bool]]:
        return [(json.loads(row.body)["data"]["what"], row.durable) for row in self.counter.rows]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.disk.heal()
    desk.store.outbox.stop()


def test_a_press_is_on_disk_before_it_is_offered_to_the_county(desk: Desk) -> None:
    desk.reply(True)
    assert desk.said() == [("started", True), ("press", True)]
    assert desk.counter.on_disk == [True, True]


def test_a_press_on_a_full_disk_goes_out_at_once_and_says_so(desk: Desk) -> None:
    desk.reply(False)
    desk.disk.full = True
    desk.reply(True)
    assert desk.said()[-1] == ("press", False)
    desk.disk.full = False
    desk.store.save((), desk.monitor.memory).result(5)
    assert len(desk.store.outbox.waiting(10, ()).result(5)) == 2


def test_a_press_on_a_disk_that_hangs_goes_out_after_its_deadline(desk: Desk) -> None:
    desk.reply(False)
    desk.disk.may_work.clear()
    before = CLOCK.monotonic()
    desk.reply(True)
    assert CLOCK.monotonic() - before < 2
    assert desk.said()[-1] == ("press", False)


def test_a_press_goes_out_whatever_is_wrong_with_the_store(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every fault is an sqlite3.Error; the press would have been marked as told and lost."""
    desk.reply(False)
    broken: Future[None] = Future()
    broken.set_exception(MemoryError("no room"))
    monkeypatch.setattr(desk.store, "save", lambda *_: broken)
    desk.reply(True)
    assert desk.said()[-1] == ("press", False)


def test_the_state_follows_the_press_at_once(desk: Desk) -> None:
    desk.reply(True)
    newest: dict[str, Any] = json.loads(desk.counter.states[-1].body)["data"]
    assert (newest["position"], newest["incident"]) == ("pressed", 1)


def test_the_memory_is_written_with_the_press(desk: Desk, tmp_path: Path) -> None:
    desk.reply(True)
    desk.store.outbox.database.stop()  # a power cut: nothing more is written
    again = AlarmStore(SickDatabase(desk.path))
    assert again.start().buttons["gate"].incident == 1
    again.outbox.stop()


def test_the_memory_is_kept_fresh_while_nothing_happens(desk: Desk) -> None:
    desk.reply(False)
    desk.lane.tick()
    desk.store.outbox.database.stop()
    again = AlarmStore(SickDatabase(desk.path))
    assert again.start().watched_until is not None
    again.outbox.stop()


def test_the_journal_of_alarms_is_pruned_too(desk: Desk) -> None:
    desk.reply(True)
    ids = [row.id for row in desk.counter.rows]
    desk.store.outbox.acked(ids, at=1.0).result(5)
    desk.lane.tick()
    count = desk.disk.submit(lambda db: db.execute("SELECT count(*) FROM message").fetchone()[0])
    assert count.result(5) == 0
