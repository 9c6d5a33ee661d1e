"""Profile G: the oldest and newest of each recording, as the recorder claims them."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from xml.etree.ElementTree import Element

from drivers.base import Clock
from drivers.errors import DriverError
from drivers.recorder.isapi import children, text
from drivers.recorder.soap import SEARCH, Said, first, read_time

BATCH = 50
BATCHES_MAX = 40
# A search may stay `Searching` for ever, and say the same again and again.
_STALE_BATCHES = 3
_WAIT_SECONDS = 1.0

Ask = Callable[[str, str, str], Said]


class Recording(NamedTuple):
    """One recording in the device's own digits, naive; None where it does not say."""

    token: str
    source: str
    name: str
    oldest: datetime | None
    newest: datetime | None


class Found(NamedTuple):
    """What a search gave; not `complete` where it never came to its end."""

    recordings: tuple[Recording, ...]
    complete: bool


def find_recordings(ask: Ask, clock: Clock, *, deadline: float) -> Found:
    """Drain one search for recordings, and end it. Raises DriverError.

    ONVIF Recording Search, FindRecordings: `ask(service, name, body)` signs and sends.
    """
    started = ask(SEARCH, "FindRecordings", "<Scope></Scope><KeepAliveTime>PT30S</KeepAliveTime>")
    # The token alone: whole replies passed on are a common mistake (agsh/onvif#298).
    token = text(started.root, "SearchToken") or ""
    found: dict[str, Recording] = {}
    stale, complete = 0, False
    try:
        for _ in range(BATCHES_MAX):
            said = ask(
                SEARCH,
                "GetRecordingSearchResults",
                f"<SearchToken>{token}</SearchToken><MaxResults>{BATCH}</MaxResults>"
                "<WaitTime>PT5S</WaitTime>",
            )
            batch = {one.token: one for one in _recordings(said.root)}
            stale = 0 if batch.keys() - found.keys() else stale + 1
            found.update(batch)
            complete = text(said.root, "SearchState") == "Completed"
            if complete or stale >= _STALE_BATCHES or clock.monotonic() >= deadline:
                break
            if stale:
                clock.sleep(_WAIT_SECONDS)
    finally:
        _end(ask, token)
    return Found(tuple(found.values()), complete)


def _end(ask: Ask, token: str) -> None:
    try:
        ask(SEARCH, "EndSearch", f"<SearchToken>{token}</SearchToken>")
    except DriverError:
        # It ends by itself when its keep-alive time is over.
        return


def _recordings(root: Element) -> list[Recording]:
    return [
        Recording(
            token=text(row, "RecordingToken") or "",
            source=text(first(row, "Source"), "SourceId") or "",
            name=text(first(row, "Source"), "Name") or "",
            oldest=_edge(row, "EarliestRecording", "DataFrom", min),
            newest=_edge(row, "LatestRecording", "DataTo", max),
        )
        for row in children(root, "RecordingInformation")
    ]


def _edge(
    row: Element, name: str, track: str, pick: Callable[[list[datetime]], datetime]
) -> datetime | None:
    """Return a recording's own edge, else that of its video tracks."""
    tracks = [one for one in children(row, "Track") if text(one, "TrackType") == "Video"]
    said = [text(row, name)] if text(row, name) else [text(one, track) for one in tracks]
    times = []
    for one in said:
        try:
            times.append(read_time(one))
        except ValueError:
            continue
    return pick(times) if times else None
