"""The composition root: knows every part, starts them in order and stops them in reverse."""

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import structlog

from agent.alarm_lane import AlarmLane
from agent.broker_login import NOBODY, broker_login
from agent.card_desk import CardDesk
from agent.clock import clock_quality
from agent.command_desk import CommandDesk
from agent.control.protocol import CommandError
from agent.control.server import ControlServer
from agent.control.verbs import verbs
from agent.county.commands import CommandGuard, public_key
from agent.county.contract import Event, State
from agent.county.event_data import AgentEventData
from agent.county.link import Link, counted
from agent.county.messages import Composer
from agent.county.publisher import STATUS_SECONDS, Publisher
from agent.county.site_status import SiteStatus
from agent.county.topics import Topics
from agent.credentials import Credentials
from agent.duties import duty_states
from agent.equipment import Equipment
from agent.findings import Cause, Verdict
from agent.guard import Guard
from agent.guard_post import GuardPost, signs_of
from agent.inventory import inventory, not_fitted
from agent.liveness import Liveness
from agent.loop import Loop
from agent.monitors.alarm import AlarmMonitor
from agent.published import FACT, Published
from agent.recall import recall
from agent.scheduler import Scheduler
from agent.self_report import SelfReport
from agent.settings import SiteSettings
from agent.settings_source import Loaded, SettingsSource
from agent.states import StateBoard
from agent.store import patrol_record
from agent.store.alarms import AlarmStore
from agent.store.checkpoints import Checkpoints
from agent.store.database import MAX_BYTES, Database
from agent.store.formats import ALARM_FORMATS, EVENT_FORMATS
from agent.store.outbox import Outbox
from agent.supervision import Supervision
from agent.watch_lane import WatchLane
from drivers.base import Clock
from drivers.readings import Reading

ALARM_TICK_SECONDS = 0.25
WATCH_TICK_SECONDS = 1.0
# Longer than any disk that works needs; nobody watches the buttons meanwhile.
STORE_SECONDS = 2.0
# What a reload waits for each loop to take the new settings.
RELOAD_SECONDS = 3.0

T = TypeVar("T")

log = structlog.get_logger()


