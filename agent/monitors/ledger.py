"""The ledger: what is known of every day of every channel, and which days have gone."""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta

import structlog
from pydantic import AwareDatetime, Field, ValidationError

from agent.monitors.forecast import with_depth
from agent.monitors.proof import Proof
from drivers.readings import Frozen, Unknown
from drivers.recorder.readings import Grade, RecordedDay, RecordedDaysReading

KEPT = timedelta(days=400)
# A day on which the recorder's clock was wrong is believed by its segments alone, looked at when
# the clock had been right for a day.
CLOCK_RIGHT_FOR = timedelta(days=1)
SUSPECT_AGAIN = timedelta(hours=1)
DRIFT_SECONDS = 10.0

log = structlog.get_logger()


class LedgerDay(RecordedDay):
    """The best evidence of one day. `seen_at` is the last time any evidence agreed with it.

    `looked_at` is the last time its segments were; `lost`: it was there and is gone.
    """

    grade: Grade
    seen_at: AwareDatetime
    looked_at: AwareDatetime | None = None
    lost: bool = False


class ChannelLedger(Frozen):
    """One channel; `until` is the recorder's last whole day when there last was evidence."""

    until: date | None = None
    days: Mapping[date, LedgerDay] = Field(default_factory=dict)
    proof: Proof = Proof()


class RecorderLedger(Frozen):
    """One recorder: when it was first heard, its clock, the days it wrote with a wrong one, disks.

    `first_asked` is the last whole day when a channel was first asked about, `depths` how many days
    it reached back, by the last whole day then.
    """

    since: date | None = None
    first_asked: Mapping[int, date] = Field(default_factory=dict)
    offset_seconds: float | None = None
    disks: Mapping[str, int] = Field(default_factory=dict)
    depths: Mapping[date, int] = Field(default_factory=dict)
    suspect: Mapping[date, AwareDatetime] = Field(default_factory=dict)


def merged(
    ledger: ChannelLedger, reading: RecordedDaysReading, until: date
) -> tuple[ChannelLedger, list[date]]:
    """Return the ledger with new evidence in it, and the days that were there and are gone.

    Segments outrank a calendar, except that one which knows of nothing is believed: it flags a day
    for the smallest clip.
    """
    if isinstance(reading.days, Unknown):
        return ledger, []
    days, lost = dict(ledger.days), []
    for day, told in reading.days.items():
        if day > until:
            continue
        known = days.get(day)
        gone = known is not None and known.present and not told.present
        stronger = known is not None and known.grade == "A" and reading.grade != "A"
        if known is not None and stronger and not gone:
            agrees = known.present == told.present
            days[day] = known.model_copy(update={"seen_at": reading.observed_at} if agrees else {})
            continue
        weaker = known is not None and known.grade != "A" and reading.grade == "A"
        if gone and not weaker:
            lost.append(day)
        days[day] = LedgerDay(
            **told.model_dump(),
            grade=reading.grade,
            seen_at=reading.observed_at,
            looked_at=reading.observed_at if reading.grade == "A" else None,
            lost=not told.present and ((gone and not weaker) or (known is not None and known.lost)),
        )
    oldest = until - KEPT
    ledger = ledger.model_copy(
        update={
            "until": max(until, ledger.until or until),
            "days": {day: days[day] for day in sorted(days) if day >= oldest},
        }
    )
    return ledger, sorted(lost)


def overwritten(ledger: ChannelLedger, days: Collection[date]) -> ChannelLedger:
    """Return the ledger with days that went by being overwritten: not lost, only no longer held."""
    known = dict(ledger.days)
    for day in days:
        known[day] = known[day].model_copy(update={"lost": False})
    return ledger.model_copy(update={"days": known})


