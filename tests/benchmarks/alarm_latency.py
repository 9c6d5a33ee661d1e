"""How long a press takes to disk and subscriber: idle, behind a backlog, beside cameras."""

import json
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from agent.clock import SystemClock
from agent.county.contract import Event
from agent.county.event_data import AgentEventData
from agent.county.messages import Composer
from agent.county.topics import Topics
from agent.liveness import Liveness
from agent.store.database import Database
from agent.store.formats import EVENT_FORMATS
from agent.store.outbox import Lane, Outbox
from simulators.modbus import TURNAROUND_SECONDS
from tests.benchmarks.alarm_rig import BUTTONS, POLLS, Rig, module, recorder, rig
from tests.benchmarks.figures import Figures, percentile

PRESSES = 500
HOLD_SECONDS = 0.15
BACKLOG = 20_000
ROWS_AT_ONCE = 1_000
CAMERAS = 64
# Unit, function, count, CRC; and the inputs, every second time with a byte more.
REPLY_BYTES = 5 + BUTTONS / 8 + 0.5
LOADS = ("idle", "backlog", "busy")

Seen = dict[tuple[str, int], float]


class DiskWatch:
    """Sees commits of the alarm's database from outside: what a reader sees has been synced."""

    def __init__(self, path: Path) -> None:
        self.seen: Seen = {}
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        db = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
        version, seq = -1, 0
        while not self._stop.wait(0.001):
            now_version = db.execute("PRAGMA data_version").fetchone()[0]
            if now_version == version:
                continue
            version, now = now_version, time.time()
            for number, body in db.execute(
                "SELECT seq, body FROM message WHERE seq > ? ORDER BY seq", (seq,)
            ):
                seq, data = number, json.loads(body)["data"]
                if data["what"] == "press":
                    self.seen.setdefault((data["button"], data["press"]), now)
        db.close()


class Capture:
    """A subscriber that no one here wrote: everything of the site, with the time it came."""

    def __init__(self, port: int, file: Path) -> None:
        self._file = file
        command = ["mosquitto_sub", "-p", str(port), "-V", "5", "-q", "1", "-t", "campus/v1/#"]
        with file.open("wb") as output:
            self._process = subprocess.Popen([*command, "-F", "%U %t %p"], stdout=output)

    def stop(self) -> None:
        """End."""
        self._process.terminate()
        self._process.wait(10)

    def presses(self) -> Seen:
        """Return when each press was first heard, by button and number."""
        first: Seen = {}
        for line in self._file.read_text(encoding="utf-8").splitlines():
            at, topic, body = line.split(" ", 2)
            if topic.endswith("/event/alarm"):
                data = json.loads(body)["data"]
                if data["what"] == "press":
                    first.setdefault((data["button"], data["press"]), float(at))
        return first


def latency(figures: Figures, baud: int, load: str) -> None:
    """Truth is the simulator's log; a press waits for the next poll and its reply for the wire."""
    taken: dict[str, list[float]] = {"disk": [], "subscriber": []}
    pressed = heard = 0
    while pressed < PRESSES:
        with _under(load, baud) as (running, goes_on):
            capture = Capture(running.broker.port, running.directory / "capture")
            disk = DiskWatch(running.directory / "state" / "alarms.db")
            running.press_all(PRESSES - pressed, HOLD_SECONDS, goes_on)
            disk.stop()
            capture.stop()
            at = pressed_at(running)
            for what, seen in (("disk", disk.seen), ("subscriber", capture.presses())):
                taken[what] += [1000 * (when - at[press]) for press, when in seen.items()]
            pressed += len(at)
            heard += len(capture.presses())
    _print(figures, baud, load, taken)
    figures.print(f"presses_heard_{baud}_{load}", heard, "presses", n=pressed)


def _print(figures: Figures, baud: int, load: str, taken: dict[str, list[float]]) -> None:
    # What no agent can better: the wait for the next poll, the module's own turnaround, the wire.
    device = 1000 * (TURNAROUND_SECONDS + REPLY_BYTES * 10 / baud)
    floor = {50: 500 / POLLS[baud] + device, 99: 990 / POLLS[baud] + device}
    # The short names are those of the slowest line, the one most schools have.
    suffixes = [f"_{baud}_{load}"] + [""] * (baud == min(POLLS) and load == "idle")
    for what, unsorted in taken.items():
        ordered = sorted(unsorted)
        for suffix in suffixes:
            for share in (50, 99):
                name = f"press_to_{what}_p{share}_ms{suffix}"
                value = percentile(ordered, share)
                figures.print(name, value, "ms", n=len(ordered), baseline=floor[share])
            figures.print(f"press_to_{what}_max_ms{suffix}", ordered[-1], "ms", n=len(ordered))
            if what == "subscriber":
                name = f"press_to_subscriber_p99_over_floor_ms{suffix}"
                over = percentile(ordered, 99) - floor[99]
                figures.print(name, over, "ms", n=len(ordered))


@contextmanager
def _under(load: str, baud: int) -> Iterator[tuple[Rig, Callable[[], bool]]]:
    """Run a rig under a load; what is yielded with it tells whether the load is still there."""
    lines = module(Path("{directory}"), baud)
    if load == "busy":
        with recorder(CAMERAS) as more, rig(lines, baud, more=more) as running:
            yield running, lambda: True
    elif load == "backlog":
        with rig(lines, baud, prepare=fill) as running:
            yield running, lambda: waiting(running.directory) > 0
    else:
        with rig(lines, baud) as running:
            yield running, lambda: True


def fill(directory: Path) -> None:
    """Leave a backlog of events for the daemon that starts next."""
    clock = SystemClock()
    (directory / "state").mkdir()
    path = directory / "state" / "events.db"
    outbox = Outbox(Database(path, EVENT_FORMATS, Liveness(clock).beat("fill")), "event")
    composer = Composer(Topics("county", "school"), clock, lambda: "ntp")
    outbox.start()
    event = Event(subject="agent", time=datetime.now(UTC), data=AgentEventData(what="started"))
    for _ in range(BACKLOG // ROWS_AT_ONCE):
        rows = [
            composer.event(event, Lane.EVENT, "event", outbox.number()) for _ in range(ROWS_AT_ONCE)
        ]
        outbox.put(rows).result(60)
    outbox.stop()


def waiting(directory: Path) -> int:
    """Count the events that are still to be sent."""
    db = sqlite3.connect(f"file:{directory / 'state' / 'events.db'}?mode=ro", uri=True)
    sql = "SELECT count(*) FROM message WHERE acked_at IS NULL AND refused IS NULL"
    count = int(db.execute(sql).fetchone()[0])
    db.close()
    return count


def pressed_at(running: Rig) -> Seen:
    """Return when each button was pressed, by its name and how often it had been."""
    counts: dict[int, int] = {}
    pressed: Seen = {}
    for line in running.truth.lines("press"):
        number = int(str(line["input"]))
        counts[number] = counts.get(number, 0) + 1
        pressed[f"b-{number}", counts[number]] = float(str(line["t"]))
    return pressed
