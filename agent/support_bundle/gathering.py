"""All sources asked at once, each within its deadline: one that hangs costs itself alone."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TypeVar

from agent.support_bundle.source import Found, NotThereError, Source

T = TypeVar("T")


def gather(sources: Sequence[Source], seconds_in_all: float) -> list[Found]:
    """Ask all sources; returns what came of each, in their order, and never raises."""
    began = time.monotonic()
    asked = [(source, _started(source.collect)) for source in sources]
    return [
        _outcome(source, future, began + min(source.seconds, seconds_in_all) - time.monotonic())
        for source, future in asked
    ]


def in_time(work: Callable[[], T], seconds: float) -> T:
    """Do it on a thread of its own. Raises TimeoutError, and leaves behind what hangs."""
    try:
        return _started(work).result(seconds)
    except FutureTimeoutError:
        raise TimeoutError from None


def _started(work: Callable[[], T]) -> "Future[T]":
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            future.set_exception(error)

    # Not a pool's: those are waited for at the end of the process, however long a disk hangs.
    threading.Thread(target=run, daemon=True).start()
    return future


def _outcome(source: Source, future: "Future[str]", seconds: float) -> Found:
    try:
        return Found(source, future.result(max(0.0, seconds)))
    except NotThereError as error:
        return Found(source, None, error.code, tuple(error.params.items()))
    except FutureTimeoutError:
        return Found(source, None, "bundle.too_slow", (("seconds", source.seconds),))
    except Exception as error:  # noqa: BLE001 - the reader of the manifest is told
        why = f"{type(error).__name__}: {error}"
        return Found(source, None, "bundle.failed", (("why", why),))