class App:
    """One school's agent. `start` never waits long, whatever the disk, broker or devices do."""

    def __init__(
        self,
        site: SiteSettings,
        source: SettingsSource,
        loaded: Loaded,
        credentials: Credentials,
        clock: Clock,
        *,
        control_path: Path,
    ) -> None:
        """`site` are the settings that were `loaded` from `source`."""
        self.liveness = Liveness(clock)
        self._site = site
        self._source = source
        self._credentials = credentials
        self._clock = clock
        self._control_path = control_path
        self._left_out = loaded.left_out
        self._reloading = threading.Lock()
        self._stop_order: list[Callable[[], None]] = []
        folder = site.state.directory
        with contextlib.suppress(OSError):  # the stores say so themselves
            folder.mkdir(parents=True, exist_ok=True)
        self._scheduler = Scheduler(site.site.zone, self._missed_run)
        self._equipment = Equipment(site, credentials, clock, self._scheduler)
        login, login_problems = broker_login(site, credentials)
        self._problems = [*loaded.problems, *self._equipment.problems, *login_problems]

        alarms = self._database(folder / "alarms.db", ALARM_FORMATS)
        self._alarm_store = AlarmStore(alarms, cap_bytes=site.state.outbox_max_bytes)
        events = self._database(folder / "events.db", EVENT_FORMATS)
        cap = site.state.outbox_max_bytes
        self._events = Outbox(events, "event", cap_bytes=cap, beside=patrol_record.add)
        self._outboxes = outboxes = (self._alarm_store.outbox, self._events)
        topics = Topics(site.site.county, site.site.id)
        self._composer = Composer(topics, clock, partial(clock_quality, clock))
        self._status = SiteStatus(self._composer, outboxes, inventory(site), clock)
        self._status.certificate.change(login.tls if login else None)
        self._publisher = Publisher(
            site.broker.addresses if site.broker and login else (),
            login or NOBODY,
            self._composer,
            self._status,
            *outboxes,
            clock,
            self.liveness.beat("publisher"),
            status_seconds=site.broker.status_seconds if site.broker else STATUS_SECONDS,
        )
        self._board = StateBoard(clock)
        self._report = SelfReport(
            *outboxes,
            self.liveness,
            self._problems,
            clock.now(),
            self._status,
            last_good=str(loaded.last_good or ""),
        )
        self._report.can_be_acknowledged = site.can_be_acknowledged
        self._supervision = Supervision(
            self.liveness,
            clock,
            self._equipment,
            self._equipment.overdue,
            look=self._look_at_certificate,
        )
        self._status.problems = lambda: [code for code, _ in self._report.causes()]

    def start(self) -> None:
        """Stores first, then what delivers, then the loops, then the devices."""
        memory = self._alarm_store.start(timeout=STORE_SECONDS)
        self._stop_order.append(self._alarm_store.outbox.stop)
        self._events.start(timeout=STORE_SECONDS)
        self._stop_order.append(self._events.stop)
        checkpoints = Checkpoints([one.database.path for one in self._outboxes])
        checkpoints.start()
        self._stop_order.append(checkpoints.stop)
        told = self._restore(None)

        shared = (self._composer, self._publisher, self._board, self._clock)
        self._watch = WatchLane(
            self._equipment.monitors,
            self._events,
            *shared,
            self._own_states,
            self._equipment.remember,
            self._equipment.unsaved,
            self._published(told.get(FACT, "")),
            self._equipment.inspected,
            lambda: self._equipment.confirming,
        )
        self._stop_order.append(self._watch.keep_inspections)
        self._watch.announce(self._started())
        signs = Guard(signs_of(self._site))
        guard = GuardPost(signs, self._equipment.outputs, self._publisher)
        alarm = self._alarm = AlarmLane(
            AlarmMonitor(self._site.alarm_equipment, memory),
            self._alarm_store,
            *shared,
            announce=self._watch.announce,
            confirming=self._equipment.confirming,
            guard=guard,
        )
        self._publisher.on_taken, self._publisher.on_sent = alarm.taken, alarm.sent
        self._publisher.on_connected = partial(_all, self._board.forget_sent, alarm.connected)
        self._publisher.start()
        self._stop_order.append(self._publisher.stop)
        alarm_loop = self._loop("alarm", alarm.handle, alarm.tick, ALARM_TICK_SECONDS)
        streams = {"alarm": self._alarm_store.outbox, "event": self._events}
        self._cards = CardDesk(self._site, alarm, alarm_loop, self._watch.announce, self._clock)
        self._desk = CommandDesk(
            self._command_guard(self._site),
            self._composer.topics,
            alarm,
            alarm_loop,
            self._publisher,
            self._watch.announce,
            streams,
            self._say_all_again,
            lambda: self._report.diagnosis(self._board.newest()),
            self._clock,
        )
        self._publisher.on_command = self._desk.receive
        own = (self._board, self.reload, self._link, lambda: self._equipment.recorders)
        of_cameras = (self._equipment.learning.accept, self._equipment.thumbnails.of)
        known = (lambda: self._site.site, streams)
        understood = verbs(alarm, alarm_loop, *own, *of_cameras, *known)
        self._control = ControlServer(self._control_path, understood)
        self._control.start()
        if self._control.problem is not None:
            self._problems.append(self._control.problem)
        self._stop_order.append(self._control.stop)
        watch_loop = self._loop("watch", self._watch.handle, self._watch.tick, WATCH_TICK_SECONDS)
        self._alarm_loop, self._watch_loop = alarm_loop, watch_loop
        self._report.faults = lambda: [
            *sorted(self._watch.failed),
            *(f"{loop.name}: {what}" for loop in (alarm_loop, watch_loop) for what in loop.failed),
        ]
        self._report.cut_short = lambda: self._publisher.cut_short
        self._report.own_figures = lambda: self._supervision.figures
        self._report.hung = lambda: self._supervision.hung
        self._supervision.start()
        self._stop_order.append(self._supervision.stop)

        self._equipment.start("alarm", alarm_loop.post)
        self._equipment.start("watch", self._cards.passing(watch_loop.post))
        self._stop_order.append(self._equipment.stop)
        self._scheduler.start()
        self._stop_order.append(self._scheduler.stop)

    def in_short(self) -> dict[str, object]:
        """Return what a line about the whole agent says: buttons by verdict, the county."""
        verdicts = list(self._board.verdicts("button").values())
        return {
            "buttons": len(verdicts),
            "failing": sum(one is Verdict.FAIL for one in verdicts),
            "unknown": sum(one is Verdict.UNKNOWN for one in verdicts),
            "online": "yes" if self._publisher.connected else "no",
        }

    def _look_at_certificate(self) -> None:
        if self._status.certificate.look():
            self._publisher.say_again()

    def _link(self) -> Link:
        return Link(
            broker=self._publisher.address,
            protocol=self._status.protocol,
            trusted=self._publisher.trusted,
            detail=self._status.self_test_detail,
            cut_short=self._publisher.cut_short,
            outbox=counted(self._outboxes),
        )

    def stop(self) -> None:
        """Stop in reverse; one part that fails to stop does not keep the others."""
        while self._stop_order:
            step = self._stop_order.pop()
            try:
                step()
            except Exception:
                log.exception("stopping failed", component=str(step))

    def reload(self) -> Sequence[str]:
        """Take the site's file anew; return the names of the parts that were made anew.

        What is set as before goes on undisturbed, and the stores are not touched. Raises
        CommandError when the file is not fit to be used: then all goes on as it was.
        """
        if not self._reloading.acquire(blocking=False):
            raise CommandError("reload.busy")
        try:
            site = self._read_again()
            changed = self._change(site)
        except CommandError as error:
            # The county hears codes and figures; the sentence is for who asked.
            params = {name: value for name, value in error.params.items() if name != "detail"}
            self._tell("reload_refused", Cause(code=error.code, params=params))
            raise
        finally:
            self._reloading.release()
        self._tell("reloaded")
        return changed

    def _read_again(self) -> SiteSettings:
        loaded = self._source.again()
        if loaded.site is None:
            first, count = loaded.problems[0], len(loaded.problems)
            raise CommandError("reload.refused", count=count, detail=first)
        for name in ("county", "id", "timezone"):
            if getattr(loaded.site.site, name) != getattr(self._site.site, name):
                raise CommandError("reload.needs_restart", key=f"site.{name}")
        for name in ("state", "control"):
            if getattr(loaded.site, name) != getattr(self._site, name):
                raise CommandError("reload.needs_restart", key=name)
        return loaded.site

    def _change(self, site: SiteSettings) -> Sequence[str]:
        """Old devices stop, the loops learn of the new ones, then these start; alarms first."""
        prepared = self._equipment.prepare(site)
        self._equipment.take(prepared, "alarm")
        self._asked(
            self._alarm_loop,
            lambda: self._alarm.change(
                site.alarm_equipment,
                self._equipment.confirming,
                self._equipment.outputs,
                signs_of(site),
            ),
        )
        self._equipment.start("alarm", self._alarm_loop.post)
        told = self._asked(self._watch_loop, self._equipment.remember)
        self._equipment.take(prepared, "watch")
        self._restore(told)
        self._asked(self._watch_loop, lambda: self._watch.change(self._equipment.monitors))
        self._cards.change(site)
        self._equipment.start("watch", self._cards.passing(self._watch_loop.post))
        self._desk.change(self._command_guard(site))
        login, login_problems = broker_login(site, self._credentials)
        self._problems[:] = [*self._equipment.problems, *login_problems]
        self._site, self._left_out = site, frozenset()
        self._report.last_good = ""
        self._report.can_be_acknowledged = site.can_be_acknowledged
        self._status.inventory = inventory(site)
        self._status.certificate.change(login.tls if login else None)
        self._publisher.change(
            site.broker.addresses if site.broker and login else (),
            login or NOBODY,
            site.broker.status_seconds if site.broker else STATUS_SECONDS,
        )
        return prepared.changed

    def _asked(self, loop: Loop, question: Callable[[], T]) -> T | None:
        """Have a loop's own thread do it; one that hangs does it when it moves again."""
        try:
            return loop.ask(question).result(RELOAD_SECONDS)
        except FutureTimeoutError:
            log.error("loop does not take the new settings in time", component=loop.name)
            return None

    def _tell(self, what: Literal["reloaded", "reload_refused"], *causes: Cause) -> None:
        log.info("settings", component="run", what=what, why=[cause.params for cause in causes])
        data = AgentEventData(what=what, causes=causes)
        self._watch.announce(Event(subject="agent", time=self._clock.now(), data=data))

    def _command_guard(self, site: SiteSettings) -> CommandGuard:
        keys = {key.id: public_key(key.public) for key in site.county_key}
        identity = site.site
        allowed = site.commands.allowed
        return CommandGuard(identity.county, identity.id, keys, self._clock.now, allowed)

    def _say_all_again(self) -> None:
        self._board.forget_sent()
        self._publisher.say_again()

    def _database(self, path: Path, formats: Sequence[str]) -> Database:
        room = max(MAX_BYTES, 2 * self._site.state.outbox_max_bytes)
        beat = self.liveness.beat(f"store {path.stem}")
        return Database(path, formats, beat, max_bytes=room)

    def _loop(
        self,
        name: str,
        handle: Callable[[Reading], None],
        tick: Callable[[], None],
        seconds: float,
    ) -> Loop:
        loop = Loop(name, handle, tick, self._clock, self.liveness.beat(name), tick_seconds=seconds)
        loop.start()
        self._stop_order.append(loop.stop)
        return loop

    def _published(self, remembered: str) -> Published:
        complete = not self._left_out
        return Published(
            self._board, remembered, lambda: self._publisher.trusted, complete=complete
        )

    def _restore(self, told: Mapping[str, str] | None) -> Mapping[str, str]:
        """Give the new monitors what was known before them; without it they start afresh.

        `told` is what the old ones remember; None: the disk says. Returns all that is remembered.
        """
        known = recall(self._events.database, self._clock, told)
        try:
            self._equipment.restore(known.scans, known.facts)
        except Exception:
            log.exception("nothing restored: the monitors start afresh", component="journal")
        return known.facts

    def _own_states(self) -> list[State]:
        duties = duty_states(self._board.verdicts, not_fitted(self._site), self._left_out)
        return [self._report.state(), *duties]

    def _started(self) -> Event:
        void = self._events.numbers.void or (None, None)
        data = AgentEventData(what="started", void_from=void[0], void_to=void[1])
        return Event(subject="agent", time=self._clock.now(), data=data)

    def _missed_run(self, job: str) -> None:
        cause = Cause(code="agent.missed_run", params={"job": job})
        data = AgentEventData(what="missed_run", causes=(cause,))
        self._watch.announce(Event(subject="agent", time=self._clock.now(), data=data))


def _all(*calls: Callable[[], None]) -> None:
    for call in calls:
        call()
