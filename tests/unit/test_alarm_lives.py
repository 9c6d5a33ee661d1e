"""Random lives against a plain oracle, and the mutants of ours that the tests must catch."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.unit import test_alarm_lane as lane
from tests.unit.alarm_trial import live

GATE_LIVES = 200
DEEP_LIVES = 10_000
# Enough to catch each mutant many times over.
MUTANT_LIVES = 30


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


def some_lives() -> None:
    for seed in range(MUTANT_LIVES):
        live(seed)


@pytest.fixture
def mutate(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Replace one text in a module by another, in the classes that are already in use."""

    def mutated(name: str, text: str, by: str) -> None:
        module = importlib.import_module(name)
        source = inspect.getsource(module)
        assert source.count(text) == 1, f"{name} has changed: {text!r} is not in it just once"
        namespace: dict[str, Any] = {"__name__": name, "__file__": module.__file__}
        exec(compile(source.replace(text, by), name, "exec"), namespace)
        for made in list(namespace.values()):
            if not inspect.isclass(made) or made.__module__ != name:
                continue
            old = getattr(module, made.__name__)
            namespace[made.__name__] = old  # the mutant makes and raises what others know
            for attribute, function in vars(made).items():
                if inspect.isfunction(function) and not issubclass(old, Exception):
                    monkeypatch.setattr(old, attribute, function)

    return mutated


@pytest.mark.parametrize("first", range(0, GATE_LIVES, 50))
def test_random_lives_agree_with_the_oracle(first: int) -> None:
    for seed in range(first, first + 50):
        live(seed)


@pytest.mark.deep
def test_many_random_lives_agree_with_the_oracle() -> None:
    for seed in range(DEEP_LIVES):
        live(seed)


@pytest.mark.parametrize(
    ("module", "text", "by"),
    [
        pytest.param(
            "agent.monitors.incidents",
            '        memory.proven_at = now.wall\n        return [self._event("release"',
            '        memory.incident = None\n        return [self._event("release"',
            id="latch dropped",
        ),
        pytest.param(
            "agent.monitors.alarm_inputs",
            "                memory.seen += not memory.active\n",
            "                seen_before = button.id in self._released_since\n"
            "                self._released_since[button.id] = now.monotonic\n"
            "                if not memory.active and not seen_before:\n"
            "                    continue\n",
            id="second sample required",
        ),
        pytest.param(
            "agent.monitors.alarm",
            '"trouble", "tamper"] = "unknown"\n        if link',
            '"trouble", "tamper"] = "rest"\n        if link',
            id="unknown shown as rest",
        ),
        pytest.param(
            "agent.monitors.test_window",
            "return self.memory.window is not None and button in self.memory.window.buttons",
            "return self.memory.window is not None",
            id="test window leaking into another zone",
        ),
    ],
)
def test_a_mutant_is_caught(
    mutate: Callable[[str, str, str], None], module: str, text: str, by: str
) -> None:
    mutate(module, text, by)
    with pytest.raises(AssertionError, match="seed"):
        some_lives()


def test_an_ack_before_the_commit_is_caught(
    tmp_path: Path, mutate: Callable[[str, str, str], None]
) -> None:
    mutate(
        "agent.alarm_lane",
        "        driver = self._confirming.get(device)\n",
        "        driver = self._confirming.get(device)\n"
        "        if driver:\n            driver.confirm(token)\n",
    )
    desk = lane.Desk(tmp_path)
    try:
        with pytest.raises(AssertionError):
            lane.test_a_line_on_a_disk_that_hangs_is_answered_when_the_disk_is_done(desk)
    finally:
        desk.disk.heal()
        desk.store.outbox.stop()
