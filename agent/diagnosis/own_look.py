"""Looks at the devices itself, where no agent runs: opened once, watched briefly, let go."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from pydantic import ValidationError

from agent.county.contract import State as Told
from agent.credentials import Credentials
from agent.diagnosis.look import State
from agent.equipment import Equipment
from agent.findings import Cause
from agent.monitors import Instant, Monitor
from agent.monitors.alarm import AlarmMonitor
from agent.monitors.alarm_memory import AlarmMemory
from agent.scheduler import Scheduler
from agent.settings import SiteSettings
from agent.store.numbers import read_meta
from drivers.base import Clock
from drivers.readings import Reading

# The longest that is waited for a device, and what it needs to say all of itself.
LOOK_SECONDS = 48.0
SETTLED_SECONDS: Mapping[str, float] = {"recorder": 2.0}
OTHERS_SETTLED_SECONDS = 0.5
POLL_SECONDS, REPLY_SECONDS = 2.0, 5.0
TURN_SECONDS = 0.2
_UNSETTLED = frozenset({"unknown.not_yet", "camera.unconfirmed"})
# What only one who watched for long can tell.
_LONG_WATCHED = frozenset({"patrol", "post", "agent", "duty", "test-window", "output"})
_AT_ONCE: dict[str, Any] = {
    "raise_after": 1,
    "clear_after": 1,
    "view_checks": 1,
    "slow_checks": 1,
    "recheck_seconds": 0,
    "thumbnail_hours": 0,
}


class OwnLook:
    """Opens nothing before it is asked for a device; whatever hangs, an answer comes in time.

    The devices are opened and judged by the agent's own parts, so a login that was refused before
    is not tried again, and an alarm receiver is never answered: it tells the agent once more.
    """

    pid: int | None = None
    running = False

    def __init__(
        self, site: SiteSettings, credentials: Credentials, clock: Clock, silence: Cause
    ) -> None:
        self.silence: Cause | None = silence
        self.left_out: frozenset[str] = frozenset()
        self._site = hasty(site)
        self._readers = frozenset(reader.id for reader in self._site.nfc_reader)
        self._credentials = credentials
        self._clock = clock
        self._lock = threading.Lock()
        self._news = threading.Condition()
        self._states: dict[tuple[str, str], State] = {}
        self._settled: dict[tuple[str, str], float] = {}
        self._until = 0.0
        self._equipment: Equipment | None = None
        self._ending = threading.Event()

    def state(self, kind: str, device: str) -> State | None:
        """Return the state once it is settled, or as it is when its time is over."""
        if kind in _LONG_WATCHED or (kind == "reader" and device not in self._readers):
            return None
        self._start()
        if device in self.left_out:
            return None
        key = (kind, device)
        with self._news:
            while not self._is_settled(key) and self._clock.monotonic() < self._until:
                self._news.wait(TURN_SECONDS)
            return self._states.get(key)

    def login(self, recorder: str) -> Mapping[str, Any] | None:
        """Return how a recorder's login stands."""
        self._start()
        part = self._equipment.recorders.get(recorder) if self._equipment is not None else None
        return None if part is None else part.shown()

    def outbox(self) -> Mapping[str, int] | None:
        """Return nothing: the stores say it themselves."""
        return None

    def close(self) -> None:
        """Let go of every device; what was written in the state directory is the service's."""
        self._ending.set()
        with self._lock:
            equipment, self._equipment = self._equipment, None
        if equipment is not None:
            equipment.stop()
            give_back(self._site.state.directory)

    def _is_settled(self, key: tuple[str, str]) -> bool:
        if key[0] == "recording":
            return True  # asked for after its recorder
        since = self._settled.get(key)
        wait = SETTLED_SECONDS.get(key[0], OTHERS_SETTLED_SECONDS)
        return since is not None and self._clock.monotonic() - since >= wait

    def _start(self) -> None:
        with self._lock:
            if self._equipment is not None or self._ending.is_set():
                return
            self._until = self._clock.monotonic() + LOOK_SECONDS
            with contextlib.suppress(OSError):
                # As the agent does: without it no login could be counted, so none is tried.
                self._site.state.directory.mkdir(parents=True, exist_ok=True)
            scheduler = Scheduler(self._site.site.zone, lambda _: None)  # never started: no survey
            equipment = Equipment(self._site, self._credentials, self._clock, scheduler)
            self.left_out = _left_out(self._site, equipment)
            self._equipment = equipment
            alarm = AlarmMonitor(
                self._site.alarm_equipment, alarm_memory(self._site.state.directory)
            )
            readings: SimpleQueue[Reading] = SimpleQueue()
            monitors: Sequence[Monitor] = [alarm, *equipment.monitors]
            threading.Thread(target=self._watch, args=(readings, monitors), daemon=True).start()
            equipment.start("alarm", readings.put)
            equipment.start("watch", readings.put)

    def _watch(self, readings: "SimpleQueue[Reading]", monitors: Sequence[Monitor]) -> None:
        shown_at = 0.0
        while not self._ending.is_set():
            with contextlib.suppress(Empty):
                reading = readings.get(timeout=TURN_SECONDS)
                for monitor in monitors:
                    monitor.observe(reading, self._now())
            if self._clock.monotonic() - shown_at >= TURN_SECONDS:
                now = self._now()
                for monitor in monitors:
                    monitor.tick(now)
                self._show([state for monitor in monitors for state in monitor.states(now)])
                shown_at = self._clock.monotonic()

    def _show(self, states: Sequence[Told]) -> None:
        now = self._clock.monotonic()
        with self._news:
            for state in states:
                key = (state.data.kind, state.id)
                self._states[key] = state.data.model_dump(mode="json")
                if any(cause.code in _UNSETTLED for cause in state.data.causes):
                    self._settled.pop(key, None)
                else:
                    self._settled.setdefault(key, now)
            self._news.notify_all()

    def _now(self) -> Instant:
        return Instant(self._clock.now(), self._clock.monotonic())


