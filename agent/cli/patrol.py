"""`campus-agent patrol ...`: the report of a day or a month, its record checked, tags enrolled."""

import argparse
import contextlib
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from agent.cli.daemon import DEFAULT_CONFIG
from agent.cli.patrol_enroll import Wanted, enrolled
from agent.enrolment import Section
from agent.monitors.duty_calendar import ONE_DAY
from agent.patrol_report.days import DutyDay
from agent.patrol_report.of_site import about as about_site
from agent.patrol_report.of_site import calendar_of, days_of
from agent.patrol_report.page import page
from agent.patrol_report.table import Site, as_csv, as_text, headline, sheets
from agent.settings import SiteSettings
from agent.site_file import load_site
from agent.store import patrol_record
from agent.text import Language, language, printable, sentence

WRONG, FOUND = 2, 1


class _MistakeError(Exception):
    """One sentence for whoever asked."""


def main(argv: Sequence[str]) -> int:
    """Return 0 when all was well, 1 when the record is not whole, 2 for a mistake."""
    options_of = argparse.ArgumentParser(prog="campus-agent patrol")
    options_of.add_argument("action", choices=("report", "verify", "enroll"))
    options_of.add_argument("entry", nargs="?", default="")
    options_of.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    options_of.add_argument("--day", type=date.fromisoformat)
    options_of.add_argument("--month")
    for form in ("csv", "xlsx", "html"):
        options_of.add_argument(f"--{form}", type=Path)
    options_of.add_argument("--name", default="", help="enroll: of the checkpoint, or the guard")
    options_of.add_argument("--guard", action="store_true", help="enroll: a guard's card")
    options_of.add_argument("--post", action="store_true", help="enroll: a post")
    options_of.add_argument("--seconds", type=float, default=60)
    options_of.add_argument("--lang", default=None)
    options = options_of.parse_args(argv)
    if (options.action == "enroll") != bool(options.entry):
        options_of.error("enroll takes the id of a checkpoint or guard, nothing else does")
    lang = language(os.environ, options.lang)
    try:
        site = _site(options.config, lang)
        with _record_of(site, lang) as db:
            if options.action == "verify":
                return _verify(db, lang)
            if options.action == "enroll":
                section: Section = "guard_card" if options.guard else "checkpoint"
                section = "post" if options.post else section
                wanted = Wanted(section, options.entry, options.name)
                seconds = options.seconds
                return enrolled(db, options.config, site, wanted, lang, seconds=seconds)
            return _report(db, site, options, lang)
    except _MistakeError as mistake:
        print(printable(str(mistake)), file=sys.stderr)
        return WRONG


def _report(
    db: sqlite3.Connection, site: SiteSettings, options: argparse.Namespace, lang: Language
) -> int:
    now = datetime.now(UTC)
    asked = _days(options, calendar_of(site).day_of(now), lang)
    days, about = days_of(db, site, asked, now), about_site(site, persons=True)
    seal = patrol_record.seal(db)
    wrote = [_write(options, form, days, about, lang, seal) for form in ("csv", "xlsx", "html")]
    if not any(wrote):
        _show(days, about, lang)
    return 0


def _write(
    options: argparse.Namespace,
    form: str,
    days: Sequence[DutyDay],
    about: Site,
    lang: Language,
    seal: patrol_record.Seal,
) -> bool:
    place: Path | None = getattr(options, form)
    if place is None:
        return False
    try:
        if form == "csv":
            place.write_text(as_csv(sheets(days, about, lang)), encoding="utf-8", newline="")
        elif form == "html":
            sealed = f"{seal.number} {seal.hash}"
            made = page(days, about, lang, made_at=datetime.now(UTC), seal=sealed)
            place.write_text(made, encoding="utf-8")
        else:
            from agent.patrol_report.workbook import write_workbook  # noqa: PLC0415 - for it alone

            write_workbook(place, headline(days, lang), sheets(days, about, lang))
    except OSError as error:
        raise _MistakeError(
            sentence(lang, "patrol_report.not_written", path=str(place), why=error.strerror or "")
        ) from error
    print(printable(sentence(lang, "patrol_report.written", path=str(place))))
    return True


def _show(days: Sequence[DutyDay], about: Site, lang: Language) -> None:
    for line in as_text(days, about, lang):
        print(printable(line))


def _verify(db: sqlite3.Connection, lang: Language) -> int:
    found = patrol_record.verify(db)
    if found.wrong is not None:
        code = f"patrol_record.{found.why}"
        print(printable(sentence(lang, code, number=found.wrong)), file=sys.stderr)
        return FOUND
    print(
        printable(
            sentence(
                lang,
                "patrol_record.whole",
                rows=found.rows,
                first=found.first,
                number=found.head.number,
                seal=found.head.hash,
            )
        )
    )
    return 0


def _days(options: argparse.Namespace, today: date, lang: Language) -> list[date]:
    """Return the days that are asked for; without any, today."""
    if options.month is None:
        return [options.day or today]
    try:
        first = date.fromisoformat(f"{options.month}-01")
    except ValueError:
        raise _MistakeError(
            sentence(lang, "patrol_report.bad_month", month=options.month)
        ) from None
    following = (first + timedelta(days=32)).replace(day=1)
    last = min(following - ONE_DAY, max(today, first))
    return [first + timedelta(days=at) for at in range((last - first).days + 1)]


def _site(config: Path, lang: Language) -> SiteSettings:
    site = load_site(config, lenient=True).site
    if site is None:
        raise _MistakeError(sentence(lang, "patrol_report.no_settings", path=str(config)))
    return site


@contextlib.contextmanager
def _record_of(site: SiteSettings, lang: Language) -> Iterator[sqlite3.Connection]:
    """Open the record to be read, whether the agent runs or not."""
    place = site.state.directory / "events.db"
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=5)
        ) as db:
            yield db
    except sqlite3.Error as error:
        said = sentence(lang, "patrol_record.unreadable", path=str(place), why=str(error))
        raise _MistakeError(said) from error
