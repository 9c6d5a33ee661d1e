"""A simulated recorder, and the agent's side of it made anew as often as a test restarts it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from simulators.hikvision import HikvisionSimulator
from simulators.truth import Truth
from tests.integration.recorder_desk import CLOCK, Desk


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def recorder(truth: Truth) -> Iterator[HikvisionSimulator]:
    made = HikvisionSimulator(truth, days={1: 40, 2: 40, 5: 20})
    made.start()
    yield made
    made.stop()


@pytest.fixture
def sit(recorder: HikvisionSimulator, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def made(password: str = "secret", clock: SystemClock = CLOCK) -> Desk:
        for before in desks:  # a process that has ended holds no login
            before.gate.release()
        desks.append(Desk(recorder, tmp_path / "budget", password, clock))
        desks[-1].driver.open()
        return desks[-1]

    yield made
    for desk in desks:
        desk.driver.close()
