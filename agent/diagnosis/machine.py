"""The mini-PC as it is now, and the service on it; measured here, whether the agent runs or not."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.clock import clock_quality
from agent.diagnosis.checks import CheckResult, Outcome, causes_of, number, result, seen
from agent.diagnosis.look import Look
from agent.findings import Cause
from agent.monitors import Instant
from agent.monitors.host import HostMonitor
from agent.parts import HOST
from agent.self_report import FAILURES
from agent.settings import SiteSettings
from drivers.base import Clock
from drivers.host import HostDriver, HostSettings

# Which check tells of which cause; ports have checks of their own.
_PLACES: Mapping[str, str] = {
    "host.disk_low": "disk.space",
    "host.disk_full": "disk.space",
    "host.memory_low": "machine.memory",
    "host.load_high": "machine.load",
    "host.temperature_high": "machine.temperature",
    "host.clock_unsynchronised": "clock.ntp",
}
_FAILING = frozenset({"host.disk_full"})
# Of the agent's own state: by the beginning of the code. All others are its own faults.
_AGENT_PLACES: Mapping[str, str] = {
    "agent.store": "disk.store",
    "agent.disk_slow": "disk.store",
    "agent.disk_refuses": "outbox.unsaved",
    "agent.events_dropped": "outbox.unsaved",
    "agent.refused_by_broker": "outbox.refused",
    "agent.last_good": "settings.in-force",
    "agent.settings": "settings.in-force",
}
# Told by the checks of the broker, and there with more.
_OF_THE_BROKER = frozenset(
    {
        "agent.certificate_expires",
        "agent.certificate_expired",
        "agent.broker_cuts",
        "agent.selftest_failed",
    }
)
_SYSTEMD = Path("run/systemd/system")
_UNIT = "campus-agent.service"
MANY_RESTARTS = 3
_SYSTEMCTL_SECONDS = 5.0


def host(site: SiteSettings, clock: Clock) -> Iterator[CheckResult]:
    """Measure the machine once and judge it by the site's policy."""
    settings = HostSettings(id=HOST, state_directory=_there(site.state.directory))
    monitor = HostMonitor(HOST, site.host)
    now = Instant(clock.now(), clock.monotonic())
    driver = HostDriver(settings, clock)
    for reading in driver.poll(deadline=clock.monotonic() + 5):
        monitor.observe(reading, now)
    data = monitor.states(now)[0].data.model_dump(mode="json")
    found = {_PLACES[one.code]: one for one in causes_of(data) if one.code in _PLACES}
    celsius = data["temperature_celsius"]
    figures = {
        "disk.space": ("disk_free_ratio", "free", "percent", 100),
        "machine.memory": ("memory_available_ratio", "free", "percent", 100),
        "machine.load": ("load_per_cpu", "load", "load", 1),
    }
    for what, (field, code, name, scale) in figures.items():
        yield _measured(what, data[field], found.get(what), code, name, scale)
    if celsius == "unknown" and "machine.temperature" not in found:
        yield result("machine.temperature", evidence=seen("no_sensor"))
    else:
        cause = found.get("machine.temperature")
        yield _measured("machine.temperature", celsius, cause, "celsius", "celsius", 1)
    yield _kernel_clock(data["clock"], found.get("clock.ntp"))


def _there(directory: Path) -> Path:
    """Return the directory, or what of its path exists: it is made at the first start."""
    return next((one for one in (directory, *directory.parents) if one.exists()), directory)


def _measured(
    what: str, value: object, cause: Cause | None, code: str, name: str, scale: int
) -> CheckResult:
    if cause is not None:
        verdict: Outcome = "fail" if cause.code in _FAILING else "warn"
        return result(what, "", verdict, cause)
    if not isinstance(value, (int, float)):
        return result(what, "", "unknown", Cause(code="unknown.internal"))
    shown = int(value * scale) if scale > 1 else round(value, 1)
    return result(what, evidence=seen(code, **{name: shown}))


