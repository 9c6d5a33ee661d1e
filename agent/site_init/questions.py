"""Questions on a terminal, over any line: each has its default in brackets, and is asked again."""

import getpass
import re
import sys
from collections.abc import Callable, Sequence

from agent.text import Language, printable, sentence

MOST_MISTAKES = 5
LONGEST_ANSWER = 200
LONGEST_PASSWORD = 256
# What stands between two numbers, also as a Chinese keyboard types it.
_BETWEEN = re.compile(r"[\s,，、;；]+")
_SPAN = re.compile(r"(\d{1,9})(?:\s*[-~－—–]\s*(\d{1,9}))?")


class RefusedError(Exception):
    """Nothing is written, and why."""

    def __init__(self, code: str, **params: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


class Questions:
    """Asks one person; `typed` counts the answers that were more than Enter."""

    def __init__(
        self,
        lang: Language,
        *,
        read: Callable[[str], str] = input,
        read_secret: Callable[[str], str] = getpass.getpass,
    ) -> None:
        self.lang = lang
        self.typed = 0
        self._read = read
        self._read_secret = read_secret

    def say(self, code: str, **params: object) -> None:
        """Say a sentence; what comes from outside can do no harm."""
        self.show(printable(sentence(self.lang, code, **params)))

    def show(self, text: str) -> None:
        """Show text as it is."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def text(
        self,
        code: str,
        default: str,
        wrong: Callable[[str], str | None] = lambda _: None,
        **params: object,
    ) -> str:
        """Return an answer that nothing is wrong with. Raises RefusedError."""
        for _ in range(MOST_MISTAKES):
            answer = self._answer(code, default, **params)
            said = wrong(answer)
            if said is None:
                return answer
            self.show(said)
        raise RefusedError("init.too_many_mistakes")

    def yes(self, code: str, *, default: bool, **params: object) -> bool:
        """Return whether the answer was yes."""
        shown = "Y/n" if default else "y/N"
        for _ in range(MOST_MISTAKES):
            answer = self._answer(code, shown, **params).lower()
            if answer == shown.lower():
                return default
            if answer in ("y", "yes", "是", "好"):
                return True
            if answer in ("n", "no", "否", "不"):
                return False
            self.say("init.wants_yes_or_no")
        raise RefusedError("init.too_many_mistakes")

    def numbers(self, code: str, allowed: Sequence[int], default: Sequence[int]) -> list[int]:
        """Return those ticked of a list, as `1,3,5-8`. Raises RefusedError."""
        shown = ",".join(map(str, default)) or sentence(self.lang, "word.none")
        for _ in range(MOST_MISTAKES):
            answer = self._answer(code, shown)
            if answer == shown:
                return list(default)
            try:
                return numbers(answer, allowed)
            except ValueError as error:
                self.say("init.bad_numbers", detail=str(error)[:20])
        raise RefusedError("init.too_many_mistakes")

    def password(self, code: str, **params: object) -> str:
        """Return a password that is not shown; empty: none was typed. Raises RefusedError."""
        try:
            answer = self._read_secret(printable(sentence(self.lang, code, **params)) + " ")
            answer.encode()
        except EOFError:
            raise RefusedError("init.input_ended") from None
        except UnicodeError:
            raise RefusedError("init.bad_password") from None
        if "\0" in answer or "\n" in answer or len(answer) > LONGEST_PASSWORD:
            raise RefusedError("init.bad_password")
        self.typed += bool(answer)
        return answer

    def _answer(self, code: str, default: str, **params: object) -> str:
        asked = f"{sentence(self.lang, code, **params)} [{default}] "
        for _ in range(MOST_MISTAKES):
            try:
                answer = self._read(printable(asked)).strip()
            except EOFError:
                raise RefusedError("init.input_ended") from None
            if not answer:
                return default
            self.typed += 1
            # A replacement character stands for bytes that were no text.
            if len(answer) <= LONGEST_ANSWER and answer.isprintable() and "\ufffd" not in answer:
                return answer
            self.say("init.unreadable_answer")
        raise RefusedError("init.too_many_mistakes")


def numbers(text: str, allowed: Sequence[int]) -> list[int]:
    """Read `1,3,5-8`, each number one of those allowed. Raises ValueError with the wrong part."""
    known, chosen = set(allowed), set[int]()
    for part in filter(None, _BETWEEN.split(text.strip())):
        span = _SPAN.fullmatch(part)
        first = int(span[1]) if span else 0
        last = int(span[2] or span[1]) if span else 0
        if span is None or first > last or first not in known or last not in known:
            raise ValueError(part)
        # A span takes in what is there: channel numbers have gaps.
        chosen |= {one for one in known if first <= one <= last}
    return sorted(chosen)
