"""The report as one A4 page for a head teacher to sign: the verdict, a picture, the tours."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from agent.patrol_report.days import DutyDay, by_checkpoint
from agent.patrol_report.table import Sheet, Site, clock, headline, sheets
from agent.text import Language, sentence

WIDTH, LEFT, RIGHT, TOP, ROW = 720, 130, 24, 24, 22
_COLOURS = {"met": "#1a7f37", "missed": "#cf222e", "not_observed": "#9a6700"}
_UNSAID = "#57606a"
# More rows than these do not fit on the page with the picture.
TOURS_SHOWN, DUE_SHOWN, DAYS_SHOWN = 12, 14, 31
_STYLE = """
@page { size: A4; margin: 14mm; }
body { font: 10.5pt "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif;
  color: #1f2328; margin: 4mm auto; max-width: 182mm; }
h1 { font-size: 15pt; margin: 0 0 1mm; } .site { color: #57606a; }
.verdict { border: 1.5pt solid; border-radius: 2mm; font-size: 12.5pt; margin: 4mm 0;
  padding: 3mm 4mm; }
svg { width: 100%; } svg text { font-size: 9px; fill: #57606a; }
table { border-collapse: collapse; margin-top: 3mm; width: 100%; }
th, td { border-bottom: .5pt solid #d0d7de; padding: 1mm 2mm; text-align: left; }
table.dense { font-size: 8.5pt; line-height: 1.15; } .dense th, .dense td { padding: .25mm 2mm; }
.sign { display: flex; gap: 10mm; margin-top: 12mm; }
.sign div { border-top: .5pt solid #1f2328; flex: 1; padding-top: 1mm; }
.seal { color: #57606a; font-size: 8pt; margin-top: 5mm; overflow-wrap: anywhere; }
"""


def page(
    days: Sequence[DutyDay], site: Site, lang: Language, *, made_at: datetime, seal: str
) -> str:
    """Return a whole HTML document without outside resources; `seal` is the record's newest."""
    one = len(days) == 1
    title = sentence(lang, "patrol_report.title")
    span = days[0].day.isoformat() + ("" if one else f" – {days[-1].day.isoformat()}")
    word = days[0].word if one else _worst(days)
    day_sheet, tour_sheet, due_sheet, _ = sheets(days, site, lang)
    table = (
        _table(tour_sheet, TOURS_SHOWN, lang) + _table(due_sheet, DUE_SHOWN, lang, "dense")
        if one
        else _table(day_sheet, DAYS_SHOWN, lang, "dense")
    )
    picture = day_picture(days[0], site, lang) if one else _month_picture(days, lang)
    made = made_at.astimezone(site.zone).strftime("%Y-%m-%d %H:%M")
    signs = "".join(
        f"<div>{escape(label.strip())}</div>"
        for label in sentence(lang, "patrol_report.signs").split("|")
    )
    foot = sentence(lang, "patrol_report.seal", made=made, seal=seal)
    return (
        f'<!DOCTYPE html><html lang="{"zh-CN" if lang == "zh" else "en"}"><head>'
        f'<meta charset="utf-8"><title>{escape(title)} {escape(span)}</title>'
        f"<style>{_STYLE}</style></head><body>"
        f'<h1>{escape(title)}</h1><div class="site">{escape(site.name)} · {escape(span)}</div>'
        f'<div class="verdict" style="color:{_COLOURS.get(word, _UNSAID)}">'
        f"{escape(headline(days, lang))}</div>{picture}{table}"
        f'<div class="sign">{signs}</div><div class="seal">{escape(foot)}</div></body></html>'
    )


def _worst(days: Sequence[DutyDay]) -> str:
    words = {day.word for day in days}
    return next((word for word in ("missed", "not_observed") if word in words), "met")


def day_picture(day: DutyDay, site: Site, lang: Language) -> str:
    """Draw time against checkpoints: tours as bands, scans as dots, absent readers as grey."""
    points = [*site.checkpoints, None]
    found = by_checkpoint(day)
    points = [point for point in points if point is not None or found.get(None)]
    height = TOP + ROW * len(points) + 20
    seconds = (day.end - day.start).total_seconds()

    def x(at: datetime) -> float:
        share = (at - day.start).total_seconds() / seconds
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, share)), 1)

    drawn = []
    bottom = TOP + ROW * len(points)
    for away in day.away:
        left, right = x(away.since), x(away.until or day.end)
        drawn.append(_box(left, TOP, right - left, bottom - TOP, "#eaeef2"))
    for tour in day.tours:
        left, right = x(tour.started_at), x(tour.ended_at)
        colour = "#c6efce" if tour.counts else "#ffd8b5"
        drawn.append(_box(left, TOP, max(2, right - left), bottom - TOP, colour))
    hours = round(seconds / 3600)
    for hour in range(0, hours + 1, 3):
        at = round(LEFT + (WIDTH - LEFT - RIGHT) * hour / hours, 1)
        instant = day.start + (day.end - day.start) * (hour / hours)
        drawn.append(f'<path d="M{at} {TOP}V{bottom}" stroke="#d0d7de" stroke-width=".6"/>')
        drawn.append(
            f'<text x="{at}" y="{bottom + 12}" text-anchor="middle">'
            f"{escape(clock(instant, site))}</text>"
        )
    for number, point in enumerate(points):
        middle = TOP + ROW * number + ROW / 2
        unknown = sentence(lang, "patrol_report.unknown_tag")
        name = unknown if point is None else site.checkpoints[point]
        drawn.append(f'<text x="0" y="{middle + 3}">{escape(_short(name))}</text>')
        drawn += [
            f'<circle cx="{x(scan.at)}" cy="{middle}" r="3.4" fill="#0969da"/>'
            for scan in found.get(point, [])
        ]
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(drawn)}</svg>'


def _month_picture(days: Sequence[DutyDay], lang: Language) -> str:
    """Draw the completed tours of each day as bars, and the duty as a line."""
    most = max([day.required for day in days] + [day.done for day in days])
    step, height = (WIDTH - 40) / len(days), 130.0
    drawn = []
    for number, day in enumerate(days):
        left, tall = 30 + step * number, height * day.done / most
        colour = _COLOURS.get(day.word, "#d0d7de")
        drawn.append(_box(left, TOP + height - tall, step * 0.7, max(1.0, tall), colour))
        drawn.append(
            f'<text x="{left + step * 0.35:.1f}" y="{TOP + height + 12}" text-anchor="middle">'
            f"{day.day.day}</text>"
        )
    duty = TOP + height * (1 - days[-1].required / most)
    drawn.append(
        f'<path d="M30 {duty:.1f}H{WIDTH - 10}" stroke="#1f2328" stroke-dasharray="4 3"/>'
        f'<text x="0" y="{duty + 3:.1f}">{days[-1].required}</text>'
    )
    label = escape(sentence(lang, "patrol_report.tours_title"))
    drawn.append(f'<text x="30" y="12">{label}</text>')
    return f'<svg viewBox="0 0 {WIDTH} {TOP + height + 20}" role="img">{"".join(drawn)}</svg>'


def _box(left: float, top: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}"/>'
    )


def _table(sheet: Sheet, most: int, lang: Language, style: str = "") -> str:
    if not sheet.rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in sheet.head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in sheet.rows[:most]
    )
    left = len(sheet.rows) - most
    more = escape(sentence(lang, "patrol_report.more", count=left)) if left > 0 else ""
    return f'<table class="{style}"><tr>{head}</tr>{rows}</table>{more}'


def _short(name: str) -> str:
    return name if len(name) <= 12 else name[:11] + "…"
