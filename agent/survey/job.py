"""When a recorder's archive is surveyed: at start, every night, and again soon after a failure."""

from collections.abc import Iterator

from agent.devices import DeviceThread
from agent.survey.archive import ArchiveSurvey
from drivers.readings import Reading

SURVEY_SECONDS = 1800.0


class SurveyJob:
    """The survey of one recorder; runs on its device thread between two polls."""

    def __init__(self, survey: ArchiveSurvey, thread: DeviceThread) -> None:
        self._survey = survey
        self._thread = thread
        self._complete = False
        self._under_way = False

    def request(self) -> None:
        """Survey everything soon."""
        self._complete = False
        self._thread.request(self._run, deadline_seconds=SURVEY_SECONDS)

    def retry(self) -> None:
        """Survey what is missing if the last one did not come to its end."""
        if not self._complete and not self._under_way:
            self._thread.request(self._run_missing, deadline_seconds=SURVEY_SECONDS)

    def start(self) -> None:
        """Survey what is missing: a restart costs the recorder nothing it has answered today."""
        self._thread.request(self._run_missing, deadline_seconds=SURVEY_SECONDS)

    def _run(self, deadline: float) -> Iterator[Reading]:
        yield from self._once(deadline, missing_only=False)

    def _run_missing(self, deadline: float) -> Iterator[Reading]:
        yield from self._once(deadline, missing_only=True)

    def _once(self, deadline: float, *, missing_only: bool) -> Iterator[Reading]:
        self._under_way = True
        try:
            self._complete = yield from self._survey.run(deadline, missing_only=missing_only)
        finally:
            self._under_way = False
