"""Recorded segments of a Hikvision recorder, by ISAPI search in the manners of its firmware."""

import re
import uuid
from datetime import datetime, timedelta
from typing import NamedTuple
from xml.etree.ElementTree import Element

from drivers.errors import DriverError, ProtocolError, UnsupportedDeviceError
from drivers.recorder.isapi import Isapi, Reply, children, local_name, text
from drivers.recorder.quirks import QuirkSheet
from drivers.recordings import Segment, Segments

# 40 a page is safe on every unit reported; more draws badParameters or is clamped in silence.
PAGE = 40
PAGES_MAX = 200
DIALECTS = ("A", "B", "C", "D")
_PATH = "/ISAPI/ContentMgmt/search"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_METADATA = (
    "<metadataList><metadataDescriptor>//recordType.meta.std-cgi.com</metadataDescriptor>"
    "</metadataList>"
)

Key = tuple[datetime, datetime, str]


class Page(NamedTuple):
    """One page, in the recorder's digits; `whole` is False where an item made no sense.

    `nothing`: it says in words that there is nothing; an empty list alone proves nothing.
    """

    found: dict[Key, Segment]
    more: bool
    nothing: bool
    whole: bool


class HikvisionSearch:
    """Asks one recorder for segments; digits are given and returned as the recorder writes them.

    ISAPI, "Search for Videos": the request bodies differ between firmwares, and some never say
    that there is more (cfryanr/hikvision-download-assistant, pull request 1).
    """

    def __init__(self, isapi: Isapi, device_id: str) -> None:
        self._isapi = isapi
        self._device_id = device_id

    def learn_dialect(
        self, track: int, start: datetime, end: datetime, *, deadline: float
    ) -> tuple[str | None, Page]:
        """Return the first dialect that finds something in the span, and what it found.

        None when every one that is understood finds nothing. Raises UnsupportedDeviceError when
        none is understood.
        """
        refused: DriverError | None = None
        nothing: Page | None = None
        for dialect in DIALECTS:
            try:
                page = self.page(dialect, track, start, end, deadline=deadline)
            except (UnsupportedDeviceError, ProtocolError) as error:
                refused = error
                continue
            if page.found:
                return dialect, page
            nothing = page
        if nothing is None and refused is not None:
            raise refused
        return None, nothing or Page({}, more=False, nothing=False, whole=True)

    def learn_more(
        self, dialect: str, track: int, start: datetime, end: datetime, *, deadline: float
    ) -> bool | None:
        """Tell whether it says MORE when there is more; None when the span cannot show it."""
        first = self.page(dialect, track, start, end, deadline=deadline, limit=1)
        if first.more:
            return True
        behind = _behind(first.found, start)
        if not first.found or behind >= end:
            return None
        # Two: the first one still touches the span.
        second = self.page(dialect, track, behind, end, deadline=deadline, limit=2)
        return False if second.found.keys() - first.found.keys() else None

    def all(
        self,
        sheet: QuirkSheet,
        track: int,
        start: datetime,
        end: datetime,
        *,
        pages: int,
        deadline: float,
    ) -> Segments:
        """Return the segments that touch the span, from at most `pages`. Raises DriverError."""
        dialect = sheet.search_dialect or DIALECTS[0]
        search_id = _search_id()
        found: dict[Key, Segment] = {}
        whole, paging = True, sheet.says_more is not False
        position = asked = 0
        while paging:
            page = self.page(
                dialect, track, start, end, deadline=deadline, position=position, name=search_id
            )
            asked += 1
            # By what was read, never by what was asked for: recorders clamp.
            position += len(page.found)
            new = page.found.keys() - found.keys()
            found.update(page.found)
            whole = whole and page.whole
            if not found:
                return Segments((), complete=page.nothing and whole)
            if not page.more and sheet.says_more:
                return _segments(found, complete=whole)
            # On where it repeats a page, or has never been heard to say MORE.
            paging = page.more and bool(new) and asked < pages
        if asked >= pages:
            return _segments(found, complete=False)
        left = pages - asked
        return self._all_behind(
            dialect, track, found, start, end, pages=left, whole=whole, deadline=deadline
        )

    def _all_behind(
        self,
        dialect: str,
        track: int,
        found: dict[Key, Segment],
        start: datetime,
        end: datetime,
        *,
        pages: int,
        whole: bool,
        deadline: float,
    ) -> Segments:
        """Go on without pages: search anew behind the last segment, until there is nothing new."""
        at = _behind(found, start)
        for _ in range(pages):
            if at >= end:
                return _segments(found, complete=whole)
            page = self.page(dialect, track, at, end, deadline=deadline)
            starts = [segment.start for segment in page.found.values()]
            whole = whole and page.whole and starts == sorted(starts)
            new = page.found.keys() - found.keys()
            found.update(page.found)
            if not found:
                return Segments((), complete=page.nothing and whole)
            if not new:
                # Only what touches the span was given: it did look at where the span starts.
                looked = all(segment.end >= at for segment in page.found.values())
                return _segments(found, complete=whole and looked)
            behind = _behind(found, at)
            if behind <= at:
                break
            at = behind
        return _segments(found, complete=False)

    def page(
        self,
        dialect: str,
        track: int,
        start: datetime,
        end: datetime,
        *,
        deadline: float,
        position: int = 0,
        limit: int = PAGE,
        name: str | None = None,
    ) -> Page:
        """Ask for one page. Raises DriverError."""
        body = _body(dialect, name or _search_id(), track, start, end, limit, position)
        reply = self._isapi.ask("POST", _PATH, body, deadline=deadline)
        if local_name(reply.root) != "CMSearchResult":
            raise ProtocolError(
                f"recorder {self._device_id} answered a search with {local_name(reply.root)}"
            )
        return _page(reply, track)


