"""Hysteresis: bad checks in a row raise a fault, good ones clear it."""

from collections.abc import Collection, Mapping, Sequence

from agent.findings import Cause


class Mark:
    """One kind of fault with its hysteresis: bad checks in a row raise it, good ones clear it."""

    def __init__(self, raise_after: int, clear_after: int) -> None:
        self.raised: Cause | None = None
        self.pending: Cause | None = None
        self._raise_after = raise_after
        self._clear_after = clear_after
        self._bad = 0
        self._good = 0

    def see(self, cause: Cause | None, *, confirmed: bool = False) -> None:
        """Count one check; `confirmed` by another witness raises at once."""
        self.pending = None
        if cause is None:
            self._bad, self._good = 0, self._good + 1
            if self._good >= self._clear_after:
                self.raised = None
            return
        self._bad, self._good = self._bad + 1, 0
        if self.raised or confirmed or self._bad >= self._raise_after:
            self.raised = cause
            return
        self.pending = Cause(
            code="camera.unconfirmed",
            params={"fault": cause.code, "checks": self._bad, "needed": self._raise_after},
        )

    def forget_counts(self) -> None:
        """Start counting anew; what is raised stays until evidence clears it."""
        self.pending = None
        self._bad = self._good = 0


class Marks:
    """Several kinds of fault at once, each with its own count."""

    def __init__(
        self, raise_after: int, clear_after: int, slow: Mapping[str, int] | None = None
    ) -> None:
        """`slow` kinds are raised after so many bad checks of their own."""
        self._raise_after, self._clear_after = raise_after, clear_after
        self._slow = slow or {}
        self._by_kind: dict[str, Mark] = {}

    @property
    def raised(self) -> Sequence[Cause]:
        """Return what is alarmed now."""
        return [mark.raised for mark in self._by_kind.values() if mark.raised]

    @property
    def pending(self) -> Sequence[Cause]:
        """Return what is suspected."""
        return [mark.pending for mark in self._by_kind.values() if mark.pending]

    def see(self, found: Mapping[str, Cause | None], *, only: str | None = None) -> None:
        """Count one check; with `only`, of that kind alone.

        Of a kind that is not named it says nothing: a fault stands until it is seen to be gone,
        and what was only suspected is dropped.
        """
        for kind, cause in found.items():
            if only in {None, kind}:
                after = self._slow.get(kind, self._raise_after)
                mark = self._by_kind.setdefault(kind, Mark(after, self._clear_after))
                mark.see(cause)
        for kind, mark in self._by_kind.items():
            if only is None and kind not in found and not mark.raised:
                mark.forget_counts()

    def keep(self, kinds: Collection[str]) -> None:
        """Let go of every other kind, raised or not: what it was held against is gone."""
        self._by_kind = {kind: mark for kind, mark in self._by_kind.items() if kind in kinds}

    def forget_counts(self) -> None:
        """Start counting anew; what is raised stays until evidence clears it."""
        for mark in self._by_kind.values():
            mark.forget_counts()