def hasty(site: SiteSettings) -> SiteSettings:
    """Return the settings for a brief look: one check is enough, and recorders are asked often.

    Wands are left to the agent: their files are read once, and their tours are in them.
    """
    recorders = tuple(
        one.model_copy(
            update={
                "poll_seconds": min(one.poll_seconds or POLL_SECONDS, POLL_SECONDS),
                "reply_timeout_seconds": min(one.reply_timeout_seconds, REPLY_SECONDS),
            }
        )
        for one in site.recorder
    )
    return site.model_copy(
        update={
            "recorder": recorders,
            "nfc_reader": tuple(one for one in site.nfc_reader if one.driver != "wand"),
            "pictures": site.pictures.model_copy(update=_AT_ONCE),
            "cameras": site.cameras.model_copy(update={"round_seconds": 3600.0}),
        }
    )


def alarm_memory(state_directory: Path) -> AlarmMemory:
    """Return what the agent that runs no more knew of the buttons; nothing, where it cannot say."""
    place = state_directory / "alarms.db"
    with contextlib.suppress(OSError, sqlite3.Error, ValidationError):
        if place.exists():
            address = f"file:{place}?mode=ro"
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=2)) as db:
                kept = str(read_meta(db, "alarm_memory", "{}"))
                return AlarmMemory.model_validate_json(kept, extra="ignore")
    return AlarmMemory()


def give_back(directory: Path) -> None:
    """Give what root wrote there to whom the directory belongs: the service must read it."""
    with contextlib.suppress(OSError):
        owner = directory.stat()
        if os.geteuid() != 0 or owner.st_uid == 0:
            return
        for place in directory.rglob("*"):
            if place.lstat().st_uid == 0:
                os.chown(place, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _left_out(site: SiteSettings, equipment: Equipment) -> frozenset[str]:
    named = {problem.split(":", 1)[0] for problem in equipment.problems}
    for recorder in site.recorder:
        if recorder.id in named:
            named |= {channel.id for channel in recorder.channel}
    return frozenset(named)
