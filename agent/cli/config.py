"""`campus-agent config ...`: is this file fit to run a school with, and what does it come to?"""

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
from agent.findings import Cause, Verdict
from agent.settings_report import Report, report
from agent.settings_view import settings_shown
from agent.site_file import load_site
from agent.text import Language, explain, language, printable, sentence

USAGE = "config check|show FILE [--lang zh|en] [--json] [--online]"
# As `diagnose` has it: fine, something to look at, something broken.
_STATUS = {Verdict.OK: 0, Verdict.WARN: 1, Verdict.UNKNOWN: 1, Verdict.FAIL: WRONG}
_STYLE = {
    Verdict.OK: "green",
    Verdict.WARN: "yellow",
    Verdict.UNKNOWN: "yellow",
    Verdict.FAIL: "red",
}


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
        online: Annotated[
            bool, typer.Option("--online", help=sentence(lang, "cli.option_online"))
        ] = False,
    ) -> int:
        found = report(file)
        if not as_json:
            _print(found, speak)
        answers = _ask_brokers(file, speak, quiet=as_json) if online and not found.problems else []
        if as_json:
            said = _as_json(found, speak) | ({"online": answers} if online else {})
            print(json.dumps(said, ensure_ascii=False, indent=2))
        if found.problems:
            return WRONG
        return max((_STATUS[Verdict(str(one["verdict"]))] for one in answers), default=0)

    @app.command(help=sentence(lang, "cli.config_show"))
    def show(
        file: Annotated[Path, typer.Argument(help=sentence(lang, "cli.option_file"))],
        speak: Annotated[
            Language, typer.Option("--lang", help=sentence(lang, "cli.option_lang"))
        ] = lang,
        as_json: Annotated[
            bool, typer.Option("--json", help=sentence(lang, "cli.option_json"))
        ] = False,
    ) -> int:
        return _show(file, speak, as_json=as_json)

    @app.command(help=sentence(lang, "cli.config_schema"))
    def schema() -> int:
        print(json.dumps(settings.schema(), ensure_ascii=False, indent=2))
        return 0

    return app


def _show(file: Path, lang: Language, *, as_json: bool) -> int:
    """Print every setting in force and where it comes from; a bad file has none in force."""
    loaded = load_site(file)
    if loaded.problems:
        _print(Report(file=printable(str(file)), problems=loaded.problems), lang)
        return WRONG
    shown = list(settings_shown(loaded, os.environ))
    if as_json:
        print(json.dumps([one._asdict() for one in shown], ensure_ascii=False, indent=2))
        return 0
    out = _printer()
    for one in shown:
        set_at = sentence(lang, "cli.show_default")
        if one.line is not None:
            set_at = f"{printable(str(file))}:{one.line}"
        value = json.dumps(one.value, ensure_ascii=False)
        value = sentence(lang, "cli.show_unset") if one.value is None else printable(value)
        out.print(f"{one.key} = {value}  # {set_at}", markup=False)
    return 0


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


def _ask_brokers(file: Path, lang: Language, *, quiet: bool) -> list[dict[str, object]]:
    """Call the county's brokers; print each answer as it comes."""
    from agent.cli.online import checks  # noqa: PLC0415  # the client's library, for this alone

    site = load_site(file).site
    answers, out = list[dict[str, object]](), _printer()
    for one in checks(site, os.environ) if site is not None else ():
        said = printable(explain(lang, one.cause))
        answers.append({**one.model_dump(mode="json"), "sentence": said})
        if not quiet:
            word = sentence(lang, f"word.{one.verdict}")
            out.print(f"{word}  {said}", markup=False, style=_STYLE[one.verdict])
    return answers


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
