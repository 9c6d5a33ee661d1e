"""Alarm lines and readers, as whoever has their ports knows them."""

from collections.abc import Iterator

from agent.diagnosis.checks import CheckResult, causes_of, number, result, seen
from agent.diagnosis.look import Look, State
from agent.findings import Cause
from agent.settings import SiteSettings
from agent.settings_alarm import AlarmModule, Receiver

ALARM = "alarm"


def unheard(what: str, device: str, look: Look) -> CheckResult:
    """Return the result of an object of which there is no state."""
    if device in look.left_out:
        cause = Cause(code="diagnosis.left_out")
    elif not look.running:
        cause = Cause(code="diagnosis.needs_service")
    else:
        cause = look.silence or Cause(code="diagnosis.not_in_force")
    return result(what, device, "unknown", cause)


def alarm_lines(site: SiteSettings, look: Look) -> Iterator[CheckResult]:
    """Check every module and receiver, then all that hangs on them."""
    for module in site.alarm_module:
        yield _module(module, look)
        for contact in module.contact:
            yield _of_state("alarm.contact", "contact", contact.id, look)
        for output in module.output:
            yield _of_state("alarm.output", "output", output.id, look)
    for receiver in site.alarm_receiver:
        yield _receiver(receiver, look)
    for button in site.panic_buttons:
        yield _of_state("alarm.button", "button", button.id, look)
    if look.running and site.configured("alarm"):
        # The one of the site: it has no name of its own.
        window = _of_state("alarm.test-window", "test-window", ALARM, look)
        yield window.model_copy(update={"id": "alarm.test-window", "device": ""})


def readers(site: SiteSettings, look: Look) -> Iterator[CheckResult]:
    """Check every reader."""
    for reader in site.nfc_reader:
        yield _of_state("reader.answers", "reader", reader.id, look)


def _of_state(what: str, kind: str, device: str, look: Look) -> CheckResult:
    state = look.state(kind, device)
    if state is None:
        return unheard(what, device, look)
    causes = causes_of(state) or [Cause(code="unknown.not_yet")]
    return result(what, device, state["verdict"], *causes, evidence=_evidence(kind, state))


def _evidence(kind: str, state: State) -> Cause:
    match kind:
        case "button":
            tested = str(state["last_test_at"] or "unknown")[:10]
            return seen("button", position=str(state["position"]), tested=tested)
        case "contact":
            return seen("contact", position=str(state["position"]))
        case "reader":
            return seen("reader", firmware=number(state["firmware"]))
        case "output":
            return seen("output")
    return seen("no_window")


def _module(module: AlarmModule, look: Look) -> CheckResult:
    """A module has no state of its own: the line is what its buttons and contacts say of it."""
    buttons = [look.state("button", one.id) for one in module.button]
    contacts = [look.state("contact", one.id) for one in module.contact]
    outputs = [look.state("output", one.id) for one in module.output]
    known = [state for state in (*buttons, *contacts, *outputs) if state is not None]
    if not known:
        return unheard("alarm.module", module.id, look)
    for state in known:
        for cause in causes_of(state):
            if cause.params.get("module") == module.id and cause.code != "alarm.supply":
                return result("alarm.module", module.id, "fail", cause)
    if all(state["verdict"] == "unknown" for state in known):
        return result("alarm.module", module.id, "unknown", Cause(code="unknown.not_yet"))
    times = (state["reply_ms_p50"] for state in buttons if state is not None)
    shown = next((number(one) for one in times if one != "unknown"), "unknown")
    return result("alarm.module", module.id, evidence=seen("module", ms=shown))


def _receiver(receiver: Receiver, look: Look) -> CheckResult:
    states = [look.state("button", one.id) for one in receiver.button]
    states.append(look.state("button", receiver.id))  # alarms of no zone that is listed
    known = [state for state in states if state is not None]
    if not known:
        return unheard("alarm.receiver", receiver.id, look)
    for state in known:
        if state["link"] == "down":
            return result("alarm.receiver", receiver.id, "fail", *causes_of(state)[:1])
    if all(state["link"] == "unknown" for state in known):
        return result("alarm.receiver", receiver.id, "unknown", Cause(code="unknown.not_yet"))
    return result("alarm.receiver", receiver.id, evidence=seen("answers"))
