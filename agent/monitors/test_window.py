"""The test window: named buttons, a named person, fifteen minutes at most; one at a time."""

from collections.abc import Sequence
from datetime import timedelta

from agent.monitors import Instant
from agent.monitors.alarm_memory import AlarmMemory, WindowMemory

LONGEST_MINUTES = 15.0


class TestWindow:
    """Which buttons are being tested; buttons that are not named stay live."""

    __test__ = False  # pytest: its name is the field's own word

    def __init__(self, memory: AlarmMemory) -> None:
        self.memory = memory
        self._until = 0.0

    def covers(self, button: str) -> bool:
        """Tell whether a press of that button is a test."""
        return self.memory.window is not None and button in self.memory.window.buttons

    def open(
        self, buttons: Sequence[str], now: Instant, *, by: str, minutes: float
    ) -> WindowMemory:
        """Begin; its end is kept by both clocks, whichever comes first."""
        length = timedelta(minutes=min(minutes, LONGEST_MINUTES))
        self.memory.windows += 1
        self._until = now.monotonic + length.total_seconds()
        self.memory.window = WindowMemory(
            number=self.memory.windows,
            by=by,
            buttons=list(buttons),
            started_at=now.wall,
            ends_at=now.wall + length,
        )
        return self.memory.window

    def count(self, button: str) -> int:
        """Count a test press; return how many the button has had in this window."""
        window = self.memory.window
        if window is None:
            return 0
        window.presses[button] = window.presses.get(button, 0) + 1
        return window.presses[button]

    def is_over(self, now: Instant) -> bool:
        """Tell whether an open window has had its time, by either clock."""
        window = self.memory.window
        return window is not None and (now.monotonic >= self._until or now.wall >= window.ends_at)

    def close(self) -> WindowMemory | None:
        """End; return what it was."""
        window, self.memory.window = self.memory.window, None
        return window
