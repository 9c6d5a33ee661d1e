"""What the alarm monitor must know after a restart; on disk with the events it explains."""

from pydantic import AwareDatetime, BaseModel


class ButtonMemory(BaseModel):
    """What must be known of a button after a restart."""

    active: bool | None = None
    incident: int | None = None
    presses: int = 0
    last_press_at: AwareDatetime | None = None
    proven_at: AwareDatetime | None = None
    acknowledged_by: str | None = None
    counter: int | None = None
    # Presses seen by level since the counter was last read: the counter will repeat them.
    seen: int = 0
    # The counter told of a press before the level could: the next reply only shows it.
    told: bool = False


class AlarmMemory(BaseModel):
    """What the alarm monitor keeps on disk, written together with the events it explains."""

    incidents: int = 0
    watched_until: AwareDatetime | None = None
    buttons: dict[str, ButtonMemory] = {}
    # Incidents acknowledged lately: the same command again gets the same answer.
    acknowledged: list[int] = []
