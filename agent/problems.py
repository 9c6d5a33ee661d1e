"""What is wrong with a site's file: a code of the text catalogue and the place it stands at."""

from pydantic import Field

from drivers.readings import Frozen

KeyPath = tuple[str | int, ...]


class Problem(Frozen):
    """One thing to put right; `params` never hold a rejected value.

    `path` leads to the key in the file, list positions counted from 0.
    `device` is the id of the device that cannot run because of it.
    """

    code: str
    params: dict[str, str | int | float] = Field(default_factory=dict)
    path: KeyPath = ()
    line: int = 1
    device: str | None = None
