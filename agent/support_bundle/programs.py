"""Other programs asked: bounded in time, and of all they say the end alone is kept."""

import os
import shutil
import subprocess
import threading
from collections.abc import Sequence

from agent.support_bundle.source import NotThereError

_CHUNK_BYTES = 64 << 10


def said_by(command: Sequence[str], *, seconds: float, keep_bytes: int) -> str:
    """Return the last of what a program prints, from the beginning of a line on.

    Raises NotThereError when there is no such program, or it fails.
    """
    program = shutil.which(command[0])
    if program is None:
        raise NotThereError("bundle.no_program", program=command[0])
    process = subprocess.Popen(  # noqa: S603 - a program of the system, no words of a stranger
        [program, *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"},
    )
    late = threading.Timer(seconds, process.kill)
    late.start()
    kept, cut = b"", False
    try:
        with process:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            while more := process.stdout.read(_CHUNK_BYTES):
                cut = cut or len(kept) + len(more) > keep_bytes
                kept = (kept + more)[-keep_bytes:]
    finally:
        late.cancel()
    if process.returncode:
        raise NotThereError("bundle.program_failed", program=command[0], status=process.returncode)
    return (kept.partition(b"\n")[2] if cut else kept).decode(errors="replace")
