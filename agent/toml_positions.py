"""Where each key of a TOML file stands: the standard reader tells values but no lines.

Works on text that `tomllib` has accepted, so it may skip over what it need not understand.
The grammar is TOML 1.0.0 (https://toml.io/en/v1.0.0).
"""

import re
import tomllib

from agent.problems import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_PART = re.compile(r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+')
_DOT = re.compile(r"[ \t]*\.[ \t]*")
# A closing delimiter may have up to two quotes of the text itself before it.
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\n]+")


def line_of_each_key(text: str) -> dict[KeyPath, int]:
    """Map every table, list element and key to the line (from 1) where it first stands."""
    scan = _Scan(text.replace("\r\n", "\n"))
    scan.document()
    return scan.lines


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._elements: dict[KeyPath, int] = {}
        self.lines: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip(_BLANK) and self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(2)
            elif self._text.startswith("[", self._at):
                table = self._header(1)
            else:
                self._key_value(table)

    def _header(self, brackets: int) -> KeyPath:
        self._at += brackets
        self._skip(_BLANK)
        line = self._line()
        parts = self._key()
        self._skip(_BLANK)
        self._at += brackets
        path: KeyPath = ()
        for depth, part in enumerate(parts, start=1):
            path = (*path, part)
            self.lines.setdefault(path, line)
            if brackets == 2 and depth == len(parts):
                path = (*path, self._elements.get(path, -1) + 1)
                self._elements[path[:-1]] = int(path[-1])
                self.lines[path] = line
            elif path in self._elements:
                path = (*path, self._elements[path])
        return path

    def _key_value(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._skip(_BLANK)
        self._at += 1  # the equals sign
        self._value(path)

    def _key(self) -> list[str]:
        parts = []
        while found := _KEY_PART.match(self._text, self._at):
            part = found.group()
            self._at = found.end()
            parts.append(part if part[0] not in "\"'" else next(iter(tomllib.loads(f"{part}=0"))))
            if not self._skip(_DOT):
                break
        return parts

    def _value(self, path: KeyPath) -> None:
        self._skip(_BLANK)
        if self._text.startswith("[", self._at):
            self._list(path)
        elif self._text.startswith("{", self._at):
            self._inline_table(path)
        elif not (self._skip(_STRING) or self._skip(_PLAIN)):
            self._at += 1  # not reached on valid text; never stand still

    def _list(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while self._before("]"):
            self.lines[(*path, index)] = self._line()
            self._value((*path, index))
            self._comma()
            index += 1
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while self._before("}"):
            self._key_value(path)
            self._comma()
        self._at += 1

    def _before(self, end: str) -> bool:
        self._skip(_BLANK)
        return self._at < len(self._text) and not self._text.startswith(end, self._at)

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self._text.startswith(",", self._at):
            self._at += 1

    def _skip(self, what: re.Pattern[str]) -> bool:
        found = what.match(self._text, self._at)
        if found is None:
            return False
        self._at = found.end()
        return True

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1
