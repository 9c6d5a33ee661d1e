"""The login budget of one recorder as a small file, so that a crash loop cannot spend it."""

from pathlib import Path

from pydantic import ValidationError

from agent.store.small_file import replace
from drivers.recorder.gate import LoginState


class FileLoginBudget:
    """Meets drivers.recorder.gate.LoginBudgetStore."""

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
        replace(self._path, state.model_dump_json(indent=1).encode())
