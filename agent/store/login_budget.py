"""The login budget of one recorder as a small file, so that a crash loop cannot spend it."""

import fcntl
import os
from pathlib import Path

from pydantic import ValidationError

from agent.store.small_file import replace
from drivers.recorder.gate import LoginState


class FileLoginBudget:
    """Meets drivers.recorder.gate.LoginBudgetStore.

    A lock beside it keeps two programs from spending it at once; it goes with its process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None

    def claim(self) -> bool:
        """Take it for this process, if no other has it; may be called again and again."""
        if self._lock is not None:
            return True
        try:
            lock = os.open(self._path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        except OSError:
            return True  # a disk that takes no lock must not end the watch
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def release(self) -> None:
        """Let others have it."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def load(self) -> LoginState | None:
        """Return what was saved; None when it is missing, unreadable or not ours."""
        try:
            return LoginState.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return None

    def save(self, state: LoginState) -> None:
        """Replace the file and wait for the disk. Raises OSError."""
        replace(self._path, state.model_dump_json(indent=1).encode())
