"""Sentences for people: codes and parameters go in, Chinese or English comes out."""

from collections.abc import Mapping
from typing import Literal

from agent.findings import Cause
from agent.text import (
    bundle_en,
    bundle_zh,
    causes_en,
    causes_zh,
    diagnosis_en,
    diagnosis_zh,
    en,
    handover_en,
    handover_zh,
    init_en,
    init_zh,
    online_en,
    online_zh,
    panel_en,
    panel_zh,
    patrol_en,
    patrol_zh,
    status_en,
    status_zh,
    steps_en,
    steps_zh,
    zh,
)

Language = Literal["zh", "en"]

SENTENCES: dict[str, Mapping[str, str]] = {
    "zh": {
        **zh.SENTENCES,
        **bundle_zh.SENTENCES,
        **causes_zh.SENTENCES,
        **diagnosis_zh.SENTENCES,
        **handover_zh.SENTENCES,
        **init_zh.SENTENCES,
        **online_zh.SENTENCES,
        **panel_zh.SENTENCES,
        **patrol_zh.SENTENCES,
        **status_zh.SENTENCES,
        **steps_zh.SENTENCES,
    },
    "en": {
        **en.SENTENCES,
        **bundle_en.SENTENCES,
        **causes_en.SENTENCES,
        **diagnosis_en.SENTENCES,
        **handover_en.SENTENCES,
        **init_en.SENTENCES,
        **online_en.SENTENCES,
        **panel_en.SENTENCES,
        **patrol_en.SENTENCES,
        **status_en.SENTENCES,
        **steps_en.SENTENCES,
    },
}
_ASIDE = {"zh": "（{}）", "en": " ({})"}
# Parameters whose values are words of the product; ids, names and versions stay as they are.
_WORDS = frozenset(
    {
        "verdict",
        "position",
        "word",
        "certainty",
        "layer",
        "picture",
        "clock",
        "online",
        "guard",
        "shows",
    }
)
_PAUSE = {"zh": "；", "en": "; "}


class _Params(dict[str, object]):
    """Parameters of a sentence; one that was not given shows as a dash, never as an error."""

    def __missing__(self, key: str) -> str:
        return "" if key == "detail" else "—"


def sentence(lang: Language, code: str, /, **params: object) -> str:
    """Return the sentence of `code`; an unknown code shows itself and its parameters.

    `detail` is an aside: it brings its own brackets, and none when it is empty.
    """
    template = SENTENCES[lang].get(code)
    if template is None:
        shown = ", ".join(f"{name}={value}" for name, value in params.items() if value != "")
        return f"{code} ({shown})" if shown else code
    return filled(lang, template, params)


def filled(lang: Language, template: str, params: Mapping[str, object]) -> str:
    """Return a template of the catalogue, or a part of one, with its parameters said."""
    told = {name: said(lang, name, value) for name, value in params.items()}
    if told.get("detail"):
        told["detail"] = _ASIDE[lang].format(told["detail"])
    return template.format_map(_Params(told))


def said(lang: Language, name: str, value: object) -> object:
    """Return a parameter as people say it: a code or a word of the product in their language."""
    if not isinstance(value, str):
        return value
    if name in ("fault", "code", "detail") and knows(lang, value):
        return sentence(lang, value)
    if name == "duty" and knows(lang, f"duty.{value}"):
        # Its name, and the key that stands for it in the site's file.
        return sentence(lang, f"duty.{value}") + _ASIDE[lang].format(value)
    if name == "reason" and knows(lang, f"unknown.{value}"):
        return sentence(lang, f"unknown.{value}")
    is_word = value == "unknown" or name in _WORDS
    return SENTENCES[lang].get(f"word.{value}", value) if is_word else value


def knows(lang: Language, code: str) -> bool:
    """Tell whether the catalogue has a sentence for `code`."""
    return code in SENTENCES[lang]


def explain(lang: Language, cause: Cause) -> str:
    """Return the sentence of a cause."""
    return sentence(lang, cause.code, **cause.params)


def printable(text: str) -> str:
    """Write text from outside so that it can do no harm on a terminal or in a log."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def join(lang: Language, parts: list[str]) -> str:
    """Put sentences into one line, with the pause of the language."""
    return _PAUSE[lang].join(parts)


def language(
    environ: Mapping[str, str], override: str | None = None, encoding: str = "utf-8"
) -> Language:
    """Return the language to speak: what was asked for, English in an English locale, Chinese.

    A console whose `encoding` has no Chinese gets English unless asked otherwise.
    """
    if override in SENTENCES:
        return "en" if override == "en" else "zh"
    named = (environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next((value for value in named if value), "")
    if locale.lower().startswith("en"):
        return "en"
    try:
        "报警".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return "en"
    return "zh"
