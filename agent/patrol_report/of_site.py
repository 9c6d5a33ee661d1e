"""The report of a site: its days read from the record, its names from the settings."""

import sqlite3
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from agent.monitors.duty_calendar import ONE_DAY, DutyCalendar
from agent.patrol_report.days import DutyDay, duty_days
from agent.patrol_report.table import Site
from agent.settings import SiteSettings
from agent.store import patrol_record

# What was told late of a day; scans of wands may be three months old.
LATE, LATE_BY_WAND = timedelta(days=8), timedelta(days=91)


def calendar_of(site: SiteSettings) -> DutyCalendar:
    """Return the duty days of a site."""
    return DutyCalendar(site.site.zone, site.patrol.day_starts)


def days_of(
    db: sqlite3.Connection, site: SiteSettings, asked: Sequence[date], now: datetime
) -> Sequence[DutyDay]:
    """Read what the record says of the days that are asked for, one after the other."""
    calendar = calendar_of(site)
    late = LATE_BY_WAND if any(one.driver == "wand" for one in site.nfc_reader) else LATE
    since, until = calendar.start_of(asked[0]) - ONE_DAY, calendar.start_of(asked[-1]) + late
    return duty_days(
        patrol_record.between(db, since.timestamp(), until.timestamp()),
        asked,
        calendar,
        readers=frozenset(reader.id for reader in site.nfc_reader),
        required=site.patrol.tours_min_per_day,
        now=now,
    )


def about(site: SiteSettings, *, persons: bool) -> Site:
    """Return the names of a site; without `persons` its guards are known by code alone."""
    return Site(
        name=site.site.name,
        zone=site.site.zone,
        checkpoints={point.id: point.name for point in site.checkpoint},
        posts={post.id: post.name for post in site.post},
        rounds={one.id: one.name for one in site.round},
        guards={card.id: card.name for card in site.guard_card} if persons else {},
        readers={reader.id: reader.name or reader.id for reader in site.nfc_reader},
    )
