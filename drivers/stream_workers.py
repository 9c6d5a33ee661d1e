"""Worker processes for all that is decoded: hostile bytes are decoded where a crash costs little.

The parent speaks to `python -m drivers.stream_workers` in JSON behind a four-byte length, over
the worker's standard input and output. Figures come back, pictures never.
"""

import contextlib
import itertools
import json
import os
import queue
import resource
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter

from drivers.any_reading import AnyReading
from drivers.base import Clock
from drivers.readings import Outage, PictureReading, Reading, Reason, Unknown
from drivers.stream_target import PlaybackTarget, StreamTarget

if TYPE_CHECKING:
    from drivers.picture_check import PictureCheck

PROBES_AT_ONCE = 4  # more falsify each other's figures on two weak cores
PROBES_A_LIFE = 500
# A worker that computes all the time reads its sockets late.
SATURATED_SHARE = 0.9
WORKER_NICENESS = 5  # the alarm poll comes first
MAX_MESSAGE_BYTES = 1_000_000
MAX_WORKER_BYTES = 2 << 30  # of address space; four probes at 1080p take about 0.7 GB

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

    def play_back(self, target: PlaybackTarget, deadline: float) -> list[Reading]:
        """Return a PlaybackReading, or one Outage; waits as `probe` does."""
        return self._do(target, 2 * self._hard_bound_seconds, deadline)

    def _do(
        self, target: StreamTarget | PlaybackTarget, hard_bound: float, deadline: float
    ) -> list[Reading]:
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

    def _outage(self, target: StreamTarget | PlaybackTarget, reason: Reason, detail: str) -> Outage:
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
            [sys.executable, "-P", "-m", "drivers.stream_workers"],
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

    def ask(
        self, target: StreamTarget | PlaybackTarget, bound_seconds: float
    ) -> Sequence[AnyReading] | None:
        """Have it done in the worker; None if it died. Past the bound kills it and raises."""
        answers: queue.SimpleQueue[list[AnyReading] | None] = queue.SimpleQueue()
        task, fields = (
            ("probe", _fields(target))
            if isinstance(target, StreamTarget)
            else (
                "playback",
                target.model_dump(mode="json")
                | {"recorded": _fields(target.recorded), "live": _fields(target.live)},
            )
        )
        with self._lock:
            if self.dead:
                return None
            self.asked += 1
            number = next(self._numbers)
            self._waiting[number] = answers
            try:
                _write(self._stdin, {"id": number, "task": task, "target": fields})
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
            while (message := _read(self._stdout)) is not None:
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


def _fields(target: StreamTarget) -> dict[str, Any]:
    return target.model_dump(mode="json") | {"password": target.password.get_secret_value()}


def _write(stream: IO[bytes], message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    stream.write(len(body).to_bytes(4, "big") + body)
    stream.flush()


def _read(stream: IO[bytes]) -> dict[str, Any] | None:
    """Read one message; None at the end. Raises ValueError on nonsense."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    if size > MAX_MESSAGE_BYTES:
        raise ValueError("message too large")
    body = stream.read(size)
    message: dict[str, Any] = json.loads(body)
    return message


class _WorkerClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


# Imported in the worker alone: the agent's own process never loads a decoder.
def _play_back(fields: dict[str, Any]) -> list[Reading]:
    from drivers.playback import play_back  # noqa: PLC0415

    return [play_back(PlaybackTarget.model_validate(fields), _WorkerClock())]


def _probe(check: "PictureCheck", fields: dict[str, Any]) -> list[Reading]:
    from drivers.stream import probe_stream  # noqa: PLC0415

    target = StreamTarget.model_validate(fields)
    busy, began = time.process_time(), time.monotonic()
    reading, picture, _, earlier = probe_stream(target, _WorkerClock())
    if time.process_time() - busy > SATURATED_SHARE * (time.monotonic() - began):
        late = Unknown(reason=Reason.BUSY, detail="the worker computed all the time")
        reading = reading.model_copy(update={"fps": late, "bitrate_kbps": late})
    if picture is None:
        return [reading]
    measured = check.fields(target, picture, earlier)
    return [
        PictureReading(device_id=reading.device_id, observed_at=reading.observed_at, **measured),
        reading,
    ]


def main() -> None:
    """Serve probes from standard input until it closes."""
    import cv2  # noqa: PLC0415 - in the worker alone

    from drivers.picture_check import PictureCheck  # noqa: PLC0415 - as above

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(WORKER_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_WORKER_BYTES, MAX_WORKER_BYTES))
    # The answers' pipe is for answers: whatever a C library prints goes nowhere.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    lock = threading.Lock()
    tasks: dict[str, Callable[[dict[str, Any]], list[Reading]]] = {
        "probe": partial(_probe, PictureCheck()),
        "playback": _play_back,
    }

    def serve(number: int, task: str, fields: dict[str, Any]) -> None:
        try:
            readings = tasks[task](fields)
        except Exception as error:  # noqa: BLE001 - one probe's surprise is not the next one's
            detail = f"the check failed: {type(error).__name__}"  # its text may hold the login
            now = datetime.now(UTC)
            outage = Outage(
                device_id=fields["device_id"],
                observed_at=now,
                reason=Reason.INTERNAL,
                detail=detail,
            )
            readings = [outage]
        with lock:
            _write(
                answers,
                {"id": number, "readings": [one.model_dump(mode="json") for one in readings]},
            )

    while (message := _read(sys.stdin.buffer)) is not None:
        task = (message["id"], message["task"], message["target"])
        threading.Thread(target=serve, args=task).start()
    os._exit(0)  # a hung probe must not hold a worker whose parent has gone


if __name__ == "__main__":
    main()
