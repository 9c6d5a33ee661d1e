"""A bundle as a file: a compressed tar that its owner alone can read, complete or not there."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from agent.store.small_file import replace

FILE_MODE = 0o600


def write(path: Path, folder: str, files: Sequence[tuple[str, str]], at: float) -> int:
    """Write files, by name, into a new archive; returns its size in bytes. Raises OSError.

    One that is there already stays: whoever mistypes a name must not lose a file by it.
    """
    if path.exists():
        raise FileExistsError
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files:
            content = text.encode(errors="replace")
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mtime, entry.mode = len(content), int(at), FILE_MODE
            tar.addfile(entry, io.BytesIO(content))
    replace(path, packed.getvalue())
    return len(packed.getvalue())
