"""The quirk sheet of one recorder as a small file, for its driver and for whoever repairs it."""

from pathlib import Path

import structlog
from pydantic import ValidationError

from agent.store.small_file import replace
from drivers.recorder.quirks import QuirkSheet

log = structlog.get_logger()


class FileQuirks:
    """Meets drivers.recorder.quirks.QuirkStore."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> QuirkSheet | None:
        """Return what was saved; None when it is missing, unreadable or not ours."""
        try:
            return QuirkSheet.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return None

    def save(self, sheet: QuirkSheet) -> None:
        """Replace the file; what cannot be kept is learnt again after a restart."""
        try:
            replace(self._path, sheet.model_dump_json(indent=1).encode())
        except OSError as error:
            log.warning("quirks not kept", file=self._path.name, why=str(error))
