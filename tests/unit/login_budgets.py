"""Login budgets for tests: one in memory that counts, one on a disk that takes nothing."""

from drivers.recorder.gate import LoginState


class MemoryBudget:
    """Survives a gate, as a file survives a process."""

    def __init__(self, state: LoginState | None = None) -> None:
        self.state = state
        self.saves = 0
        self.elsewhere = False

    def claim(self) -> bool:
        return not self.elsewhere

    def release(self) -> None:
        """Nobody waits for it."""

    def load(self) -> LoginState | None:
        return self.state

    def save(self, state: LoginState) -> None:
        self.state = state
        self.saves += 1


class DeadDisk(MemoryBudget):
    """Reads nothing and refuses every write."""

    def save(self, state: LoginState) -> None:
        del state
        raise OSError("no space left on device")
