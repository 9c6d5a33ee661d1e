"""The guard's signs behind the real alarm lane and store, across restarts."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.county.commands import AckData
from agent.monitors.alarm_memory import ButtonMemory
from agent.store.outbox import Row
from tests.unit.test_alarm_lane import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.disk.heal()
    desk.store.outbox.stop()


def stage(desk: Desk, button: str = "gate") -> str:
    return desk.post.stages[button]


def presses(desk: Desk) -> list[Row]:
    return [row for row in desk.counter.rows if json.loads(row.body)["data"]["what"] == "press"]


def acknowledged(desk: Desk) -> None:
    ack = AckData(incident=1, epoch=desk.store.outbox.numbers.epoch)
    assert desk.lane.acknowledge(ack, by="key:desk") == "command.done"
    assert stage(desk) == "acknowledged"


def test_after_a_restart_the_incident_counts_as_sent_once_it_is_announced_again(
    desk: Desk, tmp_path: Path
) -> None:
    desk.reply(True)
    desk.lane.sent(presses(desk)[0].id)
    desk.store.outbox.stop()
    again = Desk(tmp_path)
    again.lane.tick()
    assert stage(again) == "recorded"
    (said_again,) = presses(again)
    assert said_again.again
    again.lane.sent(said_again.id)
    again.lane.tick()
    assert stage(again) == "sent"
    again.store.outbox.stop()


def test_the_lamp_is_asked_only_when_it_changes_and_goes_out_with_the_incident(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(desk.lamps, "set_output", lambda _, *, on: asked.append(on))
    desk.reply(False)
    desk.lane.tick()
    assert asked == [False]
    desk.reply(True)
    acknowledged(desk)
    lit = asked[-1]
    count = len(asked)
    desk.lane.tick()
    desk.lane.tick()
    assert (lit, len(asked)) == (True, count)
    desk.monitor.memory.buttons["gate"].active = False
    desk.lane.reset("gate", by="uid:0", reason="")
    assert stage(desk) == "off"
    assert asked[-1] is False


def test_a_press_that_is_only_counted_after_an_acknowledgement_is_announced_at_once(
    desk: Desk,
) -> None:
    desk.reply(True)
    for _ in range(15):
        desk.monitor.incidents.press("gate", desk.lane._now())
        desk.monitor.memory.buttons["gate"].active = False
    desk.reply(False)
    desk.lane.tick()
    acknowledged(desk)
    desk.lane.tick()
    before = len(presses(desk))
    desk.reply(True)
    desk.lane.tick()
    assert stage(desk) == "recorded"
    assert [row.again for row in presses(desk)[before:]] == [True]


def test_a_button_the_site_no_longer_has_calls_nobody_to_the_telephone(tmp_path: Path) -> None:
    """Its incident stays remembered, and no command could ever close it."""
    desk = Desk(tmp_path)
    desk.monitor.memory.buttons["removed"] = ButtonMemory(incident=7)
    desk.lane.tick()
    assert "removed" not in desk.post.stages
    desk.store.outbox.stop()
