"""The settings in force, one key a line, and where each comes from; what opens a door is masked."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from agent.control.protocol import socket_path
from agent.credentials import MASK
from agent.problems import KeyPath
from agent.settings import BrokerSettings, ControlSettings, NfcReader, Recorder, SiteSettings
from agent.settings_alarm import AlarmModule
from agent.site_file import LoadResult

# A tag's number is all it takes to copy one: its last digits tell it from the others.
_TAG_DIGITS = 4


class Shown(NamedTuple):
    """One setting: `value` as JSON knows it; `line` of the file, None: nobody set it."""

    key: str
    value: object
    line: int | None


def settings_shown(loaded: LoadResult, environ: Mapping[str, str]) -> Iterator[Shown]:
    """Yield every setting of a good file, in the file's own order of sections."""
    if loaded.site is not None:
        yield from _model(loaded.site, (), "", _Reading(loaded, loaded.site, environ))


class _Reading(NamedTuple):
    loaded: LoadResult
    site: SiteSettings
    environ: Mapping[str, str]


def _model(model: BaseModel, path: KeyPath, key: str, reading: _Reading) -> Iterator[Shown]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        inner = f"{key}.{name}" if key else name
        yield from _value(model, name, value, (*path, name), inner, reading)


def _value(
    model: BaseModel, name: str, value: object, path: KeyPath, key: str, reading: _Reading
) -> Iterator[Shown]:
    if isinstance(value, BaseModel):
        yield from _model(value, path, key, reading)
        return
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for place, one in enumerate(value):
            # By its id, so that a line can be searched for and compared with another file's.
            called = getattr(one, "id", place)
            yield from _model(one, (*path, place), f"{key}[{called}]", reading)
        return
    line = reading.loaded.lines.get(path)
    if value is None and line is None:
        value = _meant(model, name, reading)
    yield Shown(key, _plain(_masked(value) if name == "tag" else value), line)


def _meant(model: BaseModel, name: str, reading: _Reading) -> object:
    """Return what stands in for a setting that nobody made and that depends on others."""
    if isinstance(model, BrokerSettings) and name == "username":
        return reading.site.broker_username
    if isinstance(model, ControlSettings):
        return socket_path(reading.environ, None)
    meant: Mapping[tuple[type[BaseModel], str], Callable[[], object]] = {
        (AlarmModule, "polls_per_second"): lambda: getattr(model, "polls", None),
        (NfcReader, "baud"): lambda: getattr(model, "speed", None),
        (Recorder, "poll_seconds"): lambda: getattr(model, "polled_every_seconds", None),
    }
    return meant.get((type(model), name), lambda: None)()


def _masked(value: object) -> str:
    kind, _, number = str(value).partition(":")
    return f"{kind}:{MASK}{number[-_TAG_DIGITS:]}"


def _plain(value: object) -> object:
    if isinstance(value, tuple | list | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Path) else value
