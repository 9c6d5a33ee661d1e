"""What commands that talk to the running daemon share: the socket option, and how refusals read."""

import argparse
import os
import sys
from pathlib import Path

from agent.control.client import call
from agent.control.protocol import CommandError, Reply, socket_path
from agent.text import Language, language, printable, sentence

REFUSED = 1
DEFAULT_CONFIG = Path("/etc/campus-agent/site.toml")


def parser(prog: str) -> argparse.ArgumentParser:
    """Return a parser with the options of every such command."""
    made = argparse.ArgumentParser(prog=f"campus-agent {prog}")
    made.add_argument("--socket", type=Path, default=None)
    made.add_argument("--lang", default=None)
    return made


def spoken(options: argparse.Namespace) -> Language:
    """Return the language to answer in."""
    return language(os.environ, options.lang)


def ask(options: argparse.Namespace, verb: str, **args: str | float | bool) -> Reply | None:
    """Send a command; when it is refused, say why in one sentence and return None."""
    lang = spoken(options)
    try:
        reply = call(socket_path(os.environ, options.socket), verb, **args)
    except CommandError as error:
        reply = Reply(ok=False, code=error.code, params=error.params)
    if reply.ok:
        return reply
    print(printable(sentence(lang, reply.code, **reply.params)), file=sys.stderr)
    return None
