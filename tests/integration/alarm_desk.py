"""The agent's side of an alarm receiver: an owner thread, and a commit on another thread."""

import queue
import threading
import time
from pathlib import Path

from agent.clock import SystemClock
from drivers.alarm.surgard import SurgardDriver, SurgardSettings
from drivers.errors import DriverError, PortLostError
from drivers.readings import HeartbeatReading, ReceiverReading
from simulators.truth import Truth

CLOCK = SystemClock()


class AlarmDesk:
    """Polls as DeviceThread does; commits to `truth` and confirms as the alarm loop does."""

    def __init__(self, settings: SurgardSettings, truth: Truth) -> None:
        self.driver = SurgardDriver(settings, CLOCK)
        self.committing = threading.Event()
        self.committing.set()
        self.commit_seconds = 0.0
        self.heard: list[ReceiverReading] = []
        self.errors: list[DriverError] = []
        self.heartbeats = 0
        self._truth = truth
        self._readings: queue.SimpleQueue[ReceiverReading] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._own, daemon=True),
            threading.Thread(target=self._commit, daemon=True),
        ]

    @property
    def first_heard(self) -> list[str]:
        """The lines that were no resends."""
        return [reading.raw for reading in self.heard if not reading.resend]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.committing.set()
        for thread in self._threads:
            thread.join(timeout=5)
            assert not thread.is_alive()

    def _own(self) -> None:
        opened = False
        while not self._stop.wait(0.005):
            try:
                if not opened:
                    self.driver.open()
                    opened = True
                for reading in self.driver.poll(deadline=CLOCK.monotonic() + 0.5):
                    if isinstance(reading, ReceiverReading):
                        self.heard.append(reading)
                        self._readings.put(reading)
                    else:
                        self.heartbeats += isinstance(reading, HeartbeatReading)
            except DriverError as error:
                self.errors.append(error)
                if isinstance(error, PortLostError):
                    self.driver.close()
                    opened = False
        self.driver.close()

    def _commit(self) -> None:
        while not self._stop.is_set():
            try:
                reading = self._readings.get(timeout=0.05)
            except queue.Empty:
                continue
            self.committing.wait()
            time.sleep(self.commit_seconds)
            self._truth.record("desk", "committed", text=reading.raw)
            self.driver.confirm(reading.token)


def settings_for(port: str | Path, **more: object) -> SurgardSettings:
    """A receiver in a hurry: everything ten times as fast as the manual says."""
    words = {"id": "host", "port": str(port), "baud": 19200, "ack_seconds": 0.5}
    return SurgardSettings.model_validate({**words, "heartbeat_seconds": 3.0, **more})
