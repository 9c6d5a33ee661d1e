"""Rounds over cameras: who is looked at, and again between two rounds."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import cast

from pydantic import SecretStr

from agent.camera_rounds import CameraProbe, CameraRounds
from agent.clock import SystemClock
from drivers.base import Gate
from drivers.readings import Outage, Reading, Reason
from drivers.stream_target import StreamTarget
from drivers.stream_workers import StreamWorkers
from tests.waiting import wait_until


class OpenGate:
    def permit(self, use: str, *, deadline: float) -> nullcontext[None]:
        del use, deadline
        return nullcontext()


class PaperWorkers:
    """Looks at nothing; counts."""

    def __init__(self) -> None:
        self.looked: Counter[str] = Counter()

    def probe(self, target: StreamTarget, deadline: float) -> list[Reading]:
        del deadline
        self.looked[target.device_id] += 1
        now = datetime.now(UTC)
        return [Outage(device_id=target.device_id, observed_at=now, reason=Reason.BUSY)]

    def close(self) -> None:
        """Nothing is open."""


def target(camera: str) -> Callable[[], StreamTarget]:
    return lambda: StreamTarget(
        device_id=camera, url="rtsp://10.0.0.9/x", username="u", password=SecretStr("p")
    )


def test_what_is_in_question_is_looked_at_again_so_often_and_no_more() -> None:
    workers, idle = PaperWorkers(), threading.Event()
    gate = cast("Gate", OpenGate())
    probes = [CameraProbe(camera, target(camera), gate) for camera in ("gate", "yard")]
    asked = Counter[str]()

    def in_question() -> frozenset[str]:
        asked["times"] += 1
        if asked["times"] == 2:
            idle.set()
        return frozenset({"yard"})

    rounds = CameraRounds(
        probes,
        cast("StreamWorkers", workers),
        SystemClock(),
        round_seconds=3600,
        in_question=in_question,
        recheck_seconds=0.01,
        rechecks=2,
    )
    rounds.start(lambda _: None)
    assert idle.wait(5)
    wait_until(lambda: workers.looked["yard"] == 3)
    rounds.ask_to_stop()
    rounds.stop()
    assert workers.looked == {"gate": 1, "yard": 3}


def test_a_round_that_is_due_comes_before_a_second_look() -> None:
    workers = PaperWorkers()
    probes = [CameraProbe("yard", target("yard"), cast("Gate", OpenGate()))]
    rounds = CameraRounds(
        probes,
        cast("StreamWorkers", workers),
        SystemClock(),
        round_seconds=0.2,
        in_question=lambda: frozenset({"yard"}),
        recheck_seconds=3600,
        rechecks=2,
    )
    rounds.start(lambda _: None)
    wait_until(lambda: workers.looked["yard"] >= 2)
    rounds.ask_to_stop()
    rounds.stop()
