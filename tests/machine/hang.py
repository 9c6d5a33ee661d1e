"""Put into an installed agent by the trial: makes a loop of its own hang, outside any I/O."""

import gc
import threading
import time
from pathlib import Path
from typing import Any

WISHES = Path("/run/campus-agent")


def _forever(*_: object, **__: object) -> None:
    while True:
        time.sleep(1)


def _found(kind: str) -> Any:
    return next(one for one in gc.get_objects() if type(one).__name__ == kind)


def _hang(what: str) -> None:
    if what == "publisher":
        _found("Publisher")._step = _forever
    elif what == "store":
        databases = [one for one in gc.get_objects() if type(one).__name__ == "Database"]
        alarms = next(one for one in databases if one.path.name == "alarms.db")
        alarms._jobs = type("Hung", (), {"get": _forever, "put": _forever})()
    else:
        loops = [one for one in gc.get_objects() if type(one).__name__ == "Loop"]
        next(one for one in loops if one.name == what)._tick = _forever


def _watch() -> None:
    while True:
        time.sleep(0.2)
        for wish in WISHES.glob("hang-*"):
            wish.unlink()
            _hang(wish.name.removeprefix("hang-"))


# Not in the camera workers, nor in commands that talk to the daemon.
if b"--config" in Path("/proc/self/cmdline").read_bytes():
    threading.Thread(target=_watch, daemon=True).start()
