"""The hand-over report of a diagnosis, as a file: what was found, and what the store keeps."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.control.client import call
from agent.control.protocol import CommandError
from agent.diagnosis.checks import CheckResult
from agent.diagnosis.told import told
from agent.handover import gather
from agent.handover.page import Handover, Line, page
from agent.inventory import named_objects
from agent.settings import SiteSettings
from agent.text import Language, join, sentence


def write_report(
    place: Path,
    site: SiteSettings,
    found: Sequence[CheckResult],
    asked: Path,
    lang: Language,
    masked: Callable[[str], str],
) -> tuple[bool, str]:
    """Write it; return whether it is there, and the sentence that says so."""
    made = page(_report(site, found, asked, lang), lang)
    try:
        place.write_text(masked(made), encoding="utf-8")
    except OSError as error:
        why = error.strerror or type(error).__name__
        return False, sentence(lang, "handover.not_written", path=str(place), why=why)
    return True, sentence(lang, "handover.written", path=str(place))


def _report(
    site: SiteSettings, found: Sequence[CheckResult], asked: Path, lang: Language
) -> Handover:
    now = datetime.now(UTC)
    try:
        reply = call(asked, "status")
        states = reply.data.get("states", []) if reply.ok else []
    except CommandError:
        states = []
    names = named_objects(site)["button"]
    zone = site.site.zone
    return Handover(
        site=site.site.name,
        made_at=f"{now.astimezone(zone):%Y-%m-%d %H:%M}",
        lines=[_line(one, lang) for one in found],
        calendar=_kept(lambda: gather.recordings(site, now, lang)),
        patrol=_kept(lambda: gather.patrol(site, now, lang)),
        tables=[gather.tests(states, names, zone, lang), gather.versions(lang)],
    )


def _line(found: CheckResult, lang: Language) -> Line:
    said = told(lang, found)
    causes = [one.sentence for one in (said.cause, *said.also) if one is not None]
    return Line(
        id=said.id,
        verdict=said.verdict,
        title=f"{said.title} {said.device}".rstrip(),
        evidence=said.evidence,
        cause=join(lang, causes),
        next_step=said.next_step or "",
    )


def _kept(drawn: Callable[[], str]) -> str:
    """Return what the store has to show; a store that is not there yet has nothing."""
    try:
        return drawn()
    except sqlite3.Error:
        return ""
