"""The agent's eye on itself: memory, threads, descriptors, workers, late loops, hung drivers."""

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import psutil
import structlog

from agent.county.state_data import OwnFigures
from agent.liveness import Liveness
from drivers.base import Clock

STEP_SECONDS = 1.0
MEASURE_SECONDS = 30.0
# Under systemd's MemoryMax=, so that the workers go before the kernel chooses.
MEMORY_LIMIT_BYTES = 700_000_000
HUNG_SECONDS = 5.0

log = structlog.get_logger()


class Workers(Protocol):
    """Processes that can be ended and come back when they are needed."""

    @property
    def worker_restarts(self) -> int:
        """Return how often one has been replaced."""

    def restart_workers(self) -> None:
        """End all of them."""


class Supervision:
    """Has a thread of its own: whoever feeds the watchdog must not wait for the kernel."""

    def __init__(
        self,
        liveness: Liveness,
        clock: Clock,
        workers: Workers,
        overdue: Callable[[], Mapping[str, float]],
        *,
        look: Callable[[], None] = lambda: None,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
    ) -> None:
        """`overdue` tells by how many seconds a driver has overrun its deadline, by its name.

        `look` reads whatever else of the disk must be looked at now and then.
        """
        self._look = look
        self._liveness = liveness
        self._clock = clock
        self._workers = workers
        self._overdue = overdue
        self._limit = memory_limit_bytes
        self._measure_at = 0.0
        self._named: frozenset[str] = frozenset()
        self.figures = OwnFigures()
        self.hung: Sequence[str] = ()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervision", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(STEP_SECONDS):
            try:
                self.step()
            except Exception:
                log.exception("supervision failed")

    def step(self) -> None:
        """Name what hangs, once; measure, and make room when too much memory is used."""
        overdue = self._overdue()
        self.hung = sorted(name for name, late in overdue.items() if late > HUNG_SECONDS)
        for name in self.hung:
            if name not in self._named:
                log.error("driver hangs", component=name, overdue_seconds=round(overdue[name], 1))
        for name in self._named.difference(self.hung):
            log.info("driver moves again", component=name)
        self._named = frozenset(self.hung)
        now = self._clock.monotonic()
        if now >= self._measure_at:
            self._measure_at = now + MEASURE_SECONDS
            self._measure()

    def _measure(self) -> None:
        memory = _memory_bytes()
        if memory is not None and memory > self._limit:
            log.error("too much memory; camera workers restarted", bytes=memory)
            self._workers.restart_workers()
        _name_threads()
        self._look()
        own = psutil.Process()
        self.figures = OwnFigures(
            memory_bytes="unknown" if memory is None else memory,
            threads=own.num_threads(),
            descriptors=own.num_fds(),
            worker_restarts=self._workers.worker_restarts,
            longest_loop_delay_seconds=round(self._liveness.longest_delay(), 3),
        )


def _name_threads() -> None:
    """Have the kernel show our names of the threads, in `top -H` and in a stack trace."""
    for thread in threading.enumerate():
        with contextlib.suppress(OSError):
            comm = Path(f"/proc/self/task/{thread.native_id}/comm")  # proc(5); 15 bytes are kept
            if thread is not threading.main_thread():
                comm.write_text(thread.name[:15], encoding="ascii", errors="replace")


def _memory_bytes() -> int | None:
    """Return what this process and its workers take, shared pages by their share (PSS)."""
    total = 0
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
        except (psutil.Error, AttributeError):
            return None
    return total
