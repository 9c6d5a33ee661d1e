"""One source of a bundle: where a file of it comes from, and how long that may take."""

from collections.abc import Callable
from dataclasses import dataclass

LARGEST_BYTES = 1 << 20


class NotThereError(Exception):
    """A source has nothing to give; `code` and `params` say why in the reader's language."""

    def __init__(self, code: str, **params: str | float) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


@dataclass(frozen=True)
class Source:
    """`collect` runs on a thread of its own and may raise anything; of a long text the end counts.

    What it holds is told by the sentence `bundle.file_{file up to its dot}`.
    """

    file: str
    collect: Callable[[], str]
    seconds: float
    largest_bytes: int = LARGEST_BYTES
    # Whether programs' own words are in it, and so perhaps a secret of which nothing says so.
    free_text: bool = False

    @property
    def told(self) -> str:
        """Return the code of the sentence that says what the file holds."""
        return f"bundle.file_{self.file.partition('.')[0].replace('-', '_')}"


@dataclass(frozen=True)
class Found:
    """What came of a source: its text, or the reason why there is none."""

    source: Source
    text: str | None = None
    code: str = ""
    params: tuple[tuple[str, str | float], ...] = ()
