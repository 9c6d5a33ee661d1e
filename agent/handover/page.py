"""The hand-over report as one HTML file for A4: no script, no outside resource, all escaped."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from agent.text import Language, sentence

ORDER = ("fail", "unknown", "warn", "ok", "skip")
_STYLE = """
@page { size: A4; margin: 13mm; }
body { font: 9.5pt/1.35 "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif;
  color: #1f2328; margin: 4mm auto; max-width: 184mm; overflow-wrap: anywhere; }
h1 { font-size: 15pt; margin: 0; } h2 { font-size: 11.5pt; margin: 5mm 0 1.5mm; }
.site, .seal { color: #57606a; } .seal { font-size: 7.5pt; margin-top: 4mm; }
.verdict { border: 1.5pt solid; border-radius: 2mm; font-size: 13pt; margin: 4mm 0;
  padding: 3mm 4mm; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: .5pt solid #d0d7de; padding: .8mm 1.5mm; text-align: left;
  vertical-align: top; }
tr, .keep { break-inside: avoid; } .page { break-before: page; }
td.ok { color: #1a7f37; } td.fail { color: #cf222e; font-weight: bold; }
td.warn, td.unknown { color: #9a6700; font-weight: bold; } td.skip { color: #57606a; }
.next { font-weight: bold; }
svg { width: 100%; } svg text { font-size: 7px; fill: #57606a; }
.legend { font-size: 8pt; } .legend i { display: inline-block; height: 2.6mm; width: 2.6mm; }
.legend span { margin-right: 4mm; }
.pictures { display: grid; gap: 3mm; grid-template-columns: repeat(3, 1fr); }
figure { break-inside: avoid; margin: 0; } figure img { width: 100%; }
figcaption { font-size: 8pt; }
.sign { break-inside: avoid; display: flex; gap: 8mm; margin-top: 14mm; }
.sign div { border-top: .5pt solid #1f2328; flex: 1; padding-top: 1mm; }
""".strip()


@dataclass(frozen=True)
class Line:
    """One check as it reads: what, how it is, what was seen, why it may be, what to do."""

    id: str
    verdict: str
    title: str
    evidence: str = ""
    cause: str = ""
    next_step: str = ""


@dataclass(frozen=True)
class Table:
    """A section that is a table."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Handover:
    """All that goes on paper; pictures are JPEGs as base64 text, by the camera's name."""

    site: str
    made_at: str
    lines: Sequence[Line]
    calendar: str
    patrol: str
    tables: Sequence[Table]
    pictures: Sequence[tuple[str, str]] = ()


def page(report: Handover, lang: Language) -> str:
    """Return the whole document; the seal at its foot is the hash of all above it."""
    parts = [_top(report, lang), _problems(report, lang)]
    if report.calendar:
        parts.append(_section(_say(lang, "calendar"), report.calendar, "page"))
    if report.patrol:
        parts.append(_section(_say(lang, "patrol"), report.patrol, "keep"))
    parts += [_table(table) for table in report.tables if table.rows]
    parts.append(_checks(report, lang))
    if report.pictures:
        shown = "".join(
            f'<figure><img alt="" src="data:image/jpeg;base64,{data}">'
            f"<figcaption>{escape(name)}</figcaption></figure>"
            for name, data in report.pictures
        )
        parts.append(
            _section(_say(lang, "pictures"), f'<div class="pictures">{shown}</div>', "page")
        )
    parts.append(_signs(lang))
    body = "".join(parts)
    seal = hashlib.sha256(body.encode()).hexdigest()
    title = escape(f"{_say(lang, 'title')} {report.site}")
    return (
        f'<!DOCTYPE html><html lang="{"zh-CN" if lang == "zh" else "en"}"><head>'
        f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head><body>{body}'
        f'<div class="seal">{escape(_say(lang, "seal", made=report.made_at, seal=seal))}</div>'
        "</body></html>"
    )


def _top(report: Handover, lang: Language) -> str:
    counts = {word: sum(line.verdict == word for line in report.lines) for word in ORDER}
    worst = next((word for word in ORDER if counts[word]), "ok")
    colour = {"ok": "#1a7f37", "skip": "#1a7f37", "fail": "#cf222e"}.get(worst, "#9a6700")
    told = _say(lang, f"verdict_{worst}", **counts)
    return (
        f"<h1>{escape(_say(lang, 'title'))}</h1>"
        f'<div class="site">{escape(report.site)} · {escape(report.made_at)}</div>'
        f'<div class="verdict" style="color:{colour}">{escape(told)}</div>'
    )


def _problems(report: Handover, lang: Language) -> str:
    bad = [line for line in report.lines if line.verdict not in {"ok", "skip"}]
    if not bad:
        return ""
    bad.sort(key=lambda line: ORDER.index(line.verdict))
    rows = "".join(
        f'<tr><td class="{escape(line.verdict)}">{escape(_word(lang, line.verdict))}</td>'
        f"<td>{escape(line.title)}<br>{escape(line.cause)}</td>"
        f'<td class="next">{escape(line.next_step)}</td></tr>'
        for line in bad
    )
    head = "".join(f"<th>{escape(one)}</th>" for one in _say(lang, "problems_head").split("|"))
    return _section(_say(lang, "problems"), f"<table><tr>{head}</tr>{rows}</table>")


def _checks(report: Handover, lang: Language) -> str:
    rows = "".join(
        f'<tr><td class="{escape(line.verdict)}">{escape(_word(lang, line.verdict))}</td>'
        f"<td>{escape(line.title)}</td><td>{escape(line.evidence)}</td></tr>"
        for line in report.lines
    )
    head = "".join(f"<th>{escape(one)}</th>" for one in _say(lang, "checks_head").split("|"))
    return _section(_say(lang, "checks"), f"<table><tr>{head}</tr>{rows}</table>", "page")


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in table.head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return _section(table.title, f"<table><tr>{head}</tr>{rows}</table>", "keep")


def _signs(lang: Language) -> str:
    labels = "".join(f"<div>{escape(one.strip())}</div>" for one in _say(lang, "signs").split("|"))
    return f'<div class="sign">{labels}</div>'


def _section(title: str, content: str, style: str = "") -> str:
    return f'<section class="{style}"><h2>{escape(title)}</h2>{content}</section>'


def _word(lang: Language, verdict: str) -> str:
    return sentence(lang, f"word.{verdict}")


def _say(lang: Language, code: str, **params: object) -> str:
    return sentence(lang, f"handover.{code}", **params)
