"""False alarms of healthy cameras over many synthetic days: `FALSE_ALARM_DAYS=n` of them.

Every check is a picture of its own: drawn, lit as the hour and the weather have it, measured and
judged by the product, learned references, hysteresis and second looks included. Not coded as video.
"""

import math
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import cv2
import numpy as np
from pydantic import SecretStr

from agent.county.event_data import CameraEventData
from agent.monitors import Instant
from agent.monitors.camera_board import CameraBoard
from agent.monitors.cameras import CamerasMonitor
from agent.picture_learning import PictureLearning
from agent.policy import Camera, PicturePolicy
from drivers.picture_check import PictureCheck
from drivers.readings import PictureReading, StreamLayer, StreamReading
from drivers.stream_target import StreamTarget
from simulators.scenes import SCENES, Picture
from tests.benchmarks.figures import Figures
from tests.simulated_clock import SimulatedClock

CAMERA_DAYS = 300
DAYS_EACH = 6
ROUND_SECONDS = 300
CHECKS_A_DAY = 86_400 // ROUND_SECONDS
SCENE_NAMES = ("gate", "corridor", "playground", "dormitory")
WIDTH, HEIGHT = 640, 360
PHASES, NOISES = 25, 12
UTC_ZONE = ZoneInfo("UTC")


@cache
def still(scene: str, phase: int) -> Picture:
    return SCENES[scene](phase * 7, WIDTH, HEIGHT)


@cache
def noises() -> list[Picture]:
    chance = np.random.default_rng(1)
    return [
        chance.normal(0, 40, (HEIGHT, WIDTH, 3)).astype(np.int16).astype(np.float32)
        for _ in range(NOISES)
    ]


@cache
def lamps() -> Picture:
    across, down = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
    light = 1.1 * np.exp(-1.2 * (across**2 + down**2)) + 0.25
    return light[..., None].astype(np.float32)


