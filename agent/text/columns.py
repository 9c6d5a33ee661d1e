"""Text laid out on a terminal, where a Chinese character is two columns wide."""

import unicodedata
from collections.abc import Iterator


def width(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(_columns(letter) for letter in text)


def padded(text: str, columns: int) -> str:
    """Return the text filled up with blanks to that many columns."""
    return text + " " * max(0, columns - width(text))


def wrapped(text: str, columns: int) -> list[str]:
    """Break a text into lines of at most so many columns: between words, or between Chinese."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
        while width(line.rstrip()) > columns:
            fits = _fitting(line, columns)
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _pieces(text: str) -> Iterator[str]:
    """Split where a line may be broken: after a blank, and around every wide character."""
    piece = ""
    for letter in text:
        if _columns(letter) == 2 and not _clings(letter) and piece:
            yield piece
            piece = ""
        piece += letter
        if letter == " ":
            yield piece
            piece = ""
    if piece:
        yield piece


def _clings(letter: str) -> bool:
    """Tell whether a wide character is a mark that begins no line, such as a full stop."""
    return unicodedata.category(letter) in ("Po", "Pe")


def _fitting(text: str, columns: int) -> int:
    taken = 0
    for at, letter in enumerate(text):
        taken += _columns(letter)
        if taken > columns and at:
            return at
    return len(text)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1
