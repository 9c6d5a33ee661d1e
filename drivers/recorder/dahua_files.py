"""Recorded files of a Dahua recorder, by its finders: few, so each is closed whatever happens."""

import contextlib
import re
from collections.abc import Iterator
from datetime import datetime

from drivers.base import Clock
from drivers.errors import (
    BusyError,
    DeviceTimeoutError,
    DriverError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.readings import Reason, Unknown, unknown
from drivers.recorder.dahua_cgi import Cgi, CgiError, Table, read_time
from drivers.recordings import Segment, Segments

PAGE = 100
PAGES_MAX = 200
CLOSE_SECONDS = 5.0
_AGAIN_SECONDS = 2.0
_LONG_AGO = datetime(2000, 1, 1)  # noqa: DTZ001 - a recorder's wall clock
# /mnt/dvr/2026-08-01/0/dav/00/...: the number is the channel's, from 0 (reference: file paths).
_PATH_CHANNEL = re.compile(r"/\d{4}-\d\d-\d\d/(\d{1,3})/dav/")
_SOFT = (BusyError, DeviceTimeoutError, ProtocolError, UnsupportedDeviceError)


class DahuaFiles:
    """Asks one recorder for files; `numbers` are its own, from `base`."""

    def __init__(self, cgi: Cgi, clock: Clock) -> None:
        self._cgi = cgi
        self._clock = clock
        # A channel that has files, to tell "nothing there" from "no" by.
        self._control: int | None = None
        self._prefix = ""

    def learn_base(self, channel: int, now: datetime, *, deadline: float) -> int | Unknown:
        """Tell whether it counts the channels of a search from 0 or from 1.

        The path of a file names its channel from 0. Else a recorder that finds something for
        channel 0 counts from 0; one that says in so many words that there is none, from 1. A
        timeout is no evidence (rroller/dahua#67, #592).
        """
        try:
            files = self._page(channel, now, deadline)
            base: int | None = None
            for row in files:
                found = _PATH_CHANNEL.search(row.get("FilePath", ""))
                if found:
                    base = 1 if int(found[1]) == channel - 1 else 0
                    break
            if files and base is None:
                base = 0 if self._page(0, now, deadline) else 1
            if base is not None:
                self._control = channel - 1 + base
                return base
        except _SOFT as error:
            return unknown(error)
        return Unknown(
            reason=Reason.NOT_YET,
            detail="no channel with recordings that would show how this recorder counts them",
        )

    def segments(
        self, number: int, start: datetime, end: datetime, *, pages: int, deadline: float
    ) -> Segments | Unknown:
        """Return the files of a channel, by the recorder's own number, that touch a span."""
        try:
            found = self._listed(number, start, end, pages, deadline)
            if found is None:
                # `Error` is what it says when there is nothing, and when it cannot: a channel that
                # has files tells which.
                if not self._finds_control(deadline):
                    return Unknown(
                        reason=Reason.BUSY, detail="its search answers Error for every channel"
                    )
                self._clock.sleep(_AGAIN_SECONDS)
                found = self._listed(number, start, end, pages, deadline)
        except _SOFT as error:
            return unknown(error)
        if found is None:
            return Segments((), complete=True)
        if found.items:
            self._control = number
        return found

    def _listed(
        self, number: int, start: datetime, end: datetime, pages: int, deadline: float
    ) -> Segments | None:
        """List the pages of one search; None where it answers Error."""
        rows: list[dict[str, str]] = []
        with self._finder(deadline) as finder:
            try:
                self._find(finder, number, start, end, deadline)
            except CgiError:
                return None
            whole = False
            for _ in range(pages):
                page = self._next(finder, deadline)
                rows += page or []
                # Error behind a full page may be the end, or not: it is not taken for one.
                whole = page is not None
                if page is None or len(page) < PAGE:
                    break
            else:
                whole = False
        segments = _segments(rows)
        return Segments(segments, complete=whole and len(segments) == len(rows))

    def _finds_control(self, deadline: float) -> bool:
        if self._control is None:
            return False
        with self._finder(deadline) as finder:
            try:
                self._find(finder, self._control, _LONG_AGO, _until(_LONG_AGO), deadline)
            except CgiError:
                return False
        return True

    def _page(self, number: int, now: datetime, deadline: float) -> list[dict[str, str]]:
        """Return one page of all a channel holds, oldest first; empty where it answers Error."""
        with self._finder(deadline) as finder:
            try:
                self._find(finder, number, _LONG_AGO, now, deadline)
            except CgiError:
                return []
            return self._next(finder, deadline) or []

    @contextlib.contextmanager
    def _finder(self, deadline: float) -> Iterator[str]:
        created = self._cgi.ask("mediaFileFind.cgi?action=factory.create", deadline=deadline)
        name = created.values.get("result", "")
        # Kept as it is written: leading zeros belong to the name.
        if not re.fullmatch(r"\d{1,20}", name):
            raise ProtocolError(f"a finder without a number: {name[:40]!r}")
        try:
            yield name
        finally:
            closing = max(deadline, self._clock.monotonic() + CLOSE_SECONDS)
            for action in ("close", "destroy"):
                with contextlib.suppress(DriverError):
                    self._end(action, name, closing)

    def _end(self, action: str, name: str, deadline: float) -> None:
        """Close or destroy a finder; old firmware has other words for it."""
        for word in (f"{self._prefix}{action}", f"factory.{action}"):
            try:
                self._cgi.ask(f"mediaFileFind.cgi?action={word}&object={name}", deadline=deadline)
            except CgiError:
                continue
            self._prefix = word.removesuffix(action)
            return

    def _find(
        self, finder: str, number: int, start: datetime, end: datetime, deadline: float
    ) -> None:
        span = "&".join(
            f"condition.{name}={when:%Y-%m-%d}%20{when:%H:%M:%S}"
            for name, when in (("StartTime", start), ("EndTime", end))
        )
        self._cgi.ask(
            f"mediaFileFind.cgi?action=findFile&object={finder}&condition.Channel={number}&{span}"
            "&condition.Types[0]=dav&condition.VideoStream=Main",
            deadline=deadline,
        )

    def _next(self, finder: str, deadline: float) -> list[dict[str, str]] | None:
        """Return the next rows, none at the end; None where it says Error."""
        question = f"mediaFileFind.cgi?action=findNextFile&object={finder}&count={PAGE}"
        try:
            table: Table = self._cgi.ask(question, deadline=deadline)
        except CgiError:
            return None
        return list(table.rows("items").values())


def _until(start: datetime) -> datetime:
    return start.replace(year=start.year + 99)


def _segments(rows: list[dict[str, str]]) -> tuple[Segment, ...]:
    """Read files; one whose times make no sense is left out, and so shows as not complete."""
    found = []
    for row in rows:
        try:
            start, end = read_time(row.get("StartTime", "")), read_time(row.get("EndTime", ""))
        except ValueError:
            continue
        if end >= start:
            found.append(Segment(start, end, locked=False))
    return tuple(sorted(found))
