"""Random lives of a gatehouse: what the alarm path says against what its oracle says."""

import contextlib
import copy
import json
import random
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from agent import alarm_lane
from agent.alarm_lane import AlarmLane
from agent.county.commands import AckData
from agent.county.messages import Composer
from agent.county.publisher import Publisher
from agent.county.topics import Topics
from agent.guard import Guard, Signs
from agent.guard_post import GuardPost
from agent.monitors.alarm import AlarmMonitor
from agent.monitors.incidents import AlarmRefusedError
from agent.policy import AlarmEquipment, AlarmInputs, GuardPolicy, WiredButton
from agent.states import StateBoard
from agent.store.alarms import AlarmStore
from agent.store.outbox import Row
from drivers.readings import ContactsReading, Outage, Reason
from tests.simulated_clock import SimulatedClock
from tests.unit.alarm_oracle import Oracle
from tests.unit.sick_database import SickDatabase

NAMES = ["gate", "office", "dorm"]
LATCHING = {"dorm"}
SITE = AlarmEquipment(
    modules=(
        AlarmInputs(
            id="io",
            buttons=tuple(
                WiredButton(
                    id=name, name=name, input=number, wiring="no", latching=name in LATCHING
                )
                for number, name in enumerate(NAMES)
            ),
        ),
    )
)
# A press takes this long, so that no button ever comes to chatter.
PRESS_SECONDS = 7
SILENT_AFTER_SECONDS = 1.5
# What of the oracle a power cut does not take back.
OUTSIDE = {"mono", "wall", "said", "disk"}


class Listener:
    """Stands in for the publisher."""

    trusted = False

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.positions: dict[str, str] = {}

    def offer(self, row: Row) -> None:
        if not row.again:
            self.rows.append(row)

    def offer_states(self, rows: list[Row]) -> None:
        for row in rows:
            kind, name = row.topic.split("/")[-2:]
            if kind == "button":
                self.positions[name] = json.loads(row.body)["data"]["position"]


def no_guard(publisher: object) -> GuardPost:
    """Return a guard post without lamps."""
    guard = Guard(Signs(GuardPolicy(), (), can_be_acknowledged=True))
    return GuardPost(guard, {}, cast(Publisher, publisher))


