"""Did the county see it all? A pure function over what an independent subscriber wrote down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulators.county import Heard


@dataclass(frozen=True)
class Expectation:
    """One thing the county must (or, with `never`, must not) have heard.

    `match` maps dotted paths into the message to values; `[]` in a path means any element.
    """

    name: str
    zh: str
    en: str
    kind: str
    match: Mapping[str, object]
    never: bool = False


@dataclass(frozen=True)
class Judgement:
    """One expectation and the first message that meets it."""

    expectation: Expectation
    heard: Heard | None

    @property
    def good(self) -> bool:
        """Tell whether it is as expected."""
        return (self.heard is None) == self.expectation.never


def judge(capture: Sequence[Heard], expectations: Sequence[Expectation]) -> list[Judgement]:
    """Find for every expectation the first message that meets it."""
    return [
        Judgement(one, next((heard for heard in capture if meets(heard, one)), None))
        for one in expectations
    ]


def meets(heard: Heard, expectation: Expectation) -> bool:
    """Tell whether a message is the one expected."""
    return heard.kind == expectation.kind and all(
        wanted in values_at(heard.body, path.split("."))
        for path, wanted in expectation.match.items()
    )


def values_at(body: object, path: Sequence[str]) -> list[Any]:
    """Return every value a path leads to."""
    if not path:
        return [body]
    step, *rest = path
    if step.endswith("[]"):
        inner = body.get(step[:-2]) if isinstance(body, Mapping) else None
        elements = inner if isinstance(inner, list) else []
        return [value for element in elements for value in values_at(element, rest)]
    if isinstance(body, Mapping) and step in body:
        return values_at(body[step], rest)
    return []
