"""`campus-agent init`: a site's file from a few questions, the rest is found."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.cli import config as config_command
from agent.cli.daemon import DEFAULT_CONFIG
from agent.cli.main import WRONG
from agent.clock import SystemClock
from agent.enrolment import EnrolmentError
from agent.site_init.document import read_defaults
from agent.site_init.interview import Interview, Wishes
from agent.site_init.questions import Questions, RefusedError
from agent.site_init.recorders import Where
from agent.site_init.serial_ports import PLACES
from agent.site_init.table import BadTableError, site_texts, write_sites
from agent.text import Language, language, printable, sentence
from drivers.recorder.discovery import GROUP

NOT_WRITTEN = 1
COUNTY_DEFAULTS = Path("/etc/campus-agent/county.toml")


def main(argv: Sequence[str]) -> int:
    """Return 0 when the file is written and fine, or nothing is new; 1 when it was declined."""
    options_of = _parser()
    options = options_of.parse_args(argv)
    if (options.from_csv is None) != (options.out is None):
        options_of.error("--from-csv and --out belong together")
    lang = language(os.environ, options.lang, sys.stdout.encoding)
    if isinstance(sys.stdin, io.TextIOWrapper):
        # Bytes that are no text become a mark that is refused, not a traceback.
        sys.stdin.reconfigure(errors="replace")
    defaults = options.defaults or (COUNTY_DEFAULTS if COUNTY_DEFAULTS.exists() else None)
    try:
        if options.from_csv is not None:
            return _many(options, defaults, lang)
        return _one(options, defaults, lang)
    except RefusedError as refused:
        _complain(sentence(lang, refused.code, **refused.params))
    except BadTableError as bad:
        for mistake in bad.mistakes:
            place = sentence(lang, "init.table_place", **mistake._asdict())
            _complain(f"{options.from_csv}: {place}")
        _complain(sentence(lang, "init.table_wrong", count=len(bad.mistakes)))
    except EnrolmentError as error:
        for problem in error.problems:
            _complain(sentence(lang, problem.code, **problem.params))
    except OSError as error:
        path = str(error.filename or options.out or options.config)
        _complain(sentence(lang, "init.not_possible", file=path, why=error.strerror or ""))
    return WRONG


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="campus-agent init")
    made.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    made.add_argument("--defaults", type=Path, help="what all schools of the county share (TOML)")
    for name in ("county", "site", "name", "broker"):
        made.add_argument(f"--{name}", default="")
    made.add_argument("--serial", type=Path, action="append", help="directory of serial ports")
    made.add_argument("--range", default="", help="addresses to try, such as 10.0.0.0/28")
    made.add_argument("--interface", default="", help="our address on the cameras' network")
    made.add_argument("--http-port", type=_port, default=80)
    made.add_argument("--rtsp-port", type=_port, default=554)
    made.add_argument("--discovery", type=_target, default=GROUP, help=argparse.SUPPRESS)
    made.add_argument(
        "--seconds", type=_seconds, default=3.0, help="how long answers are waited for"
    )
    made.add_argument("--from-csv", type=Path, help="many sites: a table of them")
    made.add_argument("--out", type=Path, help="many sites: where their folders go")
    made.add_argument("--lang", default=None)
    return made


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_535:
        raise ValueError
    return port


def _target(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, _port(port)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 60:
        raise ValueError
    return seconds


def _one(options: argparse.Namespace, defaults: Path | None, lang: Language) -> int:
    folder = options.config.absolute().parent
    if not os.access(folder, os.W_OK):
        # Before anybody has answered anything.
        raise RefusedError("init.no_folder", file=str(folder))
    wishes = Wishes(
        config=options.config,
        defaults=defaults,
        given={name: getattr(options, name) for name in ("county", "site", "name", "broker")},
        serial=tuple(options.serial or PLACES),
        where=Where(
            range_of=options.range,
            http_port=options.http_port,
            rtsp_port=options.rtsp_port,
            interface=options.interface,
            target=options.discovery,
            seconds=options.seconds,
        ),
    )
    existed = options.config.exists()
    if Interview(wishes, Questions(lang), SystemClock()).run():
        return config_command.main(["check", str(options.config), "--lang", lang])
    return 0 if existed else NOT_WRITTEN


def _many(options: argparse.Namespace, defaults: Path | None, lang: Language) -> int:
    day = SystemClock().now().astimezone().date().isoformat()
    texts = site_texts(options.from_csv, read_defaults(defaults), lang, day)
    write_sites(options.out, texts)
    said = sentence(lang, "init.sites_written", count=len(texts), file=str(options.out))
    print(printable(said))
    return 0


def _complain(said: str) -> None:
    print(printable(said), file=sys.stderr)
