"""Recorders on the network: found, told apart without a login, then asked for their channels."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from agent.site_init.draft import CHANNEL_NUMBERS, short_name
from agent.site_init.login_budget import budget
from drivers.base import Clock
from drivers.errors import DriverError
from drivers.readings import Unknown
from drivers.recorder.address_scan import addresses, open_doors
from drivers.recorder.auto import maker_at
from drivers.recorder.discovery import GROUP, discover, own_addresses
from drivers.recorder.gate import RecorderGate
from drivers.recorder.makers import DRIVERS
from drivers.recorder.quirks import QuirkSheet
from drivers.recorder.readings import RecorderReading
from drivers.recorder.settings import Maker, RecorderSettings

KNOCK_SECONDS = 10.0
# A recorder asked for all it is asked at a first poll: a dozen questions.
LOGIN_SECONDS = 40.0
KNOCKS_AT_ONCE = 16
REQUEST_GAP_SECONDS = 0.2


class Candidate(NamedTuple):
    """An address where something of a known maker answers; `records`: it says it is a recorder."""

    host: str
    http_port: int
    maker: Maker
    name: str = ""
    records: bool = False


class Introduced(NamedTuple):
    """What a recorder said of itself after the login."""

    model: str
    channels: dict[int, str]


class Where(NamedTuple):
    """Where to look: a range of addresses, or everybody who answers a probe."""

    range_of: str = ""
    http_port: int = 80
    rtsp_port: int = 554
    interface: str = ""
    target: tuple[str, int] = GROUP
    seconds: float = 3.0


def candidates(where: Where, known: Collection[tuple[str, int]], clock: Clock) -> list[Candidate]:
    """Return what is there and not known yet.

    Raises ValueError for a bad range, OSError where no probe can be sent.
    """
    if where.range_of:
        hosts = open_doors(addresses(where.range_of), where.http_port)
        doors = [(host, where.http_port, "", False) for host in hosts]
    else:
        interfaces = [where.interface] if where.interface else own_addresses()
        answers = discover(clock, interfaces=interfaces, target=where.target, seconds=where.seconds)
        doors = [(one.host, one.http_port, one.name, one.records) for one in answers]
    doors = [one for one in doors if one[:2] not in known]

    def knock(door: tuple[str, int, str, bool]) -> Candidate | None:
        host, http_port, name, records = door
        try:
            maker = maker_at(host, http_port, clock, seconds=KNOCK_SECONDS)
        except DriverError:
            return None
        return Candidate(host, http_port, maker, short_name(name, ""), records)

    with ThreadPoolExecutor(KNOCKS_AT_ONCE) as pool:
        return [one for one in pool.map(knock, doors) if one is not None]


def streaming_only(where: Where) -> list[str]:
    """Return the hosts of a range that give streams and have no web page at the port tried."""
    hosts = open_doors(addresses(where.range_of), where.rtsp_port) if where.range_of else []
    pages = set(open_doors(hosts, where.http_port))
    return [host for host in hosts if host not in pages]


def likely(found: Sequence[Candidate]) -> list[int]:
    """Return the places, from 1, of those that are recorders by their own word, or the only one."""
    if len(found) == 1:
        return [1]
    return [place for place, one in enumerate(found, start=1) if one.records]


def introduced(
    candidate: Candidate,
    recorder: str,
    login: tuple[str, str],
    state_directory: Path,
    zone: str,
    clock: Clock,
) -> Introduced:
    """Log in once, and ask who it is and what its channels are called. Raises DriverError."""
    username, password = login[0], SecretStr(login[1])
    settings = RecorderSettings(
        id=recorder,
        driver=candidate.maker,
        host=candidate.host,
        http_port=candidate.http_port,
        username=username,
    )
    with budget(state_directory, recorder) as store:
        gate = RecorderGate(
            recorder,
            username,
            password,
            store,
            clock,
            request_gap_seconds=REQUEST_GAP_SECONDS,
        )
        make = DRIVERS[candidate.maker]
        driver = make(settings, password, gate, clock, _NothingLearnt(), zone=ZoneInfo(zone))
        try:
            driver.open()
            readings = driver.poll(deadline=clock.monotonic() + LOGIN_SECONDS)
            listed = driver.listed
        finally:
            driver.close()
    models = [one.model for one in readings if isinstance(one, RecorderReading)]
    model = models[0] if models and not isinstance(models[0], Unknown) else ""
    channels = {
        number: short_name(name, "")
        for number, name in sorted(listed.items())
        if number in CHANNEL_NUMBERS
    }
    return Introduced(short_name(model, ""), channels)


class _NothingLearnt:
    """Meets drivers.recorder.quirks.QuirkStore; the daemon learns by itself."""

    def load(self) -> QuirkSheet | None:
        """Know nothing."""
        return None

    def save(self, sheet: QuirkSheet) -> None:
        """Keep nothing."""
        del sheet
