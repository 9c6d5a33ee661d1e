"""A scenario file: what happens to a simulated school, and what the county must hear of it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simulators.judge import Expectation


@dataclass(frozen=True)
class Step:
    """At this second of the scenario `device` does `do`, with the rest as arguments."""

    at: float
    device: str
    do: str
    arguments: Mapping[str, object]


@dataclass(frozen=True)
class Scenario:
    """Steps in order of time, facts of the devices, and what the county must hear."""

    seconds: float
    devices: Mapping[str, Mapping[str, object]]
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]


def load(path: Path, *, seconds: float | None = None) -> Scenario:
    """Read a scenario; `seconds` stretches or shrinks it, its steps with it."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    length = float(raw["seconds"])
    stretch = (seconds or length) / length
    steps = [
        Step(
            at=float(step.pop("at")) * stretch,
            device=str(step.pop("device")),
            do=str(step.pop("do")),
            arguments=step,
        )
        for step in raw["step"]
    ]
    return Scenario(
        seconds=length * stretch,
        devices=raw["device"],
        steps=tuple(sorted(steps, key=lambda step: step.at)),
        expectations=tuple(Expectation(**expected) for expected in raw["expect"]),
    )
