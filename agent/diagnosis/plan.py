"""All that is checked of one site, in the order in which a technician wants to know."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from agent.county.online import Check as Layer
from agent.credentials import Credentials
from agent.diagnosis import (
    cameras,
    county,
    lines,
    machine,
    patrols,
    ports,
    recorders,
    settings_file,
)
from agent.diagnosis.checks import AREAS, Check, CheckResult
from agent.diagnosis.look import AgentLook, BlindLook, Look, asked
from agent.settings import SiteSettings
from drivers.base import Clock

# A device that is looked at without the agent: opened, polled twice, given its time to hang.
DEVICE_SECONDS = 52.0
# Name, connection, TLS, login by two protocols, round trip and a wait for a clone; every broker.
BROKER_SECONDS = 40.0


class SharedLook:
    """The one look all checks share, taken when the first of them needs it."""

    def __init__(
        self, path: Path, site: SiteSettings, credentials: Credentials, clock: Clock
    ) -> None:
        """`path` is the agent's control socket."""
        self._path, self._site, self._credentials = path, site, credentials
        self._clock = clock
        self._lock = threading.Lock()
        self._look: Look | None = None

    def get(self) -> Look:
        """Return it; the first caller waits for the agent."""
        with self._lock:
            if self._look is None:
                self._look = self._taken()
            return self._look

    def close(self) -> None:
        """Let go of the devices, if they were opened."""
        if self._look is not None:
            self._look.close()

    def _taken(self) -> Look:
        found = asked(self._path)
        if isinstance(found, AgentLook):
            return found
        if found.code != "control.not_running":
            return BlindLook(found)
        # Only now: it brings all that talks to devices.
        from agent.diagnosis.own_look import OwnLook  # noqa: PLC0415 - as said

        return OwnLook(self._site, self._credentials, self._clock, found)


def of_file(path: Path) -> Check:
    """Return the check of the site's file, which must be read before all else."""
    return Check("settings.file", partial(settings_file.settings_file, path))


def of_site(
    site: SiteSettings,
    look: SharedLook,
    credentials: Credentials,
    layers: Callable[[], Iterable[Layer]],
    clock: Clock,
) -> Sequence[Check]:
    """Return every check of a site."""

    def device(name: str, run: Callable[[Look], Iterable[CheckResult]]) -> Check:
        return Check(name, lambda: run(look.get()), seconds=DEVICE_SECONDS)

    user, root = ports.service_user(), os.geteuid() == 0
    return [
        Check("credentials.secret", partial(settings_file.secrets, site, credentials, root=root)),
        Check("machine.host", partial(machine.host, site, clock)),
        Check("service.unit", machine.unit),
        Check("service.agent", lambda: machine.agent(look.get())),
        Check("clock.agent", lambda: machine.agent_clock(look.get(), clock)),
        *(
            Check(
                f"serial.port:{name}",
                lambda name=name, path=path: ports.port(name, path, user, look.get().pid),  # type: ignore[misc]
                holds=path,
            )
            for path, name in ports.ports_of(site).items()
        ),
        *([Check("serial.modem-manager", ports.rivals)] if site.serial_ports else []),
        Check("broker.layers", lambda: county.brokers(layers), seconds=BROKER_SECONDS),
        Check("outbox.counts", lambda: county.outbox(look.get(), site.state.directory)),
        device("alarm.lines", partial(lines.alarm_lines, site)),
        device("reader.all", partial(lines.readers, site)),
        *(
            device(f"recorder.reach:{one.id}", partial(recorders.recorder, one, site.retention))
            for one in site.recorder
        ),
        device("camera.all", partial(cameras.cameras, site)),
        device("retention.all", partial(cameras.days, site)),
        device("patrol.all", partial(patrols.patrols, site)),
        Check("duty.fitted", partial(patrols.duties, site)),
    ]


# Areas whose results come out of checks of another area.
_ALSO = {"disk": ("machine", "service"), "clock": ("machine",), "outbox": ("service",)}
_ALSO |= {"settings": ("service",), "machine": ()}


def wanted(words: Sequence[str], checks: Sequence[Check]) -> Sequence[Check]:
    """Return the checks that may answer what is asked for: areas, or beginnings of ids."""
    areas = {word.split(".", 1)[0] for word in words}
    needed = areas | {also for area in areas for also in _ALSO.get(area, ())}
    return [one for one in checks if not words or one.area in needed]


def is_wanted(words: Sequence[str], found: CheckResult) -> bool:
    """Tell whether a result was asked for."""
    return not words or any(
        word in (found.id, found.area) or ("." in word and found.id.startswith(word))
        for word in words
    )


def no_such(words: Sequence[str]) -> str | None:
    """Return the first word that names no area."""
    return next((word for word in words if word.split(".", 1)[0] not in AREAS), None)
