"""A school with its county, and everything that can go wrong between a button and a desk."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from simulators.broker import Broker
from simulators.modbus import ModbusSimulator
from simulators.pn532 import Pn532Simulator
from simulators.truth import Truth
from tests.chaos.bad_line import BadLine
from tests.daemon import SITE, WITH_PATROL, WITHOUT_CAMERAS, Daemon, with_county_key

ROOT = Path(__file__).parents[2]
COLLECTOR = ROOT / "docs" / "examples" / "collector.py"
# So many that none is pressed ten times a minute, which would be chatter.
BUTTONS = 32
PRESS_SECONDS = 0.25
TAP_SECONDS = 0.15
# So quick a reader sees every card come and go.
QUICK = "gone_after_misses = 1\npoll_seconds = 0.04\n"
DISK_BYTES = 24 << 20
# So small that a broker that is away for some seconds is away for too long.
TIGHT_BYTES = 16 << 10
CARD = bytes.fromhex("04A1B2C3D4E580")


class World:
    """Everything real but the devices; `truth` is what the simulated devices did."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "state"
        self.state.mkdir()
        self.mounted = _mounted(self.state)
        self.truth = Truth()
        self.broker = Broker(directory / "broker", kind="mosquitto")
        self.broker.start()
        self.line = BadLine(self.broker.port)
        self.module = ModbusSimulator(directory / "alarm", self.truth, baud=19200, count=BUTTONS)
        self.module.start()
        self.reader = Pn532Simulator(directory / "reader", self.truth)
        self.reader.start()
        self.paused = False
        self._chance = random.Random(1)
        self._stopping = threading.Event()
        public = _agent("county", "key", str(directory / "key.pem")).strip()
        self.daemon = Daemon(directory, _settings(directory, self.line.port, public))
        self._collector: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin: the county listens before the school says its first word."""
        self.call_county()
        self.daemon.start()
        self.daemon.wait_until_ready()
        until(lambda: self.heads().get("event", ("", 0))[1] > 0, 30)
        time.sleep(1)  # every button has been looked at
        for busy in (self._press, self._tap):
            threading.Thread(target=busy, daemon=True).start()

    def rest(self) -> None:
        """Press and tap no more; let go of everything."""
        self._stopping.set()
        time.sleep(2 * PRESS_SECONDS + 1)

    def stop(self) -> None:
        """End everything."""
        self._stopping.set()
        with contextlib.suppress(Exception):
            self.daemon.stop()
        self.send_county_away()
        self.line.stop()
        self.broker.stop(kill=True)
        self.module.stop()
        self.reader.stop()
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.state)], check=False)

    # -- faults

    def restart_agent(self, *, away_seconds: float) -> None:
        """Kill the agent; the module counts presses meanwhile."""
        self.daemon.kill()
        time.sleep(away_seconds)
        self.daemon.start()
        self.daemon.wait_until_ready()

    def restart_broker(self, *, away_seconds: float, forget: bool) -> None:
        """Kill the broker, and have it lose its store if told."""
        self.broker.stop(kill=True)
        time.sleep(away_seconds)
        if forget:
            (self.directory / "broker" / "mosquitto.db").unlink(missing_ok=True)
        self.broker.start()

    def hang_broker(self, *, seconds: float) -> None:
        """Stop the broker in its tracks."""
        self.broker.signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.broker.signal(signal.SIGCONT)

    def fill_disk(self, *, seconds: float) -> None:
        """Leave no room on the disk; nobody dies while only memory holds the newest."""
        with self._full():
            time.sleep(seconds)
        until(lambda: self.status().get("unsaved") == 0, 30)

    def corrupt(self, store: str) -> None:
        """Spoil a store beyond all reading, once the county has what is in it.

        Nobody presses or taps meanwhile: what a module counted while no agent ran is known by
        the store.
        """
        self.paused = True
        time.sleep(1)
        if not until(lambda: bool(self.heads()) and not self.behind(), 60):
            self.paused = False
            return  # what only this store has cannot be had again
        self.daemon.stop()
        file = self.state / store
        file.write_bytes(b"\0" * 4096 + file.read_bytes()[4096:])
        self.daemon.start()
        self.daemon.wait_until_ready()
        until(lambda: bool(self.heads()), 30)
        time.sleep(1)
        self.paused = False

    def tighten(self) -> None:
        """Give the outboxes next to no room from now on."""
        text = self.daemon.config.read_text(encoding="utf-8")
        text = text.replace("[state]\n", f"[state]\noutbox_max_bytes = {TIGHT_BYTES}\n")
        self.daemon.config.write_text(text, encoding="utf-8")
        self.daemon.stop()
        self.daemon.start()
        self.daemon.wait_until_ready()

    def call_county(self) -> None:
        """Have the collector of the docs collect."""
        if self._collector is None:
            store, key = self.directory / "county.db", self.directory / "key.pem"
            command = [sys.executable, str(COLLECTOR), "127.0.0.1", str(self.broker.port)]
            with (self.directory / "collector.log").open("ab") as log:
                self._collector = subprocess.Popen(
                    [*command, str(store), str(key)], stdout=log, stderr=log
                )

    def send_county_away(self) -> None:
        """Kill the collector."""
        collector, self._collector = self._collector, None
        if collector is not None:
            collector.kill()
            collector.wait(10)

    # -- what is known

    def collected(self, query: str) -> list[tuple[object, ...]]:
        """Ask the county's own store."""
        store = self.directory / "county.db"
        if not store.exists():
            return []
        with contextlib.closing(sqlite3.connect(store, timeout=10)) as db:
            try:
                return db.execute(query).fetchall()
            except sqlite3.OperationalError:
                return []

    def status(self) -> dict[str, object]:
        """Return the retained status, as the broker gives it out now."""
        command = ["mosquitto_sub", "-p", str(self.broker.port), "-C", "1", "-W", "2"]
        command += ["-t", "campus/v1/county/school/status"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        try:
            found: dict[str, object] = json.loads(done.stdout)
        except ValueError:
            return {}
        return found if found.get("online") else {}

    def heads(self) -> dict[str, tuple[str, int]]:
        """Return epoch and newest number of each stream, as the school says them."""
        heads = self.status().get("heads") or {}
        assert isinstance(heads, dict)
        return {name: (one["epoch"], one["seq"]) for name, one in heads.items()}

    def behind(self) -> bool:
        """Tell whether the county still lacks numbers that are neither void nor given up."""
        return any(self.missing(*place) > 0 for place in self.epochs())

    def epochs(self) -> set[tuple[str, str]]:
        """Return every stream and epoch that was ever heard of."""
        heard = {
            (str(stream), str(epoch))
            for stream, epoch in self.collected("SELECT DISTINCT stream, epoch FROM event")
        }
        return heard | {(stream, epoch) for stream, (epoch, _) in self.heads().items()}

    def missing(self, stream: str, epoch: str) -> int:
        """Count the numbers up to the newest that the county has heard nothing of."""
        where = f"FROM event WHERE stream = '{stream}' AND epoch = '{epoch}'"
        seen = {int(str(seq)) for (seq,) in self.collected(f"SELECT seq {where}")}
        told = {
            int(str(number))
            for first, last in self.collected(
                "SELECT json_extract(body, '$.data.void_from'),"
                f" json_extract(body, '$.data.void_to') {where}"
                " AND json_extract(body, '$.data.void_from') IS NOT NULL"
            )
            for number in range(int(str(first)), int(str(last)) + 1)
        }
        head_epoch, head = self.heads().get(stream, ("", 0))
        newest = head if head_epoch == epoch else max(seen, default=0)
        return newest - len((seen | told) & set(range(1, newest + 1))) - self.dropped(epoch)

    def dropped(self, epoch: str) -> int:
        """Count the events that the school says it has given up."""
        found = self.collected(
            "SELECT json_extract(body, '$.data.dropped_count') FROM event"
            f" WHERE json_extract(body, '$.data.dropped_epoch') = '{epoch}'"
        )
        return sum(int(str(count)) for (count,) in found)

    # -- what goes on all the time

    def _press(self) -> None:
        number = 0
        while not self._stopping.is_set():
            if self.paused:
                time.sleep(0.05)
                continue
            number = (number + 1) % BUTTONS
            self.module.press(number)
            time.sleep(PRESS_SECONDS / 2)
            self.module.release(number)
            time.sleep(PRESS_SECONDS * self._chance.uniform(0.3, 0.7))

    def _tap(self) -> None:
        while not self._stopping.is_set():
            if self.paused:
                time.sleep(0.05)
                continue
            self.reader.present(CARD)
            time.sleep(TAP_SECONDS)
            self.reader.remove()
            time.sleep(TAP_SECONDS)

    @contextlib.contextmanager
    def _full(self) -> Iterator[None]:
        ballast = self.state / "ballast"
        if self.mounted:
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(b"\0" * 4096)
            try:
                yield
            finally:
                ballast.unlink()
            return
        # Without the right to mount: no file of the agent's may grow.
        largest = max(one.stat().st_size for one in self.state.iterdir())
        _limit_files(self.daemon.pid, largest)
        try:
            yield
        finally:
            _limit_files(self.daemon.pid, None)


def _mounted(directory: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(directory)]
    return os.geteuid() == 0 and subprocess.run(command, check=False).returncode == 0


def _limit_files(pid: int, largest: int | None) -> None:
    limit = "unlimited" if largest is None else str(largest)
    subprocess.run(["prlimit", f"--pid={pid}", f"--fsize={limit}:"], check=True)


def _agent(*words: str) -> str:
    command = [sys.executable, "-m", "agent", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


def _settings(directory: Path, port: int, public: str) -> str:
    block = (
        f'[[alarm_module]]\nid = "io"\ndriver = "modbus"\nport = "{directory}/alarm"\n'
        f"baud = 19200\ninputs = {BUTTONS}\npress_counters_at = 0\n"
    )
    for number in range(BUTTONS):
        block += (
            f'[[alarm_module.button]]\nid = "b-{number}"\nname = "Button"\n'
            f'input = {number}\nwiring = "no"\n'
        )
    site = SITE.format(directory=directory, port=port)
    patrol = WITH_PATROL.format(directory=directory, fold=0.0)
    patrol = patrol.replace('driver = "pn532"\n', f'driver = "pn532"\n{QUICK}')
    return with_county_key(site + block + patrol + WITHOUT_CAMERAS, public)


def until(true: Callable[[], bool], seconds: float) -> bool:
    """Wait until it is true; tell whether it came to be."""
    end = time.monotonic() + seconds
    while not (done := true()) and time.monotonic() < end:
        time.sleep(0.2)
    return done
