"""Which cameras may be learned from now, and how often."""

from pathlib import Path
from zoneinfo import ZoneInfo

from agent.monitors.camera_board import CameraBoard
from agent.policy import PicturePolicy
from drivers.base import Clock
from drivers.stream_target import ReferenceTask

SLOT_HOURS = 3


class PictureLearning:
    """`directory` holds what was learned, a folder a camera; the `board` says who is well."""

    def __init__(self, directory: Path, zone: ZoneInfo, clock: Clock, board: CameraBoard) -> None:
        self._directory = directory
        self._zone = zone
        self._clock = clock
        self._board = board
        self._learned_at: dict[str, float] = {}
        # Whether a check was asked to: one whose stream fails forgets nothing.
        self._forget: dict[str, bool] = {}

    def accept(self, camera: str) -> None:
        """Have a camera learned anew from its next check on: a person says that it is right."""
        self._forget[camera] = False
        self._learned_at.pop(camera, None)

    def task(
        self, camera: str, policy: PicturePolicy, *, still_seconds: float = 0
    ) -> ReferenceTask:
        """Return what the next check of a camera does with its reference.

        It learns the check before: that one has been judged.
        """
        now = self._clock.monotonic()
        if self._forget.get(camera) and not any((self._directory / camera).glob("*.npz")):
            del self._forget[camera]
        forget = camera in self._forget
        if forget:
            self._forget[camera] = True
        due = now - self._learned_at.get(camera, float("-inf")) >= policy.learn_minutes * 60
        learn = due and not forget and camera in self._board.well
        if learn:
            self._learned_at[camera] = now
        wall = self._clock.now()
        return ReferenceTask(
            directory=str(self._directory),
            slot=wall.astimezone(self._zone).hour // SLOT_HOURS,
            at=wall.timestamp(),
            learn=learn,
            forget=forget,
            grey_chroma_levels=policy.grey_chroma_levels,
            ready_checks=policy.learned_checks,
            ready_seconds=policy.learned_hours * 3600,
            still_seconds=still_seconds,
        )
