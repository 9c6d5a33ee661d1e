"""What a site has: its drivers, the threads that own them, and the monitors that judge them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from pydantic import ValidationError

from agent.camera_rounds import CameraRounds, Target
from agent.credentials import CredentialError, Credentials
from agent.devices import Post
from agent.inventory import cameras, retention_channels
from agent.monitors import Instant, Monitor
from agent.monitors.camera_board import CameraBoard
from agent.monitors.cameras import CamerasMonitor
from agent.monitors.host import HostMonitor
from agent.monitors.inspection import Inspection
from agent.monitors.ledger import Ledgers
from agent.monitors.patrol import PatrolMonitor
from agent.monitors.police_link import PoliceLinkMonitor
from agent.monitors.readers import WatchedTime
from agent.monitors.retention import RetentionMonitor
from agent.parts import HOST, LoopName, Made, Plan, device_plans, reader_plan, wand_plan
from agent.picture_learning import PictureLearning
from agent.policy import PicturePolicy
from agent.recorders import RecorderPart
from agent.scheduler import Scheduler
from agent.settings import SiteSettings
from agent.store.sun_counters import FileCounters
from agent.store.wand_memory import FileWandMemory
from agent.thumbnails import Thumbnails
from drivers.any_reading import AnyReading
from drivers.base import Clock, Confirming, OutputDriver
from drivers.readings import Reading, ScanReading
from drivers.stream_target import PlaybackTarget
from drivers.stream_workers import StreamWorkers

ROUNDS_UNTIL_STALE = 3
LEAST_MAX_AGE_SECONDS = 60.0
WATCHED_TIME = "patrol_watched"
HABITS = "camera_habits"
SUN_COUNTERS = "sun_counters.json"

log = structlog.get_logger()


@dataclass
class _Running:
    plan: Plan
    made: Made
    started: bool = False


@dataclass
class _Judge:
    key: object
    monitor: Monitor
    restored: bool = False


@dataclass(frozen=True)
class Prepared:
    """What a site's settings ask for, and which of it is not as it was."""

    plans: Mapping[str, Plan]
    judges: Mapping[str, _Judge]
    problems: Sequence[str]
    changed: Sequence[str]