class Ledgers:
    """Every ledger of the site. The watch loop writes; surveys read what they need not ask again.

    Ledgers are replaced, never changed, so that a reader on another thread sees one whole.
    """

    def __init__(self) -> None:
        self._channels: dict[tuple[str, int], ChannelLedger] = {}
        self._recorders: dict[str, RecorderLedger] = {}
        self._unsaved: dict[str, Frozen] = {}

    def channel(self, recorder: str, number: int) -> ChannelLedger:
        """Return what is known of a channel."""
        return self._channels.get((recorder, number), ChannelLedger())

    def recorder(self, recorder: str) -> RecorderLedger:
        """Return what is known of a recorder's clock."""
        return self._recorders.get(recorder, RecorderLedger())

    def put_channel(self, recorder: str, number: int, ledger: ChannelLedger) -> None:
        """Replace a channel's ledger."""
        self._channels[recorder, number] = ledger
        self._unsaved[f"ledger.{recorder}.{number}"] = ledger
        known = self.recorder(recorder)
        if number not in known.first_asked and ledger.until is not None:
            asked = {**known.first_asked, number: ledger.until}
            self._put_recorder(recorder, known.model_copy(update={"first_asked": asked}))

    def put_disks(self, recorder: str, disks: Mapping[str, int]) -> None:
        """Remember the disks of a recorder and their bytes."""
        known = self.recorder(recorder)
        if dict(known.disks) != dict(disks):
            self._put_recorder(recorder, known.model_copy(update={"disks": disks}))

    def put_depth(self, recorder: str, until: date, depth_days: int) -> None:
        """Remember how far back a recorder reached."""
        known = self.recorder(recorder)
        depths = with_depth(known.depths, until, depth_days)
        if depths != known.depths:
            self._put_recorder(recorder, known.model_copy(update={"depths": depths}))

    def believed(self, recorder: str, number: int) -> Mapping[date, LedgerDay]:
        """Return a channel's days without those written by a wrong clock and not looked at since.

        What is absent stays absent: a wrong clock may have put clips on a day, not taken them off.
        """
        suspect = self.recorder(recorder).suspect
        return {
            day: known
            for day, known in self.channel(recorder, number).days.items()
            if day not in suspect or _cleared(known, suspect[day])
        }

    def doubted(self, recorder: str, number: int) -> frozenset[date]:
        """Return the days written by a wrong clock that are to be looked at: it is right again."""
        known, suspect = self.channel(recorder, number).days, self.recorder(recorder).suspect
        return frozenset(
            day
            for day, at in suspect.items()
            if day in known and known[day].present and not _cleared(known[day], at)
        )

    def surveyed_until(self, recorder: str, number: int) -> date | None:
        """Return the last day a survey of a channel came to."""
        return self.channel(recorder, number).until

    def proof(self, recorder: str, number: int) -> Proof:
        """Return what playback has proven of a channel."""
        return self.channel(recorder, number).proof

    def take_unsaved(self) -> Mapping[str, str]:
        """Return what has changed since it was last asked for, as named facts to be stored."""
        unsaved, self._unsaved = self._unsaved, {}
        return {name: ledger.model_dump_json() for name, ledger in unsaved.items()}

    def restore(self, facts: Mapping[str, str]) -> None:
        """Take in what was stored; what is known already stays."""
        for name, body in facts.items():
            kind, _, rest = name.partition(".")
            recorder, _, number = rest.rpartition(".")
            try:
                if kind == "ledger" and number.isdecimal():
                    ledger = ChannelLedger.model_validate_json(body, extra="ignore")
                    self._channels.setdefault((recorder, int(number)), ledger)
                elif kind == "clock":
                    clock = RecorderLedger.model_validate_json(body, extra="ignore")
                    self._recorders.setdefault(rest, clock)
            except ValidationError:
                # What it held is asked of the recorder again.
                log.error("a stored ledger makes no sense", component="ledger", name=name)

    def clock_read(
        self,
        recorder: str,
        offset: float,
        wall: datetime,
        now: datetime,
        *,
        wrong: bool,
        jump: float,
    ) -> None:
        """Take in a recorder's clock, `wall`: days on which it jumped, or was wrong, are suspect.

        `jump` is how many seconds of change are one.
        """
        before = self.recorder(recorder)
        days = {wall.date()} if wrong else set()
        if before.offset_seconds is not None and abs(offset - before.offset_seconds) > jump:
            days |= {wall.date(), (wall + timedelta(seconds=before.offset_seconds - offset)).date()}
        suspect = {day: at for day, at in before.suspect.items() if now - at < KEPT}
        for day in days:
            if day not in suspect or now - suspect[day] > SUSPECT_AGAIN:
                suspect[day] = now
        since = before.since or wall.date()
        ledger = before.model_copy(
            update={"since": since, "offset_seconds": offset, "suspect": suspect}
        )
        drift = abs(offset - (before.offset_seconds or 0.0))
        same = (since, suspect) == (before.since, before.suspect) and drift < DRIFT_SECONDS
        self._put_recorder(recorder, ledger, save=not same)

    def _put_recorder(self, recorder: str, ledger: RecorderLedger, *, save: bool = True) -> None:
        self._recorders[recorder] = ledger
        if save:
            self._unsaved[f"clock.{recorder}"] = ledger


def _cleared(known: LedgerDay, suspected_at: datetime) -> bool:
    looked_at = known.looked_at
    cleared = looked_at is not None and looked_at >= suspected_at + CLOCK_RIGHT_FOR
    return cleared or not known.present
