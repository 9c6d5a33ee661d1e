"""An alarm receiver that speaks Sur-Gard MLR2 to automation: Contact ID, ACK timer, heartbeats."""

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from simulators.pty_line import PtyLine
from simulators.truth import Truth

ACK = 0x06
NAK = 0x15
DC4 = "\x14"
TRIES = 4  # once, and three times again (MLR2000 manual, 12.2)
TICK_SECONDS = 0.005


class Wire(Protocol):
    """What a receiver hangs on: a PtyLine, a TcpLine."""

    def plug(self) -> None:
        """Connect."""

    def unplug(self) -> None:
        """Take away."""

    def send(self, data: bytes) -> bool:
        """Send; return whether it went out."""


class SurgardSimulator:
    """Queues events and sends each until it is ACKed; after four tries heartbeats, until one is.

    Faults, each for what is sent next: `noise_before` goes out in front, `spoil` damages a line
    once, `glue` sends all that waits in one burst, `parity` sets bit 7 as 7E1 does, and `lose_acks`
    loses that many ACKs on their way here. `mute` sends nothing at all.
    """

    def __init__(
        self,
        path: Path,
        truth: Truth,
        *,
        baud: int = 9600,
        ack_seconds: float = 4.0,
        heartbeat_seconds: float = 30.0,
        make_wire: Callable[[Callable[[bytes], None]], Wire] | None = None,
    ) -> None:
        self.ack_seconds = ack_seconds
        self.heartbeat_seconds = heartbeat_seconds
        self.noise_before = b""
        self.spoil = 0
        self.glue = False
        self.parity = False
        self.lose_acks = 0
        self.mute = False
        self._truth = truth
        self._name = path.name
        self.line: Wire = (
            make_wire(self._receive) if make_wire else PtyLine(path, baud, self._receive)
        )
        self._lock = threading.Lock()
        self._waiting: deque[str] = deque()
        self._answers: deque[int] = deque()
        self._absent = False
        self._last_sent = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Return how many events the automation has not taken."""
        with self._lock:
            return len(self._waiting)

    def start(self) -> None:
        """Plug in and begin to work through the queue."""
        self.line.plug()
        self._stop.clear()
        self._last_sent = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"sim-{self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End and unplug."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout=5)
        self.line.unplug()

    def report(
        self,
        code: str,
        *,
        account: str = "1234",
        qualifier: str = "E",
        partition: str = "01",
        zone: str = "001",
    ) -> str:
        """A panel reported a Contact ID event: queue its line."""
        return self.queue(f"5011 18{account}{qualifier}{code}{partition}{zone}")

    def queue(self, text: str) -> str:
        """Queue a line of any protocol; return it as it will be sent."""
        self._truth.record(self._name, "event", text=text)
        with self._lock:
            self._waiting.append(text)
        return text

    def interfere(self, noise: bytes) -> None:
        """Put noise on the line now."""
        self._truth.record(self._name, "noise", hex=noise.hex())
        self.line.send(noise)

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                waiting = list(self._waiting)
            if self.mute:
                pass
            elif waiting and not self._absent:
                self._deliver(waiting)
            elif time.monotonic() - self._last_sent >= self.heartbeat_seconds:
                self._beat()
            self._stop.wait(TICK_SECONDS)

    def _deliver(self, waiting: list[str]) -> None:
        batch = waiting if self.glue else waiting[:1]
        self.glue = False
        for attempt in range(1, TRIES + 1):
            for text in batch:
                self._truth.record(self._name, "line", text=text, attempt=attempt)
            # A receiver that glues takes the first ACK for its first line, and sends the rest anew.
            if self._exchange("".join(text + DC4 for text in batch), batch[0]):
                with self._lock:
                    self._waiting.popleft()
                return
            batch = batch[:1]
            if self._stop.is_set():
                return
        self._absent = True
        self._truth.record(self._name, "gave_up", text=batch[0])

    def _beat(self) -> None:
        self._truth.record(self._name, "heartbeat")
        if self._exchange("1011" + 11 * " " + "@" + 4 * " " + DC4, "heartbeat"):
            self._absent = False

    def _exchange(self, text: str, what: str) -> bool:
        """Send once and wait for the answer; what arrived before is no answer to this."""
        while self._answers:
            self._truth.record(self._name, "stray", byte=self._answers.popleft())
        self._send(text.encode("ascii"))
        self._last_sent = time.monotonic()
        until = self._last_sent + self.ack_seconds
        while time.monotonic() < until and not self._stop.is_set():
            if not self._answers:
                time.sleep(TICK_SECONDS)
                continue
            answer = self._answers.popleft()
            if answer == NAK:
                self._truth.record(self._name, "nak", text=what)
                return False
            if answer == ACK and self.lose_acks:
                self.lose_acks -= 1
                self._truth.record(self._name, "ack_lost", text=what)
            elif answer == ACK:
                self._truth.record(self._name, "ack", text=what)
                return True
        return False

    def _send(self, data: bytes) -> None:
        if self.spoil:
            self.spoil -= 1
            data = data[:-6] + b"\x02" + data[-5:]
        if self.parity:
            data = bytes(byte | (byte.bit_count() & 1) << 7 for byte in data)
        data, self.noise_before = self.noise_before + data, b""
        self.line.send(data)

    def _receive(self, data: bytes) -> None:
        self._answers.extend(data)
