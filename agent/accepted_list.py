"""What a school had when it was handed over, and what is different from it now."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, Field, ValidationError

from agent.settings import SiteSettings
from agent.store.small_file import replace
from drivers.readings import Frozen

FILE = "accepted.json"
# What the two lists are compared by; models and firmware may be written another way by an update.
COMPARED = (
    "maker",
    "serial_number",
    "name",
    "port",
    "input",
    "channel",
    "recorder",
    "driver",
    "key_area",
)

Kind = Literal["recorder", "camera", "unlisted", "button", "reader"]
Word = Literal["found", "missing", "swapped", "new", "unseen"]


class Item(Frozen):
    """One thing of the site. `facts` are empty where nothing is known.

    `unlisted` is a channel that the recorder has and the site's file has not.
    """

    kind: Kind
    id: str
    seen: Literal["yes", "no", "unknown"] = "unknown"
    facts: dict[str, str] = Field(default_factory=dict)


class Accepted(Frozen):
    """The list that was accepted; what a newer version has added is not known here."""

    by: str
    at: AwareDatetime
    items: tuple[Item, ...]


class Finding(Frozen):
    """How one thing stands; `was` and `now` are of the fact that differs."""

    word: Word
    kind: Kind
    id: str
    fact: str = ""
    was: str = ""
    now: str = ""


def items(
    site: SiteSettings,
    states: Sequence[Mapping[str, Any]],
    listed: Mapping[str, Mapping[str, str]],
) -> tuple[Item, ...]:
    """Return what the site has, by its settings, its newest states and its recorders' own lists."""
    known = {(one["kind"], one["id"]): one["data"] for one in states}
    return (*_serial(site, known), *_recorded(site, known, listed))


def _serial(site: SiteSettings, known: Mapping[tuple[str, str], Any]) -> Iterator[Item]:
    wired = [
        *(
            (one.id, module.port, one.input)
            for module in site.alarm_module
            for one in module.button
        ),
        *((loop.id, loop.port, "") for loop in site.alarm_loop),
        *(
            (zone.id, receiver.port, f"{zone.account}/{zone.zone or ''}")
            for receiver in site.alarm_receiver
            for zone in receiver.button
        ),
    ]
    for button, port, number in wired:
        link = str(known.get(("button", button), {}).get("link", "unknown"))
        facts = {"port": port, "input": str(number)}
        yield Item(kind="button", id=button, seen=_seen(link, "up", "down"), facts=facts)
    for reader in site.nfc_reader:
        verdict = str(known.get(("reader", reader.id), {}).get("verdict", "unknown"))
        facts = {"driver": reader.driver, "port": reader.port}
        yield Item(kind="reader", id=reader.id, seen=_seen(verdict, "ok", "fail"), facts=facts)


def _recorded(
    site: SiteSettings,
    known: Mapping[tuple[str, str], Any],
    listed: Mapping[str, Mapping[str, str]],
) -> Iterator[Item]:
    for recorder in site.recorder:
        data = known.get(("recorder", recorder.id), {})
        said = {
            name: str(data.get(name, "unknown")) for name in ("maker", "model", "serial_number")
        }
        facts = {name: value for name, value in said.items() if value != "unknown"}
        # Who it is stays known when it is lost; how it is does not.
        now = (data.get(name, "unknown") for name in ("clock_offset_seconds", "channels_online"))
        answers = bool(facts) and any(value != "unknown" for value in now)
        seen: Literal["yes", "unknown"] = "yes" if answers else "unknown"
        yield Item(kind="recorder", id=recorder.id, seen=seen, facts=facts)
        names = listed.get(recorder.id, {}) if answers else {}
        watched = set()
        for channel in recorder.channel:
            number = str(channel.number)
            watched.add(number)
            facts = {"recorder": recorder.id, "channel": number}
            facts["key_area"] = "yes" if channel.key_area else "no"
            if names.get(number):
                facts["name"] = names[number]
            there: Literal["yes", "no", "unknown"] = "unknown"
            if names:
                online = known.get(("camera", channel.id), {}).get("online")
                there = "yes" if number in names and online is not False else "no"
            yield Item(
                kind="camera",
                id=channel.id,
                seen=there,
                facts=facts,
            )
        for number, name in names.items():
            if number not in watched:
                facts = {"name": name} if name else {}
                yield Item(kind="unlisted", id=f"{recorder.id}/{number}", seen="yes", facts=facts)


def _seen(word: str, yes: str, no: str) -> Literal["yes", "no", "unknown"]:
    return "yes" if word == yes else "no" if word == no else "unknown"


def findings(accepted: Collection[Item], present: Collection[Item]) -> list[Finding]:
    """Hold what there is against what was accepted, thing by thing."""
    now = {(one.kind, one.id): one for one in present}
    before = {(one.kind, one.id): one for one in accepted}
    silent = {one.id for one in present if one.kind == "recorder" and one.seen != "yes"}
    found = [_finding(one, now.get(key), silent) for key, one in before.items()]
    found += [
        Finding(word="new", kind=one.kind, id=one.id, now=one.facts.get("name", ""))
        for key, one in now.items()
        if key not in before
    ]
    return found


def _finding(was: Item, now: Item | None, silent: Collection[str]) -> Finding:
    if was.kind == "unlisted" and was.id.partition("/")[0] in silent:
        return Finding(word="unseen", kind=was.kind, id=was.id)
    if now is None or now.seen == "no":
        return Finding(word="missing", kind=was.kind, id=was.id)
    for fact in COMPARED:
        # What was not known at the hand-over, or is not known now, is no swap.
        if fact in was.facts and fact in now.facts and was.facts[fact] != now.facts[fact]:
            return Finding(
                word="swapped",
                kind=was.kind,
                id=was.id,
                fact=fact,
                was=was.facts[fact],
                now=now.facts[fact],
            )
    return Finding(word="found" if now.seen == "yes" else "unseen", kind=was.kind, id=was.id)


def load(directory: Path) -> Accepted | None:
    """Return the accepted list; None: there is none. Raises OSError, ValueError."""
    try:
        content = (directory / FILE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return Accepted.model_validate_json(content)
    except ValidationError as error:
        raise ValueError(str(directory / FILE)) from error


def save(directory: Path, accepted: Accepted) -> None:
    """Keep the list, in one step. Raises OSError."""
    replace(directory / FILE, accepted.model_dump_json(indent=1).encode())
