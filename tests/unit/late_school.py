"""A school where wands are docked, and what was told of it late."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from agent.county.event_data import PatrolDayEventData, PatrolWindowEventData
from agent.policy_patrol import GuardCard, PatrolPolicy
from drivers.readings import ScanReading
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_school import HOUR, NORTH, SHANGHAI, SOUTH, School

BOTH, ALONE = ("gate", "dock"), ("dock",)


def at(hour: float, day: int = 2) -> datetime:
    """Return an instant of September by the school's clocks."""
    return datetime(2026, 9, day, tzinfo=SHANGHAI).astimezone(UTC) + timedelta(hours=hour)


def walked(hour: float, day: int = 2, *, minutes: float = 10) -> Sequence[tuple[str, datetime]]:
    """Return the scans of a whole tour."""
    return [(NORTH, at(hour, day)), (SOUTH, at(hour, day) + timedelta(minutes=minutes))]


def school_at_midnight(
    clock: SimulatedClock,
    readers: Sequence[str] = BOTH,
    *,
    hours: float = 24,
    policy: PatrolPolicy | None = None,
    guards: Sequence[GuardCard] = (),
) -> School:
    """Midnight of 2 September; on the day before it was watched and docked to the end."""
    rules = policy or PatrolPolicy(tours_min_per_day=2, min_gap_minutes=0)
    made = School(clock, readers=readers, policy=rules, guards=guards, upload_hours={"dock": hours})
    made.live(14 * HOUR, step=20)
    made.upload()
    made.events.clear()
    return made


def live_until(school: School, hour: float, day: int = 2) -> None:
    school.live((at(hour, day) - school.clock.now()).total_seconds(), step=20)


def days(school: School) -> list[tuple[int, str, int, bool]]:
    data = [one.data for one in school.events if isinstance(one.data, PatrolDayEventData)]
    return [(one.duty_day.day, one.what, one.tours_done, one.correction) for one in data]


def windows(school: School) -> list[tuple[str, str]]:
    data = [one.data for one in school.events if isinstance(one.data, PatrolWindowEventData)]
    return [(one.window, one.what) for one in data]


def tours(school: School) -> list[tuple[str, str, bool]]:
    return [(one.tour[-1], one.what, one.late_upload) for one in school.tours()]


def row(scan: tuple[str, datetime], *, more: bool) -> ScanReading:
    tag, moment = scan
    return ScanReading(
        device_id="dock",
        observed_at=moment,
        tag_id=tag,
        assurance="uid",
        wand="W1",
        token=f"{tag}{moment}",
        more=more,
    )
