"""Days and segments a Hikvision recorder holds: its calendar, its search, and learning both."""

import calendar
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from drivers.base import Clock
from drivers.errors import BusyError, DeviceTimeoutError, ProtocolError, UnsupportedDeviceError
from drivers.readings import Reason, Unknown, unknown
from drivers.recorder.hikvision_search import HikvisionSearch, Page
from drivers.recorder.isapi import Isapi, Reply, children, text
from drivers.recorder.quirks import QuirkSheet, QuirkStore
from drivers.recorder.wall_clock import WallClock
from drivers.recordings import Segment, Segments

_BUSY_WAIT_SECONDS = 2.0
# A channel no recorder has: one that knows its days does not look at the track it is asked for.
_NO_CHANNEL = 999
_LEARN_FROM_CHANNELS = 4
_LEARN_AGAIN_SECONDS = 1800.0
_RECENT = timedelta(hours=2)
_LAG = timedelta(minutes=10)
_WIDE = timedelta(days=10)
# What one question may fail with; anything else ends all talk with the recorder.
_SOFT = (BusyError, DeviceTimeoutError, ProtocolError, UnsupportedDeviceError)


class HikvisionRecordings:
    """Asks one recorder; `sheet` is what is known of its firmware. Days and times are its own."""

    def __init__(
        self,
        isapi: Isapi,
        device_id: str,
        quirks: QuirkStore,
        clock: Clock,
        wall: WallClock,
        *,
        channels: Sequence[int],
    ) -> None:
        self._isapi = isapi
        self._search = HikvisionSearch(isapi, device_id)
        self._quirks = quirks
        self._clock = clock
        self._wall = wall
        self._channels = tuple(channels)
        self._not_learnt: tuple[float, Unknown] | None = None
        self.sheet = QuirkSheet(maker="hikvision", model="", firmware="")

    def meet(self, model: str, firmware: str) -> None:
        """Take up what is known of this firmware; another one is learnt anew."""
        if (model, firmware) == (self.sheet.model, self.sheet.firmware):
            return
        known = self._quirks.load()
        fresh = QuirkSheet(maker="hikvision", model=model, firmware=firmware)
        self.sheet = known if known is not None and known.same_device(fresh) else fresh

    def judge_calendar(self, *, right: bool) -> None:
        """Note whether the calendar of this firmware agrees with its search."""
        self._learn(calendar="trusted" if right else "distrusted")

    def month_days(
        self, channel: int, year: int, month: int, *, deadline: float
    ) -> Mapping[int, bool] | Unknown:
        """Return the days of a month its calendar says something was recorded on."""
        if self.sheet.calendar == "distrusted":
            return Unknown(
                reason=Reason.INCONSISTENT, detail="its calendar and its search disagreed before"
            )
        if self.sheet.looks_at_track is None:
            nobody = self._month(_NO_CHANNEL, year, month, deadline)
            if isinstance(nobody, Unknown) and nobody.reason in {Reason.BUSY, Reason.TIMEOUT}:
                return nobody
            some = not isinstance(nobody, Unknown) and any(nobody.values())
            self._learn(looks_at_track=not some)
        if not self.sheet.looks_at_track:
            return Unknown(
                reason=Reason.INCONSISTENT,
                detail=f"the recorder also lists days of video for channel {_NO_CHANNEL}",
            )
        return self._month(channel, year, month, deadline)

    def segments(
        self, channel: int, start: datetime, end: datetime, *, pages: int, deadline: float
    ) -> Segments | Unknown:
        """Return what is recorded of a channel in a span, whole where it says `complete`."""
        try:
            not_learnt = self._learn_search(deadline)
            if not_learnt is not None:
                return not_learnt
            shift = self._shift()
            found = self._search.all(
                self.sheet,
                _track(channel),
                start - shift,
                end - shift,
                pages=pages,
                deadline=deadline,
            )
        except _SOFT as error:
            return unknown(error)
        items = (Segment(one.start + shift, one.end + shift, one.locked) for one in found.items)
        return Segments(tuple(items), found.complete)

    @property
    def shift(self) -> timedelta:
        """Return what to add to the recorder's digits to have its wall clock, as far as known."""
        return self._shift()

    def _learn(self, **facts: object) -> None:
        self.sheet = self.sheet.model_copy(update=facts)
        self._quirks.save(self.sheet)

    def _shift(self, digits: str | None = None) -> timedelta:
        """Return what to add to the recorder's search digits to have its wall clock."""
        if (digits or self.sheet.search_digits) != "utc":
            return timedelta()
        return self._wall.zone_shift()

    # -- calendar

    def _month(
        self, channel: int, year: int, month: int, deadline: float
    ) -> Mapping[int, bool] | Unknown:
        # ISAPI, "Search for Videos According to Calendar"; the main stream's track.
        path = f"/ISAPI/ContentMgmt/record/tracks/{_track(channel)}/dailyDistribution"
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f"<trackDailyParam><year>{year}</year><monthOfYear>{month:02}</monthOfYear>"
            "</trackDailyParam>"
        )
        reply: Reply | Unknown = Unknown(reason=Reason.BUSY)
        for attempt in range(2):
            if attempt:
                self._clock.sleep(_BUSY_WAIT_SECONDS)
            try:
                reply = self._isapi.ask("POST", path, body, deadline=deadline)
            except _SOFT as error:
                reply = unknown(error)
            if not isinstance(reply, Unknown) or reply.reason is not Reason.BUSY:
                break
        return reply if isinstance(reply, Unknown) else days_of_month(reply, year, month)

    # -- search

    def _learn_search(self, deadline: float) -> Unknown | None:
        """Learn dialect, digits and paging from a channel that records now; once per firmware."""
        if self.sheet.search_digits is not None:
            return None
        if self._not_learnt is not None and self._clock.monotonic() < self._not_learnt[0]:
            return self._not_learnt[1]
        why = self._try_to_learn(deadline)
        until = self._clock.monotonic() + _LEARN_AGAIN_SECONDS
        self._not_learnt = None if why is None else (until, why)
        return why

    def _try_to_learn(self, deadline: float) -> Unknown | None:
        wall = self._wall.now()
        if isinstance(wall, Unknown):
            return Unknown(reason=Reason.CLOCK_UNTRUSTED, detail="its clock could not be read")
        for channel in self._channels[:_LEARN_FROM_CHANNELS]:
            track = _track(channel)
            for digits in ("local", "utc"):
                now = wall - self._shift(digits)
                dialect, page = self._search.learn_dialect(
                    track, now - _RECENT, now + _RECENT, deadline=deadline
                )
                if dialect is None or not _is_now(page, now, digits):
                    continue
                more = self._search.learn_more(
                    dialect, track, now - _WIDE, now + _LAG, deadline=deadline
                )
                self._learn(search_dialect=dialect, search_digits=digits, says_more=more)
                return None
        return Unknown(
            reason=Reason.NOT_YET,
            detail="no channel records now that would show how this recorder writes its times",
        )


