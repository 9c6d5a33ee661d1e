"""ISAPI search of a simulated Hikvision recorder, in the manners of different firmwares."""

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from simulators.archive import Clip, SimulatedChannel, merged

_GUID = re.compile(r"\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?")


@dataclass
class SearchManners:
    """What this firmware makes of a search (reference: ISAPI units that were reported).

    `dialects` are the bodies it takes; `mute` ones are taken and find nothing. `page_max` clamps
    in silence, or refuses what is larger with `refuse_large`. One that is not `says_more` gives
    its first page for every position; one that `repeats` says MORE for ever, too.
    """

    dialects: str = "ABCD"
    mute: str = ""
    page_max: int = 64
    refuse_large: bool = False
    says_more: bool = True
    repeats: bool = False
    utc: bool = False
    merge: bool = False
    silent_when_empty: bool = False
    supported: bool = True


class SearchRefused(NamedTuple):
    """HTTP status, statusCode and subStatusCode of a refusal."""

    status: int
    code: int
    sub: str


class SearchFound(NamedTuple):
    """What goes into a CMSearchResult; times already as this firmware writes them."""

    search_id: str
    track: int
    clips: list[Clip]
    word: str


def search(
    body: str,
    channels: Iterable[SimulatedChannel],
    manners: SearchManners,
    now: datetime,
    zone: timedelta,
) -> SearchFound | SearchRefused:
    """Answer one CMSearchDescription; `now` is the recorder's wall clock."""
    dialect = _dialect(body)
    given = {
        name: match[1]
        for name in ("searchID", "trackID", "startTime", "endTime", "maxResults")
        if (match := re.search(f"<{name}>([^<]*)</{name}>", body))
    }
    if not manners.supported:
        return SearchRefused(403, 4, "notSupport")
    if len(given) < 5 or dialect not in manners.dialects or not _GUID.fullmatch(given["searchID"]):
        return SearchRefused(400, 6, "badXmlContent")
    wanted = int(given["maxResults"])
    if wanted > manners.page_max and manners.refuse_large:
        return SearchRefused(400, 6, "badParameters")
    position = re.search(r"<searchResultPostion>(\d+)</searchResultPostion>", body)
    at = int(position[1]) if position and manners.says_more and not manners.repeats else 0
    shift = zone if manners.utc else timedelta()
    start, end = (
        datetime.fromisoformat(given[name].rstrip("Zz")) + shift
        for name in ("startTime", "endTime")
    )
    track = int(given["trackID"])
    channel = next((each for each in channels if each.number == track // 100), None)
    clips: Iterable[Clip] = []
    if channel is not None and track % 100 == 1 and dialect not in manners.mute:
        clips = channel.held(start, end, now)
    found = list(merged(clips) if manners.merge else clips)
    size = min(wanted, manners.page_max)
    page = found[at : at + size]
    more = manners.repeats or (manners.says_more and len(found) > at + size)
    word = "MORE" if more and page else "OK" if page or manners.silent_when_empty else "NO MATCHES"
    told = [clip._replace(start=clip.start - shift, end=clip.end - shift) for clip in page]
    return SearchFound(given["searchID"].lower(), track, told, word)


def document(found: SearchFound, attributes: str) -> str:
    """Write the CMSearchResult."""
    rows = "".join(_item(found.track, clip) for clip in found.clips)
    return (
        f"<CMSearchResult {attributes}><searchID>{found.search_id}</searchID>"
        "<responseStatus>true</responseStatus>"
        f"<responseStatusStrg>{found.word}</responseStatusStrg>"
        f"<numOfMatches>{len(found.clips)}</numOfMatches><matchList>{rows}</matchList>"
        "</CMSearchResult>"
    )


def _item(track: int, clip: Clip) -> str:
    name = f"{int(clip.start.timestamp()):017}"
    source = uuid.UUID(int=track)
    start, end = (f"{when.isoformat(timespec='seconds')}Z" for when in (clip.start, clip.end))
    digits = [when.strftime("%Y%m%dT%H%M%SZ") for when in (clip.start, clip.end)]
    return (
        f"<searchMatchItem><sourceID>{{{source}}}</sourceID><trackID>{track}</trackID><timeSpan>"
        f"<startTime>{start}</startTime><endTime>{end}</endTime></timeSpan>"
        "<mediaSegmentDescriptor><contentType>video</contentType><codecType>H.265</codecType>"
        f"<playbackURI>rtsp://10.0.0.2:80/Streaming/tracks/{track}/?starttime={digits[0]}&amp;"
        f"endtime={digits[1]}&amp;name={name}&amp;size=536870912</playbackURI>"
        f"<lockStatus>{'lock' if clip.locked else 'unlock'}</lockStatus><name>{name}</name>"
        "</mediaSegmentDescriptor><metadataMatches><metadataDescriptor>"
        "recordType.meta.hikvision.com/timing</metadataDescriptor></metadataMatches>"
        "</searchMatchItem>"
    )


def _dialect(body: str) -> str:
    """Name the dialect of a body, "" for none of the four."""
    metadata = "<metadataList>" in body
    if "<trackIDList>" in body:
        return "A" if metadata else "D"
    if "<trackList>" in body:
        bare = not body.startswith("<?xml") and 'version="1.0"' in body and "xmlns" not in body
        return "B" if metadata else "C" if bare and "{" in body else ""
    return ""
