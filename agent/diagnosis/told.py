"""A result as people and programs read it: in a language, with cause and next step apart."""

import re

from pydantic import TypeAdapter

from agent.diagnosis.checks import CheckResult, Outcome
from agent.findings import Cause
from agent.text import SENTENCES, Language, filled, printable, sentence
from drivers.readings import Frozen

# Where a sentence of the catalogue turns from what is wrong to what to do about it.
_TURN = {"zh": re.compile("[：，；](?=请)"), "en": re.compile(r": (?!.*: )")}
# What comes before is as it was found; the aside at the end belongs to it.
_ASIDE = "{detail}"


class ToldCause(Frozen):
    """Why: a code of the text catalogue with its parameters, and what is wrong in words."""

    code: str
    params: dict[str, str | int | float]
    sentence: str


class Told(Frozen):
    """One element of `diagnose --json`; docs/diagnose.schema.json is made of it."""

    id: str
    area: str
    title: str
    device: str
    verdict: Outcome
    evidence: str
    cause: ToldCause | None
    next_step: str | None
    also: tuple[ToldCause, ...]
    seconds: float


def told(lang: Language, found: CheckResult) -> Told:
    """Say a result."""
    return Told(
        id=printable(found.id),
        area=found.area,
        title=sentence(lang, found.title_code),
        device=printable(found.device),
        verdict=found.verdict,
        evidence=printable(sentence(lang, found.evidence.code, **found.evidence.params))
        if found.evidence is not None
        else "",
        cause=_cause(lang, found.cause) if found.cause is not None else None,
        next_step=_next(lang, found.next_step) if found.next_step is not None else None,
        also=tuple(_cause(lang, one) for one in found.also),
        seconds=found.seconds,
    )


def schema() -> dict[str, object]:
    """Return the JSON Schema of what `--json` prints."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **TypeAdapter(list[Told]).json_schema(mode="serialization"),
    }


def halves(lang: Language, code: str) -> tuple[str, str]:
    """Return the two halves of a sentence's template: what is wrong, and what to do ("": none)."""
    template = SENTENCES[lang].get(code, "")
    turn = _TURN[lang].search(template)
    # Only where both languages turn: else the half of one would be the whole of the other.
    both = turn and all(_TURN[each].search(SENTENCES[each].get(code, "")) for each in _TURN)
    if turn is None or not both or f"next.{code}" in SENTENCES[lang]:
        return template, ""
    first, second = template[: turn.start()], template[turn.end() :]
    if second.endswith(_ASIDE):
        first, second = first + _ASIDE, second.removesuffix(_ASIDE)
    return first, second


def _cause(lang: Language, cause: Cause) -> ToldCause:
    first, _ = halves(lang, cause.code)
    words = filled(lang, first, cause.params) or sentence(lang, cause.code, **cause.params)
    return ToldCause(code=cause.code, params=dict(cause.params), sentence=printable(words))


def _next(lang: Language, cause: Cause) -> str:
    if cause.code.startswith("next."):
        return printable(sentence(lang, cause.code, **cause.params))
    _, second = halves(lang, cause.code)
    return printable(filled(lang, second or SENTENCES[lang]["next.any"], cause.params))
