"""One JSON line a figure, with stable keys."""

import json
from collections.abc import Sequence


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` per cent of an ordered sample lies (nearest rank)."""
    return ordered[min(len(ordered) - 1, max(0, round(share / 100 * len(ordered)) - 1))]


class Figures:
    """Prints the figures of one benchmark."""

    def __init__(self, bench: str) -> None:
        self._bench = bench

    def print(
        self, figure: str, value: float, unit: str, *, n: int, baseline: float | None = None
    ) -> None:
        """Print one figure; with a `baseline` of the same run, their ratio too."""
        line: dict[str, object] = {
            "bench": self._bench,
            "figure": figure,
            "value": round(value, 3),
            "unit": unit,
            "n": n,
        }
        if baseline is not None:
            line["baseline"] = round(baseline, 3)
            line["ratio"] = round(value / baseline, 3)
        print(json.dumps(line), flush=True)
