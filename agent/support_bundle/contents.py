"""What a bundle is made of: every source with its file, its deadline and its largest size."""

import contextlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.control.client import call
from agent.control.protocol import CommandError
from agent.findings import Cause
from agent.patrol_report.of_site import about, calendar_of, days_of
from agent.patrol_report.table import as_text
from agent.settings import SiteSettings
from agent.settings_report import report
from agent.site_file import LARGEST_FILE_BYTES
from agent.support_bundle import machine
from agent.support_bundle.programs import said_by
from agent.support_bundle.settings_copy import blanked
from agent.support_bundle.source import NotThereError, Source
from agent.support_bundle.stores import stores
from agent.text import Language, explain, sentence

LOG_BYTES = 2_000_000
QUICK_SECONDS, LOG_SECONDS, STORE_SECONDS = 5.0, 10.0, 10.0
# A source is given up a little after its own deadline, so that it can say why.
MARGIN_SECONDS = 2.0


@dataclass(frozen=True)
class School:
    """Of whom a bundle is made; `site` is None when the settings cannot be read at all."""

    config: Path
    site: SiteSettings | None
    state_directory: Path
    socket: Path
    log_lines: int
    lang: Language


def sources(school: School) -> Sequence[Source]:
    """Return every source of a bundle, in the order its files are listed in."""
    ports = school.site.serial_ports if school.site is not None else ()
    place = school.state_directory
    quick, log, store = QUICK_SECONDS, LOG_SECONDS + MARGIN_SECONDS, STORE_SECONDS + MARGIN_SECONDS
    return (
        Source("settings.toml", lambda: _settings(school), quick),
        Source("config-check.txt", lambda: _check(school), quick),
        Source("states.json", lambda: _states(school), quick, free_text=True),
        Source("log.txt", lambda: _log(school), log, LOG_BYTES, free_text=True),
        Source("versions.json", lambda: _json(machine.versions()), quick),
        Source("ports.json", lambda: _json(machine.ports(ports)), quick),
        Source("machine.json", lambda: _json(machine.room(place)), quick),
        Source("unit.json", lambda: _json(machine.unit()), quick + MARGIN_SECONDS),
        Source("stores.json", lambda: _json(stores(place, STORE_SECONDS)), store),
        Source("patrol-today.txt", lambda: _patrol(school), quick),
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _settings(school: School) -> str:
    with school.config.open("rb") as file:
        content = file.read(LARGEST_FILE_BYTES + 1)
    if len(content) > LARGEST_FILE_BYTES:
        raise NotThereError("file.too_large")
    return blanked(content.decode(errors="replace"))


def _check(school: School) -> str:
    found, lang = report(school.config), school.lang
    lines = [
        f"{found.file}:{one.line}: {explain(lang, Cause(code=one.code, params=one.params))}"
        for one in found.problems
    ]
    lines += [explain(lang, line) for line in found.summary]
    lines += [sentence(lang, "config.note", text=explain(lang, note)) for note in found.notes]
    code = "config.wrong" if found.problems else "config.fine"
    lines.append(sentence(lang, code, file=found.file, count=len(found.problems)))
    return "\n".join(lines) + "\n"


def _states(school: School) -> str:
    """Ask the running agent. States are kept in its memory alone, so nothing else can tell."""
    try:
        reply = call(school.socket, "status")
    except CommandError as error:
        raise NotThereError(error.code, **error.params) from None
    if not reply.ok:
        raise NotThereError(reply.code, **reply.params)
    return _json(reply.data)


def _log(school: School) -> str:
    command = ["journalctl", f"--unit={machine.UNIT}", "--no-pager", "--quiet"]
    command += ["--output=short-iso", f"--lines={school.log_lines}"]
    said = said_by(command, seconds=LOG_SECONDS, keep_bytes=LOG_BYTES)
    if not said.strip():
        raise NotThereError("bundle.no_log")
    return said


def _patrol(school: School) -> str:
    """Return today's report; guards are in it by code, as everywhere outside their school."""
    site = school.site
    if site is None or not site.configured("patrol"):
        raise NotThereError("bundle.no_patrol")
    now = datetime.now(UTC)
    place = (school.state_directory / "events.db").as_uri()
    with contextlib.closing(sqlite3.connect(f"{place}?mode=ro", uri=True, timeout=2)) as db:
        days = days_of(db, site, [calendar_of(site).day_of(now)], now)
    return "\n".join(as_text(days, about(site, persons=False), school.lang)) + "\n"
