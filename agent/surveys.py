"""When a recorder's day maps are read: at start, every night, and again soon after a failure."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta

from agent.devices import DeviceThread
from drivers.base import RecorderDriver
from drivers.readings import Reading

SURVEY_SECONDS = 1800.0


class Survey:
    """The survey of one recorder; runs on its device thread between two polls."""

    def __init__(
        self,
        driver: RecorderDriver,
        thread: DeviceThread,
        today: Callable[[], date],
        *,
        days: int,
    ) -> None:
        self._driver = driver
        self._thread = thread
        self._today = today
        self._days = days
        self._complete = False
        self._under_way = False

    def request(self) -> None:
        """Read all day maps soon."""
        self._complete = False
        self._thread.request(self._run, deadline_seconds=SURVEY_SECONDS)

    def retry(self) -> None:
        """Ask again if the last survey did not come to its end."""
        if not self._complete and not self._under_way:
            self.request()

    def _run(self, deadline: float) -> Iterator[Reading]:
        self._under_way = True
        try:
            yesterday = self._today() - timedelta(days=1)
            yield from self._driver.survey(until=yesterday, days=self._days, deadline=deadline)
            self._complete = True
        finally:
            self._under_way = False
