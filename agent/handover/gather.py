"""What goes into the hand-over report, from the store and the daemon's states; nothing is asked."""

import contextlib
import platform
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from agent import __version__
from agent.handover.calendar import calendar, drawn
from agent.handover.page import Table
from agent.monitors.ledger import Ledgers
from agent.patrol_report.of_site import about, calendar_of, days_of
from agent.patrol_report.page import day_picture
from agent.patrol_report.table import headline
from agent.settings import SiteSettings
from agent.text import Language, sentence

WAIT_SECONDS = 5.0

States = Sequence[Mapping[str, Any]]


def recordings(site: SiteSettings, now: datetime, lang: Language) -> str:
    """Draw the retention calendar from what the store knows; nothing where there is no recorder."""
    if not site.recorder:
        return ""
    ledgers = Ledgers()
    with _store(site) as db:
        found = db.execute(
            "SELECT key, value FROM meta "
            "WHERE key LIKE 'monitor.ledger.%' OR key LIKE 'monitor.clock.%'"
        )
        ledgers.restore({key.removeprefix("monitor."): str(value) for key, value in found})
    today = now.astimezone(site.site.zone).date()
    return drawn(calendar(ledgers, site, today), today, lang)


def patrol(site: SiteSettings, now: datetime, lang: Language) -> str:
    """Draw the last whole duty day, and say what it came to; nothing where nobody walks."""
    if not site.checkpoint:
        return ""
    day = calendar_of(site).day_of(now) - timedelta(days=1)
    with _store(site) as db:
        days = days_of(db, site, [day], now)
    told = headline(days, lang)
    return f"<p>{escape(told)}</p>{day_picture(days[0], about(site, persons=True), lang)}"


def tests(states: States, names: Mapping[str, str], zone: ZoneInfo, lang: Language) -> Table:
    """Return when each button was last pressed and last tested."""
    rows = [
        (
            names.get(state["id"], state["id"]),
            *(
                _local(state["data"].get(key), zone, lang)
                for key in ("last_press_at", "last_test_at", "ok_until")
            ),
        )
        for state in states
        if state["kind"] == "button"
    ]
    return Table(_say(lang, "tests"), _say(lang, "tests_head").split("|"), rows)


def versions(lang: Language, release: Path = Path("/etc/os-release")) -> Table:
    """Return what runs here."""
    text = ""
    with contextlib.suppress(OSError):
        text = release.read_text(encoding="utf-8", errors="replace")
    told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    rows = [
        ("campus-agent", __version__),
        ("Python", sys.version.split()[0]),
        ("SQLite", sqlite3.sqlite_version),
        ("Linux", platform.release()),
        ("OS", told.get("PRETTY_NAME", "—").strip('"')),
    ]
    return Table(_say(lang, "versions"), _say(lang, "versions_head").split("|"), rows)


@contextlib.contextmanager
def _store(site: SiteSettings) -> Iterator[sqlite3.Connection]:
    """Open the store to be read, whether the agent runs or not. Raises sqlite3.Error."""
    place = site.state.directory / "events.db"
    with contextlib.closing(
        sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=WAIT_SECONDS)
    ) as db:
        yield db


def _local(told: str | None, zone: ZoneInfo, lang: Language) -> str:
    if told is None:
        return _say(lang, "never")
    return f"{datetime.fromisoformat(told).astimezone(zone):%Y-%m-%d %H:%M}"


def _say(lang: Language, code: str) -> str:
    return sentence(lang, f"handover.{code}")
