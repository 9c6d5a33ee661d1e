"""One chaos: faults in random order, then peace, then the count of what the county has."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.figures import Figures
from tests.chaos.world import World, until

SETTLE_SECONDS = 90.0
AWAY_SECONDS = 6.0


@dataclass(frozen=True)
class Tally:
    """What was done, what arrived. `missing` counts presses and numbers after the last replay."""

    presses_committed: int
    presses_received: int
    presses_missing: int
    presses_doubled: int
    events_committed: int
    events_received: int
    events_missing: int
    events_dropped: int
    events_void: int
    duplicates_after_dedupe: int
    replays: int
    faults: int

    @property
    def sound(self) -> bool:
        """Tell whether nothing is missing, nothing is there twice, and every drop was told."""
        wrong = self.presses_missing + self.presses_doubled + self.events_missing
        return wrong + self.duplicates_after_dedupe == 0


def chaos(directory: Path, *, seconds: float, seed: int, say: Callable[[str], None]) -> Tally:
    """Let every fault happen at least once, in an order of `seed`'s, until `seconds` are over."""
    chance, world = random.Random(seed), World(directory)
    faults = 0
    try:
        world.start()
        ends = time.monotonic() + seconds
        every = _faults(world, chance)
        while faults == 0 or time.monotonic() < ends:
            for name, fault in chance.sample(every, k=len(every)):
                say(name)
                fault()
                faults += 1
        _settle(world, say)
        # The same again with hardly any room: what is given up must be told to the message. There
        # is none for what was confirmed either, so nobody may still be waiting for that.
        world.tighten()
        _settle(world, say)
        say("the broker is away for longer than the outbox has room")
        world.broker.stop(kill=True)
        world.paused = False
        time.sleep(AWAY_SECONDS)
        world.broker.start()
        world.rest()
        _settle(world, say)
        return _tally(world, faults + 1)
    finally:
        world.stop()


def _faults(world: World, chance: random.Random) -> list[tuple[str, Callable[[], None]]]:
    def county_away() -> None:
        world.send_county_away()
        time.sleep(chance.uniform(1, 3))
        world.call_county()

    def forgetful_broker() -> None:
        world.send_county_away()
        time.sleep(chance.uniform(1, 2))
        world.restart_broker(away_seconds=0.2, forget=True)
        world.call_county()

    def cut() -> None:
        for _ in range(chance.randint(1, 4)):
            world.line.cut()
            time.sleep(chance.uniform(0.1, 1))

    def stalled() -> None:
        world.line.stalled = True
        time.sleep(chance.uniform(1, 7))
        world.line.heal()

    def slow() -> None:
        world.line.bytes_per_second = chance.uniform(3000, 10_000)
        time.sleep(chance.uniform(2, 4))
        world.line.heal()

    return [
        ("the agent is killed", lambda: world.restart_agent(away_seconds=chance.uniform(0, 2))),
        ("the broker is killed", lambda: _broker(world, chance)),
        ("the broker loses its store while the county is away", forgetful_broker),
        ("the county is away", county_away),
        ("the line is cut", cut),
        ("the line is stalled", stalled),
        ("the line is slow", slow),
        ("the broker hangs", lambda: world.hang_broker(seconds=chance.uniform(1, 6))),
        ("the disk is full", lambda: world.fill_disk(seconds=chance.uniform(1, 4))),
        ("the events' store is spoilt", lambda: world.corrupt("events.db")),
        ("the alarms' store is spoilt", lambda: world.corrupt("alarms.db")),
    ]


def _broker(world: World, chance: random.Random) -> None:
    world.restart_broker(away_seconds=chance.uniform(0.2, 3), forget=False)


def _settle(world: World, say: Callable[[str], None]) -> None:
    """Peace, and it stays: what is missing is asked for and comes."""
    say("peace")
    world.paused = True
    world.line.heal()
    world.call_county()
    time.sleep(2)
    until(lambda: bool(world.heads()) and not world.behind(), SETTLE_SECONDS)


def _tally(world: World, faults: int) -> Tally:
    pressed = Counter(f"b-{line['input']}" for line in world.truth.lines("press"))
    told: Counter[str] = Counter()
    for button, count in world.collected(
        "SELECT json_extract(body, '$.data.button'), count(*) FROM event"
        " WHERE stream = 'alarm' AND json_extract(body, '$.data.what') = 'press' GROUP BY 1"
    ):
        told[str(button)] = int(str(count))
    [(rows, numbers)] = world.collected(
        "SELECT count(*), count(DISTINCT stream || epoch || seq) FROM event"
    )
    log = (world.directory / "collector.log").read_text(encoding="utf-8")
    return Tally(
        presses_committed=pressed.total(),
        presses_received=told.total(),
        presses_missing=(pressed - told).total(),
        presses_doubled=(told - pressed).total(),
        duplicates_after_dedupe=int(str(rows)) - int(str(numbers)),
        replays=log.count("asked for"),
        faults=faults,
        **_events(world),
    )


def _events(world: World) -> dict[str, int]:
    """Count the numbers of both streams, over all epochs."""
    received = int(str(world.collected("SELECT count(*) FROM event")[0][0]))
    void = sum(
        int(str(last)) - int(str(first)) + 1
        for first, last in world.collected(
            "SELECT json_extract(body, '$.data.void_from'), json_extract(body, '$.data.void_to')"
            " FROM event WHERE json_extract(body, '$.data.void_from') IS NOT NULL"
        )
    )
    places = world.epochs()
    missing = sum(world.missing(*place) for place in places)
    dropped = sum(world.dropped(epoch) for _, epoch in places)
    return {
        "events_committed": received + missing + dropped,
        "events_received": received,
        "events_missing": missing,
        "events_dropped": dropped,
        "events_void": void,
    }


def report(tally: Tally, seconds: float) -> None:
    """Print the figures, one JSON line each."""
    figures = Figures("chaos")
    for name, value in asdict(tally).items():
        figures.print(name, value, "", n=round(seconds))
