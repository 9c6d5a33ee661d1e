import time
from collections.abc import Callable


def wait_until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition of the real world; fail when it does not come about."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"did not come about in {seconds} s"
        time.sleep(0.01)
