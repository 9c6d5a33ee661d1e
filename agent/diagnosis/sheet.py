"""The technician's sheet: aligned lines for a console of 80 columns, and what is to be done."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from unicodedata import combining, east_asian_width

from agent.diagnosis.checks import WELL, CheckResult, Outcome
from agent.diagnosis.told import Told, told
from agent.text import Language, join, sentence

COLUMNS = 80
_VERDICT_COLUMNS, _TITLE_COLUMNS = 8, 34
_MORE = "…"  # one column wide wherever it is ambiguous
_ORDER: tuple[Outcome, ...] = ("fail", "unknown", "warn", "ok", "skip")


def columns(text: str) -> int:
    """Return how many columns a text takes on a console: a Chinese character takes two."""
    return sum(_wide(letter) for letter in text)


def cut(text: str, most: int) -> str:
    """Return as much of a text as fits, marked where something was cut off."""
    if columns(text) <= most:
        return text
    kept = ""
    for letter in text:
        if columns(kept) + _wide(letter) > most - 1:
            break
        kept += letter
    return kept + _MORE


def padded(text: str, width: int) -> str:
    """Return a text of exactly that many columns."""
    shown = cut(text, width)
    return shown + " " * (width - columns(shown))


def wrapped(text: str, indent: int) -> Iterator[str]:
    """Yield a text in lines that fit, further ones under the first."""
    first, rest, line = " " * (indent - 2), " " * indent, ""
    lead = first
    for piece in _pieces(text):
        if line and columns(lead + line + piece) > COLUMNS:
            yield (lead + line).rstrip()
            lead, line = rest, piece.lstrip()
        else:
            line += piece
    if line:
        yield (lead + line).rstrip()


def line(lang: Language, found: CheckResult) -> str:
    """Return the line of one result: verdict, what was checked, what was seen."""
    said = told(lang, found)
    title = f"{said.title} {said.device}".rstrip()
    seen = said.cause.sentence if said.cause is not None else said.evidence
    verdict = sentence(lang, f"word.{said.verdict}")
    head = padded(verdict, _VERDICT_COLUMNS) + padded(title, _TITLE_COLUMNS) + "  "
    return (head + cut(seen, COLUMNS - columns(head))).rstrip()


def closing(lang: Language, found: Sequence[CheckResult], seconds: float) -> Iterator[str]:
    """Yield the counts, then every problem with its cause and its one next step, worst first.

    What has the same cause stands together: a recorder that is off is one thing to do.
    """
    counts = Counter(one.verdict for one in found)
    shown = [
        f"{sentence(lang, f'word.{verdict}')} {counts[verdict]}"
        for verdict in _ORDER
        if counts[verdict]
    ]
    yield ""
    listed = ", ".join(shown) if lang == "en" else "，".join(shown)
    yield sentence(
        lang, "diagnosis.summary", total=len(found), seconds=f"{seconds:.1f}", counts=listed
    )
    if all(one.verdict in WELL for one in found):
        return
    yield ""
    yield sentence(lang, "diagnosis.problems")
    for verdict, same in _together(lang, found):
        yield from _problem(lang, verdict, same)


def _together(lang: Language, found: Sequence[CheckResult]) -> Iterator[tuple[str, list[Told]]]:
    for verdict in _ORDER[:3]:
        groups: dict[tuple[str, ...], list[Told]] = {}
        for one in found:
            if one.verdict == verdict:
                said = told(lang, one)
                also = (each.sentence for each in said.also)
                cause = said.cause.sentence if said.cause is not None else ""
                groups.setdefault((cause, said.next_step or "", *also), []).append(said)
        for same in groups.values():
            yield sentence(lang, f"word.{verdict}"), same


def _problem(lang: Language, verdict: str, same: Sequence[Told]) -> Iterator[str]:
    first = same[0]
    yield from wrapped(f"{verdict}  {', '.join(one.id for one in same)}", 4)
    causes = [one.sentence for one in (first.cause, *first.also) if one is not None]
    yield from wrapped(sentence(lang, "diagnosis.cause", cause=join(lang, causes)), 6)
    yield from wrapped(sentence(lang, "diagnosis.next", step=first.next_step or ""), 6)


def _wide(letter: str) -> int:
    if combining(letter):
        return 0
    return 2 if east_asian_width(letter) in ("W", "F") else 1


def _pieces(text: str) -> Iterator[str]:
    """Yield what may begin a new line: words, single Chinese characters, parts of a long word."""
    word = ""
    for letter in text:
        if letter == " " or _wide(letter) == 2:
            yield word
            word = letter
            if letter != " ":
                yield word
                word = ""
        else:
            word += letter
    yield from textwrap.wrap(word, COLUMNS // 2, drop_whitespace=False) or [""]
