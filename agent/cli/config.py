"""`campus-agent config check FILE`: is this file fit to run a school with?"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent import settings
from agent.cli.main import WRONG
from agent.findings import Cause
from agent.settings_report import Report, report
from agent.text import Language, explain, language, printable, sentence

USAGE = "config check FILE [--lang zh|en] [--json]"


def main(argv: Sequence[str]) -> int:
    """Run `config ...` and return its exit status."""
    lang = language(os.environ, _asked_language(argv), sys.stdout.encoding)
    try:
        # Not standalone: what goes wrong comes back here, to be said in one sentence.
        status = _app(lang)(list(argv), prog_name="campus-agent config", standalone_mode=False)
    except typer.TyperException as error:
        said = sentence(lang, "cli.bad_usage", detail=printable(str(error)), usage=USAGE)
        _printer(stderr=True).print(said, markup=False)
        return WRONG
    return status if isinstance(status, int) else 0


def _app(lang: Language) -> typer.Typer:
    # Typer's own tracebacks can show local variables; those of a settings file hold secrets.
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, help=sentence(lang, "cli.config")
    )

    @app.command(help=sentence(lang, "cli.config_check"))
    def check(
        file: Annotated[Path, typer.Argument(help=sentence(lang, "cli.option_file"))],
        speak: Annotated[
            Language, typer.Option("--lang", help=sentence(lang, "cli.option_lang"))
        ] = lang,
        as_json: Annotated[
            bool, typer.Option("--json", help=sentence(lang, "cli.option_json"))
        ] = False,
    ) -> int:
        found = report(file)
        if as_json:
            print(json.dumps(_as_json(found, speak), ensure_ascii=False, indent=2))
        else:
            _print(found, speak)
        return WRONG if found.problems else 0

    @app.command(help=sentence(lang, "cli.config_schema"))
    def schema() -> int:
        print(json.dumps(settings.schema(), ensure_ascii=False, indent=2))
        return 0

    return app


def _asked_language(argv: Sequence[str]) -> str | None:
    """Return the value of --lang before the options are parsed: their own help needs it."""
    for index, word in enumerate(argv):
        if word.startswith("--lang="):
            return word.removeprefix("--lang=")
        if word == "--lang":
            return "".join(argv[index + 1 : index + 2])
    return None


def _printer(*, stderr: bool = False) -> Console:
    # soft_wrap: a problem is one line, for grep and editors, however narrow the console.
    return Console(stderr=stderr, soft_wrap=True, highlight=False, emoji=False)


def _print(found: Report, lang: Language) -> None:
    out = _printer()
    for problem in found.problems:
        text = explain(lang, Cause(code=problem.code, params=problem.params))
        out.print(f"{found.file}:{problem.line}: {text}", markup=False)
    for line in found.summary:
        out.print(explain(lang, line), markup=False)
    for note in found.notes:
        text = sentence(lang, "config.note", text=explain(lang, note))
        out.print(text, markup=False, style="yellow")
    code = "config.wrong" if found.problems else "config.fine"
    closing = sentence(lang, code, file=found.file, count=len(found.problems))
    out.print(closing, markup=False, style="red" if found.problems else "green")


def _as_json(found: Report, lang: Language) -> dict[str, object]:
    return {
        "file": found.file,
        "ok": not found.problems,
        "problems": [
            {
                **problem.model_dump(mode="json"),
                "sentence": explain(lang, Cause(code=problem.code, params=problem.params)),
            }
            for problem in found.problems
        ],
        "notes": [_cause(lang, note) for note in found.notes],
        "summary": [_cause(lang, line) for line in found.summary],
    }


def _cause(lang: Language, cause: Cause) -> dict[str, object]:
    return {**cause.model_dump(mode="json"), "sentence": explain(lang, cause)}
