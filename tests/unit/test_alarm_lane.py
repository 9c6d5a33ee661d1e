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
from agent.county.commands import AckData
from agent.county.contract import Event
from agent.county.messages import Composer
from agent.county.publisher import Publisher
from agent.county.topics import Topics
from agent.guard import Guard, Signs
from agent.guard_post import GuardPost
from agent.monitors.alarm import AlarmMonitor
from agent.policy import (
    AlarmEquipment,
    AlarmInputs,
    AlarmReceiver,
    GuardOutput,
    GuardPolicy,
    WiredButton,
)
from agent.states import StateBoard
from agent.store.alarms import AlarmStore
from agent.store.outbox import Row
from drivers.readings import ContactsReading, PressCountsReading, Reason, ReceiverReading, Unknown
from tests.unit.sick_database import SickDatabase
from tests.waiting import wait_until

CLOCK = SystemClock()
GATE = WiredButton(id="gate", name="Gate", input=0, wiring="no")
SITE = AlarmEquipment(
    modules=(AlarmInputs(id="io", buttons=(GATE,)),),
    receivers=(
        AlarmReceiver(id="receiver", name="Alarm host", buttons=(), silent_after_seconds=110),
    ),
)


LAMP = GuardOutput(id="lamp", name="Lamp", output=1, shows="alarm", module="io")


class Counter:
    """Stands in for the publisher; notes at the moment of the offer what the disk held."""

    trusted = True

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


class Receiver:
    """Stands in for a driver whose device waits to hear that its word is on disk."""

    def __init__(self) -> None:
        self.confirmed: list[str] = []

    def confirm(self, token: str) -> None:
        self.confirmed.append(token)


class Lamps:
    """Stands in for a module's outputs."""

    def __init__(self) -> None:
        self.on: dict[int, bool] = {}

    def set_output(self, output: int, *, on: bool) -> None:
        self.on[output] = on


