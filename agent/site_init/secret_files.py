"""Passwords typed at the terminal: each in a file of its own beside the site's file."""

import contextlib
import os
from pathlib import Path
from typing import Literal

# Where the installer keeps what systemd hands to the service.
CREDENTIALS = "credentials"


class Secrets:
    """Keeps them until `write`; nothing is on disk before."""

    def __init__(self, config: Path) -> None:
        folder = config.absolute().parent
        self._credentials = (folder / CREDENTIALS).is_dir()
        self._folder = folder / CREDENTIALS if self._credentials else folder
        self._waiting: dict[Path, str] = {}
        self._written: list[Path] = []

    @property
    def files(self) -> list[Path]:
        """Return where they go."""
        return list(self._waiting)

    def add(self, name: str, password: str) -> tuple[Literal["credential", "file"], str]:
        """Take one; returns what the settings say of it. No file of that name is replaced."""
        ending = "" if self._credentials else ".secret"
        names = [f"{name}{ending}", *(f"{name}-{more}{ending}" for more in range(2, 1000))]
        path = next(
            path
            for path in (self._folder / one for one in names)
            if not path.exists() and path not in self._waiting
        )
        self._waiting[path] = password
        return ("credential", path.name) if self._credentials else ("file", str(path))

    def write(self) -> None:
        """Write them, readable by their owner alone. Raises OSError, and then none is left."""
        try:
            for path, password in self._waiting.items():
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                handle = os.open(path, flags, 0o600)
                self._written.append(path)
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(password + "\n")
                    file.flush()
                    os.fsync(file.fileno())
        except (OSError, ValueError):
            self.take_back()
            raise

    def take_back(self) -> None:
        """Remove what was written: the file that needs it was not."""
        for path in self._written:
            with contextlib.suppress(OSError):
                path.unlink()
        self._written.clear()
