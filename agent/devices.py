"""One owner thread per device: opens, polls, backs off; every failure becomes an Outage reading."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue

import structlog

from drivers.base import Clock, Driver
from drivers.errors import DriverError, PortLostError
from drivers.readings import Outage, Reading, Reason

BACK_OFF_SECONDS = (0.2, 5.0)
OPEN_SECONDS = 10.0

log = structlog.get_logger()

Post = Callable[[Reading], None]
Job = Callable[[float], Iterable[Reading]]
Errand = Callable[[float], None]


class DeviceThread:
    """Nobody else ever calls the driver, so drivers need no locks and ports have one owner."""

    def __init__(
        self,
        driver: Driver,
        clock: Clock,
        *,
        poll_seconds: float,
        deadline_seconds: float,
        device_ids: Sequence[str] = (),
    ) -> None:
        """`device_ids` are all that are lost when the driver's port is; default: its own."""
        self._driver = driver
        self._device_ids = device_ids or (driver.device_id,)
        self._post: Post = lambda _: None
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._deadline_seconds = deadline_seconds
        self._jobs: SimpleQueue[tuple[Job, float]] = SimpleQueue()
        self._errands: SimpleQueue[tuple[Errand, float] | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._down_since: float | None = None
        self._unexpected: set[str] = set()
        # By when the call under way has to be back; None: none is.
        self._due_back: float | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"device-{driver.device_id}", daemon=True
        )

    def start(self, post: Post) -> None:
        """Begin to open and poll, and hand readings to `post`; returns at once."""
        self._post = post
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the poll under way be the last."""
        self._stopping.set()
        self._errands.put(None)

    def stop(self, *, timeout: float = 1.0) -> None:
        """End; the device is closed on its own thread."""
        self.ask_to_stop()
        self._thread.join(timeout)

    def overdue_seconds(self) -> float:
        """Return how long the driver has overrun the deadline of the call it is in."""
        due = self._due_back
        return max(0.0, self._clock.monotonic() - due) if due is not None else 0.0

    def request(self, job: Job, *, deadline_seconds: float) -> None:
        """Run a longer job, such as a survey, on the owner thread between two polls."""
        self._jobs.put((job, deadline_seconds))

    def errand(self, errand: Errand, *, deadline_seconds: float) -> None:
        """Run something short on the owner thread, while it waits for its next poll."""
        self._errands.put((errand, deadline_seconds))

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                with self._due(OPEN_SECONDS):
                    self._driver.open()
                self._poll_until_lost()
            except Exception as error:  # noqa: BLE001 - one broken device never stops another
                self._failed(error)
            self._close()
            failures = 0 if self._down_since is None else failures + 1
            low, high = BACK_OFF_SECONDS
            delay = min(high, low * 2 ** min(failures, 8)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            self._stopping.wait(delay)
        self._close()

    def _close(self) -> None:
        """Close; a driver that fails even in this is opened again like any other."""
        try:
            with self._due(OPEN_SECONDS):
                self._driver.close()
        except Exception as error:  # noqa: BLE001 - its thread must outlive it
            self._unknown(error)

    def _poll_until_lost(self) -> None:
        """Poll at the set pace until the port is gone; other errors are the device's affair."""
        due = self._clock.monotonic()
        while not self._stopping.is_set():
            try:
                self._deliver(self._driver.poll, self._deadline_seconds)
                self._run_job()
                self._recovered()
            except PortLostError:
                raise
            except Exception as error:  # noqa: BLE001 - one broken device never stops another
                self._failed(error)
            due = max(due + self._poll_seconds, self._clock.monotonic())
            self._wait_until(due)

    def _wait_until(self, due: float) -> None:
        """Wait for the next poll; run errands meanwhile."""
        while not self._stopping.is_set() and (left := due - self._clock.monotonic()) > 0:
            try:
                given = self._errands.get(timeout=left)
            except Empty:
                return
            if given is not None:
                errand, seconds = given
                with self._due(seconds):
                    errand(self._clock.monotonic() + seconds)

    def _run_job(self) -> None:
        try:
            job, seconds = self._jobs.get_nowait()
        except Empty:
            return
        self._deliver(lambda *, deadline: job(deadline), seconds)

    def _deliver(self, call: Callable[..., Iterable[Reading]], seconds: float) -> None:
        with self._due(seconds):
            for reading in call(deadline=self._clock.monotonic() + seconds):
                self._post(reading)

    @contextmanager
    def _due(self, seconds: float) -> Iterator[None]:
        self._due_back = self._clock.monotonic() + seconds
        try:
            yield
        finally:
            self._due_back = None

    def _failed(self, error: Exception) -> None:
        known = isinstance(error, DriverError)
        reason = Reason.INTERNAL
        if isinstance(error, DriverError) and error.reason in list(Reason):
            reason = Reason(error.reason)
        for device_id in self._device_ids:
            self._post(
                Outage(
                    device_id=device_id,
                    observed_at=self._clock.now(),
                    reason=reason,
                    detail=str(error) if known else type(error).__name__,
                )
            )
        if not known:
            self._unknown(error)
        if self._down_since is None:
            self._down_since = self._clock.monotonic()
            log.warning("device lost", device=self._driver.device_id, reason=reason, why=str(error))

    def _unknown(self, error: Exception) -> None:
        """Log a fault of ours once; its text may differ every time, its kind does not."""
        kind = type(error).__name__
        if kind not in self._unexpected:
            self._unexpected.add(kind)
            log.error("driver failed", device=self._driver.device_id, exc_info=error)

    def _recovered(self) -> None:
        if self._down_since is not None:
            seconds = round(self._clock.monotonic() - self._down_since, 1)
            self._down_since = None
            log.info("device back", device=self._driver.device_id, down_seconds=seconds)
