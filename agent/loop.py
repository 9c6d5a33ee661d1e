"""A loop of ours: takes readings from many threads, one after another, and ticks in between."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import structlog

from agent.liveness import Beat
from drivers.base import Clock
from drivers.readings import Reading

T = TypeVar("T")

log = structlog.get_logger()


class Loop:
    """Whatever `handle` and `tick` touch is touched by this thread alone, so it needs no locks."""

    def __init__(
        self,
        name: str,
        handle: Callable[[Reading], None],
        tick: Callable[[], None],
        clock: Clock,
        beat: Beat,
        *,
        tick_seconds: float,
    ) -> None:
        self.name = name
        self._handle = handle
        self._tick = tick
        self._clock = clock
        self._beat = beat
        self._tick_seconds = tick_seconds
        self._inbox: queue.SimpleQueue[Reading | Callable[[], None] | None] = queue.SimpleQueue()
        self.failed: set[str] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, *, timeout: float = 1.0) -> None:
        """Handle what has been posted, then end."""
        self._inbox.put(None)
        self._thread.join(timeout)

    def post(self, reading: Reading) -> None:
        """Hand over a reading; never blocks."""
        self._inbox.put(reading)

    def ask(self, question: Callable[[], T]) -> "Future[T]":
        """Let the loop's own thread answer between two readings; what it raises is handed on."""
        future: Future[T] = Future()

        def answer() -> None:
            try:
                future.set_result(question())
            except Exception as error:  # noqa: BLE001 - handed to whoever asked
                future.set_exception(error)

        self._inbox.put(answer)
        return future

    def _run(self) -> None:
        tick_at = self._clock.monotonic()
        while True:
            self._beat()
            left = tick_at - self._clock.monotonic()
            if left <= 0:
                self._beat.late(-left)
                self._guarded(self._tick, "tick")
                tick_at = self._clock.monotonic() + self._tick_seconds
                continue
            try:
                posted = self._inbox.get(timeout=left)
            except queue.Empty:
                continue
            if posted is None:
                return
            if isinstance(posted, Reading):
                self._guarded(partial(self._handle, posted), posted.device_id)
            else:
                posted()

    def _guarded(self, call: Callable[[], None], what: str) -> None:
        """A fault of ours costs one reading, is logged once, and never ends the loop."""
        try:
            call()
        except Exception:
            if what not in self.failed:
                self.failed.add(what)
                log.exception("loop failed", device=what)
