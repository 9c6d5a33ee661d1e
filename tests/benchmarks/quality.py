"""How well sick pictures are told from healthy ones: synthetic faults of ffmpeg's making.

`QUALITY_FRAMES=folder` adds real frames as scenes, counted apart. Faults are synthetic throughout,
so none of this is an accuracy.
"""

import io
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np

from agent.monitors.picture import picture_causes
from agent.policy import PicturePolicy
from drivers.picture_check import PictureCheck
from drivers.readings import PictureReading, Unknown
from drivers.stream_target import ReferenceTask, StreamTarget
from simulators.scene_light import Hour, at_hour
from simulators.scenes import SCENES, Draw, Picture
from simulators.video import encode
from tests.benchmarks import false_alarms
from tests.benchmarks.figures import Figures

WIDTH, HEIGHT = 640, 360
SCENE_NAMES = ("gate", "corridor", "playground", "dormitory")
HOURS: tuple[Hour, ...] = ("day", "dusk", "night")
LESSONS, HEALTHY, SICK = 14, 10, 4
HOUR_SECONDS = 3600.0
KBPS = (1000, 2500, 4000)

Fields = Mapping[str, object]
Score = Callable[[Fields], float]


def figure(name: str, *, sign: float = 1) -> Score:
    """Return a score: a figure of the picture; one that was not measured shows nothing."""

    def score(fields: Fields) -> float:
        value = fields[name]
        return float("-inf") if isinstance(value, Unknown) else sign * float(str(value))

    return score


# Each fault: ffmpeg's filter in four grades, the figure that shows it, and what we call it.
FAULTS: Mapping[str, tuple[Sequence[str], Score, Sequence[str]]] = {
    "blur": (
        [f"gblur=sigma={sigma}" for sigma in (1, 1.5, 2, 3)],
        figure("steepness_ratio", sign=-1),
        ["camera.blurred"],
    ),
    "noise": (
        [f"noise=alls={strength}:allf=t" for strength in (10, 20, 35, 60)],
        figure("noise_levels"),
        ["camera.noise", "camera.snow"],
    ),
    "cast": (
        [f"colorchannelmixer=rr={1 + g}:bb={1 - g}" for g in (0.1, 0.2, 0.35, 0.5)],
        figure("cast_shift_levels"),
        ["camera.colour_cast"],
    ),
    "pan": (
        [f"scroll=hpos={share}" for share in (0.05, 0.10, 0.25, 0.50)],
        figure("view_change"),
        ["camera.view_changed", "camera.covered"],
    ),
    "cover": (
        [f"drawbox=w=iw:h=ih*{share}:color=0x3a3632:t=fill" for share in (0.25, 0.5, 0.8, 1.0)],
        lambda fields: max(
            figure("covered_ratio")(fields),
            figure("view_change")(fields) / 2,
            figure("flat_ratio")(fields) - 0.5,
        ),
        [
            "camera.covered",
            "camera.view_changed",
            "camera.no_signal",
            "camera.dark",
            "camera.black",
        ],
    ),
    "dark": (
        [f"lutyuv=y=val*{gain}" for gain in (0.5, 0.3, 0.15, 0.08)],
        figure("luma_p98", sign=-1),
        ["camera.dark", "camera.black"],
    ),
    "bright": (
        [f"lutyuv=y=clip(val*{gain}\\,16\\,235)" for gain in (1.4, 1.8, 2.5, 4)],
        figure("luma_mean"),
        ["camera.bright", "camera.white"],
    ),
    "stripes": (
        [
            f"geq=lum='lum(X,Y)+{a}*sin(X*0.45+Y*0.2)':cb='cb(X,Y)':cr='cr(X,Y)'"
            for a in (4, 8, 16, 30)
        ],
        figure("stripe_growth"),
        ["camera.stripes"],
    ),
}


