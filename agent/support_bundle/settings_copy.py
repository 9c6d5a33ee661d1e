"""A site's file with nothing in it but settings that the product knows and no secret can be."""

import difflib
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping
from typing import TypeGuard

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from agent.credentials import MASK
from agent.settings import SiteSettings
from agent.settings_types import SecretReference
from drivers.base import DeviceSettings

_STRING_OR_COMMENT = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")|\'\'\'.*?\'{3,5}(?!\')'
    r'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|(?P<comment>#[^\n]*)',
    re.DOTALL,
)
_HEADER = re.compile(r"\s*\[{1,2}[A-Za-z0-9_. -]+\]{1,2}\s*(?:#.*)?")
_KEY = re.compile(r"\s*[A-Za-z0-9_.-]+\s*=")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SECRET_NAME = re.compile(r"(?i)pass|pwd|secret|token|key")
# Who walks the rounds is known by code; the name is the person's.
_PERSONS = (("guard_card", "name"),)

Model = type[DeviceSettings]


def blanked(text: str) -> str:
    """Return a site's file, line for line, without its secrets, comments and persons' names.

    What the product does not know may be a misspelt password, so its value goes too. A file that
    is no TOML keeps its keys alone.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError):
        return "\n".join(map(_key_alone, text.split("\n")))
    try:
        document = tomlkit.parse(_STRING_OR_COMMENT.sub(_without_comment, text))
        _blank(document, SiteSettings, "")
        return tomlkit.dumps(document)
    except (TOMLKitError, ValueError, TypeError, KeyError):
        # Written in a way that only one of the two readers follows.
        return "\n".join(map(_key_alone, text.split("\n")))


def secrets_in(data: Mapping[str, object]) -> Iterator[object]:
    """Yield what stands where a secret is referred to: references, and texts that are perhaps one.

    Of the file as it is: what is wrong with it costs a section at most, and its secrets stay so.
    """
    yield from _in_sections(data, SiteSettings)


def persons_in(data: Mapping[str, object]) -> Iterator[str]:
    """Yield the names of persons."""
    for section, key in _PERSONS:
        entries = data.get(section)
        for one in entries if isinstance(entries, list) else ():
            if isinstance(one, Mapping):
                yield from _strings(one.get(key))


def is_reference(value: object) -> TypeGuard[Mapping[str, str]]:
    """Tell whether a value says where a secret is, and nothing else."""
    if not isinstance(value, Mapping) or not value:
        return False
    for name, inner in value.items():
        if not isinstance(inner, str):
            return False
        if name == "file":
            good = inner.startswith("/") and inner.isprintable()
        else:
            good = name == "credential" and _CREDENTIAL.fullmatch(inner) is not None
        if not good:
            return False
    return True


def _without_comment(found: re.Match[str]) -> str:
    return found.group() if found["comment"] is None else "#"


def _key_alone(line: str) -> str:
    if not line.strip() or _HEADER.fullmatch(line):
        return line.partition("#")[0]
    key = _KEY.match(line)
    return f"{key.group()} {MASK}" if key else MASK


def _blank(table: typing.Any, model: Model, section: str) -> None:
    """Blank what is not fit to be shown, however deep. `table` is one of tomlkit's."""
    for name in list(table):
        value, inner = table[name], _inner(model, name)
        tables = value if isinstance(value, (AoT, list)) else [value]
        if (section, name) in _PERSONS or name not in model.model_fields:
            _mask(table, name)
        elif inner is SecretReference:
            if not is_reference(value):
                _mask(table, name)
        elif inner is not None and all(isinstance(one, Mapping) for one in tables):
            for one in tables:
                _blank(one, inner, name)
        elif inner is not None or _has_table(value):
            _mask(table, name)


def _has_table(value: object) -> bool:
    inside = isinstance(value, list) and any(map(_has_table, value))
    return inside or isinstance(value, Mapping)


def _mask(table: typing.Any, name: str) -> None:
    """Blank a value; of a section every value in it, so that each line stays where it is."""
    value = table[name]
    if isinstance(value, Mapping):
        for inner in list(value):
            _mask(value, inner)
    elif isinstance(value, AoT):
        for one in value:
            for inner in list(one):
                _mask(one, inner)
    else:
        table[name] = MASK


def _in_sections(data: Mapping[str, object], model: Model) -> Iterator[object]:
    for name, value in data.items():
        inner = _inner(model, name)
        if inner is SecretReference:
            yield from [value] if is_reference(value) else _strings(value)
        elif inner is not None:
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, Mapping):
                    yield from _in_sections(one, inner)
        elif name not in model.model_fields and _like_a_secret(name):
            yield from _strings(value)


def _like_a_secret(name: str) -> bool:
    near = difflib.get_close_matches(name.lower(), ("password", "secret"), n=1)
    return bool(near) or _SECRET_NAME.search(name) is not None


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            # The place of a secret is none.
            if name != "file" or not str(inner).startswith("/"):
                yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif value not in ("", None) and not isinstance(value, bool):
        yield str(value)


def _inner(model: Model, name: str) -> Model | None:
    """Return the model of a key that is a section or several; None: it is a plain value."""
    field = model.model_fields.get(name)
    return None if field is None else _model_in(field.annotation)


def _model_in(annotation: object) -> Model | None:
    if isinstance(annotation, type) and issubclass(annotation, DeviceSettings):
        return annotation
    return next(filter(None, map(_model_in, typing.get_args(annotation))), None)
