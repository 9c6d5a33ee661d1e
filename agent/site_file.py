"""Reading a site's file: settings, and every problem with the line it stands on."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import Field, ValidationError

from agent.problems import KeyPath, Problem
from agent.settings import SiteSettings
from agent.settings_checks import EMPTY, cross_checks
from agent.settings_errors import problems_of, value_at
from agent.toml_positions import line_of_each_key
from drivers.readings import Frozen

LARGEST_FILE_BYTES = 1_000_000
_ID = re.compile(r"[a-z0-9-]{1,32}")
_DEVICES = (
    "alarm_module",
    "alarm_loop",
    "alarm_receiver",
    "nfc_reader",
    "checkpoint",
    "guard_card",
    "post",
    "round",
    "recorder",
)
_PARTS = ("button", "contact", "output", "channel")
_BROKER_KEYS = ((), ("hosts",), ("status_seconds",), ("username",), ("password",))
# The standard reader's own words (tomllib of Python 3.11); anything else is `toml.invalid`.
_SYNTAX = {
    "Expected '=' after a key": "toml.no_equals",
    "Expected newline or end of document": "toml.rest_of_line",
    "Expected ']": "toml.header",
    "Cannot overwrite": "toml.twice",
    "Cannot declare": "toml.twice",
    "Cannot mutate": "toml.twice",
    "Duplicate inline table key": "toml.twice",
    "Unterminated string": "toml.open_string",
    "Illegal character '\\n'": "toml.open_string",
    "Unclosed": "toml.open_bracket",
    "Invalid value": "toml.value",
    "Unescaped '\\'": "toml.backslash",
}
_SYNTAX_AT = re.compile(r"\(at line (\d+), column \d+\)$")
# Stands in for an unreadable [site] so that the rest of the file can still be checked.
_NOBODY = {"county": "x", "id": "x", "name": "x"}


class LoadResult(Frozen):
    """`site` is None when what is left of the file cannot be run; problems are in line order.

    `left_out` are the parts of the file that a lenient load had to do without.
    """

    site: SiteSettings | None
    problems: tuple[Problem, ...] = ()
    left_out: tuple[KeyPath, ...] = ()
    lines: Mapping[KeyPath, int] = Field(default_factory=dict, repr=False)

    def line(self, path: KeyPath) -> int:
        """Return the line of a key, or of the nearest thing around it that the file has."""
        return nearest_line(self.lines, path)


def load_site(path: Path, *, lenient: bool = False) -> LoadResult:
    """Read a site's file. Never raises: what is wrong comes back as problems.

    Strict, any problem means no settings. Lenient, a bad device costs that device alone, a bad
    key of another section falls back to its default, and only a file without a usable [site] or
    without any word on the alarm gives no settings.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = {FileNotFoundError: "absent", PermissionError: "denied"}
        code = f"file.{reason.get(type(error), 'unreadable')}"
        return LoadResult(site=None, problems=(Problem(code=code),))
    return read_site(content, lenient=lenient)


def read_site(content: bytes, *, lenient: bool = False) -> LoadResult:
    """Read a site's file from its bytes; see `load_site`."""
    if len(content) > LARGEST_FILE_BYTES:
        return LoadResult(site=None, problems=(Problem(code="file.too_large"),))
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return LoadResult(site=None, problems=(Problem(code="file.not_utf8", line=line),))
    text = text.removeprefix("\ufeff")
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        return LoadResult(site=None, problems=(_syntax_problem(str(error), text),))
    return _Reading(data, line_of_each_key(text)).result(lenient=lenient)


