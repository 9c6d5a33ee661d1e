"""`python -m simulators demo [CAPTURE]` or `python -m simulators school DIR [SCENARIO]`."""

import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from simulators import demo, scenario
from simulators.school import School
from simulators.truth import Truth

USAGE = "usage: python -m simulators demo [CAPTURE] | school DIRECTORY [SCENARIO]"


def main(arguments: Sequence[str]) -> int:
    """Choose by the first word."""
    match arguments:
        case ["demo", *rest]:
            return demo.main(rest)
        case ["school", directory, *rest]:
            return _school(Path(directory), Path(rest[0]) if rest else None)
        case _:
            print(USAGE, file=sys.stderr)
            return 2


def _school(directory: Path, file: Path | None) -> int:
    """Play a scenario again and again until interrupted; the truth goes to a file."""
    play = scenario.load(file or demo.CONFIG / "scenario.toml")
    directory.mkdir(parents=True, exist_ok=True)
    school = School(directory, play, Truth(directory / "truth.jsonl"))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    school.start()
    for word, value in school.words.items():
        print(f"{word}: {value}")
    while not stopping.is_set():
        threading.Thread(target=school.play, args=(print,), daemon=True).start()
        stopping.wait(play.seconds)
    school.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
