"""Small pictures of cameras whose picture is faulty: on this machine alone, and not for long."""

import contextlib
from pathlib import Path

from agent.monitors.camera_board import CameraBoard
from drivers.base import Clock


class Thumbnails:
    """One picture a raised fault, taken once; gone when the fault is, or after `hours`."""

    def __init__(self, directory: Path, board: CameraBoard, clock: Clock) -> None:
        self._directory = directory
        self._board = board
        self._clock = clock
        self._kept: set[str] = set()

    def wanted(self, camera: str, hours: float) -> Path | None:
        """Return where a picture of a camera is to be put at this check, if it is."""
        wanted = hours and camera in self._board.faulty and camera not in self._kept
        return self._place(camera) if wanted else None

    def tidy(self, hours: float) -> None:
        """Delete what is not of a fault that is still raised, or too old. Never raises."""
        faulty = self._board.faulty
        self._kept &= faulty
        with contextlib.suppress(OSError):
            for picture in self._directory.iterdir():
                self._kept |= {picture.stem} & faulty
                # One from the future has come over a clock that jumped: its age is not known.
                age = self._clock.now().timestamp() - picture.stat().st_mtime
                if picture.stem not in faulty or not 0 <= age <= hours * 3600:
                    picture.unlink(missing_ok=True)

    def of(self, camera: str) -> Path | None:
        """Return the picture there is of a camera."""
        place = self._place(camera)
        return place if place.exists() else None

    def _place(self, camera: str) -> Path:
        return self._directory / f"{camera}.jpg"
