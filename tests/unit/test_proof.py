"""What a playback proves, what it leaves in doubt, and which recordings are played tonight."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime, time, timedelta
from typing import cast

import pytest
from pydantic import SecretStr

from agent.devices import DeviceThread
from agent.findings import Verdict
from agent.monitors.ledger import Ledgers
from agent.monitors.proof import Proof, outcome, proof_after, proof_causes
from agent.survey.archive import ArchiveSurvey
from agent.survey.proof import ProofJob, instants
from agent.survey.view import Wanted
from drivers.errors import BusyError
from drivers.readings import Outage, Reading, Reason, StreamFault, Unknown
from drivers.recorder.readings import PlaybackReading, RecordedDay
from drivers.recordings import Extent, Segment
from drivers.stream_target import PlaybackTarget, StreamTarget
from tests.simulated_clock import SimulatedClock
from tests.unit.paper_recorder import PaperRecorder
from tests.unit.retention_site import YESTERDAY, ZONE, Site

DAY = timedelta(days=1)
NOON = datetime.combine(date(2026, 8, 12), time(12))
NIGHT = datetime(2026, 9, 10, 18, 30, tzinfo=UTC)
NOTHING = Unknown(reason=Reason.NOT_MEASURED)


def playback(
    *,
    fault: StreamFault | None = None,
    live: StreamFault | None = None,
    changed: float | Unknown = 0.8,
    largest: int = 60,
    after: float | Unknown = 0.0,
    at: datetime = NIGHT,
    channel: int = 1,
    asked_at: datetime = NOON,
) -> PlaybackReading:
    return PlaybackReading(
        device_id="nvr-1",
        observed_at=at,
        channel=channel,
        asked_at=asked_at,
        fault=fault,
        live_fault=live,
        shown_after_seconds=after,
        changed_ratio=changed if fault is None else NOTHING,
        largest_change_levels=largest if fault is None else NOTHING,
    )


@pytest.mark.parametrize(
    ("reading", "word"),
    [
        (playback(), "proven"),
        (playback(after=NOTHING), "proven"),  # not every recorder says what it plays
        (playback(after=-8 * 3600), "proven"),  # its range in UTC: the same day all the same
        (playback(after=24 * 3600), "other_time"),
        (playback(after=-365 * 24 * 3600), "other_time"),
        (playback(changed=0.0, largest=2), "like_live"),
        (playback(changed=0.02, after=NOTHING), "like_live"),  # somebody walks past
        (playback(changed=0.02), "proven"),  # a lit room without windows, dated right
        (playback(changed=0.02, after=24 * 3600), "other_time"),
        (playback(changed=NOTHING, live=StreamFault.STALLED), None),
        (playback(fault=StreamFault.NOT_FOUND), "unplayable"),
        (playback(fault=StreamFault.SILENT), "unplayable"),
        (playback(fault=StreamFault.NO_KEY_FRAME), "unplayable"),
        (playback(fault=StreamFault.UNAUTHORIZED), "forbidden"),
        (playback(fault=StreamFault.UNAUTHORIZED, live=StreamFault.UNAUTHORIZED), None),
        (playback(fault=StreamFault.BUSY), None),
        (playback(fault=StreamFault.REFUSED, live=StreamFault.REFUSED), None),
        (playback(fault=StreamFault.NOT_FOUND, live=StreamFault.SILENT), None),
    ],
)
def test_what_a_playback_shows(reading: PlaybackReading, word: str | None) -> None:
    assert outcome(reading) == word


def test_a_proof_reaches_back_to_the_day_that_was_played() -> None:
    proof = proof_after(Proof(), playback(), YESTERDAY)
    assert (proof.proven_days, proof.day, proof.at) == (30, NOON.date(), NIGHT)
    assert proof_causes(proof) == []


def test_a_day_that_does_not_play_is_a_warning_and_the_next_night_a_fault() -> None:
    proof = proof_after(Proof(), playback(), YESTERDAY)
    nights = []
    for at in (NIGHT, NIGHT + timedelta(minutes=10), NIGHT + DAY):
        proof = proof_after(proof, playback(fault=StreamFault.SILENT, at=at), YESTERDAY)
        [(verdict, cause)] = proof_causes(proof)
        nights.append((verdict, cause.params["nights"], proof.sure))
    warned = (Verdict.WARN, 1, False)  # tried twice in one night, it is still one night
    assert nights == [warned, warned, (Verdict.FAIL, 2, True)]
    assert proof.proven_days == 30  # what was proven before still was
    assert proof_causes(proof_after(proof, playback(), YESTERDAY)) == []


def test_a_recorder_that_plays_the_live_picture_proves_nothing_and_is_no_fault_of_the_school() -> (
    None
):
    proof = Proof()
    for night in range(5):
        proof = proof_after(
            proof, playback(changed=0.0, largest=0, at=NIGHT + night * DAY), YESTERDAY
        )
    [(verdict, cause)] = proof_causes(proof)
    assert (verdict, cause.code) == (Verdict.WARN, "recording.playback_like_live")
    assert proof.proven_days is None


def test_a_busy_recorder_is_no_evidence() -> None:
    proof = proof_after(Proof(), playback(), YESTERDAY)
    assert proof_after(proof, playback(fault=StreamFault.BUSY), YESTERDAY) is proof


def test_proofs_are_due_after_their_interval_and_every_night_after_a_failure() -> None:
    week = timedelta(days=7)
    proven = proof_after(Proof(), playback(), YESTERDAY)
    failed = proof_after(proven, playback(fault=StreamFault.SILENT), YESTERDAY)
    assert Proof().due(week, NIGHT)
    assert [proven.due(week, NIGHT + days * DAY) for days in (1, 6, 7)] == [False, False, True]
    assert failed.due(week, NIGHT + DAY)


def test_the_county_hears_of_a_proof_and_once_of_a_recording_that_fails_again() -> None:
    site = Site()
    site.see(site.recorder(), playback())
    state = site.recording("gate-cam")
    assert (state.proven_days, state.proven_on) == (30, date(2026, 9, 11))
    told = []
    for _ in (1, 2, 3):
        site.wait(86_400)
        told += site.see(playback(fault=StreamFault.SILENT, at=site.wall))
    unproven = [one.data for one in told if getattr(one.data, "what", "") == "unproven"]
    assert [one.model_dump()["day"] for one in unproven] == [NOON.date()]
    state = site.recording("gate-cam")
    assert state.verdict is Verdict.FAIL
    assert "recording.playback_unplayable" in {one.code for one in state.causes}


def test_what_was_proven_outlives_a_restart() -> None:
    site = Site()
    site.see(site.recorder(), playback())
    again = Ledgers()
    again.restore(site.ledgers.take_unsaved())
    assert again.proof("nvr-1", 1).proven_days == 30


def test_an_instant_by_day_is_chosen_that_is_recorded() -> None:
    day = NOON.date()
    at = [NOON.replace(hour=hour) for hour in (0, 7, 8, 13, 14)]
    whole = [Segment(at[0], at[0] + DAY, locked=False)]
    assert instants(whole, day) == [NOON, NOON.replace(hour=9), NOON.replace(hour=15)]
    parts = [Segment(at[0], at[1], locked=False), Segment(at[3], at[4], locked=False)]
    assert instants(parts, day)[0] == at[3]
    locked = [Segment(at[0], at[0] + DAY, locked=True)]
    short = [Segment(at[0], at[0] + timedelta(seconds=30), locked=False)]
    assert instants([*locked, *short], day) == []


class Gate:
    """Counts permits; `busy` for those that never come free."""

    def __init__(self) -> None:
        self.busy: set[str] = set()
        self.lent: list[str] = []
        self.logins: list[str] = []

    def permit(self, use: str, *, deadline: float) -> "nullcontext[None]":
        del deadline
        if use in self.busy:
            raise BusyError("no permit")
        self.lent.append(use)
        return nullcontext()

    def login_succeeded(self) -> None:
        self.logins.append("accepted")

    def login_failed(
        self, *, retries_left: int | None = None, locked_seconds: float | None = None
    ) -> bool:
        del retries_left, locked_seconds
        self.logins.append("refused")
        return False


class Desk:
    """A job with a recorder on paper; `answers` are what playback gives, `played` what was asked.

    Its thread runs what is requested when told to.
    """

    def __init__(self, clock: SimulatedClock, *, most: int = 24, channels: int = 1) -> None:
        self.clock = clock
        wall = datetime.combine(YESTERDAY + DAY, NOON.time())
        self.recorder = PaperRecorder(clock, wall, {YESTERDAY - n * DAY for n in range(100)})
        self.ledgers = Ledgers()
        self.gate = Gate()
        self.answers: list[Reading] = []
        self.played: list[PlaybackTarget] = []
        self.jobs: list[tuple[Callable[[float], Iterator[Reading]], float]] = []
        self.due: set[int] = set(range(1, channels + 1))
        self.live: StreamTarget | Unknown = StreamTarget(
            device_id="cam",
            url="rtsp://10.0.0.9:10554/live",
            username="u",
            password=SecretStr("p"),
        )
        wanted = [Wanted(number, 90 if number == channels else 30) for number in self.due]
        survey = ArchiveSurvey(
            self.recorder,
            wanted,
            Held(self),
            clock,
            ZONE,
            cast("object", None),  # type: ignore[arg-type]  # nothing is left to chance here
        )
        self.job = ProofJob(
            self.recorder,
            survey,
            wanted,
            lambda number: number in self.due,
            self.gate,
            lambda _: self.live,
            self.play,
            clock,
            cast("DeviceThread", self),
            most=most,
        )

    def request(
        self, job: Callable[[float], Iterator[Reading]], *, deadline_seconds: float
    ) -> None:
        self.jobs.append((job, deadline_seconds))

    def play(self, target: PlaybackTarget, deadline: float) -> Sequence[Reading]:
        assert deadline > self.clock.monotonic()
        self.played.append(target)
        return [self.answers.pop(0) if self.answers else playback(channel=target.channel)]

    def night(self) -> list[Reading]:
        found: list[Reading] = []
        while self.jobs:
            job, seconds = self.jobs.pop(0)
            found += job(self.clock.monotonic() + seconds)
        return found


class Held:
    """A ledger that believes what the recorder holds."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def believed(self, recorder: str, number: int) -> dict[date, RecordedDay]:
        del recorder, number
        return {day: RecordedDay(present=True) for day in self._desk.recorder.held}

    def doubted(self, recorder: str, number: int) -> frozenset[date]:
        del recorder, number
        return frozenset()

    def surveyed_until(self, recorder: str, number: int) -> date | None:
        del recorder, number
        return YESTERDAY


