"""Runs checks side by side, each with its deadline; a hung one costs its own slot alone."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from agent.diagnosis.checks import Check, CheckResult, result
from agent.findings import Cause

AT_ONCE = 16
# No run takes longer, whatever hangs: what is still open then is told to be unknown.
TOTAL_SECONDS = 58.0

Now = Callable[[], float]


@dataclass
class _Slot:
    check: Check
    due: float
    heard_at: float


_Word = CheckResult | Exception | None  # None: it came to its end


def run(
    checks: Sequence[Check], *, total_seconds: float = TOTAL_SECONDS, now: Now = time.monotonic
) -> Iterator[CheckResult]:
    """Yield every result as it comes; never raises, and always ends."""
    waiting, slots = list(checks), dict[int, _Slot]()
    words: SimpleQueue[tuple[int, _Word]] = SimpleQueue()
    numbers, ends_at = itertools.count(), now() + total_seconds
    while waiting or slots:
        if now() >= ends_at:
            for check in [*(slot.check for slot in slots.values()), *waiting]:
                yield _hung(check, total_seconds)
            return
        _start(waiting, slots, words, numbers, now)
        soonest = min([*(slot.due for slot in slots.values()), ends_at])
        try:
            number, word = words.get(timeout=max(0.0, soonest - now()))
        except Empty:
            number, word = -1, None
        slot = slots.get(number)
        if slot is not None and isinstance(word, CheckResult):
            yield word.model_copy(update={"seconds": round(now() - slot.heard_at, 3)})
            slot.heard_at = now()
        elif slot is not None:
            del slots[number]
            if isinstance(word, Exception):
                yield _failed(slot.check, word, now() - slot.heard_at)
        for number_, slot in list(slots.items()):
            if now() >= slot.due:
                # Its thread is left behind; what it still says is not listened to.
                del slots[number_]
                yield _hung(slot.check, slot.check.seconds)


def _start(
    waiting: list[Check],
    slots: dict[int, _Slot],
    words: "SimpleQueue[tuple[int, _Word]]",
    numbers: Iterator[int],
    now: Now,
) -> None:
    """Start what may run: as many as there is room for, one at a time of what shares a device."""
    for check in list(waiting):
        if len(slots) >= AT_ONCE:
            return
        if check.holds and any(slot.check.holds == check.holds for slot in slots.values()):
            continue
        waiting.remove(check)
        number = next(numbers)
        slots[number] = _Slot(check, now() + check.seconds, now())
        threading.Thread(
            target=_work, args=(check, number, words), name=f"check {check.id}", daemon=True
        ).start()


def _work(check: Check, number: int, words: "SimpleQueue[tuple[int, _Word]]") -> None:
    try:
        for one in check.run():
            words.put((number, one))
    except Exception as error:  # noqa: BLE001 - told as this check's result
        words.put((number, error))
        return
    words.put((number, None))


def _hung(check: Check, seconds: float) -> CheckResult:
    cause = Cause(code="diagnosis.hung", params={"seconds": round(seconds)})
    return _instead(check, cause, seconds)


def _failed(check: Check, error: Exception, seconds: float) -> CheckResult:
    # Its kind alone: the text of an error of ours may hold anything.
    cause = Cause(code="diagnosis.failed", params={"kind": type(error).__name__})
    return _instead(check, cause, seconds)


def _instead(check: Check, cause: Cause, seconds: float) -> CheckResult:
    what, _, device = check.id.partition(":")
    told = result(what, device, "unknown", cause)
    return told.model_copy(update={"seconds": round(seconds, 3)})
