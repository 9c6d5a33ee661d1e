"""What was seen of one camera, and when: for the question when it was last found good."""

from collections.abc import Iterable
from typing import NamedTuple


class Inspection(NamedTuple):
    """Looks at one camera on one of the site's days that all showed the same; times since 1970.

    `codes` name what was wrong, separated by blanks.
    """

    camera: str
    first_at: float
    last_at: float
    day: str
    checks: int
    verdict: str
    codes: str

    def joins(self, later: "Inspection") -> bool:
        """Tell whether a later one only goes on with this one."""
        same = (self.camera, self.day, self.verdict, self.codes)
        return same == (later.camera, later.day, later.verdict, later.codes)

    def joined(self, later: "Inspection") -> "Inspection":
        """Return both as one."""
        return self._replace(last_at=later.last_at, checks=self.checks + later.checks)


def merged(known: Iterable[Inspection], more: Iterable[Inspection]) -> list[Inspection]:
    """Return all, oldest first, those that go on with one before joined to it."""
    found: list[Inspection] = []
    newest: dict[str, int] = {}
    for one in (*known, *more):
        place = newest.get(one.camera)
        if place is not None and found[place].joins(one):
            found[place] = found[place].joined(one)
        else:
            newest[one.camera] = len(found)
            found.append(one)
    return found
