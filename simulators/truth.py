"""What really happened, by the simulators' own word: one JSON line an event."""

import json
import threading
import time
from pathlib import Path


class Truth:
    """Thread-safe log of what a simulated world did; kept in memory and, given a path, on disk."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._lines: list[dict[str, object]] = []

    def record(self, device: str, what: str, **data: object) -> None:
        """Note that `device` did `what` now; `t` is seconds since the epoch."""
        line = {"t": time.time(), "device": device, "what": what, **data}
        with self._lock:
            self._lines.append(line)
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def lines(self, what: str | None = None) -> list[dict[str, object]]:
        """Return a copy of the log so far, of one kind if asked."""
        with self._lock:
            return [line for line in self._lines if what is None or line["what"] == what]