@dataclass
class Place:
    """A scene at an hour with what was learned of it; `draw` makes a day of it by its seed."""

    scene: str
    hour: str
    real: bool
    draw: Callable[[int], Draw]
    directory: Path
    check: PictureCheck = field(default_factory=PictureCheck)

    def learn(self) -> None:
        """Teach it what it is like."""
        for number in range(LESSONS):
            picture = coded(self.draw(1000 + number), number)
            self.look(picture, number * 2 * HOUR_SECONDS, learn=True)

    def look(
        self, picture: Picture, at: float = 100 * HOUR_SECONDS, *, learn: bool = False
    ) -> Fields:
        """Measure a picture of this place."""
        task = ReferenceTask(directory=str(self.directory), slot=0, at=1e9 + at, learn=learn)
        target = StreamTarget.model_validate(
            {"device_id": "cam", "url": "rtsp://h/", "username": "u", "password": "p"}
        ).model_copy(update={"reference": task})
        return self.check.fields(target, picture)


def coded(draw: Draw, seed: int, filters: str = "") -> Picture:
    """Draw a picture, harm it as told, and send it through H.264."""

    def harmed(index: int, width: int, height: int) -> Picture:
        return harm(draw(index, width, height), filters) if filters else draw(index, width, height)

    clip = encode(harmed, WIDTH, HEIGHT, kbps=KBPS[seed % len(KBPS)], frames=1, gop_frames=1)
    with av.open(io.BytesIO(clip.annex_b()), "r", format="h264") as container:
        frame = next(container.decode(video=0))
    return frame.to_ndarray(format="bgr24").astype(np.uint8)


def harm(picture: Picture, filters: str) -> Picture:
    """Have ffmpeg's filters harm a picture."""
    graph = av.filter.Graph()
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv444p")
    source = graph.add_buffer(
        width=WIDTH, height=HEIGHT, format=frame.format, time_base=Fraction(1, 25)
    )
    name, _, words = filters.partition("=")
    sick, sink = graph.add(name, words), graph.add("buffersink")
    source.link_to(sick)
    sick.link_to(sink)
    graph.configure()
    frame.pts = 1
    graph.push(frame)
    graph.push(None)
    out = graph.pull()
    assert isinstance(out, av.VideoFrame)
    return out.to_ndarray(format="bgr24").astype(np.uint8)


def places(directory: Path, frames: str | None) -> Iterator[Place]:
    """Give every scene at every hour, then every real frame."""
    for scene in SCENE_NAMES:
        for hour in HOURS:
            yield Place(
                scene,
                hour,
                real=False,
                draw=partial(at_hour, SCENES[scene], hour),
                directory=directory / f"{scene}-{hour}",
            )
    for file in sorted(Path(frames).glob("*.jpg")) if frames else ():
        picture = cv2.imread(str(file))
        if picture is None:
            continue
        fitted = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8)
        yield Place(
            # Frames of one camera are one scene: the last word of their names is the camera.
            file.stem.replace("_", ".").rsplit(".", 1)[-1],
            "day",
            real=True,
            draw=partial(relit, fitted),
            directory=directory / file.stem,
        )


def relit(picture: Picture, seed: int) -> Draw:
    """Return what shows a real frame in a little other light, with sensor noise."""
    chance = np.random.default_rng(seed)
    gain, noise = chance.uniform(0.88, 1.1), chance.normal(0, 1.5, picture.shape)
    lit = np.asarray((picture * gain + noise).clip(0, 255), dtype=np.uint8)
    return lambda _index, _width, _height: lit


def auc(healthy: Sequence[float], sick: Sequence[float]) -> float:
    """Return the chance that a sick picture scores higher than a healthy one (ties count half)."""
    ordered = np.sort(np.array(healthy))
    below = np.searchsorted(ordered, sick, side="left")
    upto = np.searchsorted(ordered, sick, side="right")
    return float((below + upto).sum() / 2 / len(ordered) / len(sick))


def main() -> None:
    """Print every figure, synthetic scenes first."""
    frames = os.environ.get("QUALITY_FRAMES")
    with tempfile.TemporaryDirectory() as name:
        found = list(places(Path(name), frames))
        for place in found:
            place.learn()
        measure([one for one in found if not one.real], Figures("quality"))
        real = [one for one in found if one.real]
        if real:
            measure(real, Figures("quality-real"))
    false_alarms.main()