def test_the_oldest_needed_day_is_played_at_noon(clock: SimulatedClock) -> None:
    desk = Desk(clock)
    desk.job.request()
    [reading] = desk.night()
    assert isinstance(reading, PlaybackReading)
    [target] = desk.played
    oldest = YESTERDAY - 89 * DAY
    assert target.asked_at == datetime.combine(oldest, NOON.time())
    assert target.recorded.url == f"rtsp://10.0.0.9:10554/play/1/{oldest:%Y%m%d}T120000/120200"
    assert target.live.url == "rtsp://10.0.0.9:10554/live"
    assert desk.gate.lent == ["playback", "live"]
    assert desk.gate.logins == ["accepted"]


def test_key_areas_come_first_and_the_rest_of_what_is_due_another_night(
    clock: SimulatedClock,
) -> None:
    desk = Desk(clock, most=2, channels=4)
    desk.job.request()
    desk.night()
    assert [target.channel for target in desk.played] == [4, 1]
    desk.due -= {4, 1}
    desk.job.request()
    desk.night()
    assert [target.channel for target in desk.played] == [4, 1, 2, 3]


def test_what_does_not_prove_itself_is_tried_at_another_hour(clock: SimulatedClock) -> None:
    desk = Desk(clock)
    desk.answers = [playback(changed=0.0, largest=0), playback()]
    desk.job.request()
    [reading] = desk.night()
    assert [target.asked_at.hour for target in desk.played] == [12, 9]
    assert isinstance(reading, PlaybackReading)
    assert outcome(reading) == "proven"


