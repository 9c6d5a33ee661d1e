"""What the alarm monitor must know after a restart; on disk with the events it explains."""

from pydantic import AwareDatetime, BaseModel

from agent.findings import Cause


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
    # Presses of a button that chatters, counted and not yet told.
    untold: int = 0
    # Its latch has been told of and was not seen clear since; pressed by level since it was clear.
    latched: bool = False
    since_latch: bool = False
    # Pressed inside a test window, and not let go since.
    testing: bool = False
    # What is wrong with the button itself, by what will clear it.
    faults: dict[str, Cause] = {}


class WindowMemory(BaseModel):
    """A test window that is open: who opened it, for which buttons, and what was pressed."""

    number: int
    by: str
    buttons: list[str]
    started_at: AwareDatetime
    ends_at: AwareDatetime
    presses: dict[str, int] = {}


class LineMemory(BaseModel):
    """The last line of an alarm receiver that was committed."""

    raw: str
    at: AwareDatetime


class AlarmMemory(BaseModel):
    """What the alarm monitor keeps on disk, written together with the events it explains."""

    incidents: int = 0
    watched_until: AwareDatetime | None = None
    buttons: dict[str, ButtonMemory] = {}
    # Incidents acknowledged lately: the same command again gets the same answer.
    acknowledged: list[int] = []
    # Commands carried out lately, each with its answer.
    commands: dict[str, str] = {}
    windows: int = 0
    window: WindowMemory | None = None
    lines: dict[str, LineMemory] = {}
    # Contacts that are no buttons: whether each was last told to be active.
    contacts: dict[str, bool] = {}
