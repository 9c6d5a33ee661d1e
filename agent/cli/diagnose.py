"""`campus-agent diagnose`: the technician's command at hand-over and at a fault call."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from agent import __version__
from agent.text import language, printable, sentence

DEFAULT_CONFIG = Path("/etc/campus-agent/site.toml")
LONGEST_SECONDS = 3600.0


def main(argv: Sequence[str]) -> int:
    """Return 0 when all is well, 1 for warnings and what is not known, 2 for what is broken."""
    options = _options(argv)
    lang = language(os.environ, options.lang, sys.stdout.encoding)
    if not options.json:
        # Before anything heavy is imported: a technician must see at once that it has begun.
        at = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
        title = sentence(lang, "diagnosis.title", version=__version__, at=at)
        print(printable(title), flush=True)
    from agent.cli.diagnose_run import Diagnosis  # noqa: PLC0415 - as said

    diagnosis = Diagnosis(options, lang)
    while True:
        status = diagnosis.run()
        if options.watch is None:
            return status
        time.sleep(options.watch)


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="campus-agent diagnose")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    parser.add_argument("--only", default="", help="areas or beginnings of ids, with commas")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--html", type=Path, metavar="FILE", help="the hand-over report, for A4")
    parser.add_argument("--lang", default=None)
    parser.add_argument("--socket", type=Path, default=None)
    parser.add_argument("--watch", type=_seconds, metavar="SECONDS", help="again, that often")
    parser.add_argument("--press-test", action="store_true", help="ask for every button in turn")
    parser.add_argument("--tap-test", action="store_true", help="ask for a tag at every reader")
    parser.add_argument("--seconds", type=_seconds, default=30.0, help="for each press or tap")
    parser.add_argument("--by", default=f"uid-{os.getuid()}", help="who tests, by code")
    return parser.parse_args(argv)


def _seconds(word: str) -> float:
    seconds = float(word)
    if not 0 < seconds <= LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(f"1 to {LONGEST_SECONDS:.0f}")
    return seconds
