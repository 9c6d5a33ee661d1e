"""The rules of the patrol: checkpoints, guards' cards, posts, tours, and the school's calendar."""

import re
from datetime import date, time
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from drivers.base import DeviceSettings

_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"


def _checked_span(value: str) -> str:
    if re.fullmatch(f"{_CLOCK}-{_CLOCK}", value) is None or value[:5] == value[6:]:
        raise PydanticCustomError("bad_span", "no span of a day")
    return value


def _as_text(value: object) -> object:
    return value.isoformat() if type(value) is date else value  # TOML has dates of its own


def _checked_days(value: str) -> str:
    try:
        first, last = days_of(value)
    except ValueError:
        first, last = date.max, date.min
    if first > last:
        raise PydanticCustomError("bad_days", "no days")
    return value


def days_of(text: str) -> tuple[date, date]:
    """Return the first and the last of days written as 2026-10-01 or 2026-10-01..2026-10-08."""
    first, _, last = text.partition("..")
    return date.fromisoformat(first), date.fromisoformat(last or first)


Span = Annotated[str, AfterValidator(_checked_span)]
Days = Annotated[str, BeforeValidator(_as_text), AfterValidator(_checked_days)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class CalendarPolicy(DeviceSettings):
    """On which days there is school; what is named last here wins."""

    school_weekdays: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    holidays: tuple[Days, ...] = Field(default=(), description="as 2026-10-01..2026-10-08")
    make_up_days: tuple[Days, ...] = Field(default=(), description="school all the same")


class PatrolPolicy(DeviceSettings):
    """How many tours a duty day needs, and when a duty day starts at the site."""

    tours_min_per_day: int = Field(default=5, ge=1, le=100)
    day_starts: time = time(0, 0)
    fold_seconds: float = Field(default=60, ge=0)
    max_duration_minutes: float = Field(default=120, gt=0)
    min_gap_minutes: float = Field(
        default=30,
        ge=0,
        description="from the end of one tour that counts to the begin of the next: five tours in "
        "an hour are no five tours",
    )
    min_travel_seconds: float = Field(
        default=0, ge=0, description="from one checkpoint to another; quicker nobody walks"
    )
    guard_minutes: float = Field(
        default=15, ge=0, description="a guard card read so long before a tour says who walks it"
    )
    order: Literal["free", "strict", "start_end"] = Field(
        default="free",
        description="of the mandatory checkpoints as they stand in the file: any, exactly that, or "
        "the first one first and the last one last",
    )
    windows: tuple[Span, ...] = Field(
        default=(), description="a tour in each, as 06:00-07:30; none: at any time of the day"
    )
    early_minutes: float = Field(default=15, ge=0, le=240, description="before a window begins")
    grace_minutes: float = Field(
        default=30, ge=0, le=240, description="after a window's end: late, and it counts"
    )


class GuardCard(DeviceSettings):
    """A card that says who walks; what else it may do is in [guard_at_reader]."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    name: str
    tag: str = Field(
        pattern=r"^[a-z0-9]+:[0-9A-F]+$", description="tech:UIDHEX, as a reader reads it"
    )


Way = Literal["key", "two_cards", "off"]


class GuardAtReader(DeviceSettings):
    """[guard_at_reader]: what a guard may do with a card at a reader, besides saying who walks."""

    reset: Way = Field(
        default="off",
        description="how an open alarm incident is closed: a card while the key switch is on, or "
        "the cards of two guards",
    )
    test_window: Way = Field(
        default="off",
        description="how a test of all buttons is begun; while an incident is open it is that "
        "which is closed, where `reset` says how",
    )
    within_seconds: float = Field(
        default=10, gt=0, le=60, description="from the first of two cards to the second"
    )
    key_contact: str | None = Field(
        default=None, description="id of the [[alarm_module.contact]] that is the key switch"
    )
    test_minutes: float = Field(default=10, gt=0, le=15)
    opens_tour: bool = Field(
        default=False,
        description="a tour begins with its guard's card, up to `guard_minutes` before its first "
        "checkpoint",
    )

    def way(self, *, incident_open: bool) -> tuple[Literal["reset", "test"], Way]:
        """Return what cards ask for now, and how; without an incident only a test is left."""
        if self.test_window == "off" or (incident_open and self.reset != "off"):
            return "reset", self.reset
        return "test", self.test_window


class Post(DeviceSettings):
    """A place to be manned; who is there shows it by its tag, every few hours or at times."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    name: str
    tag: str = Field(
        pattern=r"^[a-z0-9]+:[0-9A-F]+$", description="tech:UIDHEX, as a reader reads it"
    )
    every_hours: float = Field(default=2, gt=0, le=24)
    times: tuple[Span, ...] = Field(
        default=(), description="manned at these times alone, once in each, as 07:00-08:00"
    )
    school_days_only: bool = False


class Round(DeviceSettings):
    """Points to be visited once in every period of the calendar, such as fire extinguishers."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    name: str
    every: Literal["week", "month", "quarter", "year"] = "month"
    remind_days: int = Field(default=7, ge=0, le=90, description="before a period's last day ends")


class Checkpoint(DeviceSettings):
    """A point on the patrol and the tag that marks it; a tour must visit every mandatory one."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    name: str
    tag: str = Field(
        pattern=r"^[a-z0-9]+:[0-9A-F]+$", description="tech:UIDHEX, as a reader reads it"
    )
    mandatory: bool = True
    round: str | None = Field(
        default=None, description="the [[round]] it belongs to; it is then no part of tours"
    )
    require: Literal["uid", "sun"] = Field(
        default="uid", description="`sun`: only a tag that proves that it is no copy is a visit"
    )

    @property
    def of_tours(self) -> bool:
        """Tell whether a tour must visit it."""
        return self.mandatory and self.round is None
