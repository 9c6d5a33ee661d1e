"""One recorder: from whether it answers to what it is set up to keep."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.diagnosis.checks import CheckResult, Outcome, causes_of, number, result, seen
from agent.diagnosis.lines import unheard
from agent.diagnosis.look import Look, State
from agent.findings import Cause, Verdict
from agent.monitors.recorder_words import clock_cause
from agent.policy import RetentionPolicy
from agent.settings import Recorder

# It answered: what it said is about the login.
_OF_THE_LOGIN = frozenset({"unknown.auth_rejected", "unknown.auth_locked", "unknown.paused"})
_OUT_OF_REACH = frozenset({"unknown.unreachable", "unknown.timeout"})
_LOGINS: Mapping[str, Outcome] = {
    "ok": "ok",
    "suspect": "warn",
    "rejected": "fail",
    "locked": "fail",
}
_DISKS: Mapping[str, Outcome] = {
    "recorder.no_disk": "fail",
    "recorder.no_disk_writable": "fail",
    "recorder.disk_broken": "warn",
    "recorder.disk_read_only": "warn",
    "recorder.disk_gone": "warn",
    "recorder.disk_short": "warn",
}
_POLICY: Mapping[str, Outcome] = {
    "recording.expiry_short": "fail",
    "recording.switched_off": "fail",
    "recording.events_only": "warn",
}
_SUB = ("clock", "disks", "channels", "policy")


def recorder(settings: Recorder, policy: RetentionPolicy, look: Look) -> Iterator[CheckResult]:
    """Check one recorder; what cannot be asked because it does not answer is unknown."""
    name = settings.id
    state = look.state("recorder", name)
    if state is None:
        for what in ("reach", "login", *_SUB):
            yield unheard(f"recorder.{what}", name, look)
        return
    gone = _gone(state)
    yield _reach(name, state, gone)
    yield _login(name, look.login(name), gone)
    if gone is not None:
        for what in _SUB:
            yield result(f"recorder.{what}", name, "unknown", gone)
    else:
        yield _clock(name, state, policy)
        yield _disks(name, state)
        yield _channels(name, state)
        yield _set_up(settings, state, look)
    if settings.police_link is not None:
        yield _police_link(name, look)


def policy_causes(state: State) -> Sequence[Cause]:
    """Return what a recording's state says of how its channel is set up."""
    return [one for one in causes_of(state) if one.code in _POLICY]


def _gone(state: State) -> Cause | None:
    """Return why it does not answer: then the one cause stands for all that is not known."""
    causes = causes_of(state)
    known = state["clock_offset_seconds"] != "unknown"
    if known or len(causes) != 1 or not causes[0].code.startswith("unknown."):
        return None
    return causes[0]


def _reach(name: str, state: State, gone: Cause | None) -> CheckResult:
    what = "recorder.reach"
    if gone is None:
        shown = {key: number(state[key]) for key in ("maker", "model", "firmware")}
        return result(what, name, evidence=seen("recorder", **shown))
    if gone.code in _OF_THE_LOGIN:
        return result(what, name, evidence=seen("answers"))
    return result(what, name, "fail" if gone.code in _OUT_OF_REACH else "unknown", gone)


def _login(name: str, shown: Mapping[str, Any] | None, gone: Cause | None) -> CheckResult:
    what, word = "recorder.login", str((shown or {}).get("login", ""))
    verdict = _LOGINS.get(word)
    if gone is not None and gone.code in _OF_THE_LOGIN and verdict in (None, "ok"):
        return result(what, name, "fail", gone)
    if verdict == "ok" and gone is None:
        return result(what, name, evidence=seen("login"))
    if verdict is None or verdict == "ok":
        # The budget is fine, but it was not used: what was never asked is not known.
        return result(what, name, "unknown", gone or Cause(code="unknown.not_yet"))
    until = str((shown or {}).get("held_until", ""))
    if word == "rejected":
        return result(what, name, verdict, Cause(code="unknown.auth_rejected"))
    cause = Cause(code=f"recorder.login_{word}", params={"until": until})
    return result(what, name, verdict, cause)


def _clock(name: str, state: State, policy: RetentionPolicy) -> CheckResult:
    what, offset = "recorder.clock", state["clock_offset_seconds"]
    summer = [one for one in causes_of(state) if one.code == "recorder.summer_time"]
    if not isinstance(offset, (int, float)):
        told = [one for one in causes_of(state) if one.code == "recorder.clock_unknown"]
        return result(what, name, "unknown", *(told or [Cause(code="unknown.not_yet")]))
    judged = clock_cause(float(offset), policy)
    evidence = seen("offset", seconds=offset)
    if judged is not None:
        return result(what, name, judged[0], judged[1], *summer, evidence=evidence)
    return result(what, name, Verdict.WARN if summer else "ok", *summer, evidence=evidence)


def _disks(name: str, state: State) -> CheckResult:
    what = "recorder.disks"
    causes = [one for one in causes_of(state) if one.code in _DISKS]
    causes.sort(key=lambda one: _DISKS[one.code] != "fail")
    if causes:
        return result(what, name, _DISKS[causes[0].code], *causes)
    if state["maker"] == "onvif":
        return result(what, name, "unknown", Cause(code="unknown.not_supported"))
    return result(what, name, evidence=seen("disks"))


def _channels(name: str, state: State) -> CheckResult:
    causes = [one for one in causes_of(state) if one.code.startswith(("channel.", "unknown."))]
    online = number(state["channels_online"])
    evidence = seen("channels", online=online, total=int(state["channels_total"]))
    blind = any(one.code.startswith("unknown.") for one in causes)
    verdict: Outcome = "unknown" if blind else "warn" if causes else "ok"
    return result("recorder.channels", name, verdict, *causes, evidence=evidence)


def _set_up(settings: Recorder, state: State, look: Look) -> CheckResult:
    what, name = "recorder.policy", settings.id
    found: dict[str, list[Cause]] = {}
    for channel in settings.channel:
        recording = look.state("recording", channel.id)
        causes = policy_causes(recording) if recording is not None else ()
        if causes:
            found[channel.id] = list(causes)
    if found:
        causes = list(
            {one.model_dump_json(): one for each in found.values() for one in each}.values()
        )
        causes.sort(key=lambda one: _POLICY[one.code] != "fail")
        evidence = seen("policy_of", channels=", ".join(found))
        return result(what, name, _POLICY[causes[0].code], *causes, evidence=evidence)
    if state["maker"] == "onvif":
        return result(what, name, "unknown", Cause(code="unknown.not_supported"))
    return result(what, name, evidence=seen("policy", channels=len(settings.channel)))


def _police_link(name: str, look: Look) -> CheckResult:
    what, state = "recorder.police-link", look.state("police-link", name)
    if state is None:
        return unheard(what, name, look)
    causes = causes_of(state) or [Cause(code="unknown.not_yet")]
    evidence = seen("police_link", server=number(state["server"]))
    return result(what, name, state["verdict"], *causes, evidence=evidence)
