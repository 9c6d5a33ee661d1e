"""The line to one alarm device: whether it answers, how fast, and since when it does not."""

from collections import deque
from math import ceil
from typing import Literal

from agent.findings import Cause
from agent.monitors import Instant
from drivers.readings import Outage, Reason

DEAD_AFTER_MISSES = 3
REPLIES_KEPT = 200
Noun = Literal["alarm", "loop", "receiver"]
# By which parameter the sentences of each call the device.
_CALLED: dict[Noun, str] = {"alarm": "module", "loop": "button", "receiver": "receiver"}
# What has a sentence of its own; whatever else it was, it could not be reached.
TOLD = frozenset(
    {
        "unreachable",
        "timeout",
        "no_reply",
        "port_lost",
        "busy",
        "malformed",
        "not_supported",
        "internal",
    }
)
# Reasons that need no second look: the device itself, or its port, has been ruled out.
_AT_ONCE = (Reason.PORT_LOST, Reason.NOT_SUPPORTED)


class AlarmLink:
    """What is known of one line since the start; nothing of it outlives a restart."""

    def __init__(
        self,
        device_id: str,
        *,
        silent_after_seconds: float,
        noun: Noun = "alarm",
        dead_after_misses: int = DEAD_AFTER_MISSES,
    ) -> None:
        self.device_id = device_id
        self.trouble: Cause | None = None
        self.last_reply: Instant | None = None
        self.missed_total = 0
        self._noun = noun
        self._silent_after_seconds = silent_after_seconds
        self._dead_after_misses = dead_after_misses
        self._started = 0.0
        self._misses = 0
        self._heard_last = False
        # Misses that each came right after a reply: it answers one question and not the next.
        self._halves = 0
        self._reply_seconds: deque[float] = deque(maxlen=REPLIES_KEPT)

    @property
    def known(self) -> bool:
        """Tell whether what the device last said still holds."""
        return self.trouble is None and self.last_reply is not None

    def missed(self, outage: Outage) -> bool:
        """Count a miss; tell whether the line is in trouble from now on."""
        self._misses += 1
        self.missed_total += 1
        self._halves += self._heard_last
        self._heard_last = False
        at_once = outage.reason in _AT_ONCE
        if self.trouble is not None or not (at_once or self._misses >= self._dead_after_misses):
            return False
        self.trouble = self._cause(str(outage.reason))
        return True

    def replied(self, now: Instant, reply_seconds: float | None = None) -> bool:
        """Take in a valid reply; tell whether the line is out of trouble from now on."""
        if self._heard_last:
            self._misses = self._halves = 0
        self._heard_last = True
        self.last_reply = now
        if reply_seconds is not None:
            self._reply_seconds.append(reply_seconds)
        if self.trouble is None or self._halves > 1:
            return False
        self.trouble = None
        self._misses = 0
        return True

    def silent(self, now: Instant) -> bool:
        """Notice silence, whatever the port's thread is doing; tell whether it is trouble now."""
        self._started = self._started or now.monotonic
        heard = self.last_reply.monotonic if self.last_reply else self._started
        if self.trouble is not None or now.monotonic - heard <= self._silent_after_seconds:
            return False
        self.trouble = self._cause("no_reply")
        return True

    def reply_milliseconds(self) -> tuple[float, float] | None:
        """Return median and 99th percentile of the reply times; None when there are too few."""
        if len(self._reply_seconds) < 2:
            return None
        ordered = sorted(self._reply_seconds)
        p50, p99 = (1000 * ordered[ceil(share * len(ordered)) - 1] for share in (0.5, 0.99))
        return round(p50, 1), round(p99, 1)

    def _cause(self, reason: str) -> Cause:
        code = reason if reason in TOLD else "unreachable"
        return Cause(code=f"{self._noun}.{code}", params={_CALLED[self._noun]: self.device_id})
