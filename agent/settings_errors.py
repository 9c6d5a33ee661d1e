"""From what pydantic found to problems a technician can act on; a rejected value is never kept."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from agent.problems import KeyPath, Problem
from agent.settings import SiteSettings
from agent.text import printable

# pydantic's error types (https://docs.pydantic.dev/latest/errors/validation_errors/).
_WANTED = {
    "int_type": "config.wants_int",
    "int_from_float": "config.wants_int",
    "int_parsing_size": "config.wants_int",
    "float_type": "config.wants_number",
    "finite_number": "config.wants_number",
    "string_type": "config.wants_text",
    "path_type": "config.wants_text",
    "string_pattern_mismatch": "config.bad_credential",
    "bool_type": "config.wants_bool",
    "time_type": "config.wants_time",
    "tuple_type": "config.wants_list",
    "model_type": "config.wants_table",
    "too_short": "config.empty",
}
_BOUNDS = {
    "greater_than_equal": ("config.at_least", "ge"),
    "greater_than": ("config.above", "gt"),
    "less_than_equal": ("config.at_most", "le"),
    "less_than": ("config.below", "lt"),
}
_OWN = frozenset(
    {
        "bad_days",
        "bad_id",
        "bad_span",
        "bad_zone",
        "bad_host",
        "bad_key",
        "bad_mask",
        "bad_host_port",
        "bad_tag",
        "bad_tech",
        "blank",
        "loop_poles",
        "no_modem_lines",
        "not_absolute",
        "secret_place",
    }
)
_EXPECTED = re.compile(r"'([^']*)'|(\d+)")
_LONGEST_KEY = 40
_VERY_NEAR = 0.8


def problems_of(error: ValidationError, data: Mapping[str, object]) -> Iterator[Problem]:
    """Yield one problem an error; paths are those of `data`, which `error` is about."""
    for found in error.errors(include_input=False, include_url=False):
        yield _problem(found["type"], found["loc"], found.get("ctx", {}), data)


def shown_key(key: str) -> str:
    """Write a key of the file so that it can do no harm on a terminal."""
    safe = printable(key)
    return safe if len(safe) <= _LONGEST_KEY else safe[:_LONGEST_KEY] + "…"


def _problem(
    kind: str, path: KeyPath, context: Mapping[str, object], data: Mapping[str, object]
) -> Problem:
    key = _named(path)
    if kind == "extra_forbidden":
        return _unknown_key(path, key)
    if kind == "missing":
        code = "config.missing_section" if len(path) == 1 else "config.missing"
        return Problem(code=code, params={"key": key}, path=path)
    if kind == "literal_error":
        return _one_of(path, key, str(context.get("expected", "")), data)
    if kind in _BOUNDS:
        code, name = _BOUNDS[kind]
        return Problem(code=code, params={"key": key, "bound": _plain(context[name])}, path=path)
    if kind == "bad_zone" and context.get("near"):
        params = {"key": key, "near": str(context["near"])}
        return Problem(code="config.bad_zone_near", params=params, path=path)
    if kind == "model_type" and key == "password":
        return Problem(code="config.plain_secret", params={"key": key}, path=path)
    if kind == "tuple_type" and isinstance(value_at(data, path), Mapping):
        return Problem(code="config.one_bracket", params={"key": key}, path=path)
    code = f"config.{kind}" if kind in _OWN else _WANTED.get(kind, "config.invalid")
    return Problem(code=code, params={"key": key}, path=path)


def _unknown_key(path: KeyPath, key: str) -> Problem:
    fields = _fields_at(path[:-1])
    very_near = difflib.get_close_matches(key, fields, n=1, cutoff=_VERY_NEAR)
    homes = [] if very_near else [home for home, model in _homes() if key in model.model_fields]
    if homes:
        # Of several, the one around or inside the place it stands at.
        home = max(homes, key=lambda home: home[:1] == path[:1])
        params = {"key": key, "section": _header(home)}
        return Problem(code="config.unknown_key_elsewhere", params=params, path=path)
    near = very_near or difflib.get_close_matches(key, fields, n=1)
    if near:
        params = {"key": key, "near": near[0]}
        return Problem(code="config.unknown_key_near", params=params, path=path)
    return Problem(code="config.unknown_key", params={"key": key}, path=path)


def _one_of(path: KeyPath, key: str, expected: str, data: Mapping[str, object]) -> Problem:
    words = [text or number for text, number in _EXPECTED.findall(expected)]
    params: dict[str, str | int | float] = {"key": key, "expected": ", ".join(words)}
    value = value_at(data, path)
    near = difflib.get_close_matches(value, words, n=1) if isinstance(value, str) else []
    if near:
        return Problem(code="config.one_of_near", params=params | {"near": near[0]}, path=path)
    return Problem(code="config.one_of", params=params, path=path)


def value_at(data: object, path: KeyPath) -> object:
    """Return what stands at `path`, or None."""
    for part in path:
        try:
            data = data[part]  # type: ignore[index]  # whatever the file holds there
        except (TypeError, KeyError, IndexError):
            return None
    return data


def _model_in(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model a field holds, itself, in a tuple or optionally."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _fields_at(path: KeyPath) -> list[str]:
    model: type[BaseModel] | None = SiteSettings
    for part in path:
        if model is not None and isinstance(part, str):
            field = model.model_fields.get(part)
            model = _model_in(field) if field is not None else None
    return list(model.model_fields) if model is not None else []


def _homes() -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    """Yield every section a file may have, by its header's names."""
    for name, field in SiteSettings.model_fields.items():
        model = _model_in(field)
        if model is not None:
            yield (name,), model
            for part in ("button", "channel"):
                inner = _model_in(model.model_fields[part]) if part in model.model_fields else None
                if inner is not None:
                    yield (name, part), inner


def _header(home: tuple[str, ...]) -> str:
    many = home[0] in (
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
    return f"[[{'.'.join(home)}]]" if many else f"[{home[0]}]"


def _named(path: KeyPath) -> str:
    """Write the key a path ends at, and which entry of it, counted as people do."""
    key = shown_key(next((part for part in reversed(path) if isinstance(part, str)), ""))
    return f"{key} #{path[-1] + 1}" if path and isinstance(path[-1], int) else key


def _plain(bound: object) -> str:
    return str(int(bound)) if isinstance(bound, float) and bound.is_integer() else str(bound)
