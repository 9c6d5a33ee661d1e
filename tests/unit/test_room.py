"""A full outbox: the journal goes first, then the oldest events, an alarm never; all is told."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.liveness import Liveness
from agent.store import outbox as outbox_module
from agent.store.database import Database
from agent.store.formats import ALARM_FORMATS
from agent.store.outbox import Lane, Outbox, Row
from agent.store.room import ROW_BYTES, Drops
from agent.watch_lane import DROPS_QUIET_SECONDS, DROPS_SECONDS
from tests.simulated_clock import SimulatedClock
from tests.unit.sick_database import SickDatabase
from tests.unit.test_faults_of_ours import Desk, reading
from tests.waiting import wait_until

BODY_BYTES = 600
CAP_BYTES = 100 * (BODY_BYTES + ROW_BYTES)


def made(path: Path, cap_bytes: int = CAP_BYTES) -> Outbox:
    beat = Liveness(SystemClock()).beat("store")
    box = Outbox(Database(path, ALARM_FORMATS, beat), "event", cap_bytes=cap_bytes)
    box.start()
    return box


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = made(tmp_path / "events.db")
    yield box
    box.stop()


def row(outbox: Outbox, *, lane: Lane = Lane.EVENT, kind: str = "scan", data: object = None) -> Row:
    epoch, seq = outbox.number()
    body = json.dumps({"data": data or {}}, separators=(",", ":"))
    return Row(
        id=f"{epoch}-{seq}",
        epoch=epoch,
        seq=seq,
        lane=lane,
        topic=f"campus/v1/c/s/event/{kind}",
        body=body[:-1] + " " * max(0, BODY_BYTES - len(body)) + "}",
        created_at=float(seq),
        created_monotonic=0.0,
        machine_boot="boot",
    )


def put(outbox: Outbox, count: int, *, lane: Lane = Lane.EVENT, kind: str = "scan") -> list[Row]:
    rows = [row(outbox, lane=lane, kind=kind) for _ in range(count)]
    for one in rows:
        outbox.put([one]).result(5)
    return rows


def stored(outbox: Outbox) -> set[str]:
    return outbox.database.submit(
        lambda db: {one for (one,) in db.execute("SELECT id FROM message")}
    ).result(5)


def telling(outbox: Outbox, drops: Drops) -> Row:
    data = {
        "what": "dropped",
        "dropped_count": drops.count,
        "dropped_epoch": drops.epoch,
        "dropped_first": drops.first,
        "dropped_last": drops.last,
        "dropped_kinds": drops.kinds,
    }
    return row(outbox, kind="agent", data=data)


def test_the_journal_goes_before_anything_that_waits(outbox: Outbox) -> None:
    old = put(outbox, 60)
    outbox.acked([one.id for one in old], at=1.0).result(5)
    new = put(outbox, 90)
    assert {one.id for one in new} <= stored(outbox)
    assert len(stored(outbox)) <= 100
    assert outbox.dropped == 0
    assert not outbox.drops_untold


def test_then_the_oldest_events_go_and_are_on_record(outbox: Outbox) -> None:
    rows = put(outbox, 60, kind="scan") + put(outbox, 60, kind="camera")
    kept = stored(outbox)
    gone = [one for one in rows if one.id not in kept]
    assert gone == rows[: len(gone)]
    assert 20 <= len(gone) <= 30
    assert outbox.dropped == len(gone)
    assert outbox.take_drops().result(5) == [
        Drops(gone[0].epoch, len(gone), gone[0].seq, gone[-1].seq, {"scan": len(gone)})
    ]
    assert outbox.take_drops().result(5) == []


def test_an_alarm_is_never_given_up(outbox: Outbox) -> None:
    alarms = put(outbox, 150, lane=Lane.ALARM, kind="alarm")
    events = put(outbox, 30)
    assert {one.id for one in alarms} <= stored(outbox)
    outbox.acked([one.id for one in alarms[:100]], at=1.0).result(5)
    alarms += put(outbox, 40, lane=Lane.ALARM, kind="alarm")
    assert {one.id for one in alarms[100:]} <= stored(outbox)
    [drops] = outbox.take_drops().result(5)
    assert set(drops.kinds) == {"scan"}
    assert drops.count == len(events) - len({one.id for one in events} & stored(outbox))


def test_what_may_be_on_its_way_is_not_given_up(outbox: Outbox) -> None:
    put(outbox, 50)
    out = outbox.waiting(20, ()).result(5)
    put(outbox, 100)
    assert {one.id for one in out} <= stored(outbox)
    outbox.acked([one.id for one in out], at=1.0).result(5)
    put(outbox, 30)
    assert not {one.id for one in out} & stored(outbox)  # as journal it goes first


def test_what_no_broker_takes_goes_before_what_waits(outbox: Outbox) -> None:
    rows = put(outbox, 90)
    outbox.refuse(rows[80].id, "too large").result(5)
    put(outbox, 11)
    assert rows[80].id not in stored(outbox)
    assert rows[10].id in stored(outbox)


def test_what_was_given_up_is_told_once_even_if_the_agent_dies_before(tmp_path: Path) -> None:
    first = made(tmp_path / "events.db")
    put(first, 120)
    dropped = first.take_drops().result(5)
    first.database.stop()  # the telling never reached the disk
    again = made(tmp_path / "events.db")
    assert again.drops_untold
    assert again.take_drops().result(5) == dropped
    again.put([telling(again, dropped[0])]).result(5)
    again.stop()
    last = made(tmp_path / "events.db")
    assert not last.drops_untold
    last.stop()


def test_a_telling_that_is_given_up_is_told_with_what_it_told_of(outbox: Outbox) -> None:
    put(outbox, 120)
    [first] = outbox.take_drops().result(5)
    outbox.put([telling(outbox, first)]).result(5)
    put(outbox, 150)
    [second] = outbox.take_drops().result(5)
    assert second.first == first.first
    assert second.kinds["agent"] == 1
    assert second.count == 271 - len(stored(outbox))


def test_what_memory_cannot_hold_either_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "UNSAVED_MAX", 10)
    disk = SickDatabase(tmp_path / "events.db")
    outbox = Outbox(disk, "event")
    outbox.start()
    disk.full = True
    rows = [row(outbox) for _ in range(25)]
    for one in rows:
        assert outbox.put([one]).exception(5) is not None
    disk.heal()
    outbox.put(()).result(5)
    assert stored(outbox) == {one.id for one in rows[:10]}
    assert outbox.drops_untold
    [drops] = outbox.take_drops().result(5)
    assert (drops.count, drops.first, drops.last) == (15, rows[10].seq, rows[-1].seq)
    outbox.stop()


def test_the_county_is_told_what_was_given_up(tmp_path: Path) -> None:
    clock = SimulatedClock()
    desk = Desk(tmp_path, cap_bytes=30_000, clock=clock)
    for _ in range(100):
        desk.lane.handle(reading())
    wait_until(lambda: desk.stored == 100)
    desk.lane.tick()
    assert desk.outbox.put(()).exception(5) is None
    assert desk.stored == 100  # it waits whether there are more
    clock.advance(DROPS_QUIET_SECONDS)
    desk.lane.tick()
    wait_until(lambda: desk.stored == 101)
    rows = desk.outbox.waiting(1000, ()).result(5)
    told = json.loads(rows[-1].body)["data"]
    assert told["what"] == "dropped"
    assert told["dropped_count"] == desk.outbox.dropped == 100 - (len(rows) - 1)
    assert told["dropped_last"] < min(one.seq for one in rows)
    desk.lane.tick()  # nothing new: it is not told again
    assert desk.outbox.put(()).exception(5) is None
    assert desk.stored == 101
    desk.outbox.stop()


def test_drops_without_end_are_told_once_a_minute(tmp_path: Path) -> None:
    clock = SimulatedClock()
    desk = Desk(tmp_path, cap_bytes=30_000, clock=clock)
    events = 0
    for second in range(int(3 * DROPS_SECONDS)):
        for _ in range(3):
            desk.lane.handle(reading())
            events += 1
        assert desk.outbox.put(()).exception(5) is None
        desk.lane.tick()
        clock.advance(1)
        if second == int(DROPS_SECONDS) - 10:
            assert desk.stored == events
    wait_until(lambda: desk.stored > events)
    assert desk.stored - events <= 3
    desk.outbox.stop()


@pytest.mark.parametrize("seed", range(20))
def test_every_event_is_kept_confirmed_or_told_of(tmp_path: Path, seed: int) -> None:
    """Truth is a plain list of what was put and what the broker took."""
    chance = random.Random(seed)
    outbox = made(tmp_path / "events.db", CAP_BYTES // 4)
    wanted, taken, told, flying = list[Row](), set[str](), 0, list[Row]()
    for _ in range(chance.randint(50, 150)):
        step = chance.random()
        if step < 0.6:
            wanted += put(outbox, chance.randint(1, 4))
        elif step < 0.75:
            flying += outbox.waiting(5, {one.id for one in flying} | taken).result(5)
        elif step < 0.85 and flying:
            sent = [flying.pop(0).id for _ in range(chance.randint(1, len(flying)))]
            outbox.acked(sent, at=1.0).result(5)
            taken.update(sent)
        elif step < 0.95:
            for drops in outbox.take_drops().result(5):
                wanted.append(telling(outbox, drops))
                outbox.put([wanted[-1]]).result(5)
        else:
            outbox.stop()
            outbox, flying = made(tmp_path / "events.db", CAP_BYTES // 4), []
    last = outbox.take_drops().result(5)
    waiting = {one.id for one in outbox.waiting(1000, ()).result(5)}
    delivered = waiting | taken
    for one in wanted:
        data = json.loads(one.body)["data"]
        if one.id in delivered and data:
            told += data["dropped_count"]
    told += sum(drops.count for drops in last)
    assert len(wanted) == len(delivered) + told
    outbox.stop()
