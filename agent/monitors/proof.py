"""Proof by playback: what a recording that was played back proves, and what it leaves in doubt."""

from datetime import date, datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime

from agent.findings import Cause, Verdict
from drivers.readings import Frozen, StreamFault, Unknown
from drivers.recorder.readings import PlaybackReading

# Two pictures of one minute differ where somebody walks, or not at all; those of another day
# differ by their light nearly everywhere, but for a windowless room with its lamps on.
LIKE_LIVE_RATIO = 0.10
SAME_LEVELS = 2
# One bad night may be a busy recorder's; what fails again is a fault.
NIGHTS_UNTIL_SURE = 2
DAY = timedelta(days=1)
_FROM_THE_NETWORK = frozenset({StreamFault.BUSY, StreamFault.REFUSED, StreamFault.TIMEOUT})

Failing = Literal["unplayable", "like_live", "other_time", "forbidden"]


class Failure(Frozen):
    """A recording that did not prove itself; `nights` in a row, the last one at `at`.

    Not `listed`: the recorder only claims to reach so far back, and may have recorded events alone.
    """

    what: Failing
    day: date
    nights: int
    at: AwareDatetime
    listed: bool = True


class Proof(Frozen):
    """The last proof of a channel, and what has failed since.

    `proven_days` reach from `day`, which was played, to the last whole day at that time.
    """

    proven_days: int | None = None
    day: date | None = None
    at: AwareDatetime | None = None
    failed: Failure | None = None

    @property
    def sure(self) -> bool:
        """Tell whether what failed has failed for long enough to be a fault."""
        failed = self.failed
        return failed is not None and failed.listed and failed.nights >= NIGHTS_UNTIL_SURE

    def due(self, interval: timedelta, now: datetime) -> bool:
        """Tell whether the channel is to be proven tonight; after a failure it is every night."""
        return self.at is None or self.failed is not None or now - self.at > interval - DAY / 2


def outcome(reading: PlaybackReading) -> Literal["proven"] | Failing | None:
    """Say what a playback shows; None: nothing, for or against."""
    if reading.fault is None:
        return _of_picture(reading)
    if reading.live_fault is not None or reading.fault in _FROM_THE_NETWORK:
        return None  # it is not the recording that fails
    return "forbidden" if reading.fault is StreamFault.UNAUTHORIZED else "unplayable"


def _of_picture(reading: PlaybackReading) -> Literal["proven"] | Failing | None:
    """Judge a recording that played: by its picture, and by the time its recorder gives it."""
    changed, largest = reading.changed_ratio, reading.largest_change_levels
    if isinstance(changed, Unknown) or isinstance(largest, Unknown):
        return None
    dated = not isinstance(reading.shown_after_seconds, Unknown)
    if largest <= SAME_LEVELS or (changed < LIKE_LIVE_RATIO and not dated):
        return "like_live"
    if not isinstance(reading.shown_after_seconds, Unknown):
        shown_at = reading.asked_at + timedelta(seconds=reading.shown_after_seconds)
        if shown_at.date() != reading.asked_at.date():
            return "other_time"
    return "proven"


def proof_after(proof: Proof, reading: PlaybackReading, until: date) -> Proof:
    """Return what is known after a playback; `until` is the recorder's last whole day."""
    what, day, at = outcome(reading), reading.asked_at.date(), reading.observed_at
    if what is None:
        return proof
    if what == "proven":
        return Proof(proven_days=(until - day).days + 1, day=day, at=at)
    before = proof.failed
    nights = 1
    if before is not None and before.what == what:
        # Tried twice in one night, it is still one night.
        nights = before.nights + (at - before.at > DAY / 2)
    failed = Failure(what=what, day=day, nights=nights, at=at, listed=reading.listed)
    return proof.model_copy(update={"failed": failed})


def proof_causes(proof: Proof) -> list[tuple[Verdict, Cause]]:
    """Name what stands in the way of the proof."""
    failed = proof.failed
    if failed is None:
        return []
    grave = failed.what in {"unplayable", "other_time"} and proof.sure
    params: dict[str, str | int | float] = {"day": failed.day.isoformat(), "nights": failed.nights}
    cause = Cause(code=f"recording.playback_{failed.what}", params=params)
    return [(Verdict.FAIL if grave else Verdict.WARN, cause)]
