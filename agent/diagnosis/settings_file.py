"""The site's file, and every secret it names."""

from collections.abc import Iterator
from pathlib import Path

from agent.credentials import CredentialError, Credentials
from agent.diagnosis.checks import CheckResult, result, seen
from agent.findings import Cause
from agent.settings import SiteSettings
from agent.settings_report import report, secret_references

# Told by the checks of the credentials, better: these may read them.
_TOLD_ELSEWHERE = frozenset({"config.note_elsewhere"})
_ONLY_ROOT_KNOWS = frozenset({"credential.no_directory", "credential.unreadable"})


def settings_file(path: Path) -> Iterator[CheckResult]:
    """Check the file as `config check` does, strictly; each of its notes is a warning."""
    found = report(path)
    # A secret's own problem is told by its check.
    problems = [one for one in found.problems if not one.code.startswith("credential.")]
    if problems:
        causes = [Cause(code=one.code, params=one.params) for one in problems]
        where = seen("file_line", file=found.file, line=problems[0].line)
        told = result("settings.file", "", "fail", *causes, evidence=where)
        # One thing to do, however many lines are wrong.
        yield told.model_copy(update={"next_step": Cause(code="next.diagnosis.file")})
        return
    yield result("settings.file", evidence=seen("file", file=found.file))
    for note in found.notes:
        if note.code not in _TOLD_ELSEWHERE:
            yield result("settings.note", _about(note), "warn", note)


def secrets(site: SiteSettings, credentials: Credentials, *, root: bool) -> Iterator[CheckResult]:
    """Check that every secret can be read, and by nobody else; its content is never told."""
    for path, device, reference in secret_references(site):
        name = device or "-".join(str(part) for part in path)
        try:
            if path[-1] == "key":
                credentials.path(reference)
            elif path[-1] == "sun_keys":
                credentials.sun_keys(reference)
            else:
                credentials.resolve(reference)
        except CredentialError as error:
            blind = not root and error.cause.code in _ONLY_ROOT_KNOWS
            yield result("credentials.secret", name, "unknown" if blind else "fail", error.cause)
        else:
            yield result("credentials.secret", name, evidence=seen("secret"))


def _about(note: Cause) -> str:
    """Return what a note is of: its device, or its own name."""
    named = (note.params.get(key) for key in ("button", "module", "duty"))
    about = next((str(name) for name in named if name), "")
    kind = note.code.partition("note_")[2].replace("_", "-")
    return f"{about}-{kind}" if about else kind