def test_a_login_that_is_refused_counts_once_and_a_missing_right_does_not(
    clock: SimulatedClock,
) -> None:
    desk = Desk(clock)
    desk.answers = [playback(fault=StreamFault.UNAUTHORIZED)]
    desk.job.request()
    desk.night()
    assert (desk.gate.logins, len(desk.played)) == (["accepted"], 1)
    desk.answers = [
        playback(fault=StreamFault.UNAUTHORIZED, live=StreamFault.UNAUTHORIZED),
    ]
    desk.job.prove(1)
    desk.night()
    assert desk.gate.logins[1] == "refused"


@pytest.mark.parametrize("use", ["playback", "live"])
def test_a_recorder_without_a_free_permit_is_left_alone(clock: SimulatedClock, use: str) -> None:
    desk = Desk(clock)
    desk.gate.busy = {use}
    desk.job.request()
    assert desk.night() == []
    assert desk.played == []
    assert desk.job.attempts[1].outcome == "busy"


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda desk: desk.recorder.held.clear(), "not_yet"),
        (lambda desk: setattr(desk, "live", Unknown(reason=Reason.NOT_SUPPORTED)), "not_supported"),
        (lambda desk: setattr(desk.recorder, "no_segments", Unknown(reason=Reason.BUSY)), "busy"),
        (
            lambda desk: setattr(desk.recorder, "no_playback", Unknown(reason=Reason.NOT_YET)),
            "not_yet",
        ),
        (
            lambda desk: desk.answers.append(
                Outage(device_id="nvr-1", observed_at=NIGHT, reason=Reason.TIMEOUT)
            ),
            "timeout",
        ),
    ],
)
def test_what_comes_to_nothing_is_no_reading(
    clock: SimulatedClock, spoil: Callable[[Desk], object], word: str
) -> None:
    """An Outage of a playback is none of the recorder's."""
    desk = Desk(clock)
    spoil(desk)
    desk.answers += desk.answers  # the second try ends as the first did
    desk.job.request()
    assert desk.night() == []
    assert desk.job.attempts[1].outcome == word
    with pytest.raises(KeyError):
        desk.job.prove(99)


def test_of_a_mere_claim_an_instant_is_played_that_is_not_overwritten_meanwhile(
    clock: SimulatedClock,
) -> None:
    desk = Desk(clock)
    desk.recorder.gives = frozenset({"extent"})
    oldest = datetime.combine(YESTERDAY - 89 * DAY, time(13))
    desk.recorder.claims = {1: Extent(oldest, datetime.combine(YESTERDAY, NOON.time()))}
    desk.job.request()
    assert len(desk.night()) == 1
    [target] = desk.played
    assert (target.asked_at, target.listed) == (oldest + timedelta(hours=1), False)


def test_a_claim_that_does_not_play_stays_a_warning() -> None:
    proof = Proof()
    for night in range(5):
        failed = playback(fault=StreamFault.NOT_FOUND, at=NIGHT + night * DAY)
        proof = proof_after(proof, failed.model_copy(update={"listed": False}), YESTERDAY)
    assert [verdict for verdict, _ in proof_causes(proof)] == [Verdict.WARN]
