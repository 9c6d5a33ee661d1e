"""The retention calendar: of each channel, on which of the last days there is a recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from typing import Literal

from agent.monitors.ledger import LedgerDay, Ledgers
from agent.settings import SiteSettings
from agent.text import Language, sentence

DAYS = 90
Word = Literal["looked_at", "listed", "gap", "lost", "unknown"]
COLOURS: Mapping[Word, str] = {
    "looked_at": "#1a7f37",
    "listed": "#7bc48f",
    "gap": "#d29922",
    "lost": "#cf222e",
    "unknown": "#d0d7de",
}
WIDTH, LEFT, TOP, ROW = 720.0, 150.0, 14.0, 9.0
NAME_LETTERS = 14


@dataclass(frozen=True)
class Row:
    """One channel: the days from the oldest to yesterday, and from which on there must be any."""

    name: str
    key_area: bool
    needed_days: int
    words: Sequence[Word]


def calendar(ledgers: Ledgers, site: SiteSettings, today: date) -> Sequence[Row]:
    """Return a row for every channel, in the order of the settings."""
    found = []
    days = [today - timedelta(days=back) for back in range(DAYS, 0, -1)]
    for recorder in site.recorder:
        for channel in recorder.channel:
            known = ledgers.believed(recorder.id, channel.number)
            policy = site.retention
            needed = policy.key_area_min_days if channel.key_area else policy.retention_min_days
            words = [_word(known.get(day)) for day in days]
            found.append(Row(channel.name, channel.key_area, needed, words))
    return found


def drawn(rows: Sequence[Row], today: date, lang: Language) -> str:
    """Draw the rows as an SVG, one path a colour; a line marks where the days to be kept begin."""
    step = (WIDTH - LEFT) / DAYS
    height = TOP + ROW * len(rows) + 6
    parts = []
    for word, colour in COLOURS.items():
        boxes = "".join(
            f"M{LEFT + step * column:.1f} {TOP + ROW * number:.0f}h{step - 0.8:.1f}v{ROW - 2:.0f}"
            f"h-{step - 0.8:.1f}z"
            for number, row in enumerate(rows)
            for column, one in enumerate(row.words)
            if one == word
        )
        if boxes:
            parts.append(f'<path d="{boxes}" fill="{colour}"/>')
    for number, row in enumerate(rows):
        y = TOP + ROW * number
        x = LEFT + step * (DAYS - min(DAYS, row.needed_days))
        parts.append(f'<path d="M{x:.1f} {y - 1:.0f}v{ROW:.0f}" stroke="#1f2328"/>')
        mark = "★" if row.key_area else ""
        name = row.name if len(row.name) <= NAME_LETTERS else row.name[: NAME_LETTERS - 1] + "…"
        parts.append(f'<text x="0" y="{y + 6.5:.1f}">{escape(name)}{mark}</text>')
    for back in (90, 60, 30, 1):
        x = LEFT + step * (DAYS - back)
        day = today - timedelta(days=back)
        parts.append(f'<text x="{x:.1f}" y="9" text-anchor="{_anchor(back)}">{day:%m-%d}</text>')
    legend = " ".join(
        f'<span><i style="background:{colour}"></i>'
        f"{escape(sentence(lang, f'handover.day_{word}'))}</span>"
        for word, colour in COLOURS.items()
    )
    return (
        f'<svg viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img">{"".join(parts)}</svg>'
        f'<p class="legend">{legend}</p>'
    )


def _anchor(back: int) -> str:
    return "end" if back == 1 else "start" if back == DAYS else "middle"


def _word(known: LedgerDay | None) -> Word:
    if known is None:
        return "unknown"
    if not known.present:
        return "lost" if known.lost else "gap"
    return "looked_at" if known.grade == "A" else "listed"
