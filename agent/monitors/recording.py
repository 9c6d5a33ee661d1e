"""One channel's retention verdict: from what its ledger holds to a word and its causes."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from agent.findings import Cause, Verdict, missing, worst
from agent.monitors.depth import (
    Bounds,
    RecordingWord,
    Sample,
    bounds,
    is_growing,
    judge,
    sample,
    short_cause,
)
from agent.monitors.forecast import Forecast
from agent.monitors.ledger import ChannelLedger, LedgerDay
from agent.monitors.proof import proof_causes
from agent.monitors.recorder_words import clock_cause
from agent.policy import RetentionPolicy
from drivers.readings import Reason, Unknown
from drivers.recorder.readings import RecordPolicyReading

DAY = timedelta(days=1)
_VERDICTS: dict[RecordingWord, Verdict] = {
    "met": Verdict.OK,
    "claimed": Verdict.WARN,
    "growing": Verdict.WARN,
    "short": Verdict.FAIL,
    "unknown": Verdict.UNKNOWN,
}


class Judgement(NamedTuple):
    """What may be said of a channel.

    Its target will be reached on `met_on`, or is reached now and missed on `missed_on`.
    """

    word: RecordingWord
    verdict: Verdict
    causes: tuple[Cause, ...]
    found: Bounds | None = None
    sampled: Sample | None = None
    until: date | None = None
    observed_at: datetime | None = None
    met_on: date | None = None
    missed_on: date | None = None


class Evidence(NamedTuple):
    """What is known of a channel.

    `believed` are the days of its `ledger` no wrong clock has put in doubt; `since` is when a new
    channel began, None where it is not known to be new; `refused` why it last was not told;
    `set_up` what it is told to record, None where nothing was heard of it; `coming` what its
    recorder will hold.
    """

    ledger: ChannelLedger
    believed: Mapping[date, LedgerDay]
    offset: float | Unknown
    since: date | None
    refused: Unknown | None
    set_up: RecordPolicyReading | None = None
    coming: Forecast | None = None


def judge_channel(
    evidence: Evidence, *, target: int, policy: RetentionPolicy, wall: datetime
) -> Judgement:
    """Judge a channel at `wall`.

    Ages are by the wall clock, because a ledger outlives restarts; a day seen in the future was
    seen by a wrong clock, so that its age is not known.
    """
    max_age = timedelta(hours=policy.max_age_hours)

    def fresh(day: LedgerDay) -> bool:
        return timedelta() <= wall - day.seen_at <= max_age

    ledger, until = evidence.ledger, evidence.ledger.until
    seen = [day.seen_at for day in ledger.days.values() if fresh(day)]
    told = [*_set_up_causes(evidence.set_up, target), *proof_causes(ledger.proof)]
    if until is None or not seen:
        verdict = worst([Verdict.UNKNOWN, *(one for one, _ in told)])
        return Judgement(
            "unknown", verdict, (_stale(evidence, wall), *(cause for _, cause in told))
        )
    days = {
        at: day
        for at, day in evidence.believed.items()
        # What was seen of older days at their time is no word about today.
        if at <= until and ((until - at).days < target or fresh(day))
    }
    found = bounds(days, until=until, target=target)
    edge_checked = any(
        day.grade == "A" and day.usable and fresh(day) and (until - at).days + 1 >= target
        for at, day in days.items()
    )
    since, ratio = evidence.since, policy.max_missing_ratio
    growing = since is not None and is_growing(days, since=since, until=until, ratio=ratio)
    slack, clock = _trust(evidence.offset, policy)
    word: RecordingWord = "unknown"
    if slack is not None:
        word = judge(
            found,
            target=target,
            max_missing_ratio=ratio,
            edge_checked=edge_checked,
            growing=growing,
            slack=slack,
        )
    sampled = sample(days, until=until, target=target, thin_ratio=policy.thin_day_ratio)
    met_on = since + target * DAY if word == "growing" and since is not None else None
    causes = [*clock, *_word_causes(word, found, target, met_on)]
    causes += _day_causes(word, found, sampled, days, until, target)
    if found.unknown and found.grade != "C" and evidence.refused is not None:
        causes.append(missing(evidence.refused))
    verdict = worst([_VERDICTS[word], Verdict.WARN]) if causes else _VERDICTS[word]
    verdict = worst([verdict, *(one for one, _ in told)])
    causes += [cause for _, cause in told]
    coming, missed_on = evidence.coming, None
    if word == "met" and coming is not None:
        missed_on = coming.missed_on(target)
    if missed_on is not None and coming is not None:
        causes.append(_coming_cause(coming, target, missed_on))
        verdict = worst([verdict, Verdict.WARN])
    return Judgement(
        word, verdict, tuple(causes), found, sampled, until, max(seen), met_on, missed_on
    )


def _coming_cause(coming: Forecast, target: int, missed_on: date) -> Cause:
    params: dict[str, str | int | float] = {
        "holds_days": coming.holds_days,
        "target_days": target,
        "missed_on": missed_on.isoformat(),
    }
    return Cause(code="recording.will_be_short", params=params)


def _set_up_causes(set_up: RecordPolicyReading | None, target: int) -> list[tuple[Verdict, Cause]]:
    """Name what a recorder is set to do that can never hold the target, whatever it holds now."""
    if set_up is None:
        return []
    found: list[tuple[Verdict, Cause]] = []
    expiry = set_up.expiry_days
    if isinstance(expiry, int) and expiry < target:
        params: dict[str, str | int | float] = {"expiry_days": expiry, "target_days": target}
        found.append((Verdict.FAIL, Cause(code="recording.expiry_short", params=params)))
    if set_up.mode == "off":
        found.append((Verdict.FAIL, Cause(code="recording.switched_off")))
    elif set_up.mode == "event":
        found.append((Verdict.WARN, Cause(code="recording.events_only")))
    return found


def _stale(evidence: Evidence, wall: datetime) -> Cause:
    if not evidence.ledger.days:
        return missing(evidence.refused or Unknown(reason=Reason.NOT_YET))
    newest = max(day.seen_at for day in evidence.ledger.days.values())
    hours = round((wall - newest).total_seconds() / 3600)
    return Cause(code="recording.survey_stale", params={"age_hours": hours})


def _trust(offset: float | Unknown, policy: RetentionPolicy) -> tuple[int | None, list[Cause]]:
    """Return how many days a calendar may be shifted by its clock; None: it says nothing of ours.

    Shifted by less than a day, the edges of the window move by one day at most.
    """
    if isinstance(offset, float) and abs(offset) <= policy.clock_fail_seconds:
        return 0, []
    clock = clock_cause(offset, policy)
    usable = isinstance(offset, float) and abs(offset) < DAY.total_seconds()
    return 1 if usable else None, [] if clock is None else [clock[1]]


def _word_causes(
    word: RecordingWord, found: Bounds, target: int, met_on: date | None
) -> list[Cause]:
    if word == "claimed":
        return [Cause(code="recording.claimed_only", params={"target_days": target})]
    if word == "short":
        return [short_cause(found, target)]
    if met_on is not None:
        grown: dict[str, str | int | float] = {
            "depth_days": found.depth_lower,
            "target_days": target,
            "met_on": met_on.isoformat(),
        }
        return [Cause(code="recording.growing", params=grown)]
    return []


def _day_causes(
    word: RecordingWord,
    found: Bounds,
    sampled: Sample,
    days: Mapping[date, LedgerDay],
    until: date,
    target: int,
) -> list[Cause]:
    causes: list[Cause] = []

    def add(code: str, **params: str | float) -> None:
        causes.append(Cause(code=code, params=params))

    lost = [at for at, day in days.items() if day.lost and (until - at).days < target]
    if lost:
        add(
            "recording.days_lost",
            lost_days=len(lost),
            first=min(lost).isoformat(),
            last=max(lost).isoformat(),
        )
    if found.missing_lower and found.depth_lower and word not in {"short", "growing"}:
        add("recording.missing_days", missing_days=found.missing_lower, target_days=target)
    if sampled.thin_days:
        add("recording.thin_days", thin_days=sampled.thin_days, sampled_days=sampled.days)
    if found.unknown and found.grade != "C":
        add("recording.unknown_days", unknown_days=found.unknown, target_days=target)
    return causes
