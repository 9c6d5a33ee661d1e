"""Events come to the disk in the order of their numbers, whichever thread they are of."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.county.contract import Event
from agent.county.event_data import CameraEventData
from agent.findings import Verdict
from tests.unit.test_faults_of_ours import CLOCK, Desk

OTHER_SECONDS = 0.3


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.outbox.stop()


def event(name: str) -> Event:
    data = CameraEventData(what="cleared", camera="c", verdict=Verdict.OK)
    return Event(subject=name, time=CLOCK.now(), data=data)


def stored(desk: Desk) -> list[int]:
    """Return the numbers in the order in which they came to the disk."""
    return desk.outbox.database.submit(
        lambda db: [seq for (seq,) in db.execute("SELECT seq FROM came ORDER BY rowid")]
    ).result(5)


def test_numbers_come_to_the_disk_in_their_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between two commits must not take the smaller number and leave the larger."""
    desk.outbox.database.submit(
        lambda db: db.executescript(
            "CREATE TABLE came(seq);"
            "CREATE TRIGGER comes AFTER INSERT ON message"
            " BEGIN INSERT INTO came VALUES(new.seq); END"
        )
    ).result(5)
    taken, others = desk.outbox.number, threading.Event()

    def slow() -> tuple[str, int]:
        """Take a number, and be kept from going on until another thread has delivered."""
        number = taken()
        if number[1] == 1:
            others.wait(OTHER_SECONDS)
        return number

    monkeypatch.setattr(desk.outbox, "number", slow)
    first = threading.Thread(target=desk.lane.announce, args=[event("first")])
    first.start()
    second = threading.Thread(target=desk.lane.announce, args=[event("second")])
    second.start()
    second.join(5 * OTHER_SECONDS)
    others.set()
    first.join(5)
    assert stored(desk) == [1, 2]
