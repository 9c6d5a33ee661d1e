"""Changes of many cameras at once are one event: a power cut or a dead switch is not 64 faults."""

from collections import Counter
from collections.abc import Sequence

from agent.county.contract import Event
from agent.county.event_data import CameraEventData
from agent.findings import Cause, worst
from agent.monitors import Instant

# A third of fewer is no crowd.
LEAST_CAMERAS = 9
TOGETHER_SHARE = 1 / 3
# About a round: the cameras of one cause are looked at one after another.
HOLD_SECONDS = 60.0
CAUSES_TOLD = 3
SITE = "cameras"


class CameraChanges:
    """Holds changes for a moment, to see whether they come alone."""

    def __init__(self, cameras: int, before: "CameraChanges | None" = None) -> None:
        """What `before` held is told by this one, when its time has come."""
        self._cameras = cameras
        self._held: list[Event] = [] if before is None else before._held  # noqa: SLF001 - its own
        self._since: float = 0.0 if before is None else before._since  # noqa: SLF001 - its own

    def add(self, events: Sequence[Event], now: Instant) -> Sequence[Event]:
        """Take changes in; return what is to be told at once."""
        if self._cameras < LEAST_CAMERAS and not self._held:
            return events
        if events and not self._held:
            self._since = now.monotonic
        self._held += events
        return []

    def due(self, now: Instant) -> Sequence[Event]:
        """Return what has been held for long enough, as one event where it is many cameras'."""
        if not self._held or now.monotonic - self._since < HOLD_SECONDS:
            return []
        held, self._held = self._held, []
        together: list[Event] = []
        told: list[Event] = []
        for what in ("fault", "cleared"):
            of_kind = [one for one in held if getattr(one.data, "what", "") == what]
            cameras = {one.subject for one in of_kind}
            if len(cameras) >= max(2, TOGETHER_SHARE * self._cameras):
                together.append(_joined(of_kind, now))
            else:
                told += of_kind
        return [*together, *told]


def _joined(events: Sequence[Event], now: Instant) -> Event:
    """Make one event of many, with the causes that most of them share."""
    data = [event.data for event in events if isinstance(event.data, CameraEventData)]
    codes = Counter(cause.code for one in data for cause in one.causes)
    joint = CameraEventData(
        what=data[0].what,
        camera=SITE,
        verdict=worst([one.verdict for one in data]),
        causes=tuple(Cause(code=code) for code, _ in codes.most_common(CAUSES_TOLD)),
        cameras=tuple(sorted({event.subject for event in events})),
    )
    return Event(subject=SITE, time=now.wall, data=joint)
