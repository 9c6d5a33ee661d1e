"""The whole of `campus-agent init`: questions, search, diff, consent, file."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from agent.enrolment import EnrolmentError, replace_site
from agent.settings import DEFAULT_STATE_DIRECTORY, Duty, SiteSettings
from agent.site_file import read_site
from agent.site_init.document import default_text, new_file, read_defaults, section, with_new
from agent.site_init.draft import Draft, FreeIds, Identity
from agent.site_init.identity import asked_identity
from agent.site_init.questions import Questions, RefusedError
from agent.site_init.recorders import Where
from agent.site_init.search import Machine, Search
from agent.site_init.secret_files import Secrets
from agent.site_init.serial_ports import PLACES, free_ports
from agent.text import join, printable, sentence
from drivers.base import Clock

TIMEZONE = "Asia/Shanghai"
EVERYBODY = Where()


@dataclass(frozen=True)
class Wishes:
    """What the command line says."""

    config: Path
    defaults: Path | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    serial: tuple[Path, ...] = PLACES
    where: Where = EVERYBODY


class Interview:
    """One run; the file is replaced in one step or not at all."""

    def __init__(self, wishes: Wishes, questions: Questions, clock: Clock) -> None:
        self._wishes = wishes
        self._ask = questions
        self._clock = clock
        self._secrets = Secrets(wishes.config)

    def run(self) -> bool:
        """Return whether something was written. Raises RefusedError, OSError."""
        before, site = self._existing()
        # An existing file says for itself what the county wants.
        defaults = read_defaults(self._wishes.defaults if site is None else None)
        self._ask.say("init.hello" if site is None else "init.hello_again")
        identity = asked_identity(self._ask, self._wishes.given, defaults) if site is None else None
        if identity is not None:
            # A mistake in the county's defaults shows before anything is searched with them.
            nothing = dict.fromkeys(Draft().unserved(section(defaults, "not_fitted")), "-")
            self._refuse_bad(new_file(identity, defaults, Draft(), nothing, self._ask.lang))
        search = self._search(site, defaults)
        if identity is None and search.draft.empty:
            self._ask.say("init.nothing_new")
            return False
        after = self._text(before, identity, defaults, search)
        self._refuse_bad(after)
        self._show(before, after)
        if not self._ask.yes("init.ask_write", default=identity is not None):
            self._ask.say("init.not_written")
            return False
        self._write(before, after)
        self._say_what_follows(search)
        return True

    def _existing(self) -> tuple[str, SiteSettings | None]:
        config = self._wishes.config
        try:
            content = config.read_bytes()
        except FileNotFoundError:
            return "", None
        loaded = read_site(content)
        if loaded.site is None:
            for problem in loaded.problems:
                said = sentence(self._ask.lang, problem.code, **problem.params)
                self._ask.show(printable(f"{config}:{problem.line}: {said}"))
            raise RefusedError("init.bad_file", file=str(config))
        return content.decode("utf-8-sig"), loaded.site

    def _search(self, site: SiteSettings | None, defaults: Mapping[str, Any]) -> Search:
        wishes = self._wishes
        machine = Machine(
            ports=free_ports(wishes.serial, site.serial_ports if site else ()),
            where=wishes.where,
            known=frozenset((one.host, one.http_port) for one in site.recorder)
            if site
            else frozenset(),
            state_directory=site.state.directory
            if site
            else Path(default_text(defaults, "state", "directory") or DEFAULT_STATE_DIRECTORY),
            timezone=site.site.timezone
            if site
            else default_text(defaults, "site", "timezone") or TIMEZONE,
        )
        search = Search(self._ask, machine, FreeIds(site), self._secrets, self._clock)
        if self._ask.yes("init.ask_consent", default=True):
            search.ports()
            search.network()
        return search

    def _text(self, before: str, identity: Identity | None, defaults: Any, search: Search) -> str:
        lang = self._ask.lang
        if identity is None:
            return with_new(before, search.draft, lang)
        declared = section(defaults, "not_fitted")
        reasons = self._reasons(search, declared)
        return new_file(identity, defaults, search.draft, reasons, lang)

    def _reasons(self, search: Search, declared: Mapping[str, Any]) -> dict[Duty, str]:
        """Ask once why there is no device for what has none."""
        lang = self._ask.lang
        missing = search.draft.unserved(declared)
        reasons: dict[Duty, str] = {}
        if search.refused:
            hosts = ", ".join(search.refused)
            said = sentence(lang, "init.reason_refused", host=hosts)
            reasons |= {duty: said for duty in missing if duty in ("recordings", "pictures")}
        left = [duty for duty in missing if duty not in reasons]
        if left:
            named = join(lang, [sentence(lang, f"duty.{duty}") for duty in left])
            default = sentence(lang, "init.reason_default", day=_today(self._clock))
            reason = self._ask.text("init.ask_reason", default, duties=named)
            reasons |= dict.fromkeys(left, reason)
        return {duty: reasons[duty] for duty in missing}

    def _refuse_bad(self, text: str) -> None:
        """Refuse what would not pass: the county's defaults can bring mistakes along."""
        problems = read_site(text.encode()).problems
        for problem in problems:
            said = sentence(self._ask.lang, problem.code, **problem.params)
            line = text.splitlines()[problem.line - 1 : problem.line]
            self._ask.show(printable(f"{problem.line}: {''.join(line)}: {said}"))
        if problems:
            raise RefusedError("init.would_be_bad")

    def _show(self, before: str, after: str) -> None:
        name = str(self._wishes.config)
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), name, name, lineterm="", n=2
        )
        for line in lines:
            self._ask.show(printable(line))
        for file in self._secrets.files:
            self._ask.say("init.secret_file", file=str(file))

    def _write(self, before: str, after: str) -> None:
        config = self._wishes.config
        now = config.read_bytes().decode("utf-8-sig") if config.exists() else ""
        if now != before:
            raise RefusedError("init.changed_meanwhile", file=str(config))
        self._secrets.write()
        try:
            replace_site(config, after)
        except (OSError, EnrolmentError):
            self._secrets.take_back()
            raise

    def _say_what_follows(self, search: Search) -> None:
        self._ask.say("init.written", file=str(self._wishes.config))
        self._ask.say("init.follow_start")
        if search.draft.modules:
            self._ask.say("init.follow_buttons")
        if search.draft.readers:
            self._ask.say("init.follow_enrol")
        if search.refused:
            self._ask.say("init.follow_again")


def _today(clock: Clock) -> date:
    return clock.now().astimezone().date()
