"""The command `campus-agent`: finds the command asked for and imports that one alone."""

import difflib
import importlib
import io
import os
import sys
from collections.abc import Sequence

from agent import __version__

# Each is a module of this package with `main(argv) -> int`; `run` must not pay for the others.
COMMANDS = (
    "run",
    "init",
    "config",
    "watch",
    "status",
    "bundle",
    "alarm",
    "recorder",
    "camera",
    "patrol",
    "panel",
    "reload",
    "inventory",
    "county",
    "diagnose",
)
WRONG = 2
INTERRUPTED = 130  # as a shell reports SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 fine, 2 a mistake of the user's."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A console that cannot show Chinese shows something, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(words[0], words[1:]) if words else _help(WRONG)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(_say("cli.interrupted"), file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe went away; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _run(command: str, rest: list[str]) -> int:
    if command in ("--version", "-V"):
        print(f"campus-agent {__version__}")
        return 0
    if command in ("--help", "-h"):
        return _help(0)
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        code = "cli.no_command_near" if near else "cli.no_command"
        print(_say(code, command=command, near="".join(near)), file=sys.stderr)
        return WRONG
    if command == "run":
        # structlog would draw tracebacks with it: a fifth of a second at every start of the daemon,
        # and memory, for lines that go to the journal.
        sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    name = f"agent.cli.{command}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        print(_say("cli.not_in_version", command=command), file=sys.stderr)
        return WRONG
    status: int = module.main(rest)
    return status


def _help(status: int) -> int:
    print(_say("cli.usage", commands=" | ".join((*COMMANDS, "--version"))))
    return status


def _say(code: str, **params: str) -> str:
    from agent.text import language, printable, sentence  # noqa: PLC0415  # the way to `run` needs no text

    return printable(sentence(language(os.environ, encoding=sys.stdout.encoding), code, **params))
