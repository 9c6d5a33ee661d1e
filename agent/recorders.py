"""One recorder of the site: its gate, its driver and thread, its nightly survey, its cameras."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random
from zoneinfo import ZoneInfo

import structlog
from pydantic import SecretStr

from agent.camera_rounds import CameraProbe
from agent.devices import DeviceThread, Post
from agent.inventory import retention_channels
from agent.monitors.ledger import Ledgers
from agent.policy import RetentionPolicy
from agent.scheduler import Scheduler
from agent.settings import Channel, Recorder
from agent.store.login_budget import FileLoginBudget
from agent.store.quirks import FileQuirks
from agent.survey.archive import ArchiveSurvey
from agent.survey.job import SurveyJob
from agent.survey.proof import Play, ProofJob
from agent.survey.view import Wanted
from drivers.base import Clock, RecorderDriver, StreamKind
from drivers.errors import DriverError
from drivers.readings import Reason, Unknown, unknown
from drivers.recorder.gate import RecorderGate
from drivers.recorder.quirks import QuirkStore
from drivers.stream_target import StreamTarget

POLL_DEADLINE_SECONDS = 60.0
# A recorder that hangs is polled again soon: pictures are not waited for any longer.
SNAPSHOT_SECONDS = 5.0
SURVEY_AGAIN_SECONDS = 600

log = structlog.get_logger()


class RecorderPart:
    """Everything that shares one recorder's gate, and so its login budget."""

    def __init__(
        self,
        recorder: Recorder,
        password: SecretStr,
        state_directory: Path,
        zone: ZoneInfo,
        policy: RetentionPolicy,
        ledgers: Ledgers,
        clock: Clock,
        scheduler: Scheduler,
        play: Play,
    ) -> None:
        self._recorder = recorder
        self._scheduler = scheduler
        self._job = f"survey {recorder.id}"
        self._password = password
        self._gate = RecorderGate(
            recorder.id,
            recorder.username,
            password,
            FileLoginBudget(state_directory / f"login-{recorder.id}.json"),
            clock,
            max_live_streams=recorder.max_live_streams,
            request_gap_seconds=recorder.request_gap_seconds,
        )
        self._quirks = FileQuirks(state_directory / f"quirks-{recorder.id}.json")
        self._zone = zone
        channels = retention_channels(recorder)
        numbers = [channel.number for channel in channels]
        driver = self._driver = _driver(
            recorder, password, self._gate, clock, self._quirks, zone, numbers
        )
        self._thread = DeviceThread(
            driver,
            clock,
            poll_seconds=recorder.polled_every_seconds,
            deadline_seconds=POLL_DEADLINE_SECONDS,
        )
        wanted = [Wanted(channel.number, policy.target_days(channel)) for channel in channels]
        survey = ArchiveSurvey(driver, wanted, ledgers, clock, zone, Random())  # noqa: S311 - no secret
        self._survey = SurveyJob(survey, self._thread)
        self._ledgers, self._policy, self._clock = ledgers, policy, clock
        self._channels = {channel.number: channel for channel in recorder.channel}
        self._numbers = {channel.id: channel.number for channel in recorder.channel}
        self._intervals = {
            channel.number: timedelta(days=policy.proof_interval_days(channel))
            for channel in channels
        }
        self._proof = ProofJob(
            driver,
            survey,
            wanted,
            self._due,
            self._gate,
            lambda number: self._target(self._channels[number], "main"),
            play,
            clock,
            self._thread,
            most=policy.proofs_per_night,
        )

    @property
    def device_id(self) -> str:
        """Return the id the settings give the recorder."""
        return self._recorder.id

    def shown(self) -> Mapping[str, object]:
        """Return how its login stands, what was learnt of its firmware and its own channel list."""
        until, sheet = self._gate.held_until, self._quirks.load()
        return {
            "login": self._gate.credential.value,
            "held_until": "" if until is None else f"{until.astimezone(self._zone):%H:%M:%S}",
            "learnt": {} if sheet is None else sheet.model_dump(),
            "channels": {str(number): name for number, name in self._driver.listed.items()},
        }

    def retry_login(self, who: str) -> None:
        """Let a login that was refused out once more, because a person asked for it."""
        log.info("login tried again", device=self._recorder.id, by=who)
        self._gate.retry()

    def start(self, post: Post) -> None:
        """Start to poll; a survey follows the first poll, then every night.

        One that did not come to its end is asked for again soon.
        """
        self._thread.start(post)
        self._survey.start()
        self._scheduler.daily(self._job, self._recorder.survey_at, self._tonight)
        self._scheduler.every(f"{self._job} again", SURVEY_AGAIN_SECONDS, self._survey.retry)

    def _tonight(self) -> None:
        self._survey.request()
        self._proof.request()

    def _due(self, number: int) -> bool:
        interval = self._intervals[number]
        proof = self._ledgers.proof(self._recorder.id, number)
        return bool(interval) and proof.due(interval, self._clock.now())

    def prove(self, channel: str, who: str) -> None:
        """Play a recording of a channel back soon, because a person asked. Raises KeyError."""
        number = self._numbers[channel]
        log.info("playback asked for", device=self._recorder.id, channel=channel, by=who)
        self._proof.prove(number)

    def played(self, channel: str) -> Mapping[str, object]:
        """Return how the last playback of a channel ended, for people. Raises KeyError."""
        attempt = self._proof.attempts.get(self._numbers[channel])
        if attempt is None:
            return {"times": 0}
        day = "" if attempt.day is None else attempt.day.isoformat()
        return {**attempt._asdict(), "day": day}

    def ask_to_stop(self) -> None:
        """Let the request under way be the last."""
        self._thread.ask_to_stop()

    def stop(self) -> None:
        """End."""
        for job in (self._job, f"{self._job} again"):
            self._scheduler.cancel(job)
        self._thread.stop()
        self._gate.release()

    def overdue_seconds(self) -> float:
        """Return how long the recorder's driver has overrun a deadline."""
        return self._thread.overdue_seconds()

    def probes(self) -> Sequence[CameraProbe]:
        """Return what a camera round opens on this recorder."""
        return [
            CameraProbe(
                channel.id,
                partial(
                    self._target, channel, "sub" if channel.stream == "snapshot" else channel.stream
                ),
                self._gate,
                partial(self.snapshot, channel.number),
                streams=channel.stream != "snapshot",
                masks=channel.mask,
            )
            for channel in self._recorder.channel
        ]

    def snapshot(self, number: int) -> bytes | Unknown:
        """Return a JPEG of what a channel shows now; waits for the recorder. Any thread may call.

        While its recordings are surveyed a recorder has no time for it.
        """
        answers: SimpleQueue[bytes | Unknown] = SimpleQueue()
        until = self._clock.monotonic() + SNAPSHOT_SECONDS

        def take(deadline: float) -> None:
            if self._clock.monotonic() < until:
                try:
                    answers.put(self._driver.snapshot(number, deadline=min(deadline, until)))
                except DriverError as error:
                    answers.put(unknown(error))

        self._thread.errand(take, deadline_seconds=SNAPSHOT_SECONDS)
        try:
            return answers.get(timeout=SNAPSHOT_SECONDS)
        except Empty:
            return Unknown(reason=Reason.BUSY, detail="the recorder is asked other things")

    def _target(self, channel: Channel, stream: StreamKind) -> StreamTarget | Unknown:
        """Return the stream of a channel, once it is known whose paths these are."""
        recorder = self._recorder
        path = self._driver.live_path(channel.number, stream)
        if isinstance(path, Unknown):
            return path
        return StreamTarget(
            device_id=channel.id,
            url=f"rtsp://{recorder.host}:{recorder.rtsp_port}{path}",
            username=recorder.username,
            password=self._password,
            masks=channel.mask,
        )


def _driver(
    recorder: Recorder,
    password: SecretStr,
    gate: RecorderGate,
    clock: Clock,
    quirks: QuirkStore,
    zone: ZoneInfo,
    channels: Sequence[int],
) -> RecorderDriver:
    # A school without a recorder does not carry what talks to one.
    from drivers.recorder.auto import AutoDriver  # noqa: PLC0415 - as said
    from drivers.recorder.makers import DRIVERS  # noqa: PLC0415 - as said

    make = AutoDriver if recorder.maker is None else DRIVERS[recorder.maker]
    return make(recorder, password, gate, clock, quirks, zone=zone, channels=channels)
