"""Proof by playback: at night, one recording after another, the oldest needed day of a channel."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import structlog

from agent.devices import DeviceThread
from agent.monitors.proof import outcome
from agent.survey.archive import ArchiveSurvey
from agent.survey.view import Wanted
from drivers.base import Clock, Gate, RecorderDriver
from drivers.errors import BusyError
from drivers.readings import Outage, Reading, Reason, StreamFault, Unknown, unknown
from drivers.recorder.readings import PlaybackReading
from drivers.recordings import Segment
from drivers.stream_target import PlaybackTarget, StreamTarget

# By day a picture differs most from the live one of the night it is held against.
HOURS = (time(12), time(9), time(15))
TRIES = 2
PLAYED = timedelta(minutes=2)
# The oldest hour is being overwritten while it is asked for.
ENDING = timedelta(hours=1)
# Recorders find their place slowly, and some send a key frame every twenty seconds.
OPEN_SECONDS, KEY_FRAME_SECONDS = 10.0, 20.0
PERMIT_SECONDS = 30.0
PROOF_SECONDS = 240.0

log = structlog.get_logger()

Play = Callable[[PlaybackTarget, float], Sequence[Reading]]
Live = Callable[[int], StreamTarget | Unknown]
Due = Callable[[int], bool]


class Attempt(NamedTuple):
    """How the last playback of a channel ended; `outcome` is a reason where nothing was shown."""

    times: int
    outcome: str
    day: date | None
    detail: str


class ProofJob:
    """Proves one recorder's channels; runs on its device thread, one playback between two polls."""

    def __init__(
        self,
        driver: RecorderDriver,
        survey: ArchiveSurvey,
        wanted: Sequence[Wanted],
        due: Due,
        gate: Gate,
        live: Live,
        play: Play,
        clock: Clock,
        thread: DeviceThread,
        *,
        most: int,
    ) -> None:
        """`live` says which stream a channel is held against; `most` are played in one night.

        `due` says whether a channel is to be proven tonight.
        """
        self._driver = driver
        self._survey = survey
        self._wanted: Mapping[int, Wanted] = {each.number: each for each in wanted}
        self._due = due
        self._gate = gate
        self._live = live
        self._play = play
        self._clock = clock
        self._thread = thread
        self._most = most
        self._left: list[int] = []
        self.attempts: dict[int, Attempt] = {}
        self._lock = threading.Lock()

    def request(self) -> None:
        """Prove what is due; longest targets first, they are of the key areas."""
        due = [each for each in self._wanted.values() if self._due(each.number)]
        due.sort(key=lambda each: -each.target_days)
        self._ask_for([each.number for each in due[: self._most]])

    def prove(self, number: int) -> None:
        """Prove one channel soon, due or not. Any thread may call; raises KeyError."""
        self._ask_for([self._wanted[number].number])

    def _ask_for(self, numbers: Sequence[int]) -> None:
        with self._lock:
            idle = not self._left
            self._left += [number for number in numbers if number not in self._left]
            if idle and self._left:
                self._thread.request(self._next, deadline_seconds=PROOF_SECONDS)

    def _next(self, deadline: float) -> Iterator[Reading]:
        number = self._left[0]
        try:
            yield from self.run(number, deadline)
        finally:
            with self._lock:
                self._left.remove(number)
                if self._left:
                    self._thread.request(self._next, deadline_seconds=PROOF_SECONDS)

    def run(self, number: int, deadline: float) -> Iterator[Reading]:
        """Play the oldest needed day of a channel; yield what came of it, if anything did."""
        found = self._tried(number, deadline)
        before = self.attempts.get(number)
        word: str = found.reason if isinstance(found, Unknown) else (outcome(found) or "unsure")
        day = None if isinstance(found, Unknown) else found.asked_at.date()
        times = 1 if before is None else before.times + 1
        self.attempts[number] = Attempt(times, word, day, found.detail)
        log.info("playback", device=self._driver.device_id, channel=number, outcome=word, day=day)
        if isinstance(found, PlaybackReading):
            yield found

    def _tried(self, number: int, deadline: float) -> PlaybackReading | Unknown:
        """Play a recording; what does not prove itself is tried at another hour of that day."""
        day = self._survey.view(self._wanted[number]).edge
        live = self._live(number)
        if day is None:
            return Unknown(reason=Reason.NOT_YET, detail="no day is known that could be played")
        if isinstance(live, Unknown):
            return live
        start, end = datetime.combine(day, time.min), datetime.combine(day, time(23, 59, 59))
        listed = self._recorded(number, start, end, deadline)
        if isinstance(listed, Unknown):
            return listed
        shown: PlaybackReading | Unknown = Unknown(
            reason=Reason.INCONSISTENT, detail=f"nothing to play is listed of {day}"
        )
        for asked_at in instants(listed, day)[:TRIES]:
            if self._clock.monotonic() + PERMIT_SECONDS > deadline:
                break
            latest = self._played(number, asked_at, live, deadline)
            if isinstance(latest, PlaybackReading) or isinstance(shown, Unknown):
                shown = latest
            if isinstance(shown, PlaybackReading) and outcome(shown) in {"proven", "forbidden"}:
                break
        return shown

    def _recorded(
        self, number: int, start: datetime, end: datetime, deadline: float
    ) -> Sequence[Segment] | Unknown:
        """Return what is listed of a span; of what is only claimed, the part that is not ending."""
        if self._lists:
            found = self._driver.segments(number, start, end, deadline=deadline)
            return found if isinstance(found, Unknown) else found.items
        claims = self._driver.extents(deadline=deadline)
        if isinstance(claims, Unknown):
            return claims
        claim = claims.get(number)
        if claim is None or claim.newest - claim.oldest <= ENDING:
            return ()
        return [Segment(claim.oldest + ENDING, claim.newest, locked=False)]

    @property
    def _lists(self) -> bool:
        return "segments" in self._driver.gives

    def _played(
        self, number: int, asked_at: datetime, live: StreamTarget, deadline: float
    ) -> PlaybackReading | Unknown:
        address = self._driver.playback(number, asked_at, asked_at + PLAYED, deadline=deadline)
        if isinstance(address, Unknown):
            return address
        host = live.url.split("/")[2]
        recorded = live.model_copy(
            update={
                "url": f"rtsp://{host}{address.path}",
                "open_seconds": OPEN_SECONDS,
                "key_frame_seconds": KEY_FRAME_SECONDS,
                "replay_from": address.digits_at if address.by_onvif else None,
            }
        )
        target = PlaybackTarget(
            device_id=self._driver.device_id,
            channel=number,
            asked_at=asked_at,
            digits_at=address.digits_at,
            listed=self._lists,
            recorded=recorded,
            live=live,
        )
        until = min(deadline, self._clock.monotonic() + PERMIT_SECONDS)
        try:
            with (
                self._gate.permit("playback", deadline=until),
                self._gate.permit("live", deadline=until),
            ):
                [reading] = self._play(target, deadline)
                self._report_login(reading)
        except BusyError as error:
            return unknown(error)  # cameras are looked at first; tomorrow is another night
        if isinstance(reading, PlaybackReading):
            return reading
        reason = reading.reason if isinstance(reading, Outage) else Reason.INTERNAL
        return Unknown(reason=reason, detail="the check itself came to nothing")

    def _report_login(self, reading: Reading) -> None:
        """The live stream tells whether the login is good: playback may only lack the right."""
        if not isinstance(reading, PlaybackReading):
            return
        if reading.live_fault is StreamFault.UNAUTHORIZED:
            self._gate.login_failed()
        elif reading.live_fault is None:
            self._gate.login_succeeded()


def instants(items: Sequence[Segment], day: date) -> list[datetime]:
    """Choose instants of a day that are recorded, near the hours that are best."""
    found: list[datetime] = []
    for hour in HOURS:
        wanted = datetime.combine(day, hour)
        near = [
            min(max(wanted, one.start), one.end - PLAYED)
            for one in items
            if not one.locked and one.end - one.start >= PLAYED
        ]
        of_day = [instant for instant in near if instant.date() == day]
        if of_day:
            found.append(min(of_day, key=lambda instant: abs(instant - wanted)))
    return list(dict.fromkeys(found))
