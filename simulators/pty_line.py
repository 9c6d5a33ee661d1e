"""A serial line on a pseudo-terminal, with a plug, paced at the wire time of its baud rate."""

import os
import select
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path

BITS_PER_BYTE = 10  # 8N1: start, eight data bits, stop


class PtyLine:
    """The device's end of a serial cable; `path` is the link an agent opens.

    A pty has no baud rate, so both directions are delayed here: timing tests would lie otherwise.
    """

    def __init__(self, path: Path, baud: int, on_bytes: Callable[[bytes], None]) -> None:
        self.path = path
        self.baud = baud
        self._on_bytes = on_bytes
        self._master = -1
        self._slave = -1
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def plug(self) -> None:
        """Create the port and start to listen on it."""
        master, slave = os.openpty()
        tty.setraw(master)
        tty.setraw(slave)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(slave))
        self._master, self._slave = master, slave
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._listen, name=f"sim-{self.path.name}", daemon=True
        )
        self._thread.start()

    def unplug(self) -> None:
        """Pull the adapter: the link goes and whoever holds the port gets a hang-up."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)
        self.path.unlink(missing_ok=True)
        with self._lock:
            for fd in (self._master, self._slave):
                if fd >= 0:
                    os.close(fd)
            self._master = self._slave = -1

    def wire_seconds(self, count: int) -> float:
        """Return how long `count` bytes take on the wire."""
        return count * BITS_PER_BYTE / self.baud

    def send(self, data: bytes) -> bool:
        """Put `data` on the wire; return, when its last bit would have arrived, if it went out."""
        time.sleep(self.wire_seconds(len(data)))
        with self._lock:
            if self._master < 0 or self._stop.is_set():
                return False
            try:
                return os.write(self._master, data) == len(data)
            except OSError:
                return False

    def _listen(self) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([self._master], [], [], 0.1)
            if not ready:
                continue
            try:
                data = os.read(self._master, 4096)
            except OSError:
                time.sleep(0.01)
                continue
            time.sleep(self.wire_seconds(len(data)))
            if not self._stop.is_set():
                self._on_bytes(data)
