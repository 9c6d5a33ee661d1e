"""Everything that is measured of one picture: by itself, against its camera's own, and before."""

import contextlib
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.image_quality import picture_features
from drivers.picture_masks import Mask, masked
from drivers.picture_reference import Likeness, Look, References, look_at
from drivers.picture_shake import shake_pixels
from drivers.picture_thumbnail import keep_thumbnail
from drivers.readings import Mode, Reason, Unknown
from drivers.stream_target import PictureTarget, ReferenceTask

Picture = NDArray[np.uint8]

# On so small a copy noise vanishes: a frozen picture stays within 2 levels, a living one does not.
GRID = (64, 36)
# Clocks and names stand along the upper and the lower edge, and go on when a picture does not.
EDGE_ROWS = 4
STILL_LEVELS = 2
_NOT_MEASURED = Unknown(reason=Reason.NOT_MEASURED)


class Lesson(NamedTuple):
    """A look that may be learned, with where and when it was."""

    task: ReferenceTask
    look: Look
    still: bool | None


class PictureCheck:
    """Measures pictures in one worker.

    Of each camera the last small copy is kept in memory, and the last look: only when it has been
    judged, and nothing was wrong with it, is it learned, at the next check.
    """

    def __init__(self) -> None:
        self._references = References()
        self._before: dict[str, tuple[float, NDArray[np.int16]]] = {}
        self._unjudged: dict[str, Lesson] = {}

    def fields(
        self, target: PictureTarget, picture: Picture, earlier: Picture | None = None
    ) -> dict[str, Any]:
        """Return the fields of a PictureReading. Learns if the target's task says so.

        `earlier` is a key frame of a second or two before.
        """
        masks = [Mask(*one) for one in target.masks]
        picture = masked(picture, masks)
        if target.thumbnail is not None:
            with contextlib.suppress(OSError):
                keep_thumbnail(picture, target.thumbnail)
        features = picture_features(picture)
        shake = None if earlier is None else shake_pixels(masked(earlier, masks), picture)
        chroma = 0.0 if isinstance(features.chroma_levels, Unknown) else features.chroma_levels
        task = target.reference
        if task is None:
            return {**features.model_dump(), "shake_pixels": _told(shake)}
        mode: Mode = "grey" if chroma < task.grey_chroma_levels else "colour"
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
        still = self._still(task, target.device_id, grey)
        look = look_at(grey, features, mode)
        likeness = self._likeness(task, target.device_id, look, still)
        return {
            **features.model_dump(),
            **{name: _told(value) for name, value in likeness._asdict().items() if name != "ready"},
            "mode": mode,
            "reference_ready": likeness.ready,
            "begun_anew": task.forget,
            "still_levels": _told(still),
            "shake_pixels": _told(shake),
        }

    def _likeness(
        self, task: ReferenceTask, camera: str, look: Look, still: int | None
    ) -> Likeness:
        judged = self._unjudged.pop(camera, None)
        if task.forget:
            self._references.forget(task, camera)
        elif task.learn and judged is not None:
            with contextlib.suppress(OSError):  # a full disk costs the lesson, not the check
                self._references.learn(judged.task, camera, judged.look, still=judged.still)
        unmoved = None if still is None else still <= STILL_LEVELS
        self._unjudged[camera] = Lesson(task, look, unmoved)
        return self._references.compare(task, camera, look)

    def _still(self, task: ReferenceTask, camera: str, grey: Picture) -> int | None:
        """Return the largest difference from an earlier check, light aside; None: none to tell.

        Seconds after the one before nearly every scene stands still.
        """
        small = cv2.resize(grey, GRID, interpolation=cv2.INTER_AREA)
        grid = small[EDGE_ROWS:-EDGE_ROWS].astype(np.int16)
        grid -= np.int16(np.median(grid))
        before = self._before.get(camera)
        if before is not None and 0 <= task.at - before[0] < task.still_seconds:
            return None
        self._before[camera] = (task.at, grid)
        return None if before is None else int(np.abs(grid - before[1]).max())


def _told(value: float | None) -> float | Unknown:
    return _NOT_MEASURED if value is None else value
