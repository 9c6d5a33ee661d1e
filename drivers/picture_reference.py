"""What a camera's picture is like when it is well, learned by hour and by colour or grey mode.

One small file a slot; it holds features, never a picture. Used in the stream workers alone.
"""

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from drivers.image_quality import PictureFeatures
from drivers.picture_edges import (
    COARSE,
    COARSE_BLOCK,
    SHAPE,
    STRUCTURE_GRADIENT,
    coarse_gradients,
    shape_map,
)
from drivers.readings import Mode, Unknown
from drivers.stream_target import ReferenceTask

Values = NDArray[np.float32]
Half = NDArray[np.float16]

SLOTS = 8  # of three hours each
KEPT = 256  # slots in memory, 30 kB each
HALF_LIFE_SECONDS = 14 * 86_400.0
# A block that had structure and has lost this much of its gradient is covered.
LOST_RATIO = 0.65
_LEAST_BLOCKS = 8
# Tiles of the shape map, 15 x 15 of its 160 x 90: one with less in it tells nothing.
_TILE, _TILE_LEAST, _LEAST_TILES = 15, 0.02, 4
_TILE_UNLIKE = 0.5
# Of a colour's strength, what light changes, and what goes with as much contrast as is lost.
LIGHT_RATIO, FOG_SHARE = 0.25, 0.7
_SIZES = (SHAPE[::-1], (COARSE[1] // COARSE_BLOCK, COARSE[0] // COARSE_BLOCK))
_SCALARS = ("steepness", "a", "b", "stripes", "bands", "still", "view")


class Look(NamedTuple):
    """One picture as it is held against a reference; None: not to be measured in it."""

    mode: Mode
    shape: Values
    blocks: Values
    steepness: float | None
    tint: tuple[float, float] | None
    stripes: float
    bands: float


class Likeness(NamedTuple):
    """How a picture compares with its reference; None: not to be told, or not learned yet."""

    learned_checks: int
    ready: bool
    view_change: float | None = None
    view_usual: float | None = None
    kept_ratio: float | None = None
    covered_ratio: float | None = None
    steepness_ratio: float | None = None
    cast_shift_levels: float | None = None
    stripe_growth: float | None = None
    band_growth: float | None = None
    still_ratio: float | None = None


def look_at(grey: NDArray[np.uint8], features: PictureFeatures, mode: Mode) -> Look:
    """Measure what is learned of a grey picture within 640x360, beside its features."""
    a, b = features.tint_a_levels, features.tint_b_levels
    tint = None
    if mode == "colour" and not isinstance(a, Unknown) and not isinstance(b, Unknown):
        tint = (a, b)
    steepness = features.edge_steepness
    return Look(
        mode,
        shape_map(grey),
        coarse_gradients(grey),
        None if isinstance(steepness, Unknown) else steepness,
        tint,
        features.stripe_ratio,
        features.band_ratio,
    )


class Slot:
    """What was learned of one camera in one mode and slot: means that forget slowly."""

    def __init__(self, shape: Half, blocks: Half, scalars: dict[str, float]) -> None:
        self.count = 0
        self.first_at = self.last_at = 0.0
        self.shape, self.blocks, self.scalars = shape, blocks, scalars

    @classmethod
    def of(cls, look: Look) -> Self:
        """Begin with a first look."""
        nothing = dict.fromkeys(_SCALARS, float("nan"))
        return cls(look.shape.astype(np.float16), look.blocks.astype(np.float16), nothing)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read one; None where there is none, or nothing that makes sense."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
                slot = cls(
                    kept["shape"],
                    kept["blocks"],
                    dict(zip(_SCALARS, kept["scalars"].tolist(), strict=True)),
                )
                slot.count, slot.first_at, slot.last_at = kept["times"].tolist()
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        return slot if (slot.shape.shape, slot.blocks.shape) == _SIZES else None

    def write(self, path: Path) -> None:
        """Replace the file as a whole; what a power cut takes is learned again."""
        kept = io.BytesIO()
        np.savez(
            kept,
            shape=self.shape,
            blocks=self.blocks,
            scalars=np.array([self.scalars[name] for name in _SCALARS]),
            times=np.array([self.count, self.first_at, self.last_at]),
        )
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(kept.getvalue())
        fresh.chmod(0o600)
        fresh.replace(path)

    def learn(self, look: Look, at: float, *, still: bool | None) -> None:
        """Take in one look; the first ones count alike, later ones push out the old slowly."""
        since = max(0.0, at - self.last_at) if self.count else 0.0
        fading = 1 - 0.5 ** (since / HALF_LIFE_SECONDS)
        weight = max(1 / (self.count + 1), min(1.0, fading))
        told = {
            "view": _unlike(self.shape, look.shape) if self.count else None,
            "steepness": look.steepness,
            "a": look.tint[0] if look.tint else None,
            "b": look.tint[1] if look.tint else None,
            "stripes": look.stripes,
            "bands": look.bands,
            "still": None if still is None else float(still),
        }
        for name, value in told.items():
            if value is not None:
                known = self.scalars[name]
                fresh = value if np.isnan(known) else known + weight * (value - known)
                self.scalars[name] = float(fresh)
        self.shape = _moved(self.shape, look.shape, weight)
        self.blocks = _moved(self.blocks, look.blocks, weight)
        self.first_at = self.first_at or at
        self.count, self.last_at = int(self.count) + 1, at

    def ready(self, task: ReferenceTask) -> bool:
        """Tell whether so much was learned that a difference means something."""
        long_enough = self.last_at - self.first_at >= task.ready_seconds
        return self.count >= task.ready_checks and long_enough


class References:
    """The references of all cameras this worker looks at, read anew when their files change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: dict[str, tuple[int, Slot | None]] = {}

    def compare(self, task: ReferenceTask, camera: str, look: Look) -> Likeness:
        """Hold a look against what was learned.

        A view is known by its edges whatever the hour, so the best of all slots counts for it; how
        sharp it is, by the nearest within three hours; its colour and its life, by its own slot.
        """
        slots = list(self._slots(task, camera, look.mode))
        learned = sum(int(slot.count) for _, slot in slots)
        ready = [(away, slot) for away, slot in slots if slot.ready(task)]
        if not ready:
            return Likeness(learned, ready=False)
        best = min((slot for _, slot in ready), key=lambda slot: _unlike(slot.shape, look.shape))
        likeness = Likeness(
            learned,
            ready=True,
            view_change=_unlike(best.shape, look.shape),
            kept_ratio=_kept(best.shape, look.shape),
            view_usual=_known(max(slot.scalars["view"] for _, slot in ready)),
            covered_ratio=_covered(ready[0][1].blocks, look.blocks),
        )
        away, nearest = ready[0]
        known = nearest.scalars
        if away <= 1:
            likeness = likeness._replace(
                steepness_ratio=_ratio(look.steepness, known["steepness"]),
                stripe_growth=_ratio(look.stripes, known["stripes"]),
                band_growth=_ratio(look.bands, known["bands"]),
            )
        if away == 0:
            likeness = likeness._replace(
                cast_shift_levels=_shift(look.tint, known, _clearness(nearest, look)),
                still_ratio=_known(known["still"]),
            )
        return likeness

    def learn(self, task: ReferenceTask, camera: str, look: Look, *, still: bool | None) -> None:
        """Take a look of a camera that is well into its slot. Raises OSError."""
        path = _path(task, camera, look.mode, task.slot)
        slot = self._slot(path) or Slot.of(look)
        slot.learn(look, task.at, still=still)
        slot.write(Path(path))

    def forget(self, task: ReferenceTask, camera: str) -> None:
        """Begin anew with a camera: its view was changed on purpose."""
        for path in sorted((Path(task.directory) / camera).glob("*.npz")):
            path.unlink(missing_ok=True)

    def _slots(self, task: ReferenceTask, camera: str, mode: Mode) -> Iterator[tuple[int, Slot]]:
        """Give what there is of a mode, the nearest hour first, and how many slots away it is."""
        for away in (0, 1, -1, 2, -2, 3, -3, 4):
            slot = self._slot(_path(task, camera, mode, (task.slot + away) % SLOTS))
            if slot is not None:
                yield abs(away), slot

    def _slot(self, path: str) -> Slot | None:
        try:
            changed = Path(path).stat().st_mtime_ns
        except OSError:
            return None
        with self._lock:
            known = self._read.pop(path, None)
            if known is None or known[0] != changed:
                known = (changed, Slot.read(Path(path)))
            while len(self._read) >= KEPT:
                self._read.pop(next(iter(self._read)))
            self._read[path] = known
        return known[1]


def _path(task: ReferenceTask, camera: str, mode: Mode, slot: int) -> str:
    return f"{task.directory}/{camera}/{mode}-{slot}.npz"


def _moved(known: Half, towards: Values, weight: float) -> Half:
    before = known.astype(np.float32)
    return (before + weight * (towards - before)).astype(np.float16)


def _unlike(learned: Half, shown: Values) -> float:
    """Return 1 less the correlation of two maps: 0 the same view, about 1 another one."""
    known = learned.astype(np.float32)
    one, other = known - known.mean(), shown - shown.mean()
    power = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return 1.0 - float((one * other).sum()) / (power + 1e-6)


def _kept(learned: Half, shown: Values) -> float | None:
    """Return the part of a view that is where it was: high behind a lorry, none when turned."""
    known, now = (_tiles(each.astype(np.float32)) for each in (learned, shown))
    structured = known.std(axis=1) >= _TILE_LEAST
    if structured.sum() < _LEAST_TILES:
        return None
    known, now = known[structured], now[structured]
    known = known - known.mean(axis=1, keepdims=True)
    now = now - now.mean(axis=1, keepdims=True)
    power = np.sqrt((known * known).sum(axis=1) * (now * now).sum(axis=1))
    likeness = (known * now).sum(axis=1) / (power + 1e-6)
    return float((1 - likeness < _TILE_UNLIKE).mean())


def _tiles(values: Values) -> Values:
    """Cut a shape map into whole tiles, one a row."""
    rows, columns = SHAPE[1] // _TILE, SHAPE[0] // _TILE
    cut = values[: rows * _TILE, : columns * _TILE].reshape(rows, _TILE, columns, _TILE)
    return cut.transpose(0, 2, 1, 3).reshape(rows * columns, _TILE * _TILE)


def _covered(known: Half, shown: Values) -> float | None:
    structured = known > STRUCTURE_GRADIENT
    if structured.sum() < _LEAST_BLOCKS:
        return None
    lost = structured & (shown < (1 - LOST_RATIO) * known)
    return float(lost.sum() / structured.sum())


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _ratio(value: float | None, known: float) -> float | None:
    return None if value is None or np.isnan(known) or known <= 0 else value / known


def _clearness(slot: Slot, look: Look) -> float:
    """Return how much of the contrast is left: fog takes colour and edges away alike."""
    return min(1.0, float(look.blocks.mean()) / max(1e-6, float(slot.blocks.mean())))


def _shift(
    tint: tuple[float, float] | None, known: dict[str, float], clearness: float
) -> float | None:
    """Return how far a colour is from the learned one, less what other light makes of it.

    Saturation goes with the light, and with fog; hue does not.
    """
    if tint is None or np.isnan(known["a"]):
        return None
    a, b = tint[0] - known["a"], tint[1] - known["b"]
    length = float(np.hypot(known["a"], known["b"]))
    if length < 1:
        return float(np.hypot(a, b))
    along = (a * known["a"] + b * known["b"]) / length
    across = (a * known["b"] - b * known["a"]) / length
    of_light = LIGHT_RATIO if along > 0 else LIGHT_RATIO + FOG_SHARE * (1 - clearness)
    return float(np.hypot(across, max(0.0, abs(along) - of_light * length)))
