"""What the panel shows of the daemon's states: a few big words, nothing that is not known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from agent.duties import SERVED_BY
from agent.text import Language, join, sentence
from agent.text.messages import cause_line

States = Sequence[Mapping[str, Any]]
VERDICTS = ("fail", "unknown", "warn", "ok")
_COLON: Mapping[Language, str] = {"zh": "：", "en": ": "}
WORST_SHOWN = 4  # sentences under one duty; the technician's commands show the rest


@dataclass(frozen=True)
class Screen:
    """Whose panel it is."""

    site: str
    zone: ZoneInfo
    lang: Language
    names: Mapping[tuple[str, str], str]


def shown(states: States, screen: Screen, now: datetime) -> str:
    """Return the page's body as HTML; every word from outside is escaped."""
    local = now.astimezone(screen.zone)
    parts = [
        _bar("plain", f"{screen.site} · {local:%Y-%m-%d %H:%M:%S}"),
        *_incidents(states, screen),
        *_tests(states, screen),
        *_patrol(states, screen),
        '<div class="duties">',
        *(_duty(state, states, screen) for state in states if state["kind"] == "duty"),
        "</div>",
    ]
    return "".join(parts)


def unanswered(screen: Screen) -> str:
    """Return the body where the daemon does not answer: nothing is known then."""
    return _bar("fail", _say(screen, "no_answer"))


def _incidents(states: States, screen: Screen) -> Sequence[str]:
    found = []
    for state in _of(states, "button"):
        data, name = state["data"], _name(screen, state)
        if data["incident"] is None:
            continue
        by = data["acknowledged_by"]
        code = "acknowledged" if by else "incident"
        found.append(_bar("fail", _say(screen, code, name=name, number=data["incident"], by=by)))
        found.append(_bar("plain", _say(screen, f"told_{data['guard']}")))
    return found


def _tests(states: States, screen: Screen) -> Sequence[str]:
    return [
        _bar("warn", _say(screen, "test", until=_clock(state["data"]["ends_at"], screen)))
        for state in _of(states, "test-window")
        if state["data"]["open"]
    ]


def _patrol(states: States, screen: Screen) -> Sequence[str]:
    found = []
    left_out = {one["id"] for one in _of(states, "duty") if one["data"]["not_fitted"] is not None}
    for state in () if "patrol" in left_out else _of(states, "patrol"):
        data = state["data"]
        done, required = data["tours_done"], data["tours_min_per_day"]
        late = any(one["word"] == "late" for one in data["windows"])
        kind = "ok" if done >= required else "fail" if late else "plain"
        if data["due_until"] is None:
            found.append(_bar(kind, _say(screen, "tours", done=done, required=required)))
            continue
        told = {
            "done": done,
            "required": required,
            "begin": _clock(data["due_from"], screen),
            "end": _clock(data["due_until"], screen),
            "minutes": data["minutes_left"],
        }
        code = "tours_due" if data["windows"] else "tours_left"
        found.append(_bar(kind, _say(screen, "tours_late" if late else code, **told)))
    return found


def _duty(state: Mapping[str, Any], states: States, screen: Screen) -> str:
    data = state["data"]
    duty = state["id"].replace("-", "_")
    title = sentence(screen.lang, f"duty.{duty}")
    if data["not_fitted"] is not None:
        word, mark, why = "plain", _say(screen, "not_fitted"), [data["not_fitted"]]
    else:
        word, why = data["verdict"], _why(SERVED_BY.get(duty, ()), states, screen)
        mark = sentence(screen.lang, f"word.{word}")
    lines = "".join(f"<li>{escape(line)}</li>" for line in why[:WORST_SHOWN])
    more = len(why) - WORST_SHOWN
    lines += f"<li>{escape(_say(screen, 'more', count=more))}</li>" if more > 0 else ""
    return (
        f'<section class="{word}"><h2>{escape(title)}</h2>'
        f"<strong>{escape(mark)}</strong><ul>{lines}</ul></section>"
    )


def _why(kinds: Sequence[str], states: States, screen: Screen) -> list[str]:
    """Return what keeps a duty from being well, the worst first."""
    found: list[tuple[int, str]] = []
    for state in states:
        verdict = state["data"]["verdict"]
        if state["kind"] not in kinds or verdict == "ok":
            continue
        causes = [cause_line(screen.lang, cause) for cause in state["data"]["causes"]]
        why = join(screen.lang, causes)
        line = _name(screen, state) + _COLON[screen.lang] + why
        found.append((VERDICTS.index(verdict), line))
    return [line for _, line in sorted(found, key=lambda one: one[0])]


def _of(states: States, kind: str) -> Sequence[Mapping[str, Any]]:
    return [state for state in states if state["kind"] == kind]


def _name(screen: Screen, state: Mapping[str, Any]) -> str:
    return screen.names.get((state["kind"], state["id"]), state["id"])


def _clock(told: str | None, screen: Screen) -> str:
    if told is None:
        return "—"
    return f"{datetime.fromisoformat(told).astimezone(screen.zone):%H:%M}"


def _say(screen: Screen, code: str, **params: object) -> str:
    return sentence(screen.lang, f"panel.{code}", **params)


def _bar(kind: str, text: str) -> str:
    return f'<p class="bar {kind}">{escape(text)}</p>'
