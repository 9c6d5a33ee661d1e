"""Days as a school counts them: when a duty day begins, and on which there is school. Pure."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agent.policy_patrol import CalendarPolicy, days_of

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ONE_DAY = timedelta(days=1)
# A wand may be docked a week late, and its tours still count: so many days before today.
COUNTED_BACK_DAYS = 7


class DutyCalendar:
    """Duty days of a site: from `day_starts` of its own clock to the next, 23, 24 or 25 hours."""

    def __init__(self, zone: ZoneInfo, day_starts: time) -> None:
        self._zone = zone
        self._day_starts = day_starts

    def start_of(self, day: date) -> datetime:
        """Return the instant at which a duty day begins."""
        return datetime.combine(day, self._day_starts, tzinfo=self._zone).astimezone(UTC)

    def at(self, day: date, local: time) -> datetime:
        """Return the instant of a local time that belongs to a duty day."""
        date_of = day if local >= self._day_starts else day + ONE_DAY
        return datetime.combine(date_of, local, tzinfo=self._zone).astimezone(UTC)

    def day_of(self, moment: datetime) -> date:
        """Return the duty day an instant lies in."""
        # By instants: where a clock is set back, local times come twice, but days never return.
        day = moment.astimezone(self._zone).date()
        if moment < self.start_of(day):
            return day - ONE_DAY
        return day + ONE_DAY if moment >= self.start_of(day + ONE_DAY) else day


class SchoolCalendar:
    """On which days there is school."""

    def __init__(self, policy: CalendarPolicy) -> None:
        self._weekdays = {WEEKDAYS.index(day) for day in policy.school_weekdays}
        self._make_up = [days_of(text) for text in policy.make_up_days]
        self._holidays = [days_of(text) for text in policy.holidays]

    def has_school(self, day: date) -> bool:
        """Tell whether there is school on a day of the site's calendar."""
        if _within(day, self._make_up):
            return True
        return day.weekday() in self._weekdays and not _within(day, self._holidays)


def _within(day: date, spans: Sequence[tuple[date, date]]) -> bool:
    return any(first <= day <= last for first, last in spans)
