"""What it costs to know 64 channels for 90 days, and whether what is known is right."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from random import Random
from typing import NamedTuple, cast

from agent.camera_rounds import CameraProbe, CameraRounds
from agent.clock import SystemClock
from agent.survey.view import View
from drivers.errors import DriverError
from drivers.readings import Reading, Unknown
from drivers.recorder.readings import RecordedDaysReading
from drivers.stream import probe_stream
from drivers.stream_target import StreamTarget
from drivers.stream_workers import StreamWorkers
from simulators.archive import SimulatedChannel
from simulators.dahua import DahuaSimulator
from simulators.hikvision import HikvisionSimulator
from simulators.onvif import OnvifSimulator
from simulators.rtsp import RtspSimulator
from simulators.truth import Truth
from tests.archives import truth
from tests.benchmarks.figures import Figures
from tests.benchmarks.proofs import proofs
from tests.retention_trial import (
    PASSWORD,
    School,
    clock_at_night,
    contradictions,
    is_tight,
    try_archive,
)
from tests.unit.login_budgets import MemoryBudget

CHANNELS, DAYS = 64, 90
# What a full listing costs is the same for every channel.
LISTED = 8
ARCHIVES = 2000
WEEK_HOURS = 7 * 24
Recorder = HikvisionSimulator | DahuaSimulator | OnvifSimulator


class Cost(NamedTuple):
    """Questions that got an answer, those that only got a challenge, seconds and bytes."""

    asked: int
    challenges: int
    seconds: float
    received: int


def main() -> None:
    """Print every figure."""
    archives = int(sys.argv[1]) if len(sys.argv) > 1 else ARCHIVES
    for maker, make in (("hikvision", HikvisionSimulator), ("dahua", DahuaSimulator)):
        for cuts, name in ((24, ""), (32, "_event_cut")):
            costs(Figures(f"retention-{maker}"), make, cuts, name)
    claims(Figures("retention-onvif"))
    right(Figures("retention"), archives)
    logins(Figures("retention"))
    proofs(Figures("retention"))


def costs(figures: Figures, make: Callable[..., Recorder], cuts: int, name: str) -> None:
    """Survey a cold recorder, then a day later, and list some of it as a downloader would."""
    with _school(make, cuts) as school:
        school.poll()
        views = _views(school)
        cold = _spent(school, lambda: _run(school, "days", views))
        _run(school, "audit", views)
        school.clock.advance(86_400)
        school.poll()
        views = _views(school)
        steady = _spent(school, lambda: _run(school, "days", views))
        audit = _spent(school, lambda: _run(school, "audit", views))
        listed = _spent(school, lambda: _list_all(school, LISTED))
        words = {school.recording(number).word for number in school.targets}
        assert words == {"met"}, words
    scale = CHANNELS / LISTED
    for figure, cost in (("cold", cold), ("steady_day", steady), ("audit_day", audit)):
        whole = listed.asked * scale
        asked, n = f"requests_{figure}{name}", CHANNELS
        figures.print(asked, cost.asked, "requests", n=n, baseline=whole)
        figures.print(f"challenges_{figure}{name}", cost.challenges, "requests", n=n)
        seconds = listed.seconds * scale
        figures.print(f"seconds_{figure}{name}", cost.seconds, "s", n=n, baseline=seconds)
    figures.print(f"bytes_steady_day{name}", steady.received, "bytes", n=CHANNELS)


def claims(figures: Figures) -> None:
    """Ask what is claimed of every channel, which is all ONVIF has."""
    with _school(OnvifSimulator, 24) as school:
        school.poll()
        for figure in ("cold", "steady_day"):
            cost = _spent(school, school.survey_once)
            figures.print(
                f"requests_{figure}", cost.asked + cost.challenges, "requests", n=CHANNELS
            )
            figures.print(f"seconds_{figure}", cost.seconds, "s", n=CHANNELS)
            figures.print(f"bytes_{figure}", cost.received, "bytes", n=CHANNELS)
            school.clock.advance(86_400)
            school.poll()
        words = {school.recording(number).word for number in school.targets}
        assert words == {"claimed"}, words


def right(figures: Figures, archives: int) -> None:
    """Survey random archives in the manners of random firmware; compare with a count."""
    contained = tight = false_met = false_short = 0
    for seed in range(archives):
        trial = try_archive(Random(seed), Truth())
        state = trial.school.recording(1)
        wrong = contradictions(state, truth(trial.archive), trial.archive)
        contained += not {"depth", "missing"} & set(wrong)
        false_met += "false met" in wrong
        false_short += "false short" in wrong
        tight += is_tight(state, trial.archive.target)
        trial.close()
    figures.print("bounds_contain_truth_ratio", contained / archives, "", n=archives)
    figures.print("bounds_tight_ratio", tight / archives, "", n=archives)
    figures.print("false_met", false_met, "archives", n=archives)
    figures.print("false_short", false_short, "archives", n=archives)


def logins(figures: Figures) -> None:
    """Let a week pass with a wrong password, over HTTP and RTSP, restarted every six hours."""
    for figure, wrong_after in (("cold", 0), ("changed", 72)):
        log, clock = Truth(), clock_at_night()
        nvr = HikvisionSimulator(log, now_utc=clock.now, monotonic=clock.monotonic, days={1: 40})
        cameras = RtspSimulator(log, password=PASSWORD.get_secret_value(), channels=2)
        nvr.start()
        cameras.start()
        budget = MemoryBudget()
        for hour in range(WEEK_HOURS):
            if hour == wrong_after:
                nvr.door.password = cameras.password = "another"
            if hour % 6 == 0:
                school = School(nvr, {1: 30}, clock, budget=budget)
            # A stream that plays takes its real seconds: one look a day while it does.
            _live_an_hour(school, cameras, streams=hour >= wrong_after or hour % 24 == 0)
        refusals = ("login_failed", "login_refused", "login_while_locked")
        failed = sum(len(log.lines(what)) for what in refusals)
        figures.print(f"failed_logins_{figure}", failed, "logins", n=WEEK_HOURS)
        cameras.stop()
        nvr.stop()


class _Inline:
    """Probes streams in this process, by the real clock: they play in real time."""

    def probe(self, target: StreamTarget, *, deadline: float) -> Iterator[Reading]:
        del deadline
        yield probe_stream(target, SystemClock())[0]


def _same(target: StreamTarget) -> StreamTarget:
    return target


def _live_an_hour(school: School, cameras: RtspSimulator, *, streams: bool) -> None:
    """Poll twice, and probe two cameras in between; nobody minds what fails."""
    workers = cast("StreamWorkers", _Inline())
    rounds = CameraRounds([], workers, school.clock, round_seconds=300)
    for _ in range(2):
        with suppress(DriverError):
            school.poll()
        for number in (1, 2) if streams else ():
            target = StreamTarget(
                device_id=f"cam-{number}",
                url=f"rtsp://127.0.0.1:{cameras.port}/Streaming/Channels/{number}02",
                username="inspector",
                password=PASSWORD,
            )
            rounds._probe(CameraProbe(target.device_id, partial(_same, target), school.gate))
        school.clock.advance(1800)


@contextmanager
def _school(make: Callable[..., Recorder], cuts: int) -> Iterator[School]:
    clock = clock_at_night()
    recorder = make(Truth(), now_utc=clock.now, monotonic=clock.monotonic)
    recorder.channels = [
        SimulatedChannel(number, depth_days=DAYS + 5, cuts_per_day=cuts)
        for number in range(1, CHANNELS + 1)
    ]
    recorder.start()
    school = School(recorder, dict.fromkeys(range(1, CHANNELS + 1), DAYS), clock)
    yield school
    school.close()
    recorder.stop()


def _views(school: School) -> list[View]:
    return [school.survey.view(each) for each in school.wanted]


def _run(school: School, step: str, views: Sequence[View]) -> None:
    """Run one half of a survey over every channel, into the ledgers."""
    for view in views:
        for reading in getattr(school.survey, step)(view, school.clock.monotonic() + 1800):
            assert isinstance(reading, RecordedDaysReading)
            assert not isinstance(reading.days, Unknown), reading
            school.monitor.observe(reading, school.now)


def _list_all(school: School, channels: int) -> None:
    """List every file of so many channels, day by day, as a downloader does."""
    wall = school.driver.wall_clock()
    assert not isinstance(wall, Unknown)
    midnight = wall.replace(hour=0, minute=0, second=0)
    for number in range(1, channels + 1):
        for back in range(1, DAYS + 1):
            start = midnight - timedelta(days=back)
            end = start + timedelta(days=1, seconds=-1)
            deadline = school.clock.monotonic() + 1800
            school.driver.segments(number, start, end, deadline=deadline)


def _spent(school: School, step: Callable[[], object]) -> Cost:
    log = school.recorder.truth
    before, sent = len(log.lines("request")), school.recorder.sent_bytes
    started = time.monotonic()
    step()
    seconds = time.monotonic() - started
    made: Sequence[dict[str, object]] = log.lines("request")[before:]
    signed = sum(bool(line["signed"]) for line in made)
    received = school.recorder.sent_bytes - sent
    return Cost(signed, len(made) - signed, seconds, received)


if __name__ == "__main__":
    main()
