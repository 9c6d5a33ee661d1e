"""How long a dead line takes to be trouble at the subscriber, counted from the moment it died."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from drivers.alarm.modem_lines import ModemLinesSettings
from drivers.alarm.surgard import SILENT_INTERVALS, SurgardSettings
from simulators.modem_lines import ModemLinesSimulator
from simulators.surgard import SurgardSimulator
from simulators.truth import Truth
from tests.benchmarks.alarm_rig import Rig, module, rig
from tests.benchmarks.figures import Figures, percentile

TRIES = 20
LOOP = """
[[alarm_loop]]
id = "loop"
name = "Loop"
driver = "modem_lines"
port = "{url}"
closed_at_rest = "cts"
open_at_rest = "dsr"
"""


RECEIVER = """
[[alarm_receiver]]
id = "host"
name = "Alarm host"
driver = "surgard"
port = "{directory}/host"
heartbeat_seconds = 1
[[alarm_receiver.button]]
id = "zone"
name = "Zone"
account = "1234"
zone = "001"
"""


def trouble(figures: Figures) -> None:
    """Try every way a line can die, twenty times each."""
    one = module(Path("{directory}"), 19200)
    with rig(one, 19200) as running:
        kill, mend = _dead(running, 1)
        _tries(figures, "dead_module", running, "b-0", kill, mend)
        line = running.line.line
        _tries(figures, "unplugged_adapter", running, "b-0", line.unplug, line.plug)
    two = one + module(Path("{directory}"), 19200, unit=2)
    with rig(two, 19200, neighbour=True) as running:
        kill, mend = _dead(running, 2)
        _tries(figures, "dead_unit_on_a_bus", running, "b2-0", kill, mend)
    loop = ModemLinesSimulator(Truth())
    loop.plug()
    with rig(one + LOOP.replace("{url}", loop.url), 19200) as running:
        _tries(figures, "cut_supervised_loop", running, "loop", loop.cut, loop.mend)
    loop.unplug()
    _receiver(figures, one)
    # What the default intervals allow; the shorter heartbeat above shows the rule holds.
    heartbeat = float(SurgardSettings.model_fields["heartbeat_seconds"].default)
    allowed = SILENT_INTERVALS * heartbeat
    figures.print("trouble_seconds_allowed_surgard", allowed, "s", n=1)
    challenge = float(ModemLinesSettings.model_fields["challenge_seconds"].default)
    figures.print("trouble_seconds_allowed_one_pole_loop", challenge, "s", n=1)


def _receiver(figures: Figures, one: str) -> None:
    """Let a receiver that beats every second fall silent: 2.5 beats are allowed."""
    with rig(one + RECEIVER, 19200) as running:
        host = SurgardSimulator(running.directory / "host", Truth(), heartbeat_seconds=1)
        host.start()

        def mute(muted: bool) -> None:
            host.mute = muted

        _tries(figures, "surgard", running, "zone", lambda: mute(True), lambda: mute(False), 3.5)
        host.stop()


def _dead(running: Rig, unit: int) -> tuple[Callable[[], None], Callable[[], None]]:
    one = running.line.unit(unit)

    def set_dead(dead: bool) -> None:
        one.dead = dead

    return lambda: set_dead(True), lambda: set_dead(False)


def _tries(
    figures: Figures,
    name: str,
    running: Rig,
    button: str,
    kill: Callable[[], None],
    mend: Callable[[], None],
    allowed_seconds: float = 2.0,
) -> None:
    taken: list[float] = []
    lost, back = (len(heard(running, what, button)) for what in ("trouble", "restored"))
    for number in range(1, TRIES + 1):
        time.sleep(1 + number * 0.037)  # at another phase of the poll every time
        began = time.time()
        kill()
        taken.append(_await(running, "trouble", button, lost + number) - began)
        mend()
        _await(running, "restored", button, back + number)
        print(f"\r{name} {number}/{TRIES}  ", end="", file=sys.stderr)
    print(file=sys.stderr)
    taken.sort()
    figures.print(f"trouble_seconds_p50_{name}", percentile(taken, 50), "s", n=TRIES)
    figures.print(f"trouble_seconds_max_{name}", taken[-1], "s", n=TRIES, baseline=allowed_seconds)


def _await(running: Rig, what: str, button: str, count: int) -> float:
    """Wait until the county has heard so many of a button; return when it heard the last."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        at = heard(running, what, button)
        if len(at) >= count:
            return at[count - 1]
        time.sleep(0.005)
    raise TimeoutError(f"{button}: {what} {count} was never heard")


def heard(running: Rig, what: str, button: str) -> list[float]:
    """Return when the county heard of this, one time an event."""
    first: dict[str, float] = {}
    for one in running.county.heard("event/alarm"):
        if (one.body["data"]["what"], one.body["data"]["button"]) == (what, button):
            first.setdefault(str(one.body["id"]), one.at)
    return list(first.values())
