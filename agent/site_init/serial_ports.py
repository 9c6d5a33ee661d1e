"""The serial ports of this machine, and what is found at them."""

import contextlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from drivers.base import Clock
from drivers.errors import DriverError
from drivers.serial_probe import (
    FoundEm4100,
    FoundModule,
    FoundPn532,
    ask_module,
    ask_pn532,
    hear_em4100,
)

# Adapters without a serial number hide each other in the first; ours names them by their socket.
PLACES = (Path("/dev/serial/by-id"), Path("/dev/campus"))
MOST_PORTS = 32

Found = FoundPn532 | FoundEm4100 | FoundModule


class Port(NamedTuple):
    """A port and what answered; `busy`: it could not be opened."""

    path: str
    found: Found | None = None
    busy: bool = False


def free_ports(places: Sequence[Path], used: Collection[str]) -> list[str]:
    """Return the ports that no device of the file has; two links to one port count once."""
    links: list[Path] = []
    for place in places:
        with contextlib.suppress(OSError):
            links += sorted(place.iterdir())
    taken = {Path(port).resolve() for port in used if port.startswith("/")}
    free: list[str] = []
    for link in links[:MOST_PORTS]:
        real = link.resolve()
        if real not in taken:
            taken.add(real)
            free.append(str(link))
    return free


def ask(path: str, clock: Clock, hold_a_tag: Callable[[], None]) -> Port:
    """Ask one port what it is; `hold_a_tag` is called before it is listened to."""
    try:
        found: Found | None = ask_pn532(path, clock) or ask_module(path, clock)
        if found is None:
            hold_a_tag()
            found = hear_em4100(path, clock)
    except DriverError:
        return Port(path, busy=True)
    return Port(path, found)
