"""What is to go into a site's file, before it is text."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from agent.policy import Wiring
from agent.settings import DUTIES, Duty, SiteSettings
from agent.settings_checks import ids
from drivers.recorder.settings import Maker

LONGEST_NAME = 64
CHANNEL_NUMBERS = range(1, 513)  # as agent.settings.Channel has it


@dataclass(frozen=True)
class Identity:
    """Who the school is, and where its county listens."""

    county: str
    site: str
    name: str
    broker: str


@dataclass(frozen=True)
class NewModule:
    """A contact module with one button on its first input."""

    id: str
    port: str
    button: str
    button_name: str
    wiring: Wiring
    baud: int = 9600
    table: str = "discrete_inputs"
    inputs: int = 8


@dataclass(frozen=True)
class NewReader:
    """A reader of tags."""

    id: str
    name: str
    driver: Literal["pn532", "em4100"]
    port: str


@dataclass(frozen=True)
class NewChannel:
    """A channel as the recorder names it."""

    number: int
    id: str
    name: str
    key_area: bool = False


@dataclass(frozen=True)
class NewRecorder:
    """A recorder; `secret` is the key and the value that say where its password is."""

    id: str
    name: str
    driver: Maker | Literal["auto"]
    host: str
    username: str
    secret: tuple[Literal["credential", "file"], str]
    channels: tuple[NewChannel, ...]
    http_port: int = 80
    rtsp_port: int = 554
    note: str = ""


@dataclass
class Draft:
    """All that is new."""

    modules: list[NewModule] = field(default_factory=list)
    readers: list[NewReader] = field(default_factory=list)
    recorders: list[NewRecorder] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing new."""
        return not (self.modules or self.readers or self.recorders)

    @property
    def serves(self) -> frozenset[Duty]:
        """Return the duties that what is new has the hardware of."""
        duties: set[Duty] = set()
        if self.modules:
            duties.add("alarm")
        if self.readers:
            duties.add("patrol")
        if self.recorders:
            duties |= {"recordings", "pictures"}
        return frozenset(duties)

    def unserved(self, declared: Collection[str]) -> Sequence[Duty]:
        """Return the duties that need a reason: no device, nor a word on it yet.

        With a reader a post is a matter of a tag, and `patrol enroll --post` adds it later.
        """
        later: set[Duty] = {"gate_manned"} if self.readers else set()
        known = self.serves | later | set(declared)
        return [duty for duty in DUTIES if duty not in known]


class FreeIds:
    """Ids that the file does not have yet."""

    def __init__(self, site: SiteSettings | None) -> None:
        self._taken = set() if site is None else {one for one, _, _ in ids(site)}

    def take(self, *wanted: str, stem: str) -> str:
        """Return the first of those wanted that is free, else `stem` with a number."""
        numbered = (f"{stem}-{number}" for number in range(1, 10_000))
        chosen = next(one for one in (*wanted, *numbered) if one not in self._taken)
        self._taken.add(chosen)
        return chosen


def short_name(said: str, default: str) -> str:
    """Return a name that fits into a line, from whatever a device calls itself."""
    shown = "".join(letter for letter in said if letter.isprintable()).strip()
    return shown[:LONGEST_NAME].strip() or default
