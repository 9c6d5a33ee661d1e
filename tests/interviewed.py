"""`campus-agent init` without a terminal: somebody who answers, and devices on loopback."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.site_init.interview import Interview, Wishes
from agent.site_init.questions import Questions
from agent.site_init.recorders import Where
from agent.text import Language
from simulators.discovery import DiscoverySimulator, probe_match
from simulators.http_recorder import HttpRecorder

CLOCK = SystemClock()


class Person:
    """Answers by what stands in the question, else with Enter; what is shown goes to `capsys`."""

    def __init__(self, answers: dict[str, str | Sequence[str]]) -> None:
        self._left = {
            word: [said] if isinstance(said, str) else list(said) for word, said in answers.items()
        }
        self.asked: list[str] = []

    def __call__(self, question: str) -> str:
        self.asked.append(question)
        for word, said in self._left.items():
            if word in question and said:
                return said.pop(0)
        return ""


def interview(
    config: Path,
    answers: dict[str, str | Sequence[str]],
    *,
    lang: Language = "en",
    where: Where | None = None,
    **more: Any,
) -> tuple[bool, Person]:
    person = Person(answers)
    more.setdefault("serial", (config.parent / "no-ports",))
    more.setdefault("given", {"broker": "mqtt:1883"})
    wishes = Wishes(config, where=where or Where(target=("127.0.0.1", 9), seconds=0.1), **more)
    questions = Questions(lang, read=person, read_secret=person)
    return Interview(wishes, questions, CLOCK).run(), person


def around(network: DiscoverySimulator, seconds: float = 0.7) -> Where:
    """Ask a simulated network; long enough for a machine that is busy with other tests."""
    return Where(target=("127.0.0.1", network.port), seconds=seconds)


def at(nvr: HttpRecorder) -> Where:
    """Look at one address, which takes no waiting."""
    return Where("127.0.0.1/32", nvr.port, nvr.port)


def announce(network: DiscoverySimulator, *recorders: HttpRecorder, name: str = "NVR") -> None:
    network.answers = [
        probe_match([f"http://127.0.0.1:{one.port}/onvif/device_service"], name=name)
        for one in recorders
    ]