def _is_now(page: Page, now: datetime, digits: str) -> bool:
    """Tell whether a search around `now` fits recordings that end about now.

    Local digits are asked first: to a recorder that takes them for UTC they are hours ahead, where
    it has nothing. UTC digits are hours back for one that takes them for local, and what it has
    there runs on past `now`.
    """
    newest = max(segment.end for segment in page.found.values())
    if digits == "local":
        return newest <= now + _LAG
    return now - _LAG <= newest <= now + _LAG


def _track(channel: int) -> int:
    """Return the id of a channel's main stream (ISAPI, RaCM: channel x 100 + stream)."""
    return channel * 100 + 1


def days_of_month(reply: Reply, year: int, month: int) -> Mapping[int, bool] | Unknown:
    """Read a trackDailyDistribution. The reply does not repeat the month: the pairing is ours."""
    days: dict[int, bool] = {}
    last = calendar.monthrange(year, month)[1]
    for entry in children(reply.root, "day"):
        number, record = text(entry, "dayOfMonth") or "", (text(entry, "record") or "").lower()
        if not re.fullmatch(r"\d{1,2}", number) or record not in {"true", "false"}:
            detail = f"day {number[:10]!r} with record {record[:10]!r}"
            return Unknown(reason=Reason.MALFORMED, detail=detail)
        day, present = int(number), record == "true"
        if not 1 <= day <= last or days.setdefault(day, present) != present:
            detail = f"day {day} does not fit {year}-{month:02}"
            return Unknown(reason=Reason.INCONSISTENT, detail=detail)
    if not days:
        # Not "no days": old firmware and some models always answer so.
        return Unknown(reason=Reason.NOT_MEASURED, detail="the recorder listed no day at all")
    return days
