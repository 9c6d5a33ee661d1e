"""A tag or a card written into the site's file, every comment of it kept."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Literal

import tomlkit
from tomlkit.items import AoT, Table

from agent.problems import Problem
from agent.site_file import load_site

Section = Literal["checkpoint", "guard_card", "post"]


class EnrolmentError(Exception):
    """The file would not be good with it: `problems` say why; the file is as it was."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


def enrol(path: Path, section: Section, entry: str, tag: str, name: str) -> bool:
    """Give an entry of a section its tag, or add it; returns whether it was there.

    Raises OSError, and EnrolmentError where the result would not be good.
    """
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    entries = document.get(section)
    if not isinstance(entries, AoT):
        entries = tomlkit.aot()
        document.append(section, entries)
    known = next((one for one in entries if one.get("id") == entry), None)
    if known is None:
        entries.append(_entry(entry, tag, name))
    else:
        known["tag"] = tag
    replace_site(path, tomlkit.dumps(document))
    return known is not None


def _entry(entry: str, tag: str, name: str) -> Table:
    made = tomlkit.table()
    made.add("id", entry)
    made.add("name", name or entry)
    made.add("tag", tag)
    made.add(tomlkit.nl())
    return made


def replace_site(path: Path, text: str) -> None:
    """Replace the file in one step, if it is good; its owner and rights stay.

    A new one may be read by everybody: it holds no secret. Raises OSError, EnrolmentError.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    fresh = Path(name)
    with contextlib.ExitStack() as unfinished:
        unfinished.callback(fresh.unlink, missing_ok=True)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        checked = load_site(fresh)
        if checked.problems:
            raise EnrolmentError(tuple(checked.problems))
        before = path.stat() if path.exists() else None
        fresh.chmod(0o644 if before is None else before.st_mode & 0o777)
        if before is not None and os.geteuid() == 0:
            os.chown(fresh, before.st_uid, before.st_gid)
        fresh.replace(path)