def measure(found: Sequence[Place], figures: Figures) -> None:
    """Measure one kind of scenes."""
    healthy = {
        id(place): [place.look(coded(place.draw(seed), seed)) for seed in range(HEALTHY)]
        for place in found
    }
    told = [causes(one) for looks in healthy.values() for one in looks]
    figures.print("healthy_with_an_alarm", sum(map(bool, told)), "pictures", n=len(told))
    for code, count in Counter(code for one in told for code in one).most_common():
        figures.print(f"healthy_with_{code.replace('.', '_')}", count, "pictures", n=len(told))
    for fault, (grades, score, codes) in FAULTS.items():
        # By infrared there is no colour to be wrong.
        there = [one for one in found if (fault, one.hour) != ("cast", "night")]
        for grade, filters in enumerate(grades, 1):
            sick = {
                id(place): [
                    place.look(coded(place.draw(50 + seed), seed, filters)) for seed in range(SICK)
                ]
                for place in there
            }
            _report(figures, f"{fault}_{grade}", there, healthy, sick, score, codes)
    moved = {
        id(place): [
            place.look(coded(other.draw(seed), seed))
            for seed, other in enumerate(found)
            if other.scene != place.scene and other.hour == place.hour
        ]
        for place in found
    }
    _report(figures, "other_scene", found, healthy, moved, *FAULTS["pan"][1:])
    _still(figures, found)


def _report(
    figures: Figures,
    name: str,
    found: Sequence[Place],
    healthy: Mapping[int, Sequence[Fields]],
    sick: Mapping[int, Sequence[Fields]],
    score: Score,
    codes: Sequence[str],
) -> None:
    """Print AUC, recall at 1 % false alarms by thresholds of the other scenes, and as shipped."""
    scores: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for place in found:
        well, ill = scores[place.scene]
        well += [score(one) for one in healthy[id(place)]]
        ill += [score(one) for one in sick[id(place)]]
    every = [one for looks in sick.values() for one in looks]
    caught = 0
    for scene, (_, ill) in scores.items():
        others = [one for other, (well, _) in scores.items() if other != scene for one in well]
        threshold = np.percentile(others, 99)  # committed before this scene is looked at
        caught += sum(bool(one > threshold) for one in ill)
    wells = [one for well, _ in scores.values() for one in well]
    ills = [one for _, ill in scores.values() for one in ill]
    figures.print(f"{name}_auc", auc(wells, ills), "", n=len(ills))
    figures.print(f"{name}_recall_at_1pct", caught / len(ills), "", n=len(ills))
    named = sum(bool(causes(one) & set(codes)) for one in every)
    figures.print(f"{name}_recall_as_shipped", named / len(every), "", n=len(every))


def _still(figures: Figures, found: Sequence[Place]) -> None:
    """Show a picture that stands still and one that lives, coded anew each time."""
    still: list[bool] = []
    alive: list[bool] = []
    for place in found:
        if place.real or place.hour == "night":
            continue  # an empty place by night may well stand still
        draw = place.draw(7)
        for seed in range(4):
            place.look(coded(draw, seed))
            frozen = place.look(coded(draw, seed + len(KBPS)))  # at the same rate
            later = place.look(coded(place.draw(70 + seed), seed))
            still.append(float(str(frozen["still_levels"])) <= PicturePolicy().still_levels)
            alive.append(float(str(later["still_levels"])) <= PicturePolicy().still_levels)
    if still:
        figures.print("frozen_recall_as_shipped", sum(still) / len(still), "", n=len(still))
        figures.print("frozen_false_alarm_ratio", sum(alive) / len(alive), "", n=len(alive))


def causes(fields: Fields) -> set[str]:
    """Name what the shipped rules say of a picture."""
    reading = PictureReading.model_validate(
        {"device_id": "cam", "observed_at": datetime.now(UTC), **fields}
    )
    found = picture_causes(reading, PicturePolicy())
    return {cause.code for cause in found.values() if cause is not None}


if __name__ == "__main__":
    main()
