"""Somebody at a terminal: a command on a real pty, its questions read and answered one by one."""

import contextlib
import os
import pty
import re
import select
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
# A question ends with its default in brackets, and waits.
QUESTION = re.compile(r"([^\r\n]*)\[([^\r\n\[\]]*)\] $")


class Typist:
    """Answers each question by the first of its words that stands in it, else with Enter."""

    def __init__(self, answers: Mapping[str, str | Sequence[str]]) -> None:
        self._answers = {
            word: [said] if isinstance(said, str) else list(said) for word, said in answers.items()
        }
        self.screen = ""
        self.questions: list[str] = []
        self.typed: list[str] = []

    def run(self, *words: str, seconds: float = 60) -> int:
        """Run `campus-agent WORDS` to its end; returns its exit status."""
        command = [sys.executable, "-P", "-m", "agent", *words]
        child, line = pty.fork()
        if child == 0:
            environ = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
            os.execve(sys.executable, command, environ)
        until, seen = time.monotonic() + seconds, 0
        try:
            while True:
                left = until - time.monotonic()
                assert left > 0, self.screen
                if not select.select([line], [], [], left)[0]:
                    continue
                data = b""
                with contextlib.suppress(OSError):  # a pty whose other end is gone: EIO
                    data = os.read(line, 65_536)
                if not data:
                    break
                self.screen += data.decode(errors="replace")
                asked = QUESTION.search(self.screen[seen:])
                if asked is not None:
                    seen = len(self.screen)
                    self._answer(line, asked[0])
        finally:
            os.close(line)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _answer(self, line: int, question: str) -> None:
        self.questions.append(question)
        waiting = [said for word, said in self._answers.items() if word in question and said]
        said = waiting[0].pop(0) if waiting else ""
        if said:
            self.typed.append(said)
        os.write(line, f"{said}\n".encode(errors="surrogateescape"))
