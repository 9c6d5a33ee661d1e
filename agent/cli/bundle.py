"""`campus-agent bundle`: one file with what support needs to know, and no secret in it."""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.cli.daemon import DEFAULT_CONFIG
from agent.support_bundle.making import Asked, make
from agent.text import language, printable, sentence

WRONG = 2
LOG_LINES = 5000


def main(argv: Sequence[str]) -> int:
    """Print what was left out, and last the path; 2 when the file cannot be written."""
    options_of = argparse.ArgumentParser(prog="campus-agent bundle")
    options_of.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    options_of.add_argument("--out", type=Path, default=None)
    options_of.add_argument("--socket", type=Path, default=None)
    options_of.add_argument("--lines", type=int, default=LOG_LINES, help="of the log, at most")
    options_of.add_argument("--lang", default=None)
    options = options_of.parse_args(argv)
    lang = language(os.environ, options.lang)
    lines = max(1, options.lines)
    asked = Asked(options.config, options.out, options.socket, lines, lang)
    try:
        made = make(asked, os.environ, datetime.now(UTC))
    except FileExistsError:
        return _refused(sentence(lang, "bundle.exists", path=str(options.out)))
    except OSError as error:
        said = sentence(lang, "bundle.not_written", why=error.strerror or type(error).__name__)
        return _refused(said)
    for line in made.left_out:
        print(printable(line))
    print(printable(sentence(lang, "bundle.look")))
    print(made.path)
    return 0


def _refused(said: str) -> int:
    print(printable(said), file=sys.stderr)
    return WRONG
