"""The days of one site, read from its record: for the report, and wherever else it is shown."""

import sqlite3
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from agent.monitors.duty_calendar import ONE_DAY, DutyCalendar
from agent.patrol_report.days import DutyDay, duty_days
from agent.patrol_report.table import Site
from agent.settings import SiteSettings
from agent.store import patrol_record

# What was told late of a day: a wand is read a week after at most.
LATE = timedelta(days=8)


def reported(
    db: sqlite3.Connection, site: SiteSettings, days: Sequence[date], now: datetime
) -> Sequence[DutyDay]:
    """Return these days, which follow each other, as the record has them. Raises sqlite3.Error."""
    calendar = DutyCalendar(site.site.zone, site.patrol.day_starts)
    since, until = calendar.start_of(days[0]) - ONE_DAY, calendar.start_of(days[-1]) + LATE
    return duty_days(
        patrol_record.between(db, since.timestamp(), until.timestamp()),
        days,
        calendar,
        readers=frozenset(reader.id for reader in site.nfc_reader),
        required=site.patrol.tours_min_per_day,
        now=now,
    )


def names_of(site: SiteSettings) -> Site:
    """Return whose report it is, and the names of what it tells of."""
    return Site(
        name=site.site.name,
        zone=site.site.zone,
        checkpoints={point.id: point.name for point in site.checkpoint},
        posts={post.id: post.name for post in site.post},
        rounds={one.id: one.name for one in site.round},
        guards={card.id: card.name for card in site.guard_card},
        readers={reader.id: reader.name or reader.id for reader in site.nfc_reader},
    )
