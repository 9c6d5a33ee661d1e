"""The last counter of every tag that has proved itself, as a small file of the site."""

import threading
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from agent.store.small_file import replace

_LAST = TypeAdapter(dict[str, int])

log = structlog.get_logger()


class FileCounters:
    """Meets drivers.nfc.sun.Counters. What one reader has seen is old at every other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._last: dict[str, int] | None = None

    def grew(self, uid: bytes, counter: int) -> bool:
        """Note the counter before the scan is told: a restart must not make it new again."""
        with self._lock:
            last = self._load() if self._last is None else self._last
            grew = counter > last.get(uid.hex(), -1)
            self._last = {**last, uid.hex(): counter} if grew else last
            if grew:
                self._save(self._last)
        return grew

    def _load(self) -> dict[str, int]:
        try:
            return _LAST.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            log.warning("tag counters lost", file=self._path.name, why=type(error).__name__)
            return {}

    def _save(self, last: dict[str, int]) -> None:
        try:
            replace(self._path, _LAST.dump_json(last))
        except OSError as error:
            # A full disk must not stop the patrol; this run still knows.
            log.warning("tag counters not kept", file=self._path.name, why=str(error))
