"""The report as rows of words: what the screen, CSV and XLSX show alike."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.patrol_report.days import DutyDay, Scan, TourOf
from agent.text import Language, sentence

Cell = str | int | float
CSV_HEAD = "﻿"  # Excel reads UTF-8 only with a byte order mark


@dataclass(frozen=True)
class Site:
    """Whose report it is: names in the words of the settings, times in the site's zone."""

    name: str
    zone: ZoneInfo
    checkpoints: Mapping[str, str]
    readers: Mapping[str, str]
    guards: Mapping[str, str]
    posts: Mapping[str, str]
    rounds: Mapping[str, str]


@dataclass(frozen=True)
class Sheet:
    """A table with a title."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def sheets(days: Sequence[DutyDay], site: Site, lang: Language) -> Sequence[Sheet]:
    """Return the report as four tables: days, tours, times and posts, scans."""
    due = _due(days, site, lang)
    return (_days(days, lang), _tours(days, site, lang), due, _scans(days, site, lang))


def headline(days: Sequence[DutyDay], lang: Language) -> str:
    """Say in one sentence whether the duty was met."""
    if len(days) == 1:
        [day] = days
        return sentence(
            lang,
            f"patrol_report.day_{day.word}",
            day=day.day.isoformat(),
            done=day.done,
            required=day.required,
            minutes=day.blind_minutes,
        )
    met = sum(day.word == "met" for day in days)
    missed = sum(day.word == "missed" for day in days)
    return sentence(
        lang,
        "patrol_report.days",
        met=met,
        missed=missed,
        unknown=len(days) - met - missed,
        days=len(days),
    )


def as_csv(found: Sequence[Sheet]) -> str:
    """Return the tables one below the other."""
    text = io.StringIO()
    write = csv.writer(text)
    for sheet in found:
        write.writerows([[sheet.title], sheet.head, *map(_harmless, sheet.rows), []])
    return CSV_HEAD + text.getvalue()


def as_text(days: Sequence[DutyDay], site: Site, lang: Language) -> list[str]:
    """Return the report as lines: a single day with its tours and times."""
    lines = [headline(days, lang)]
    for sheet in sheets(days, site, lang)[: None if len(days) == 1 else 1]:
        if not sheet.rows:
            continue
        rows = (sheet.head, *sheet.rows)
        lines += ["", sheet.title]
        lines += ["  ".join(str(cell) for cell in row).rstrip() for row in rows]
    return lines


def clock(at: datetime, site: Site, *, seconds: bool = False) -> str:
    """Write a time as the site's clocks show it."""
    return at.astimezone(site.zone).strftime("%H:%M:%S" if seconds else "%H:%M")


def _days(days: Sequence[DutyDay], lang: Language) -> Sheet:
    rows: list[Sequence[Cell]] = [
        (
            day.day.isoformat(),
            sentence(lang, f"patrol_report.word_{day.word}"),
            day.done,
            day.required,
            len([scan for scan in day.scans if not scan.folded]),
            "—" if day.word in {"no_record", "open"} else day.blind_minutes,
        )
        for day in days
    ]
    return Sheet(_word(lang, "days_title"), _words(lang, "days_head"), rows)


def _tours(days: Sequence[DutyDay], site: Site, lang: Language) -> Sheet:
    rows: list[Sequence[Cell]] = [
        (
            day.day.isoformat(),
            tour.id,
            clock(tour.started_at, site),
            clock(tour.ended_at, site),
            round(tour.minutes),
            _word(lang, "unassigned")
            if tour.guard is None
            else site.guards.get(tour.guard, tour.guard),
            _outcome(tour, lang),
            ", ".join(site.checkpoints.get(point, point) for point in tour.missed),
        )
        for day in days
        for tour in day.tours
    ]
    return Sheet(_word(lang, "tours_title"), _words(lang, "tours_head"), rows)


def _due(days: Sequence[DutyDay], site: Site, lang: Language) -> Sheet:
    """Return a line for each time of each day, and for each post of each day that has none."""
    rows: list[Sequence[Cell]] = []
    for day in days:
        timed = {one.post for one in day.due}
        for one in day.due:
            name = _word(lang, "tour")
            if one.post is not None:
                name = site.posts.get(one.post, one.post)
            if one.round is not None:
                name = site.rounds.get(one.round, one.round)
            rows.append((day.day.isoformat(), name, one.window, _word(lang, f"due_{one.word}"), ""))
        for post, name in site.posts.items():
            taps = sum(scan.post == post and not scan.folded for scan in day.scans)
            alone = [clock(at, site) for who, at in day.left_alone if who == post]
            if post in timed or not (taps or alone):
                continue
            outcome = _word(lang, "due_left_alone" if alone else "due_manned")
            detail = sentence(lang, "patrol_report.taps", taps=taps, alone=", ".join(alone) or "—")
            rows.append((day.day.isoformat(), name, "", outcome, detail))
    return Sheet(_word(lang, "due_title"), _words(lang, "due_head"), rows)


def _scans(days: Sequence[DutyDay], site: Site, lang: Language) -> Sheet:
    rows: list[Sequence[Cell]] = [
        (
            day.day.isoformat(),
            clock(scan.at, site, seconds=True),
            _place(scan, site, lang),
            scan.tag,
            scan.assurance,
            site.readers.get(scan.reader, scan.reader),
            _remark(scan, lang),
        )
        for day in days
        for scan in day.scans
        if not scan.folded
    ]
    return Sheet(_word(lang, "scans_title"), _words(lang, "scans_head"), rows)


def _outcome(tour: TourOf, lang: Language) -> str:
    if not tour.complete:
        return _word(lang, "incomplete")
    if tour.outside:
        return _word(lang, "outside")
    if tour.too_soon:
        return _word(lang, "too_soon")
    return _word(lang, "found_late" if tour.found_late else "complete")


def _place(scan: Scan, site: Site, lang: Language) -> str:
    if scan.guard is not None:
        return _word(lang, "card_of") + site.guards.get(scan.guard, scan.guard)
    if scan.post is not None:
        return site.posts.get(scan.post, scan.post)
    if scan.checkpoint is None:
        return _word(lang, "unknown_tag")
    return site.checkpoints.get(scan.checkpoint, scan.checkpoint)


def _remark(scan: Scan, lang: Language) -> str:
    words = [scan.refused] if scan.refused else []
    words += ["too_fast"] if scan.too_fast else []
    words += ["out_of_order"] if scan.out_of_order else []
    words += ["too_late"] if scan.too_late else []
    words += [] if scan.sure else ["clock_unsure"]
    wand = [] if scan.wand is None else [sentence(lang, "patrol_report.by_wand", wand=scan.wand)]
    return ", ".join([*wand, *(_word(lang, word) for word in (*words, *scan.remarks))])


def _word(lang: Language, name: str) -> str:
    return sentence(lang, f"patrol_report.{name}")


def _words(lang: Language, name: str) -> Sequence[str]:
    return [word.strip() for word in _word(lang, name).split("|")]


def _harmless(row: Sequence[Cell]) -> Sequence[Cell]:
    """Quote what a spreadsheet would take for a formula: tags come from strangers."""
    return [f"'{cell}" if str(cell)[:1] in {"=", "+", "-", "@"} else cell for cell in row]