class Gatehouse:
    """The agent's alarm path on a real store, and its oracle; every act is done to both."""

    def __init__(self, directory: Path) -> None:
        self.clock = SimulatedClock()
        self.oracle = Oracle(NAMES, LATCHING)
        self.oracle.wall = self.clock.now().timestamp()
        self.oracle.mono = self.clock.monotonic()
        self.disk = SickDatabase(directory / "alarms.db")
        self.listener = Listener()
        self.levels = dict.fromkeys(NAMES, False)
        self.plugged = True
        self._start()

    def _start(self) -> None:
        self.store = AlarmStore(self.disk)
        memory = self.store.start()
        self.lane = AlarmLane(
            AlarmMonitor(SITE, memory),
            self.store,
            Composer(Topics("county", "school"), self.clock, lambda: "ntp"),
            cast(Publisher, self.listener),
            StateBoard(self.clock),
            self.clock,
            announce=lambda _: None,
            confirming={},
            guard=no_guard(self.listener),
        )
        self._committed()
        self.started = self.oracle.mono

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass; the module is polled at every step."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.oracle.mono += step
            self.oracle.wall += step
            if self.plugged:
                reading = ContactsReading(
                    device_id="io",
                    observed_at=self.clock.now(),
                    inputs=tuple(self.levels.values()),
                    reply_seconds=0.02,
                )
                self.lane.handle(reading)
                self.oracle.reply(self.levels)
            elif self.oracle.mono - self.started > SILENT_AFTER_SECONDS:
                self.oracle.lost()
            self.lane.tick()
            if self.oracle.window[0] and (
                self.oracle.mono >= self.oracle.window[1]
                or self.oracle.wall >= self.oracle.window[2]
            ):
                self.oracle.end()
            for name in NAMES:
                self.oracle.still_held(name)
            self._committed()

    def act(self, act: str, name: str, number: float) -> None:
        """Do one thing to both."""
        match act:
            case "press" | "release":
                self.levels[name] = act == "press"
                self.pass_time(PRESS_SECONDS)
            case "flick":
                self.levels[name] = True
                self.pass_time(0.1, 0.1)
                self.levels[name] = False
                self.pass_time(PRESS_SECONDS)
            case "wait":
                self.pass_time(60 * number, 2.0)
            case "unplug":
                self.plugged = False
                outage = Outage(
                    device_id="io", observed_at=self.clock.now(), reason=Reason.PORT_LOST
                )
                self.lane.handle(outage)
                self.oracle.lost()
            case "plug":
                self.plugged = True
            case "jump":
                self.clock.jump(3600 * (number - 0.5))
                self.oracle.wall += 3600 * (number - 0.5)
            case "disk":
                self._set_disk(full=number < 0.5)
            case "restart":
                self._restart()
            case _:
                self._do_of_people(act, name, number)
        self._committed()

    def _do_of_people(self, act: str, name: str, number: float) -> None:
        match act:
            case "reset":
                self._reset(name)
            case "acknowledge":
                incident = self.oracle.case.get(name, (999, 0))[0]
                ack = AckData(incident=incident, epoch=self.store.outbox.numbers.epoch)
                self.lane.acknowledge(ack, by="key")
            case "window":
                self._open({name, NAMES[0]} if number < 0.5 else {name}, 14.8 * number + 0.1)
            case "end":
                self._end()

    def compare(self) -> None:
        """Raise AssertionError at the first difference."""
        told = [_said(row) for row in self.listener.rows]
        said = [one for one in told if one[0] not in ("started", "test_started", "acknowledged")]
        expected = self.oracle.said
        assert said == expected, f"{said[-4:]} and not {expected[-4:]}"
        ids = [row.id for row in self.listener.rows]
        assert len(set(ids)) == len(ids)
        for name, position in self.listener.positions.items():
            if self.oracle.state == "lost":
                assert position == "trouble"
            elif self.oracle.state == "up":
                assert position == ("pressed" if self.oracle.on[name] else "rest")
            else:
                assert position == "unknown"

    def stop(self) -> None:
        """End."""
        self.disk.heal()
        self.store.outbox.stop()

    def _set_disk(self, *, full: bool) -> None:
        self.disk.full = full
        self.oracle.disk = not full
        if not full:
            self.store.save((), self.lane._monitor.memory).result(5)

    def _reset(self, name: str) -> None:
        if self.oracle.state == "up" and name in self.oracle.case and not self.oracle.on[name]:
            self.oracle.say("closed", name)
            del self.oracle.case[name]
        with contextlib.suppress(AlarmRefusedError):  # what is told shows whether it was right
            self.lane.reset(name, by="uid:0", reason="")

    def _open(self, names: set[str], minutes: float) -> None:
        may = not self.oracle.window[0] and not any(
            one in self.oracle.case or self.oracle.on.get(one) for one in names
        )
        try:
            self.lane.start_test(sorted(names), by="t", minutes=minutes)
        except AlarmRefusedError:
            assert not may
            return
        assert may
        seconds = timedelta(minutes=minutes).total_seconds()
        self.oracle.window = (names, self.oracle.mono + seconds, self.oracle.wall + seconds)
        self.oracle.counts = {}

    def _end(self) -> None:
        try:
            self.lane.end_test(by="t")
        except AlarmRefusedError:
            assert not self.oracle.window[0]
            return
        self.oracle.end()

    def _restart(self) -> None:
        """As a power cut would: what is not on disk is gone."""
        self._committed()
        self.disk.stop()
        full = self.disk.full
        self.disk = SickDatabase(self.disk.path)
        self.disk.full = full
        self.oracle.__dict__.update(copy.deepcopy(self.saved))
        self.oracle.state, self.oracle.low = "unheard", {}
        self.oracle.unheard = set(NAMES)
        self.listener.positions = {}
        self._start()
        self.lane.tick()
        if self.oracle.window[0]:
            self.oracle.end()

    def _committed(self) -> None:
        if self.oracle.disk:
            remembered = {
                name: what for name, what in vars(self.oracle).items() if name not in OUTSIDE
            }
            self.saved = copy.deepcopy(remembered)


ACTS = (
    *("press", "release") * 4,
    *("flick", "wait", "unplug", "plug", "plug", "jump", "disk", "disk", "reset", "reset"),
    *("acknowledge", "window", "window", "end", "restart"),
)


def live(seed: int, acts: int = 25) -> list[tuple[str, str, float]]:
    """Live one random life and compare after every act; return what was done."""
    chance = random.Random(seed)
    done: list[tuple[str, str, float]] = []
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        # These disks are full or well, never slow: a busy machine of the test's is not the subject.
        patch.setattr(alarm_lane, "COMMIT_SECONDS", 5.0)
        house = Gatehouse(Path(directory))
        try:
            for _ in range(acts):
                act = (chance.choice(ACTS), chance.choice(NAMES), chance.random())
                done.append(act)
                house.act(*act)
                try:
                    house.compare()
                except AssertionError as error:
                    raise AssertionError(f"seed {seed}: {done}: {error}") from error
        finally:
            house.stop()
    return done


def _said(row: Row) -> tuple[Any, ...]:
    body = json.loads(row.body)
    data = body["data"]
    press = data["press"] if data["what"] == "press" else None
    return (
        data["what"], body["subject"], data["incident"], press, body["test"], row.durable,
    )  # fmt: skip
