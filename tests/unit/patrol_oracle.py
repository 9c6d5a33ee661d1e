"""Random duty days, and what must be said of them: plain loops over lists, nothing of the product.

Times are seconds since the midnight the day began with, in Shanghai, which knows no summer time.
"""

import random
from dataclasses import dataclass, field

DAY = 86_400
POINTS = ("north", "south", "roof")
# Between these a gap may be taken for one that hides a tour, or not: the agent looks now and then.
SURELY_SHORT, SURELY_LONG = 100, 700
LATEST = DAY + 3600


@dataclass(frozen=True)
class Span:
    """From one second to another."""

    since: int
    until: int

    def holds(self, at: float) -> bool:
        """Tell whether an instant lies in it."""
        return self.since <= at < self.until


@dataclass
class Life:
    """What happens on one day; an agent that is `down` has to read its journal again."""

    required: int
    gap: int
    order: str
    mandatory: tuple[str, ...]
    windows: list[Span]
    early: int
    grace: int
    attempts: list[tuple[int, str]] = field(default_factory=list)
    away: list[Span] = field(default_factory=list)
    down: list[Span] = field(default_factory=list)
    limit: int = 3600
    fold: int = 60

    @property
    def scans(self) -> list[tuple[int, str]]:
        """Return the scans that somebody was there to hear."""
        blind = self.away + self.down
        return [one for one in self.attempts if not any(span.holds(one[0]) for span in blind)]


@dataclass
class Walked:
    """A tour as the reference sees it; `window` is the number of the one it was for."""

    begun: int
    ended: int
    complete: bool
    window: int | None
    counts: bool


def random_life(seed: int) -> Life:
    """Make up a day: tours whole and broken, readers away, restarts."""
    chance = random.Random(seed)
    windows = _windows(chance) if chance.random() < 0.7 else []
    life = Life(
        required=max(1, len(windows) - chance.randrange(2)) if windows else chance.randint(1, 4),
        gap=chance.choice([0, 1800]),
        order=chance.choice(["free", "strict", "start_end"]),
        mandatory=POINTS[: chance.choice([2, 3])],
        windows=windows,
        early=chance.choice([0, 900]),
        grace=chance.choice([0, 1800]),
    )
    begins = [window.since + chance.randint(-1500, 6000) for window in windows]
    begins += [chance.randrange(DAY) for _ in range(chance.randint(0, 4))]
    for begin in sorted(begins):
        at = max(0, begin)
        points = list(POINTS if chance.random() < 0.5 else life.mandatory)
        if chance.random() < 0.3:
            chance.shuffle(points)
        if chance.random() < 0.2:
            points.pop()
        for point in points:
            life.attempts += [(at, point)] * chance.choice([1, 1, 1, 2])
            at += chance.choice([30, 300, 300, 1500])
    life.attempts = sorted(one for one in life.attempts if one[0] < DAY - 60)
    for _ in range(chance.choice([0, 0, 1, 2])):
        kind = life.away if chance.random() < 0.5 else life.down
        since = chance.randrange(DAY - 20_000)
        kind.append(Span(since, since + chance.choice([90, 1200, 9000])))
        if chance.random() < 0.5:  # somebody starts it anew, in the hope that it helps
            life.down.append(Span(kind[-1].until, kind[-1].until + 70))
    return life


def tours_of(life: Life) -> list[Walked]:
    """Find the tours the slow way: from each scan that may begin one, look at all behind it."""
    scans = life.scans
    found: list[Walked] = []
    i = 0
    while i < len(scans):
        if _folded(scans, i, life.fold) or not _may_begin(life, scans[i][1]):
            i += 1
            continue
        begun = scans[i][0]
        visited: list[str] = []
        complete, j = False, i
        while j < len(scans) and scans[j][0] - begun <= life.limit:
            point = scans[j][1]
            if not _folded(scans, j, life.fold) and _in_order(life, visited, point):
                visited.append(point)
            if all(point in visited for point in life.mandatory):
                complete = True
                break
            j += 1
        window = _window_for(life, found, begun)
        if complete:
            ended = scans[j][0]
            soon = any(one.counts and begun - one.ended < life.gap for one in found)
            outside = bool(life.windows) and window is None
            too_late = window is not None and ended > life.windows[window].until + life.grace
            counts = not (soon or outside or too_late)
            found.append(Walked(begun, ended, True, window, counts))
            i = j + 1
        else:
            if j < len(scans):
                found.append(Walked(begun, scans[j][0], False, window, False))
            i = max(j, i + 1)
    return found


def blind_seconds(life: Life, since: int, until: int) -> int:
    """Count the seconds of a span in which nobody would have heard a tag, one by one in tens."""
    blind = life.away + life.down
    return 10 * sum(
        any(span.holds(at) for span in blind) for at in range(since - since % 10, until, 10)
    )


def words(since: int, until: int, life: Life) -> set[str]:
    """Say what may be said of a span in which too little was seen."""
    blind = blind_seconds(life, since, until)
    if blind <= SURELY_SHORT:
        return {"missed"}
    return {"not_observed"} if blind >= SURELY_LONG else {"missed", "not_observed"}


def _windows(chance: random.Random) -> list[Span]:
    found: list[Span] = []
    at = chance.randrange(3600, 10_000)
    while at < DAY - 16_000 and len(found) < 5:
        long = chance.choice([1800, 3600, 5400])
        begin = at - at % 60
        found.append(Span(begin, begin + long))
        at += long + chance.randrange(6000, 15_000)
    return found


def _folded(scans: list[tuple[int, str]], i: int, fold: int) -> bool:
    return any(scans[j][1] == scans[i][1] and scans[i][0] - scans[j][0] < fold for j in range(i))


def _may_begin(life: Life, point: str) -> bool:
    return point in life.mandatory if life.order == "free" else point == life.mandatory[0]


def _in_order(life: Life, visited: list[str], point: str) -> bool:
    if life.order == "free" or point not in life.mandatory:
        return True
    place = life.mandatory.index(point)
    before = [one in visited for one in life.mandatory[:place]]
    if life.order == "strict" or place == len(life.mandatory) - 1:
        return all(before)
    return place == 0 or before[0]


def _window_for(life: Life, found: list[Walked], begun: int) -> int | None:
    for number, window in enumerate(life.windows):
        done = any(one.counts and one.window == number for one in found)
        if window.since - life.early <= begun <= window.until + life.grace and not done:
            return number
    return None