def nearest_line(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Return the line of `path`, or of the longest part of it that has one, or 1."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1


def _syntax_problem(said: str, text: str) -> Problem:
    code = next((code for start, code in _SYNTAX.items() if said.startswith(start)), "toml.invalid")
    place = _SYNTAX_AT.search(said)
    line = int(place.group(1)) if place else text.rstrip("\n").count("\n") + 1
    return Problem(code=code, line=line)


class _Reading:
    """One reading of a file: validates, leaves out what is bad, and validates the rest."""

    def __init__(self, data: dict[str, object], lines: Mapping[KeyPath, int]) -> None:
        self._data = data
        self._lines = lines
        self._left_out: set[KeyPath] = set()
        self._kept: dict[KeyPath, list[int]] = {}
        self._nobody = False

    def result(self, *, lenient: bool) -> LoadResult:
        problems: list[Problem] = []
        site = self._rest(problems)
        if site is not None:
            clashes = [self._placed(found) for found in cross_checks(site, self._present(problems))]
            problems += clashes
            # A device with nothing on it does no harm; a whole section is never left out.
            costly = (_unit(found.path) for found in clashes if found.code != EMPTY)
            self._left_out |= {unit for unit in costly if len(unit) > 1}
            site = self._rest([])
        problems = _without_echoes(problems)
        problems.sort(key=lambda problem: problem.line)
        if problems and not lenient:
            return LoadResult(site=None, problems=tuple(problems), lines=self._lines)
        says_alarm = site is not None and (
            bool(site.panic_buttons or site.alarm_receiver) or site.not_fitted.alarm is not None
        )
        usable = says_alarm and not self._nobody
        return LoadResult(
            site=site if usable else None,
            problems=tuple(problems),
            left_out=tuple(sorted(self._left_out, key=str)),
            lines=self._lines,
        )

    def _rest(self, problems: list[Problem]) -> SiteSettings | None:
        """Validate, leaving out more until it passes; only the first round's errors are told."""
        told = False
        while True:
            data = self._pruned()
            try:
                return SiteSettings.model_validate(data, strict=True)
            except ValidationError as error:
                found = [self._placed(problem) for problem in problems_of(error, data)]
            if not told:
                problems += found
                told = True
            if not self._leave_out(found):
                return None

    def _leave_out(self, problems: Iterable[Problem]) -> bool:
        """Leave out the bad parts; return whether that changed anything."""
        before, was_nobody = frozenset(self._left_out), self._nobody
        for problem in problems:
            unit = _unit(problem.path)
            if unit not in self._lines or unit in before:
                unit = unit[:1]  # it is not there, and its section cannot do without it
            if unit == ("site",):
                self._nobody = True
            else:
                self._left_out.add(unit)
        return len(self._left_out) > len(before) or self._nobody != was_nobody

    def _pruned(self) -> dict[str, object]:
        self._kept = {}
        data = {
            key: self._copy(value, (key,))
            for key, value in self._data.items()
            if (key,) not in self._left_out
        }
        return data | {"site": _NOBODY} if self._nobody else data

    def _copy(self, value: object, path: KeyPath) -> object:
        if isinstance(value, dict):
            return {
                key: self._copy(inner, (*path, key))
                for key, inner in value.items()
                if (*path, key) not in self._left_out
            }
        if isinstance(value, list):
            kept = [i for i in range(len(value)) if (*path, i) not in self._left_out]
            self._kept[path] = kept
            return tuple(self._copy(value[i], (*path, i)) for i in kept)
        return value

    def _placed(self, problem: Problem) -> Problem:
        """Put a problem of the pruned data where it stands in the file."""
        path: KeyPath = ()
        for part in problem.path:
            kept = self._kept.get(path, [])
            is_moved = isinstance(part, int) and part < len(kept)
            path = (*path, kept[int(part)] if is_moved else part)
        device = problem.device or self._device(path)
        line = nearest_line(self._lines, path)
        return problem.model_copy(update={"path": path, "line": line, "device": device})

    def _device(self, path: KeyPath) -> str | None:
        """Return the id of the device or part a path lies in; its place when it has no good id."""
        unit = _unit(path)
        if unit[:1] == () or unit[0] not in _DEVICES or len(unit) < 2:
            return None
        value = value_at(self._data, unit)
        name = value.get("id") if isinstance(value, dict) else None
        if isinstance(name, str) and _ID.fullmatch(name):
            return name
        return ".".join(str(part) for part in unit)

    def _present(self, problems: Iterable[Problem]) -> set[str]:
        """Return the file's top-level names, a misspelt one as what it was meant to be."""
        meant = {
            str(problem.params["near"])
            for problem in problems
            if problem.code == "config.unknown_key_near" and len(problem.path) == 1
        }
        return {key for key, value in self._data.items() if value != []} | meant


def _unit(path: KeyPath) -> KeyPath:
    """Return the smallest part of the file that can be left out to be rid of what is at `path`."""
    if len(path) >= 4 and path[0] in _DEVICES and path[2] in _PARTS and isinstance(path[3], int):
        return path[:4]
    if path[:1] == ("broker",) and path[1:2] not in _BROKER_KEYS:
        return path[:1]  # without [broker.tls], misspelt or not, the login would go in the clear
    return path[:2]


def _without_echoes(problems: Iterable[Problem]) -> list[Problem]:
    """Drop what only follows from another problem.

    That is a missing key that a misspelt one beside it was meant to be, and a list that is empty
    because everything in it is bad.
    """
    problems = list(problems)
    meant: set[KeyPath] = {
        (*problem.path[:-1], str(problem.params["near"]))
        for problem in problems
        if problem.code == "config.unknown_key_near"
    }
    inside = {problem.path[:end] for problem in problems for end in range(len(problem.path))}
    echoes: dict[str, set[KeyPath]] = {
        "config.missing": meant,
        "config.missing_section": meant,
        EMPTY: inside,
        # `file` stands for the pair of which one was misspelt.
        "config.secret_place": {(*path[:-1], "file") for path in meant},
    }
    told = (problem for problem in problems if problem.path not in echoes.get(problem.code, ()))
    return list(told)
