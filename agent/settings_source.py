"""Where the settings in force come from: the site's file, or the last one that was good."""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import structlog
from pydantic import Field

from agent.problems import Problem
from agent.settings import Duty, SiteSettings
from agent.settings_checks import DEVICES, duties_without
from agent.site_file import LoadResult, load_site
from agent.text import Language, sentence
from drivers.readings import Frozen

LAST_GOOD = "site.last-good.toml"

log = structlog.get_logger()


class Loaded(Frozen):
    """`site` is None when nothing can be run; `problems` are sentences with file and line.

    `left_out` are the duties that have to do without a device, `last_good` is the copy in use.
    """

    site: SiteSettings | None
    problems: tuple[str, ...] = ()
    left_out: frozenset[Duty] = Field(default_factory=frozenset)
    last_good: Path | None = None


class SettingsSource:
    """Reads a site's file, at the start and again; keeps a copy of every one that is good."""

    def __init__(self, path: Path, keep_in: Path | None, lang: Language) -> None:
        """`keep_in` is a directory that outlives restarts; None: no copy is kept."""
        self._path = path
        self._copy = keep_in / LAST_GOOD if keep_in is not None else None
        self._lang = lang

    def at_start(self) -> Loaded:
        """Read what can be run: a bad device costs that device, a bad file is not used at all.

        A button must live on whatever was done to the file, so the last good one takes its place.
        """
        found = load_site(self._path, lenient=True)
        if not found.problems:
            self._keep()
        elif found.site is None or any(_is_of_all(one) for one in found.problems):
            instead = self._copied()
            if instead is not None:
                return Loaded(site=instead, problems=self._told(found), last_good=self._copy)
        return Loaded(
            site=found.site, problems=self._told(found), left_out=duties_without(found.left_out)
        )

    def again(self) -> Loaded:
        """Read the file strictly: any problem means no settings."""
        found = load_site(self._path)
        if found.site is not None:
            self._keep()
        return Loaded(site=found.site, problems=self._told(found))

    def _told(self, found: LoadResult) -> tuple[str, ...]:
        return tuple(
            f"{self._path}:{one.line}: {sentence(self._lang, one.code, **one.params)}"
            for one in found.problems
        )

    def _copied(self) -> SiteSettings | None:
        return load_site(self._copy, lenient=True).site if self._copy is not None else None

    def _keep(self) -> None:
        """Keep a copy; without one the agent runs as well."""
        if self._copy is None:
            return
        try:
            content = self._path.read_bytes()
            if self._copy.exists() and self._copy.read_bytes() == content:
                return
            handle, name = tempfile.mkstemp(dir=self._copy.parent, prefix=f".{LAST_GOOD}.")
            with contextlib.ExitStack() as unfinished:
                unfinished.callback(Path(name).unlink, missing_ok=True)
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self._copy)
        except OSError as error:
            log.warning("no copy of the settings kept", component="settings", error=str(error))


def state_directory(environ: Mapping[str, str]) -> Path | None:
    """Return what systemd's StateDirectory= announces (systemd.exec(5)); None without it.

    Not the one that the settings name: it must be known before they are.
    """
    directory = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(directory) if directory else None


def _is_of_all(problem: Problem) -> bool:
    """Tell whether a problem is of more than one device."""
    return not problem.path or problem.path[0] not in DEVICES
