"""One line for a message of the county's contract, from its wire form."""

from collections.abc import Mapping

from agent.text import Language, join, printable, sentence


def event_line(lang: Language, kind: str, data: Mapping[str, object], *, test: bool = False) -> str:
    """Return the line of one event; `kind` is the last level of its topic."""
    code = _event_code(kind, data)
    if test and data.get("what") == "press":
        code = "event.alarm.press_test"
    return _line(lang, code, data)


def state_line(lang: Language, kind: str, object_id: str, data: Mapping[str, object]) -> str:
    """Return the line of one state; `kind` and `object_id` are the last levels of its topic."""
    code = f"state.{kind}"
    if kind == "duty":
        code += ".not_fitted" if data.get("not_fitted") else ""
        object_id = sentence(lang, f"duty.{object_id.replace('-', '_')}")
    return _line(lang, code, {**data, "id": object_id})


def cause_line(lang: Language, cause: Mapping[str, object]) -> str:
    """Return the sentence of a cause in its wire form."""
    params = cause.get("params")
    pairs = params.items() if isinstance(params, Mapping) else ()
    named = {str(name): printable(str(value)) for name, value in pairs}
    return sentence(lang, printable(str(cause.get("code", ""))), **named)


def _event_code(kind: str, data: Mapping[str, object]) -> str:
    what = data.get("what")
    if kind == "scan":
        what = "folded" if data.get("folded") else "checkpoint"
        what = "too_fast" if data.get("too_fast") else what
        what = "out_of_order" if data.get("out_of_order") else what
        what = what if data.get("checkpoint") else "unknown_tag"
        what = next((who for who in ("guard", "post") if data.get(who)), what)
        what = "too_late" if data.get("too_late") else data.get("refused") or what
    elif kind == "audit" and data.get("reader"):
        what = f"card_{what}"
    elif kind == "tour" and what == "completed":
        what = "found_late" if data.get("late_upload") else what
        what = "too_soon" if data.get("too_soon") else what
        what = "outside" if data.get("outside") else what
    elif kind == "patrol-day" and data.get("correction"):
        what = "corrected"
    elif kind == "post" and data.get("window"):
        what = f"{what}_at"
    elif what == "press" and data.get("certainty") == "possible":
        what = "press_possible"
    elif kind == "camera" and data.get("cameras"):
        kind = "cameras"
    return f"event.{kind}.{what}"


def _line(lang: Language, code: str, data: Mapping[str, object]) -> str:
    shown = {name: _shown(lang, name, value) for name, value in data.items()}
    causes = shown.pop("causes", "") or shown.pop("cause", "")
    line = sentence(lang, code, **shown)
    return join(lang, [line, causes]) if causes else line


def _shown(lang: Language, name: str, value: object) -> str:
    if name in ("cause", "causes"):
        causes = value if isinstance(value, (list, tuple)) else [value]
        return join(
            lang, [cause_line(lang, cause) for cause in causes if isinstance(cause, Mapping)]
        )
    if value is None or value in ([], ()):
        return sentence(lang, "word.none")
    if isinstance(value, bool):
        return sentence(lang, "word.yes" if value else "word.no")
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(printable(str(item)) for item in value)
    return printable(str(value))
