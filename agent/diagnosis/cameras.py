"""Every camera: whether its stream plays, and what it shows; every channel: the days it holds."""

from collections.abc import Iterator, Mapping

from agent.diagnosis.checks import CheckResult, causes_of, number, result, seen
from agent.diagnosis.lines import unheard
from agent.diagnosis.look import Look, State
from agent.diagnosis.recorders import policy_causes
from agent.findings import Cause, Verdict, worst
from agent.monitors.camera_watch import VERDICTS
from agent.settings import SiteSettings
from drivers.readings import StreamFault

_NOT_YET = Cause(code="unknown.not_yet")
# What a picture cannot be told by; all other causes of a camera are its picture's.
_OF_THE_STREAM = frozenset(
    {
        *(f"camera.{fault}" for fault in StreamFault),
        "camera.channel_offline",
        "camera.recorder_disagrees",
        "camera.snapshot_shows",
        "camera.low_fps",
        "camera.wrong_codec",
        "camera.smaller",
    }
)
_BY_WORD: Mapping[str, Verdict] = {
    "met": Verdict.OK,
    "claimed": Verdict.WARN,
    "growing": Verdict.WARN,
    "short": Verdict.FAIL,
}


def cameras(site: SiteSettings, look: Look) -> Iterator[CheckResult]:
    """Check stream and picture of every camera."""
    for recorder in site.recorder:
        for channel in recorder.channel:
            state = look.state("camera", channel.id)
            if state is None:
                yield unheard("camera.stream", channel.id, look)
                yield unheard("camera.picture", channel.id, look)
            else:
                yield from camera(channel.id, state)


def camera(name: str, state: State) -> Iterator[CheckResult]:
    """Tell stream and picture of one camera apart."""
    causes = causes_of(state)
    of_stream = [one for one in causes if _is_of_stream(one)]
    of_picture = [one for one in causes if one not in of_stream]
    plays = state["online"] is True
    if of_stream:
        verdict = worst(_verdict(one, state) for one in of_stream)
        yield result("camera.stream", name, verdict, *of_stream, evidence=_stream(state))
    elif plays:
        yield result("camera.stream", name, evidence=_stream(state))
    else:
        yield result("camera.stream", name, "unknown", _NOT_YET)
    if of_picture:
        verdict = worst(_verdict(one, state) for one in of_picture)
        yield result("camera.picture", name, verdict, *of_picture)
    elif state["picture"] == "good":
        yield result("camera.picture", name, evidence=seen("picture"))
    else:
        why = of_stream or [Cause(code="camera.picture_missing") if plays else _NOT_YET]
        yield result("camera.picture", name, "unknown", *why)


def days(site: SiteSettings, look: Look) -> Iterator[CheckResult]:
    """Check the days every channel holds; how it is set up is told with its recorder."""
    for recorder in site.recorder:
        for channel in recorder.channel:
            state = look.state("recording", channel.id) if look.running else None
            if state is None:
                yield unheard("retention.days", channel.id, look)
            else:
                yield _held(channel.id, state)


def _held(name: str, state: State) -> CheckResult:
    told_elsewhere = policy_causes(state)
    causes = [one for one in causes_of(state) if one not in told_elsewhere]
    verdict = Verdict(state["verdict"])
    if told_elsewhere:
        by_word = _BY_WORD.get(str(state["word"]), Verdict.UNKNOWN)
        verdict = worst([by_word, Verdict.WARN]) if causes else by_word
    evidence = seen(
        "days",
        lower=number(state["depth_days_lower"]),
        upper=number(state["depth_days_upper"]),
        target=int(state["retention_min_days"]),
        proven=number(state["proven_days"]),
    )
    return result("retention.days", name, verdict, *(causes or [_NOT_YET]), evidence=evidence)


def _is_of_stream(cause: Cause) -> bool:
    code = cause.code
    if code == "camera.unconfirmed":
        code = str(cause.params.get("fault"))
    return code in _OF_THE_STREAM or code.startswith("unknown.")


def _verdict(cause: Cause, state: State) -> Verdict:
    """Return the verdict one cause stands for; the state has that of them all."""
    if cause.code in VERDICTS:
        shown = any(one.code == "camera.snapshot_shows" for one in causes_of(state))
        return Verdict.WARN if shown else VERDICTS[cause.code]
    if cause.code in ("camera.unconfirmed", "camera.snapshot_shows"):
        return Verdict.WARN
    return Verdict.UNKNOWN


def _stream(state: State) -> Cause:
    if state["layer"] == "snapshot":
        return seen("snapshot")
    shown = {name: number(state[name]) for name in ("codec", "width", "height", "fps")}
    return seen("stream", **shown)
