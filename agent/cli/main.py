"""The command `campus-agent`: finds the command asked for and imports that one alone."""

import difflib
import importlib
import io
import os
import sys
from collections.abc import Sequence

# Each is a module of this package with `main(argv) -> int`; `run` must not pay for the others.
COMMANDS = ("run", "config", "watch")
WRONG = 2
INTERRUPTED = 130  # as a shell reports SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 fine, 2 a mistake of the user's."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A console that cannot show Chinese shows something, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    if words[:1] in (["--version"], ["-V"]):
        from agent import __version__  # noqa: PLC0415  # the fast path imports nothing else

        print(f"campus-agent {__version__}")
        return 0
    if not words or words[0] in ("--help", "-h"):
        print(_say("cli.usage", commands=" | ".join((*COMMANDS, "--version"))))
        return 0 if words else WRONG
    try:
        return _run(words[0], words[1:])
    except KeyboardInterrupt:
        print(_say("cli.interrupted"), file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe went away; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(command: str, rest: list[str]) -> int:
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        code = "cli.no_command_near" if near else "cli.no_command"
        print(_say(code, command=command, near="".join(near)), file=sys.stderr)
        return WRONG
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


def _say(code: str, **params: str) -> str:
    from agent.text import language, printable, sentence  # noqa: PLC0415  # see `--version`

    return printable(sentence(language(os.environ, encoding=sys.stdout.encoding), code, **params))
