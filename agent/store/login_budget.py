"""The login budget of one recorder as a small file, so that a crash loop cannot spend it."""

import contextlib
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from drivers.recorder.gate import LoginState


class FileLoginBudget:
    """Meets drivers.recorder.gate.LoginBudgetStore: JSON, replaced as a whole, mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> LoginState | None:
        """Return what was saved; None when it is missing, unreadable or not ours."""
        try:
            return LoginState.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return None

    def save(self, state: LoginState) -> None:
        """Replace the file and wait for the disk. Raises OSError."""
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:  # mkstemp made it 0600
                file.write(state.model_dump_json(indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
