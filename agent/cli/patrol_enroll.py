"""`campus-agent patrol enroll`: waits for a tag at a reader, writes it into the site's file."""

import json
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from agent.enrolment import EnrolmentError, Section, enrol
from agent.settings import SiteSettings
from agent.store import patrol_record
from agent.text import Language, printable, sentence

LOOK_SECONDS = 0.5
REFUSED = 1


class Wanted(NamedTuple):
    """What the tag is to be of."""

    section: Section
    entry: str
    name: str


def enrolled(
    db: sqlite3.Connection,
    config: Path,
    site: SiteSettings,
    wanted: Wanted,
    lang: Language,
    *,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Return 0 when the tag is written, 1 when none came or it belongs to somebody."""

    def say(code: str, **params: object) -> None:
        print(printable(sentence(lang, code, **params)), flush=True)

    say("enrol.hold", entry=wanted.entry, seconds=round(seconds))
    tag = _next_tag(db, seconds, sleep)
    if tag is None:
        say("enrol.none_came")
        return REFUSED
    owner = _owner(site, tag)
    if owner is not None and owner != wanted.entry:
        say("enrol.taken", tag=tag, owner=owner)
        return REFUSED
    try:
        was_there = enrol(config, wanted.section, wanted.entry, tag, wanted.name)
    except EnrolmentError as error:
        for problem in error.problems:
            said = sentence(lang, problem.code, **problem.params)
            print(printable(f"{config}: {said}"), file=sys.stderr)
        return REFUSED
    except OSError as error:
        say("patrol_report.not_written", path=str(config), why=error.strerror or "")
        return REFUSED
    say("enrol.changed" if was_there else "enrol.added", entry=wanted.entry, tag=tag)
    return 0


def _next_tag(db: sqlite3.Connection, seconds: float, sleep: Callable[[float], None]) -> str | None:
    """Return the tag of the next scan that is recorded from now on and was not refused."""
    newest, left = patrol_record.seal(db).number, seconds
    while left > 0:
        for record in patrol_record.after(db, newest):
            newest = record.number
            if record.kind != "scan":
                continue
            data = json.loads(record.body)["data"]
            if data.get("refused") is None:
                return str(data["tag_id"])
        sleep(LOOK_SECONDS)
        left -= LOOK_SECONDS
    return None


def _owner(site: SiteSettings, tag: str) -> str | None:
    owners = {point.tag: point.id for point in site.checkpoint}
    owners |= {post.tag: post.id for post in site.post}
    owners |= {card.tag: card.id for card in site.guard_card}
    return owners.get(tag)
