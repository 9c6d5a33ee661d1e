"""One run of `campus-agent diagnose`: what is asked for, printed as it comes, then what to do."""

import argparse
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator

import structlog

from agent.cli.diagnose_report import write_report
from agent.cli.main import WRONG
from agent.cli.online import checks, service_credentials
from agent.clock import SystemClock
from agent.control.protocol import socket_path
from agent.diagnosis import plan, sheet
from agent.diagnosis.checks import AREAS, STATUS, CheckResult
from agent.diagnosis.guided import press_test, tap_test
from agent.diagnosis.runner import run
from agent.diagnosis.told import told
from agent.settings import SiteSettings
from agent.site_file import load_site
from agent.text import Language, printable, sentence


class Diagnosis:
    """Runs, once or again; whatever is printed has every secret masked that was read for it."""

    def __init__(self, options: argparse.Namespace, lang: Language) -> None:
        self._options, self._lang = options, lang
        self._words = [word for word in options.only.split(",") if word]
        self._credentials = service_credentials(os.environ)
        self._found: list[CheckResult] = []
        self._site: SiteSettings | None = None

    def run(self) -> int:
        """Return the exit status."""
        began = time.monotonic()
        stranger = plan.no_such(self._words)
        if stranger is not None:
            said = sentence(self._lang, "diagnosis.no_such", word=stranger, areas=", ".join(AREAS))
            print(printable(said), file=sys.stderr)
            return WRONG
        self._found = []
        with _unlogged():
            self._check_all()
        self._end(time.monotonic() - began)
        status = max((STATUS[one.verdict] for one in self._found), default=0)
        return status if self._reported() else WRONG

    def _reported(self) -> bool:
        """Write the report that was asked for; tell whether it is there."""
        place, site = self._options.html, self._site
        if place is None or site is None:
            return place is None
        asked = socket_path(os.environ, self._options.socket or site.control.socket)
        mask = self._credentials.redactor
        done, said = write_report(place, site, self._found, asked, self._lang, mask)
        aside = self._options.json or not done
        print(printable(said), file=sys.stderr if aside else sys.stdout)
        return done

    def _check_all(self) -> None:
        options = self._options
        self._take(run(plan.wanted(self._words, [plan.of_file(options.config)])))
        site = self._site = load_site(options.config, lenient=True).site
        if site is not None:
            self._check(site)

    def _check(self, site: SiteSettings) -> None:
        options, clock = self._options, SystemClock()
        path = socket_path(os.environ, options.socket or site.control.socket)
        look = plan.SharedLook(path, site, self._credentials, clock)
        try:
            if options.press_test:
                self._take(press_test(site, path, options.seconds, options.by, self._tell))
            if options.tap_test:
                self._take(tap_test(site, options.seconds, self._tell))
            every = plan.of_site(
                site, look, self._credentials, lambda: checks(site, os.environ, clock), clock
            )
            self._take(run(plan.wanted(self._words, every)))
        finally:
            look.close()

    def _take(self, results: Iterable[CheckResult]) -> None:
        for one in results:
            if plan.is_wanted(self._words, one):
                self._found.append(one)
                if not self._options.json:
                    self._say(sheet.line(self._lang, one))

    def _end(self, seconds: float) -> None:
        if self._options.json:
            every = [told(self._lang, one).model_dump(mode="json") for one in self._found]
            text = json.dumps(every, ensure_ascii=False, indent=2)
            print(self._credentials.redactor(text))
            return
        for line in sheet.closing(self._lang, self._found, seconds):
            self._say(line)

    def _tell(self, code: str, **params: object) -> None:
        """Tell the technician what to do now; a program that reads JSON sees it apart."""
        said = printable(sentence(self._lang, code, **params))
        print(said, file=sys.stderr if self._options.json else sys.stdout, flush=True)

    def _say(self, line: str) -> None:
        print(self._credentials.redactor(printable(line)), flush=True)


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Keep the log of the agent's own parts off the sheet: what they meet is told as a result."""
    before = structlog.get_config()
    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(**{**before, "wrapper_class": silent})
    try:
        yield
    finally:
        structlog.configure(**before)
