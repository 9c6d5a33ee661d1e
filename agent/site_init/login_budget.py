"""The login budget of a recorder that is not in the file yet: the one the daemon will find."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from agent.store.login_budget import FileLoginBudget
from drivers.recorder.gate import LoginBudgetStore, LoginState


@contextlib.contextmanager
def budget(directory: Path, recorder: str) -> Iterator[LoginBudgetStore]:
    """Lend the budget; a refusal is still known when the daemon starts with the same password."""
    if not os.access(directory, os.W_OK):
        yield _ThisRunAlone()
        return
    path = directory / f"login-{recorder}.json"
    store = FileLoginBudget(path)
    try:
        yield store
    finally:
        store.release()
        if os.geteuid() == 0:
            owner = directory.stat()
            for file in (path, path.with_suffix(".lock")):
                # It is the service's file, whoever ran this command.
                with contextlib.suppress(OSError):
                    os.chown(file, owner.st_uid, owner.st_gid)


class _ThisRunAlone:
    """Meets drivers.recorder.gate.LoginBudgetStore where the service has no directory yet."""

    def __init__(self) -> None:
        self._state: LoginState | None = None

    def claim(self) -> bool:
        """It is nobody else's."""
        return True

    def release(self) -> None:
        """Keep nothing for anybody."""

    def load(self) -> LoginState | None:
        """Return what this run saved."""
        return self._state

    def save(self, state: LoginState) -> None:
        """Keep it for this run."""
        self._state = state
