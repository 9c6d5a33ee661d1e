"""What a night of proofs costs at 64 channels, and whether what cannot be proven is caught."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import cast

from agent.clock import SystemClock
from agent.devices import DeviceThread
from agent.monitors.proof import outcome
from agent.policy import RetentionPolicy
from agent.survey.proof import PROOF_SECONDS, ProofJob
from drivers.readings import Reading
from drivers.recorder.readings import PlaybackReading
from drivers.stream_target import PlaybackTarget, StreamTarget
from drivers.stream_workers import StreamWorkers
from simulators.hikvision import HikvisionSimulator
from simulators.rtsp import RtspSimulator
from simulators.truth import Truth
from tests.benchmarks.figures import Figures
from tests.retention_trial import PASSWORD, School, clock_at_night

CHANNELS, DAYS = 64, 90
# Channels whose recorder answers with the live picture, or lists what it does not play.
LIVE, SPOILT = (3, 20, 41), {5: "refused", 22: "silent", 60: "refused"}


def proofs(figures: Figures) -> None:
    """Have every channel proven, a night's worth at a time."""
    clock, log, policy = clock_at_night(), Truth(), RetentionPolicy()
    numbers = range(1, CHANNELS + 1)
    nvr = HikvisionSimulator(
        log, now_utc=clock.now, monotonic=clock.monotonic, days=dict.fromkeys(numbers, DAYS + 5)
    )
    cameras = RtspSimulator(
        log, password=PASSWORD.get_secret_value(), channels=CHANNELS, holds=nvr.plays
    )
    nvr.start()
    cameras.start()
    school = School(nvr, dict.fromkeys(numbers, DAYS), clock)
    workers, real = StreamWorkers(SystemClock()), SystemClock()
    school.poll()
    school.survey_once()
    for number in LIVE:
        cameras.channel(number).play_live()
    for number, how in SPOILT.items():
        cameras.channel(number).spoil(
            school.survey.view(school.wanted[number - 1]).first,
            "silent" if how == "silent" else "refused",
        )

    def play(target: PlaybackTarget, _deadline: float) -> Sequence[Reading]:
        return workers.play_back(target, real.monotonic() + PROOF_SECONDS)

    def live(number: int) -> StreamTarget:
        return StreamTarget(
            device_id=f"cam-{number}",
            url=cameras.url(number, sub=False),
            username="inspector",
            password=PASSWORD,
        )

    thread = cast("DeviceThread", None)
    job = ProofJob(
        *(school.driver, school.survey, school.wanted, bool, school.gate, live, play, clock),
        thread,
        most=policy.proofs_per_night,
    )
    words: dict[int, str | None] = {}
    took: list[float] = []
    for number in numbers:
        started = time.monotonic()
        for reading in job.run(number, clock.monotonic() + PROOF_SECONDS):
            assert isinstance(reading, PlaybackReading)
            words[number] = outcome(reading)
        took.append(time.monotonic() - started)
        clock.advance(60)
    night = policy.proofs_per_night
    figures.print("proofs_per_night", night, "proofs", n=CHANNELS)
    figures.print("seconds_a_proof", sum(took) / len(took), "s", n=CHANNELS)
    figures.print("seconds_a_night_of_proofs", sum(took) / len(took) * night, "s", n=night)
    found = Counter(words.values())
    figures.print("proven", found["proven"], "channels", n=CHANNELS - len(LIVE) - len(SPOILT))
    caught = sum(words.get(number) == "like_live" for number in LIVE)
    figures.print("like_live_caught", caught, "channels", n=len(LIVE))
    caught = sum(words.get(number) == "unplayable" for number in SPOILT)
    figures.print("unplayable_caught", caught, "channels", n=len(SPOILT))
    workers.close()
    school.close()
    cameras.stop()
    nvr.stop()
