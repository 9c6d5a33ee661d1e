"""A bundle made: secrets learned, sources asked, all of it through the sieve, then written."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.control.protocol import socket_path
from agent.settings import DEFAULT_STATE_DIRECTORY, SiteSettings
from agent.settings_source import LAST_GOOD
from agent.site_file import load_site
from agent.support_bundle.archive import write
from agent.support_bundle.contents import School, sources
from agent.support_bundle.gathering import gather, in_time
from agent.support_bundle.known_secrets import Learned, directories_of, learn
from agent.support_bundle.manifest import NAME, left_out, manifest
from agent.support_bundle.sieve import Sieve
from agent.support_bundle.source import Found, Source
from agent.text import Language

# With what the sieve and the disk take, half a minute at most.
LEARN_SECONDS, GATHER_SECONDS = 4.0, 14.0


@dataclass(frozen=True)
class Asked:
    """What is wanted: from which settings, to which file, None: one named for site and time."""

    config: Path
    out: Path | None
    socket: Path | None
    log_lines: int
    lang: Language


@dataclass(frozen=True)
class Made:
    """Where it is, and a line for each source that is not in it."""

    path: Path
    left_out: tuple[str, ...]


def make(asked: Asked, environ: Mapping[str, str], now: datetime) -> Made:
    """Make a bundle. Raises OSError when it cannot be written, and nothing else.

    Where secrets cannot be learned in time nothing is in it but the reason, and where the settings
    do not even say which there are, nothing that programs said in their own words.
    """
    sieve = Sieve()
    try:
        site, learned = in_time(lambda: _learned(sieve, asked, environ), LEARN_SECONDS)
    except Exception:  # noqa: BLE001 - whatever the disk did, there is a bundle that says so
        site, learned = None, None
    school = School(
        config=asked.config,
        site=site,
        state_directory=site.state.directory if site else DEFAULT_STATE_DIRECTORY,
        socket=socket_path(environ, asked.socket or (site.control.socket if site else None)),
        log_lines=asked.log_lines,
        lang=asked.lang,
    )
    wanted = sources(school)
    found = _found(wanted, learned)
    files, cut = dict[str, str](), list[str]()
    for one in found:
        if one.text is not None:
            files[one.source.file], was_cut = _end_of(sieve(one.text), one.source.largest_bytes)
            cut += [one.source.file] if was_cut else []
    sizes = {name: len(text.encode(errors="replace")) for name, text in files.items()}
    told = manifest(
        asked.lang, now, found, sizes, cut, learned.unread if learned else (), sieve.held_back
    )
    stamp = re.sub(r"[^0-9T]", "", now.isoformat()[:19])
    folder = f"campus-agent-{site.site.id if site else 'unknown'}-{stamp}"
    path = (asked.out or Path(f"{folder}.tar.gz")).absolute()
    write(path, folder, [(NAME, sieve(told)), *files.items()], now.timestamp())
    return Made(path, tuple(map(sieve, left_out(asked.lang, found))))


def _learned(
    sieve: Sieve, asked: Asked, environ: Mapping[str, str]
) -> tuple[SiteSettings | None, Learned]:
    site = load_site(asked.config, lenient=True).site
    directories = directories_of(asked.config, environ.get("CREDENTIALS_DIRECTORY"))
    state = site.state.directory if site else DEFAULT_STATE_DIRECTORY
    return site, learn(sieve, [asked.config, state / LAST_GOOD], directories)


def _found(wanted: Sequence[Source], learned: Learned | None) -> list[Found]:
    """Ask what can be looked through for secrets; the others come back with the reason."""
    if learned is None:
        return [Found(one, None, "bundle.secrets_unknown") for one in wanted]
    asked = [one for one in wanted if not (learned.blind and one.free_text)]
    came = {one.source.file: one for one in gather(asked, GATHER_SECONDS)}
    return [came.get(one.file, Found(one, None, "bundle.settings_unknown")) for one in wanted]


def _end_of(text: str, largest_bytes: int) -> tuple[str, bool]:
    """Return the last lines that fit, and whether that is not all."""
    content = text.encode(errors="replace")
    if len(content) <= largest_bytes:
        return text, False
    return content[-largest_bytes:].partition(b"\n")[2].decode(errors="replace"), True
