"""From asserted modem lines to the state of a button's loop, with the bouncing waited out."""

from collections.abc import Set as AbstractSet

from drivers.readings import LoopState, ModemLine

# A button passes through "both poles open" on its way; only what stays is trouble.
TROUBLE_SECONDS = 0.15
RELEASE_SECONDS = 0.2
_TROUBLE = (LoopState.OPEN, LoopState.SHORT)


def loop_state(
    lines: AbstractSet[ModemLine], closed_at_rest: ModemLine | None, open_at_rest: ModemLine | None
) -> LoopState:
    """Read the poles at one instant; at least one of the two is given."""
    if closed_at_rest is None:
        return LoopState.PRESSED if open_at_rest in lines else LoopState.REST
    if open_at_rest is None:
        return LoopState.REST if closed_at_rest in lines else LoopState.PRESSED
    if open_at_rest in lines:
        return LoopState.SHORT if closed_at_rest in lines else LoopState.PRESSED
    return LoopState.REST if closed_at_rest in lines else LoopState.OPEN


class SettledLoop:
    """The state that has stood long enough to be believed; None until one has.

    `press_samples` equal samples in a row make a press: one where a second pole vouches for it,
    as a CRC does for a reply, more on a bare line.
    """

    def __init__(self, press_samples: int) -> None:
        self.state: LoopState | None = None
        self._press_samples = press_samples
        self._seen: LoopState | None = None
        self._since = 0.0
        self._samples = 0

    @property
    def quiet(self) -> bool:
        """Tell whether the last sample showed nothing new."""
        return self._seen is not None and self._seen is self.state

    @property
    def resting(self) -> bool:
        """Tell whether it is quiet at rest; while pressed, the next press may be near."""
        return self.quiet and self.state is LoopState.REST

    def take(self, seen: LoopState, at: float) -> bool:
        """Take one sample made at monotonic `at`; tell whether it changed the state."""
        if seen is not self._seen:
            # A loop that flickers between open and short is in trouble all the while.
            if seen not in _TROUBLE or self._seen not in _TROUBLE:
                self._since = at
            self._seen, self._samples = seen, 0
        self._samples += 1
        if seen is self.state or not self._believed(seen, at - self._since):
            return False
        self.state = seen
        return True

    def _believed(self, seen: LoopState, seconds: float) -> bool:
        if seen is LoopState.PRESSED:
            return self._samples >= self._press_samples
        if seen is LoopState.REST:
            return self.state is None or seconds >= RELEASE_SECONDS
        return seconds > TROUBLE_SECONDS
