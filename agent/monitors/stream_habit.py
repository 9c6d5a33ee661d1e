"""What a camera's stream is usually like, learned where the site does not say what it should be."""

from datetime import datetime, timedelta

from pydantic import AwareDatetime

from agent.findings import Cause
from agent.policy import PicturePolicy
from drivers.readings import Frozen, StreamReading, Unknown

# A mean that forgets: about a quarter of a day of checks every five minutes.
MEMORY_CHECKS = 72
# Half the pixels is another setting, or a sub stream in the place of the main one.
SMALLER_RATIO = 0.5


class StreamHabit(Frozen):
    """What healthy checks of one stream have shown since a time.

    Codecs that save bits send what they like: bitrate and key frames are no habit.
    """

    since: AwareDatetime
    checks: int
    fps: float
    width: int
    height: int

    def ready(self, policy: PicturePolicy, now: datetime) -> bool:
        """Tell whether so much was learned that a difference means something."""
        long_enough = now - self.since >= timedelta(hours=policy.learned_hours)
        return self.checks >= policy.learned_checks and long_enough


def habit_after(habit: StreamHabit | None, reading: StreamReading) -> StreamHabit | None:
    """Return what is known after a healthy check."""
    fps, width, height = reading.fps, reading.width, reading.height
    if isinstance(fps, Unknown) or isinstance(width, Unknown) or isinstance(height, Unknown):
        return habit
    if habit is None:
        return StreamHabit(since=reading.observed_at, checks=1, fps=fps, width=width, height=height)
    share = 1 / min(habit.checks + 1, MEMORY_CHECKS)
    return habit.model_copy(
        update={
            "checks": habit.checks + 1,
            "fps": habit.fps + share * (fps - habit.fps),
            "width": width,
            "height": height,
        }
    )


def smaller(habit: StreamHabit, reading: StreamReading) -> Cause | None:
    """Name a picture that has become much smaller than it was."""
    width, height = reading.width, reading.height
    if isinstance(width, Unknown) or isinstance(height, Unknown):
        return None
    if width * height >= SMALLER_RATIO * habit.width * habit.height:
        return None
    size, usual = f"{width}x{height}", f"{habit.width}x{habit.height}"
    return Cause(code="camera.smaller", params={"size": size, "usual": usual})