def _kernel_clock(word: object, cause: Cause | None) -> CheckResult:
    if cause is not None:
        return result("clock.ntp", "", "warn", cause)
    if word != "ntp":
        return result("clock.ntp", "", "unknown", Cause(code="unknown.internal"))
    return result("clock.ntp", evidence=seen("synchronised"))


def agent_clock(look: Look, clock: Clock) -> Iterator[CheckResult]:
    """Tell how far the running agent trusts its clock: it is what it tells the county."""
    state = look.state("host", HOST) if look.running else None
    word = str(state["clock"]) if state is not None else clock_quality(clock)
    evidence = seen("clock", clock=word)
    if word == "ntp":
        yield result("clock.agent", evidence=evidence)
    else:
        cause = Cause(code="host.clock_unsynchronised")
        yield result("clock.agent", "", "warn", cause, evidence=evidence)


def unit(root: Path = Path("/")) -> Iterator[CheckResult]:
    """Ask systemd for the service, where there is a systemd."""
    systemctl = shutil.which("systemctl")
    if systemctl is None or not (root / _SYSTEMD).is_dir():
        yield result("service.unit", evidence=seen("no_systemd"))
        return
    wanted = "ActiveState,SubState,NRestarts,Result"
    command = [systemctl, "show", "--property", wanted, _UNIT]
    done = subprocess.run(  # noqa: S603 - systemd's own program, with words of ours alone
        command, capture_output=True, text=True, timeout=_SYSTEMCTL_SECONDS, check=False
    )
    yield unit_state(done.stdout)


def unit_state(shown: str) -> CheckResult:
    """Judge what `systemctl show` says of the unit."""
    said = dict(line.partition("=")[::2] for line in shown.splitlines())
    state = f"{said.get('ActiveState', '?')}/{said.get('SubState', '?')}"
    restarts = int(said.get("NRestarts") or 0) if said.get("NRestarts", "").isdecimal() else 0
    if said.get("ActiveState") != "active":
        params: dict[str, str | int | float] = {"state": state, "result": said.get("Result", "?")}
        return result("service.unit", "", "fail", Cause(code="diagnosis.unit", params=params))
    evidence = seen("unit", state=state, restarts=restarts)
    if restarts > MANY_RESTARTS:
        cause = Cause(code="diagnosis.restarts", params={"restarts": restarts})
        return result("service.unit", "", "warn", cause, evidence=evidence)
    return result("service.unit", evidence=evidence)


def agent(look: Look) -> Iterator[CheckResult]:
    """Tell whether the agent answers, and what it says of itself."""
    if look.silence is not None:
        # Who may not ask does not know; whoever asks in vain knows that something is wrong.
        verdict: Outcome = "unknown" if look.silence.code == "control.denied" else "fail"
        yield result("service.agent", "", verdict, look.silence)
        return
    state = look.state("agent", "agent")
    if state is None:
        yield result("service.agent", "", "unknown", Cause(code="unknown.not_yet"))
        return
    version = number(state["version"])
    yield result("service.agent", evidence=seen("agent", version=version, pid=look.pid or 0))
    places: dict[str, list[Cause]] = {}
    for cause in causes_of(state):
        if cause.code not in _OF_THE_BROKER:
            found = (at for begin, at in _AGENT_PLACES.items() if cause.code.startswith(begin))
            places.setdefault(next(found, "service.faults"), []).append(cause)
    evidence = {
        "service.faults": seen("no_faults"),
        "settings.in-force": seen("no_faults"),
        "disk.store": seen("store"),
        "outbox.unsaved": seen("count", count=int(state["unsaved"])),
    }
    for what, of_well in evidence.items():
        causes = places.get(what, [])
        failed = any(one.code.startswith(FAILURES) for one in causes)
        verdict = "fail" if failed else "warn" if causes else "ok"
        yield result(what, "", verdict, *causes, evidence=of_well)
