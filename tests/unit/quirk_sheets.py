"""A quirk sheet for tests, in memory."""

from drivers.recorder.quirks import QuirkSheet


class MemoryQuirks:
    """Survives a driver, as a file survives a process."""

    def __init__(self, sheet: QuirkSheet | None = None) -> None:
        self.sheet = sheet

    def load(self) -> QuirkSheet | None:
        return self.sheet

    def save(self, sheet: QuirkSheet) -> None:
        self.sheet = sheet
