"""Which scans of wands were handed over, and how their clocks went, as a small file of a reader."""

from pathlib import Path

import structlog
from pydantic import ValidationError

from agent.store.small_file import replace
from drivers.nfc.wand_clock import WandMemory

log = structlog.get_logger()


class FileWandMemory:
    """Meets drivers.nfc.wand_clock.WandStore."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> WandMemory:
        """Return what was saved; one that is lost lets a file that is laid down again in again."""
        try:
            return WandMemory.model_validate_json(self._path.read_bytes(), extra="ignore")
        except FileNotFoundError:
            return WandMemory()
        except (OSError, ValidationError) as error:
            log.warning("memory of wands lost", file=self._path.name, why=type(error).__name__)
            return WandMemory()

    def save(self, memory: WandMemory) -> None:
        """Replace the file. Raises OSError: the driver then tries again, and renames nothing."""
        replace(self._path, memory.model_dump_json().encode())
