"""Ten minutes of chaos, or as many as CHAOS_SECONDS says; 1 when anything is missing or double."""

import os
import sys
import tempfile
from pathlib import Path

from tests.chaos.trial import chaos, report


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")


def main() -> int:
    """Print what happens to standard error, the figures to standard output."""
    seconds = float(os.environ.get("CHAOS_SECONDS", "600"))
    seed = int(os.environ.get("CHAOS_SEED", "1"))
    with tempfile.TemporaryDirectory() as name:
        tally = chaos(Path(name), seconds=seconds, seed=seed, say=_say)
    report(tally, seconds)
    return 0 if tally.sound else 1


if __name__ == "__main__":
    sys.exit(main())
