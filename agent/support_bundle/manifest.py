"""MANIFEST.txt: what is in a bundle, what was left out and why, and what never is in one."""

from collections.abc import Sequence
from datetime import datetime

from agent import __version__
from agent.support_bundle.source import Found
from agent.text import Language, sentence

NAME = "MANIFEST.txt"
# Left out of every bundle, whatever there is.
NEVER = ("secrets", "pictures", "comments", "persons")


def manifest(
    lang: Language,
    made_at: datetime,
    found: Sequence[Found],
    sizes: dict[str, int],
    cut: Sequence[str],
    unread: Sequence[str],
    held_back: int,
) -> str:
    """Return it; `sizes` are of the files that are in, `unread` secrets nobody could look for."""
    head = sentence(lang, "bundle.head", version=__version__, at=made_at.isoformat()[:19])
    lines = [head, "", sentence(lang, "bundle.in")]
    for one in found:
        name = one.source.file
        if name in sizes:
            told = sentence(lang, one.source.told)
            size = sentence(lang, "bundle.bytes", bytes=sizes[name])
            mark = sentence(lang, "bundle.cut") if name in cut else ""
            lines.append(f"  {name}  {told}  {size}{mark}")
    lines += ["", sentence(lang, "bundle.out"), *(f"  {line}" for line in left_out(lang, found))]
    lines += [f"  {sentence(lang, f'bundle.never_{what}')}" for what in NEVER]
    lines += ["", sentence(lang, "bundle.masked", count=held_back)]
    if unread:
        lines.append(sentence(lang, "bundle.unread", names=", ".join(unread)))
    return "\n".join(lines) + "\n"


def left_out(lang: Language, found: Sequence[Found]) -> list[str]:
    """Return a line for each source that gave nothing, with the reason."""
    return [
        sentence(
            lang,
            "bundle.left_out",
            file=one.source.file,
            why=sentence(lang, one.code, **dict(one.params)),
        )
        for one in found
        if one.text is None
    ]
