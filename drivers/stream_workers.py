"""The worker processes in which all is decoded, as the agent sees them: places, bounds, restarts.

What they do is in drivers.stream_worker.
"""

import contextlib
import itertools
import os
import queue
import subprocess
import sys
import threading
import zlib
from collections.abc import Sequence
from typing import IO, Any, cast

from pydantic import TypeAdapter

from drivers.any_reading import AnyReading
from drivers.base import Clock
from drivers.readings import Outage, Reading, Reason
from drivers.stream_target import PlaybackTarget, SnapshotTarget, StreamTarget
from drivers.stream_worker import read_message, write_message

PROBES_AT_ONCE = 4  # more falsify each other's figures on two weak cores
PROBES_A_LIFE = 500

Target = StreamTarget | SnapshotTarget | PlaybackTarget

_READINGS: TypeAdapter[list[AnyReading]] = TypeAdapter(list[AnyReading])


class StreamWorkers:
    """Long-lived probe processes, started when first needed; `probe` may be called by threads."""

    def __init__(self, clock: Clock, *, count: int = 2, hard_bound_seconds: float = 20) -> None:
        self._clock = clock
        self._hard_bound_seconds = hard_bound_seconds
        self._slots_each = max(1, PROBES_AT_ONCE // count)
        self._processes: list[_Process | None] = [None] * count
        self._busy = [0] * count
        self._free = threading.Condition()
        self._closed = False
        self.restarts = 0

    @property
    def pids(self) -> list[int]:
        """Return the process ids of the workers now alive."""
        return [process.pid for process in self._processes if process and not process.dead]

    def probe(self, target: StreamTarget, deadline: float) -> list[Reading]:
        """Return a StreamReading, after its PictureReading if there was a picture, or one Outage.

        Waits for a free place and starts only what can end before monotonic `deadline`.
        """
        return self._do(target, self._hard_bound_seconds, deadline)

    def look_at(self, target: SnapshotTarget, deadline: float) -> list[Reading]:
        """Return what a JPEG shows as `probe` does of a stream; waits as it does."""
        return self._do(target, self._hard_bound_seconds, deadline)

    def play_back(self, target: PlaybackTarget, deadline: float) -> list[Reading]:
        """Return a PlaybackReading, or one Outage; waits as `probe` does."""
        return self._do(target, 2 * self._hard_bound_seconds, deadline)

    def _do(self, target: Target, hard_bound: float, deadline: float) -> list[Reading]:
        bound = min(target.bound_seconds, hard_bound)
        place = self._take_place(target.device_id, deadline - bound)
        if place is None and not self._closed:
            return [self._outage(target, Reason.BUSY, "no stream worker came free in time")]
        if place is None:
            return [self._outage(target, Reason.INTERNAL, "the stream workers are closed")]
        try:
            process = self._process_at(place)
            answer = process.ask(target, hard_bound) if process else None
        except _PastBoundError:
            detail = f"the check passed its bound of {hard_bound:g} s; worker killed"
            return [self._outage(target, Reason.TIMEOUT, detail)]
        except OSError as error:
            return [self._outage(target, Reason.INTERNAL, f"no worker: {error.strerror}")]
        finally:
            self._give_back(place)
        if answer is None:
            return [self._outage(target, Reason.INTERNAL, "the stream worker died in the check")]
        return list(answer)

    def end_all(self) -> None:
        """Kill all workers; checks under way end as outages, the next ones start new workers."""
        with self._free:
            for process in self._processes:
                if process is not None and not process.dead:
                    process.kill()

    def close(self) -> None:
        """End all workers within about two seconds; checks under way end as outages."""
        with self._free:
            self._closed = True
            self._free.notify_all()
            processes = [process for process in self._processes if process]
        for process in processes:
            process.end()
        for process in processes:
            process.wait_or_kill(1.0)

    def _take_place(self, device_id: str, latest: float) -> int | None:
        """Wait for a place: in the worker that knows the camera's last picture if it has one."""
        usual = zlib.crc32(device_id.encode()) % len(self._busy)
        with self._free:
            while not self._closed:
                place = min(range(len(self._busy)), key=self._busy.__getitem__)
                if self._busy[usual] < self._slots_each:
                    place = usual
                if (left := latest - self._clock.monotonic()) < 0:
                    return None
                if self._busy[place] < self._slots_each:
                    self._busy[place] += 1
                    return place
                self._free.wait(left)
            return None

    def _give_back(self, place: int) -> None:
        with self._free:
            self._busy[place] -= 1
            self._free.notify()

    def _process_at(self, place: int) -> "_Process | None":
        with self._free:
            if self._closed:
                return None
            process = self._processes[place]
            worn = process is not None and process.asked >= PROBES_A_LIFE
            if process is None or process.dead or (worn and self._busy[place] == 1):
                if process is not None:
                    self.restarts += 1
                    process.end()
                    process.wait_or_kill(1.0)
                process = self._processes[place] = _Process()
            return process

    def _outage(self, target: Target, reason: Reason, detail: str) -> Outage:
        return Outage(
            device_id=target.device_id,
            observed_at=self._clock.now(),
            reason=reason,
            detail=detail,
        )


class _PastBoundError(Exception):
    """A probe did not come back."""


class _Process:
    """One worker process as its parent sees it; once dead it stays so."""

    def __init__(self) -> None:
        environment = dict(os.environ)
        # A console script's worker, or a test's, must find the same code as its parent.
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        environment["OPENBLAS_NUM_THREADS"] = "1"
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "drivers.stream_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self._stdin = cast("IO[bytes]", self._popen.stdin)
        self._stdout = cast("IO[bytes]", self._popen.stdout)
        self.pid = self._popen.pid
        self.dead = False
        self.asked = 0
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue[list[AnyReading] | None]] = {}
        threading.Thread(target=self._listen, name="stream-worker", daemon=True).start()

    def ask(self, target: Target, bound_seconds: float) -> Sequence[AnyReading] | None:
        """Have it done in the worker; None if it died. Past the bound kills it and raises."""
        answers: queue.SimpleQueue[list[AnyReading] | None] = queue.SimpleQueue()
        task, fields = _task(target)
        with self._lock:
            if self.dead:
                return None
            self.asked += 1
            number = next(self._numbers)
            self._waiting[number] = answers
            try:
                write_message(self._stdin, {"id": number, "task": task, "target": fields})
            except OSError:
                return None
        try:
            return answers.get(timeout=bound_seconds)
        except queue.Empty:
            self.kill()
            raise _PastBoundError from None

    def kill(self) -> None:
        """Kill it; whoever waits on it is told."""
        self.dead = True
        self._popen.kill()

    def end(self) -> None:
        """Ask it to end: it does when its input closes."""
        self.dead = True
        with self._lock, contextlib.suppress(OSError):
            self._stdin.close()

    def wait_or_kill(self, seconds: float) -> None:
        """Wait that long for its end, then force it."""
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait(seconds)

    def _listen(self) -> None:
        try:
            while (message := read_message(self._stdout)) is not None:
                readings = _READINGS.validate_python(message["readings"])
                with self._lock:
                    waiting = self._waiting.pop(message["id"])
                waiting.put(readings)
        except (ValueError, KeyError, OSError):
            pass  # a worker that talks nonsense has lost its memory: end it
        finally:
            self.kill()
            self._popen.wait()
            with self._lock:
                left, self._waiting = list(self._waiting.values()), {}
            for waiting in left:
                waiting.put(None)
            self._stdout.close()
            self.end()


def _task(target: Target) -> tuple[str, dict[str, Any]]:
    """Return the name of what is to be done, and all it takes, secrets included."""
    if isinstance(target, StreamTarget):
        return "probe", _fields(target)
    fields = target.model_dump(mode="json")
    if isinstance(target, SnapshotTarget):
        return "snapshot", fields
    streams = {"recorded": _fields(target.recorded), "live": _fields(target.live)}
    return "playback", fields | streams


def _fields(target: StreamTarget) -> dict[str, Any]:
    return target.model_dump(mode="json") | {"password": target.password.get_secret_value()}