class Equipment:
    """Everything that measures and judges; `problems` names what could not be made, and why.

    New settings are taken in three steps, so that no port is without an owner for longer than it
    takes to open it: `prepare` plans, `take` stops what is gone and makes what is new, `start`
    starts it.
    """

    def __init__(
        self, site: SiteSettings, credentials: Credentials, clock: Clock, scheduler: Scheduler
    ) -> None:
        self.problems: list[str] = []
        self._credentials = credentials
        self._clock = clock
        self._scheduler = scheduler
        self._counters = FileCounters(site.state.directory / SUN_COUNTERS)
        self._parts: dict[str, _Running] = {}
        self._judges: dict[str, _Judge] = {}
        self._workers = StreamWorkers(clock)
        self._ledgers = Ledgers()
        references = site.state.directory / "references"
        self._board = CameraBoard()
        self.learning = PictureLearning(references, site.site.zone, clock, self._board)
        self.thumbnails = Thumbnails(site.state.directory / "thumbnails", self._board, clock)
        prepared = self.prepare(site)
        self.take(prepared, "alarm")
        self.take(prepared, "watch")

    def prepare(self, site: SiteSettings) -> Prepared:
        """Plan what the settings ask for; nothing starts or stops."""
        problems: list[str] = []
        plans = {plan.name: plan for plan in self._plans(site, problems)}
        same = {
            name
            for name, one in self._parts.items()
            if name in plans and plans[name].key == one.plan.key
        }
        changed = sorted((plans.keys() | self._parts.keys()) - same)
        return Prepared(plans, self._made_monitors(site), problems, changed)

    def take(self, prepared: Prepared, loop: LoopName) -> None:
        """Stop what is gone of what feeds this loop, then make what is new.

        In this order, because a recorder's login budget has one owner at a time.
        """
        changed = set(prepared.changed)
        ours = [name for name, one in self._parts.items() if one.plan.loop == loop]
        self._stop([name for name in ours if name in changed])
        if loop == "alarm":  # it comes first
            self.problems = [*prepared.problems]
        for name, plan in prepared.plans.items():
            if plan.loop == loop and name in changed:
                try:
                    self._parts[name] = _Running(plan, plan.make())
                except Exception as error:
                    # A fault of ours: it costs this part alone, never the button.
                    log.exception("part not made", component=name)
                    self.problems.append(f"{name}: {type(error).__name__}")
        if loop == "watch":
            self._judges = dict(prepared.judges)

    @property
    def monitors(self) -> Sequence[Monitor]:
        """Return the monitors of all but the alarm."""
        return [judge.monitor for judge in self._judges.values()]

    @property
    def confirming(self) -> Mapping[str, Confirming]:
        """Return the drivers that wait to hear that what they handed over is on disk, by device."""
        made = [one.made for one in list(self._parts.values())]
        return {device: driver for one in made for device, driver in one.confirming.items()}

    @property
    def outputs(self) -> Mapping[str, OutputDriver]:
        """Return the drivers of lamps and buzzers, by module."""
        made = [one.made for one in self._parts.values()]
        return {module: driver for one in made for module, driver in one.outputs.items()}

    @property
    def recorders(self) -> Mapping[str, RecorderPart]:
        """Return the recorders, by device."""
        made = [one.made.part for one in list(self._parts.values())]
        return {part.device_id: part for part in made if isinstance(part, RecorderPart)}

    def start(self, loop: LoopName, post: Post) -> None:
        """Start what feeds this loop and does not run yet; returns at once."""
        for one in self._parts.values():
            if one.plan.loop == loop and not one.started:
                one.started = True
                one.made.part.start(post)

    def stop(self) -> None:
        """Ask all to stop, then wait for each."""
        self._stop(list(self._parts))

    def overdue(self) -> Mapping[str, float]:
        """Return for every part how long its driver has overrun a deadline, in seconds."""
        return {
            name: one.made.part.overdue_seconds()
            for name, one in list(self._parts.items())
            if one.started
        }

    @property
    def worker_restarts(self) -> int:
        """Return how often a camera worker has been replaced."""
        return self._workers.restarts

    def restart_workers(self) -> None:
        """End the camera workers; the next probes start new ones."""
        self._workers.end_all()

    def unsaved(self) -> Mapping[str, str]:
        """Return what must be stored at once with what it led to, by name."""
        return self._ledgers.take_unsaved()

    def inspected(self) -> Sequence[Inspection]:
        """Return what was seen of the cameras since it was last asked for."""
        monitor = self._judges["cameras"].monitor
        return monitor.take_inspections() if isinstance(monitor, CamerasMonitor) else ()

    def remember(self) -> Mapping[str, str]:
        """Return what the monitors must know after a restart, by name."""
        cameras = self._judges["cameras"].monitor
        habits = {HABITS: cameras.habits()} if isinstance(cameras, CamerasMonitor) else {}
        watched = self._patrol.watched_time(self._now()).model_dump_json()
        return {WATCHED_TIME: watched, **habits}

    def restore(self, scans: Sequence[AnyReading], told: Mapping[str, str]) -> None:
        """Give the monitors that are new what was journalled and remembered before them."""
        now = self._now()
        new = {name for name, judge in self._judges.items() if not judge.restored}
        for judge in self._judges.values():
            judge.restored = True
        if "patrol" in new:
            watched = told.get(WATCHED_TIME)
            self._patrol.restore(
                [one for one in scans if isinstance(one, ScanReading)],
                now,
                _watched_time(watched),
            )
        cameras = self._judges["cameras"].monitor
        if "cameras" in new and isinstance(cameras, CamerasMonitor) and HABITS in told:
            cameras.restore(told[HABITS])
        retention = self._judges["retention"].monitor
        if "retention" in new and isinstance(retention, RetentionMonitor):
            self._ledgers.restore(told)
            retention.restored(now)

    @property
    def _patrol(self) -> PatrolMonitor:
        monitor = self._judges["patrol"].monitor
        assert isinstance(monitor, PatrolMonitor)  # noqa: S101 - made below, under this name
        return monitor

    def _stop(self, names: Sequence[str]) -> None:
        parts = [self._parts.pop(name) for name in reversed(names)]
        running = [one.made.part for one in parts if one.started]
        for part in running:
            part.ask_to_stop()
        for part in running:
            part.stop()

    def _plans(self, site: SiteSettings, problems: list[str]) -> Iterator[Plan]:
        yield from device_plans(site, self._clock)
        for reader in site.nfc_reader:
            if reader.driver == "wand":
                kept = FileWandMemory(site.state.directory / f"wand-{reader.id}.json")
                yield wand_plan(reader, site.site.zone, kept, self._clock)
                continue
            try:
                given = reader.sun_keys
                keys = self._credentials.sun_keys(given) if given is not None else None
            except CredentialError as error:
                # Read without them a copy would pass for the tag.
                problems.append(f"{reader.id}: {error}")
                continue
            yield reader_plan(reader, keys, self._counters, self._clock)
        recorders = []
        for recorder in site.recorder:
            try:
                password = self._credentials.resolve(recorder.password)
            except CredentialError as error:
                # A bad secret costs its recorder alone.
                problems.append(f"{recorder.id}: {error}")
                continue
            make = partial(
                RecorderPart,
                recorder,
                password,
                site.state.directory,
                site.site.zone,
                site.retention,
                self._ledgers,
                self._clock,
                self._scheduler,
                self._play_back,
            )
            key = (recorder, password, site.retention)
            recorders.append(key)
            yield Plan(f"recorder {recorder.id}", key, "watch", lambda make=make: Made(make()))  # type: ignore[misc]
        rounds = (site.cameras, site.pictures, tuple(recorders))
        # The last of all: it opens the streams of the recorders that are there by then.
        yield Plan(
            "cameras",
            rounds,
            "watch",
            partial(self._rounds, site.cameras.round_seconds, site.pictures),
        )

    def _rounds(self, round_seconds: float, policy: PicturePolicy) -> Made:
        recorders = [one.made.part for one in self._parts.values()]
        probes = [
            probe for one in recorders if isinstance(one, RecorderPart) for probe in one.probes()
        ]
        self._workers = StreamWorkers(self._clock)
        rounds = CameraRounds(
            probes,
            self._workers,
            self._clock,
            round_seconds=round_seconds,
            prepared=partial(self._prepared, policy, round_seconds / 2),
            tidy=lambda: self.thumbnails.tidy(policy.thumbnail_hours),
            in_question=lambda: self._board.in_question,
            recheck_seconds=policy.recheck_seconds,
            rechecks=max(policy.raise_after, policy.view_checks) - 1,
        )
        return Made(rounds)

    def _prepared(self, policy: PicturePolicy, still_seconds: float, target: Target, /) -> Target:
        """Say what is to be learned of the next picture of a camera, and kept of it."""
        camera = target.device_id
        task = self.learning.task(camera, policy, still_seconds=still_seconds)
        thumbnail = self.thumbnails.wanted(camera, policy.thumbnail_hours)
        return target.model_copy(update={"reference": task, "thumbnail": thumbnail})

    def _play_back(self, target: PlaybackTarget, deadline: float) -> Sequence[Reading]:
        """Play a recording in the workers there are by then."""
        return self._workers.play_back(target, deadline)

    def _made_monitors(self, site: SiteSettings) -> Mapping[str, _Judge]:
        zone = site.site.zone
        readers = [reader.id for reader in site.nfc_reader]
        docks = {one.id: one.upload_hours for one in site.nfc_reader if one.driver == "wand"}
        recorders = {one.id: one.polled_every_seconds for one in site.recorder}
        channels = [each for recorder in site.recorder for each in retention_channels(recorder)]
        links = {one.id: one.police_link for one in site.recorder if one.police_link is not None}
        linked = {
            one.id: {each.id: each.police_id for each in one.channel if each.key_area}
            for one in site.recorder
        }
        watched = cameras(site)
        max_age = max(ROUNDS_UNTIL_STALE * site.cameras.round_seconds, LEAST_MAX_AGE_SECONDS)
        wanted: dict[str, tuple[object, Callable[[Monitor | None], Monitor]]] = {
            "host": (site.host, lambda _: HostMonitor(HOST, site.host)),
            "patrol": (
                (
                    (readers, docks, site.checkpoint, site.guard_card),
                    (site.post, site.patrol, site.calendar, site.round),
                    site.guard_at_reader.opens_tour,
                ),
                lambda _: PatrolMonitor(
                    readers,
                    site.checkpoint,
                    site.patrol,
                    zone,
                    site.guard_card,
                    site.post,
                    site.calendar,
                    site.round,
                    opens_by_card=site.guard_at_reader.opens_tour,
                    upload_hours=docks,
                ),
            ),
            "retention": (
                (recorders, channels, site.retention),
                lambda before: RetentionMonitor(
                    recorders,
                    channels,
                    site.retention,
                    zone,
                    self._ledgers,
                    before=before if isinstance(before, RetentionMonitor) else None,
                ),
            ),
            "police_link": ((links, linked), lambda _: PoliceLinkMonitor(links, linked)),
            "cameras": (
                (watched, site.pictures, max_age),
                lambda before: CamerasMonitor(
                    watched,
                    site.pictures,
                    max_age_seconds=max_age,
                    zone=zone,
                    board=self._board,
                    before=before if isinstance(before, CamerasMonitor) else None,
                ),
            ),
        }
        judges: dict[str, _Judge] = {}
        for name, (key, make) in wanted.items():
            before = self._judges.get(name)
            if before is not None and before.key == key:
                judges[name] = before
            else:
                judges[name] = _Judge(key, make(before.monitor if before is not None else None))
        return judges

    def _now(self) -> Instant:
        return Instant(self._clock.now(), self._clock.monotonic())


def _watched_time(told: str | None) -> WatchedTime | None:
    """Read what an earlier run remembered; a newer version may have added to it."""
    try:
        return WatchedTime.model_validate_json(told, extra="ignore") if told else None
    except ValidationError:
        return None