class Desk:
    def __init__(self, directory: Path, disk: SickDatabase | None = None) -> None:
        self.path = directory / "alarms.db"
        self.disk = disk or SickDatabase(self.path)
        self.store = AlarmStore(self.disk)
        self.counter = Counter(self.path)
        self.others: list[Event] = []
        self.receiver = Receiver()
        self.lamps = Lamps()
        guard = Guard(Signs(GuardPolicy(), [LAMP], can_be_acknowledged=True))
        self.post = GuardPost(guard, {"io": self.lamps}, cast(Publisher, self.counter))
        memory = self.store.start(timeout=1.0)
        self.monitor = AlarmMonitor(SITE, memory)
        self.lane = AlarmLane(
            self.monitor,
            self.store,
            Composer(Topics("county", "school"), CLOCK, lambda: "ntp"),
            cast(Publisher, self.counter),
            StateBoard(CLOCK),
            CLOCK,
            announce=self.others.append,
            confirming={"receiver": self.receiver},
            guard=self.post,
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


def test_in_a_store_in_memory_no_press_is_called_durable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    desk = Desk(tmp_path / "file")
    desk.reply(True)
    assert desk.said()[-1] == ("press", False)
    desk.store.outbox.stop()


def test_an_incident_on_a_disk_that_wakes_up_late_is_open_again(desk: Desk, tmp_path: Path) -> None:
    desk.reply(True)
    desk.store.outbox.stop()
    disk = SickDatabase(desk.path)
    disk.may_open.clear()
    late = Desk(tmp_path, disk)
    assert late.monitor.memory.incidents == 0
    disk.heal()
    late.store.outbox.counts().result(5)
    late.lane.tick()
    assert late.monitor.memory.buttons["gate"].incident == 1
    late.store.outbox.stop()


def _line(token: str) -> ReceiverReading:
    return ReceiverReading(
        device_id="receiver",
        observed_at=CLOCK.now(),
        receiver="01",
        line="1",
        event=Unknown(reason=Reason.NOT_SUPPORTED),
        raw="x",
        token=token,
        resend=False,
    )


def test_a_receiver_hears_that_its_line_is_owned_only_once_it_is_on_disk(desk: Desk) -> None:
    desk.lane.handle(_line("t1"))
    wait_until(lambda: desk.receiver.confirmed == ["t1"])
    desk.disk.full = True
    desk.lane.handle(_line("t2"))
    assert desk.said()[-1] == ("line", False)
    desk.lane.handle(_line("t2"))
    assert desk.said().count(("line", False)) == 1
    desk.store.save((), desk.monitor.memory).exception(5)  # all before it has been tried
    assert desk.receiver.confirmed == ["t1"]
    desk.disk.full = False
    desk.lane.handle(_line("t2"))
    wait_until(lambda: desk.receiver.confirmed == ["t1", "t2"])
    assert desk.said().count(("line", False)) == 1


def test_a_line_on_a_disk_that_hangs_is_answered_when_the_disk_is_done(desk: Desk) -> None:
    desk.disk.may_work.clear()
    desk.lane.handle(_line("t1"))
    assert desk.said()[-1] == ("line", False)
    assert desk.receiver.confirmed == []
    desk.disk.may_work.set()
    wait_until(lambda: desk.receiver.confirmed == ["t1"])


def test_a_corrupt_store_is_told_to_the_county(tmp_path: Path) -> None:
    (tmp_path / "alarms.db").write_bytes(b"\0" * 8192)
    desk = Desk(tmp_path)
    desk.reply(False)
    assert desk.said() == [("started", True), ("incidents_lost", True)]
    desk.store.outbox.stop()


def test_numbers_that_a_slow_disk_says_were_never_used_are_told_when_it_does(
    tmp_path: Path,
) -> None:
    before = Desk(tmp_path)
    before.reply(True)
    before.disk.stop()  # as a kill: what was reserved is not given back
    disk = SickDatabase(tmp_path / "alarms.db")
    disk.may_open.clear()
    desk = Desk(tmp_path, disk)
    desk.lane.tick()
    assert [what for what, _ in desk.said()] == ["started"]
    disk.may_open.set()

    def told() -> bool:
        desk.lane.tick()
        return "void" in [what for what, _ in desk.said()]

    wait_until(told)
    body = json.loads(desk.counter.rows[-1].body)["data"]
    assert body["void_from"] == 3
    desk.store.outbox.stop()


def test_an_incident_can_be_acknowledged_by_the_epoch_it_was_told_in(desk: Desk) -> None:
    desk.reply(True)
    press = json.loads(desk.counter.rows[-1].body)
    desk.store.outbox.numbers.epoch = "another"
    strange = AckData(incident=1, epoch="never-seen")
    assert desk.lane.acknowledge(strange, by="key:desk") == "command.other_epoch"
    told = AckData(incident=1, epoch=press["epoch"])
    assert desk.lane.acknowledge(told, by="key:desk") == "command.done"


def test_a_press_that_is_only_counted_is_on_disk_too(desk: Desk) -> None:
    for _ in range(15):
        desk.monitor.incidents.press("gate", desk.lane._now())
        desk.monitor.memory.buttons["gate"].active = False
    desk.reply(True)
    told = [what for what, _ in desk.said()]
    assert told == ["started"]  # the sixteenth was counted
    desk.disk.stop()
    kept = AlarmStore(SickDatabase(desk.path)).start().buttons["gate"]
    assert (kept.presses, kept.untold) == (16, 6)


def stage(desk: Desk) -> str:
    return desk.post.stages["gate"]


def test_the_guard_is_told_recorded_then_sent_and_a_full_disk_is_not_recorded(desk: Desk) -> None:
    desk.reply(True)
    assert desk.post.stages == {"gate": "recorded", "receiver": "off"}
    desk.lane.sent(desk.counter.rows[-1].id)
    desk.lane.tick()
    assert desk.post.stages["gate"] == "sent"
    states = [json.loads(row.body) for row in desk.counter.states]
    told = [one["data"]["guard"] for one in states if one["subject"] == "gate"]
    assert told[-1] == "sent"


def test_a_press_the_disk_refused_is_recorded_once_the_disk_has_it(desk: Desk) -> None:
    desk.reply(False)
    desk.disk.full = True
    desk.reply(True)
    assert stage(desk) == "pressed"
    desk.lane.tick()
    assert stage(desk) == "pressed"
    desk.disk.full = False
    desk.store.save((), desk.monitor.memory).result(5)
    desk.lane.tick()
    assert stage(desk) == "recorded"


def test_without_a_disk_a_receiver_is_answered_once_the_broker_has_its_alarm(
    tmp_path: Path,
) -> None:
    (tmp_path / "state").write_text("in the way")
    desk = Desk(tmp_path / "state")
    desk.lane.handle(_line("t1"))
    assert desk.said()[-1] == ("line", False)
    desk.store.save((), desk.monitor.memory).result(5)
    assert desk.receiver.confirmed == []
    desk.lane.sent(desk.counter.rows[-1].id)
    assert desk.receiver.confirmed == []
    desk.lane.taken(desk.counter.rows[-1].id)
    assert desk.receiver.confirmed == ["t1"]
    desk.store.outbox.stop()


def test_the_first_look_at_a_counter_is_on_disk_at_once(desk: Desk) -> None:
    counts = PressCountsReading(device_id="io", observed_at=CLOCK.now(), counts=(7,) * 8)
    desk.lane.tick()  # what is remembered every ten seconds was due at the start
    desk.lane.handle(counts)
    desk.disk.stop()
    kept = AlarmStore(SickDatabase(desk.path)).start()
    assert kept.buttons["gate"].counter == 7
