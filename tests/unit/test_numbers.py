"""A number of a stream is used once, whatever the disk does between two lives of the agent."""

from pathlib import Path

from agent.store.outbox import Outbox
from tests.unit.sick_database import SickDatabase
from tests.waiting import wait_until


def box(path: Path) -> tuple[Outbox, SickDatabase]:
    database = SickDatabase(path)
    return Outbox(database, "alarm"), database


def pull_the_plug(outbox: Outbox) -> None:
    """End without giving numbers back, as a power cut does."""
    outbox.database.stop()


def test_numbers_taken_while_the_disk_is_full_are_not_used_again(tmp_path: Path) -> None:
    first, disk = box(tmp_path / "alarms.db")
    first.start()
    disk.full = True
    taken = [first.number() for _ in range(1000)]
    pull_the_plug(first)
    second, _ = box(tmp_path / "alarms.db")
    second.start()
    assert len(set(taken)) == 1000
    assert not {second.number() for _ in range(1000)} & set(taken)
    second.stop()


def test_numbers_taken_while_the_disk_hangs_are_not_used_again(tmp_path: Path) -> None:
    first, disk = box(tmp_path / "alarms.db")
    first.start()
    disk.may_work.clear()
    taken = [first.number() for _ in range(1000)]
    disk.full = True  # nothing of what waited reaches the disk
    disk.may_work.set()
    pull_the_plug(first)
    second, _ = box(tmp_path / "alarms.db")
    second.start()
    assert not {second.number() for _ in range(1000)} & set(taken)
    second.stop()


def test_a_store_that_opens_full_hands_out_numbers_of_its_own(tmp_path: Path) -> None:
    first, _ = box(tmp_path / "alarms.db")
    first.start()
    used = {first.number() for _ in range(300)}
    first.stop()
    second, disk = box(tmp_path / "alarms.db")
    disk.full = True
    second.start()
    used_again = {second.number() for _ in range(10)}
    assert not used_again & used
    disk.full = False
    used |= used_again | {second.number() for _ in range(10)}
    pull_the_plug(second)
    third, _ = box(tmp_path / "alarms.db")
    third.start()
    assert not {third.number() for _ in range(1000)} & used
    third.stop()


def test_a_new_store_that_opens_late_does_not_count_from_one_again(tmp_path: Path) -> None:
    first, disk = box(tmp_path / "alarms.db")
    disk.may_open.clear()
    first.start(timeout=0.05)
    before = [first.number() for _ in range(5)]
    disk.may_open.set()
    first.counts().result(5)
    after = [first.number() for _ in range(5)]
    assert len({*before, *after}) == 10
    first.stop()


def test_a_known_store_that_opens_late_goes_on_where_it_was(tmp_path: Path) -> None:
    first, _ = box(tmp_path / "alarms.db")
    first.start()
    used = {first.number() for _ in range(5)}
    first.stop()
    second, disk = box(tmp_path / "alarms.db")
    disk.may_open.clear()
    second.start(timeout=0.05)
    used |= {second.number()}
    disk.may_open.set()
    second.counts().result(5)
    wait_until(lambda: second.numbers.epoch == first.numbers.epoch)
    assert second.number() == (first.numbers.epoch, 6)
    second.stop()


def test_after_an_emergency_epoch_the_disk_learns_it_and_the_next_start_goes_on(
    tmp_path: Path,
) -> None:
    first, disk = box(tmp_path / "alarms.db")
    first.start()
    disk.full = True
    for _ in range(1000):
        first.number()
    disk.full = False
    first.number()
    first.counts().result(5)
    epoch, newest = first.number()
    first.stop()
    second, _ = box(tmp_path / "alarms.db")
    second.start()
    assert second.numbers.void is None
    assert second.number() == (epoch, newest + 1)
    second.stop()