def _body(
    dialect: str, search_id: str, track: int, start: datetime, end: datetime, limit: int, at: int
) -> str:
    """Write a CMSearchDescription; the element really is spelled searchResultPostion."""
    tracks = "trackIDList" if dialect in "AD" else "trackList"
    version = ' version="1.0"' if dialect == "C" else ""
    declaration = "" if dialect == "C" else '<?xml version="1.0" encoding="UTF-8"?>'
    named = f"{{{search_id}}}" if dialect == "C" else search_id
    return (
        f"{declaration}<CMSearchDescription{version}><searchID>{named}</searchID>"
        f"<{tracks}><trackID>{track}</trackID></{tracks}>"
        f"<timeSpanList><timeSpan><startTime>{start.isoformat(timespec='seconds')}Z</startTime>"
        f"<endTime>{end.isoformat(timespec='seconds')}Z</endTime></timeSpan></timeSpanList>"
        f"<maxResults>{limit}</maxResults><searchResultPostion>{at}</searchResultPostion>"
        f"{_METADATA if dialect in 'AB' else ''}</CMSearchDescription>"
    )


def _page(reply: Reply, track: int) -> Page:
    found: dict[Key, Segment] = {}
    whole = True
    for item in children(reply.root, "searchMatchItem"):
        segment = _segment(item)
        said = text(item, "trackID")
        if segment is None or (said is not None and said != str(track)):
            whole = False
            continue
        found[segment.start, segment.end, text(item, "name") or ""] = segment
    # Some spell it responseStatusStrg, some responseStatusString.
    words = [
        (child.text or "").strip().upper()
        for child in reply.root.iter()
        if local_name(child).startswith("responseStatusStr")
    ]
    return Page(found, more="MORE" in words, nothing="NO MATCHES" in words, whole=whole)


def _segment(item: Element) -> Segment | None:
    try:
        start, end = (_time(text(item, name)) for name in ("startTime", "endTime"))
    except ValueError:
        return None
    if end < start:
        return None
    return Segment(start, end, (text(item, "lockStatus") or "").lower() in {"lock", "locked"})


def _time(said: str | None) -> datetime:
    """Read the digits alone, naive: what Z means is learnt, not believed."""
    digits = _TIME.match(said or "")
    return datetime.fromisoformat(digits[0] if digits else "")


def _behind(found: dict[Key, Segment], start: datetime) -> datetime:
    """Return one second before the end of the last segment: ends and starts may touch."""
    last = max((segment.end for segment in found.values()), default=start)
    return max(last - timedelta(seconds=1), start)


def _segments(found: dict[Key, Segment], *, complete: bool) -> Segments:
    return Segments(tuple(sorted(found.values())), complete)


def _search_id() -> str:
    # One that is not shaped like a GUID is refused (400 badXmlContent).
    return str(uuid.uuid4()).upper()