class Day:
    """The light, the weather and the traffic in front of one camera, day after day."""

    def __init__(self, scene: str, seed: int) -> None:
        self._scene = scene
        self._chance = np.random.default_rng(seed)
        self._outside = scene in {"gate", "playground"}
        self._cloud = 0.0
        self._lorry = 0
        self._fog = 0.0
        self._infrared = False
        self._begin()

    def _begin(self) -> None:
        chance = self._chance
        self._dawn = 6 + chance.uniform(-0.6, 0.6)
        self._dusk = 18 + chance.uniform(-0.6, 0.6)
        foggy = self._outside and chance.random() < 0.12
        self._fog_until = self._dawn + chance.uniform(1, 4) if foggy else 0.0
        self._rain = self._outside and chance.random() < 0.2

    def picture(self, check: int) -> Picture:
        """Return what the camera shows at a check of the day."""
        chance, hour = self._chance, check * ROUND_SECONDS / 3600
        if check == 0:
            self._begin()
        sun = _sun(hour, self._dawn, self._dusk) if self._outside else _rooms(hour)
        self._cloud += 0.15 * (chance.normal(0, 0.09) - self._cloud)
        # The filter swings late and to and fro when it dawns and dusks.
        limit = 0.16 + chance.normal(0, 0.01)
        self._infrared = sun < limit
        shown = still(self._scene, int(chance.integers(PHASES))).copy()
        self._traffic(shown, hour)
        lit = shown.astype(np.float32)
        if self._infrared:
            grey = cv2.cvtColor(shown, cv2.COLOR_BGR2GRAY)[..., None].astype(np.float32)
            lit = np.repeat(grey * lamps() * 0.85, 3, axis=2)
            lit += noises()[int(chance.integers(NOISES))][..., :1] * 0.075
        else:
            exposure = 0.55 + 0.5 * min(1.0, sun * 1.4) + self._cloud
            blue = max(0.0, 0.5 - sun)
            lit *= (exposure * (1 + 0.25 * blue), exposure, exposure * (1 - 0.2 * blue))
            if self._outside:
                lit *= _shade(hour, sun)
            lit += noises()[int(chance.integers(NOISES))] * (0.02 + 0.06 * blue)
        if hour < self._fog_until:
            thick = 0.45 * min(1.0, self._fog_until - hour)
            lit += thick * (165 - lit)
        if self._rain and not self._infrared:
            lit[:, :: int(chance.integers(7, 12))] += 9
        return np.asarray(lit.clip(0, 255), dtype=np.uint8)

    def _traffic(self, shown: Picture, hour: float) -> None:
        """People by day, cars, and now and then a lorry that stands in the way for a while."""
        chance = self._chance
        busy = 7 <= hour <= 19
        for _ in range(int(chance.poisson(2.0 if busy else 0.1))):
            tall = int(chance.integers(30, 110))
            left = int(chance.integers(0, WIDTH - tall))
            top = int(chance.integers(HEIGHT // 4, HEIGHT - tall))
            colour = tuple(int(one) for one in chance.integers(30, 200, 3))
            cv2.rectangle(shown, (left, top), (left + tall // 3, top + tall), colour, -1)
        if self._scene != "gate":
            return
        if self._lorry == 0 and busy and chance.random() < 0.012:
            self._lorry = int(chance.integers(1, 5))
            self._lorry_left = int(chance.integers(0, WIDTH // 2))
        if self._lorry:
            self._lorry -= 1
            right = self._lorry_left + int(WIDTH * 0.45)
            cv2.rectangle(shown, (self._lorry_left, 60), (right, 300), (190, 185, 180), -1)
            cv2.rectangle(shown, (self._lorry_left, 60), (right, 120), (140, 60, 40), -1)


def _sun(hour: float, dawn: float, dusk: float) -> float:
    """Return how much light there is, 0 to 1, with half an hour of twilight."""
    up, down = (hour - dawn + 0.25) / 0.5, (dusk + 0.25 - hour) / 0.5
    return max(0.0, min(1.0, up, down))


def _rooms(hour: float) -> float:
    """Inside there are lamps, and at night there are none."""
    return 0.75 if 6.5 <= hour <= 22.5 else 0.0


def _shade(hour: float, sun: float) -> Picture:
    """The shadow of a building wanders over the yard."""
    edge = (hour - 6) / 12 * WIDTH
    across = np.arange(WIDTH, dtype=np.float32)
    shade = 1 - 0.22 * sun / (1 + np.exp((across - edge) / 12))
    return shade[None, :, None].astype(np.float32)


@dataclass(frozen=True)
class Result:
    """What was told of a camera that had nothing."""

    days: int
    checks: int
    alarms: Counter[str]
    unassessed: int


def camera_days(number: int) -> Result:
    """Watch one healthy camera for some days."""
    scene, clock, board = SCENE_NAMES[number % len(SCENE_NAMES)], SimulatedClock(), CameraBoard()
    policy, day = PicturePolicy(), Day(SCENE_NAMES[number % len(SCENE_NAMES)], 1000 + number)
    camera = Camera(id="cam", name=scene, recorder="nvr", channel=1)
    monitor = CamerasMonitor([camera], policy, max_age_seconds=900, board=board)
    check, alarms, checks, learning_checks = PictureCheck(), Counter[str](), 0, 0
    midnight = datetime(2026, 9, 1, tzinfo=UTC)

    def look(picture: Picture, at: datetime) -> None:
        nonlocal learning_checks
        task = learning.task("cam", policy, still_seconds=ROUND_SECONDS / 2)
        task = task.model_copy(update={"at": at.timestamp(), "slot": at.hour // 3})
        target = StreamTarget(
            device_id="cam", url="rtsp://h/", username="u", password=SecretStr("p"), reference=task
        )
        fields = check.fields(target, picture)
        learning_checks += not fields["reference_ready"]
        now = Instant(at, clock.monotonic())
        readings = (
            PictureReading(device_id="cam", observed_at=at, **fields),
            StreamReading(
                device_id="cam", observed_at=at, layer=StreamLayer.PLAYING, fault=None,
                codec="h264", width=WIDTH, height=HEIGHT, fps=25.0, bitrate_kbps=900.0,
                gop_frames=50, open_seconds=0.1,
            ),
        )  # fmt: skip
        for reading in readings:
            for event in monitor.observe(reading, now):
                data = event.data
                if isinstance(data, CameraEventData) and data.what == "fault":
                    alarms.update(cause.code for cause in data.causes)
                    alarms["events"] += 1

    with tempfile.TemporaryDirectory() as directory:
        learning = PictureLearning(Path(directory), UTC_ZONE, clock, board)
        for number_of_day in range(DAYS_EACH):
            for at in range(CHECKS_A_DAY):
                wall = midnight + timedelta(days=number_of_day, seconds=at * ROUND_SECONDS)
                picture = day.picture(at)
                look(picture, wall)
                checks += 1
                spent = 0.0
                for _ in range(policy.view_checks - 1):
                    if "cam" not in board.in_question:
                        break
                    clock.advance(policy.recheck_seconds)
                    spent += policy.recheck_seconds
                    look(picture, wall + timedelta(seconds=spent))  # whoever stands there stays
                clock.advance(ROUND_SECONDS - spent)
    return Result(DAYS_EACH, checks, alarms, learning_checks)


def upper_bound(events: int) -> float:
    """Return the largest mean under which so few events have a chance of 5 %."""
    low, high = 0.0, 10.0 + 3 * events
    for _ in range(60):
        middle = (low + high) / 2
        chance = sum(math.exp(-middle) * middle**k / math.factorial(k) for k in range(events + 1))
        low, high = (middle, high) if chance > 0.05 else (low, middle)
    return high


def numbers(days: int) -> Iterator[int]:
    yield from range(-(-days // DAYS_EACH))


def main() -> None:
    """Print how often nothing was an alarm."""
    days = int(os.environ.get("FALSE_ALARM_DAYS", CAMERA_DAYS))
    if not days:
        return
    with ProcessPoolExecutor(2) as pool:
        results = list(pool.map(camera_days, numbers(days)))
    figures, n = Figures("quality"), sum(one.days for one in results)
    alarms = sum((one.alarms for one in results), Counter[str]())
    events = alarms.pop("events", 0)
    figures.print("false_alarms_per_100_camera_days", events * 100 / n, "alarms", n=n)
    bound = upper_bound(events) * 100 / n
    figures.print("false_alarms_per_100_camera_days_upper_95", bound, "alarms", n=n)
    for code, count in alarms.most_common():
        figures.print(f"false_alarms_of_{code.replace('.', '_')}", count, "alarms", n=n)
    learning = sum(one.unassessed for one in results) / sum(one.checks for one in results)
    figures.print("checks_while_learning_ratio", learning, "", n=n)


if __name__ == "__main__":
    main()
