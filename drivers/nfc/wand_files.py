"""Files in a directory into which others write: taken as they are, and only if they are plain."""

import os
import stat
from pathlib import Path

from drivers.nfc.wand_rows import MOST_BYTES

REJECTED = ".rejected.csv"
# A file system has room for 255, and more is to be put behind the name.
LONGEST_NAME_BYTES = 200

# Which file it is, and how much of it: inode, size, and when it was written.
Look = tuple[int, int, int]


def is_export(name: str) -> bool:
    """Tell a finished file by its name; .part and .tmp are such as are still being written."""
    if not name.isprintable() or len(name.encode()) > LONGEST_NAME_BYTES:
        return False
    small = name.lower()
    return small.endswith(".csv") and not small.startswith(".") and not small.endswith(REJECTED)


def look_of(found: os.stat_result) -> Look:
    """Return what tells a file from itself before it was written to."""
    return found.st_ino, found.st_size, found.st_mtime_ns


def read(path: Path) -> tuple[bytes, Look]:
    """Read a regular file, one byte more than is allowed. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is no regular file")
        return file.read(MOST_BYTES + 1), look_of(found)


def replace(path: Path, content: bytes) -> None:
    """Write a file as a whole; what stood there, be it a link, is replaced. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with part.open("xb") as file:
        os.fchmod(file.fileno(), 0o640)  # for whoever laid the file down, of the directory's group
        file.write(content)
    part.replace(path)


def free(path: Path, ending: str) -> Path:
    """Return a name that nothing has yet: the same name may be laid down every day."""
    number, free = 1, path.with_name(f"{path.name}.{ending}")
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name}.{number}.{ending}")
    return free
