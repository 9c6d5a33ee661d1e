"""Calendar work: the only door to APScheduler. What must keep its pace runs on loops instead."""

import contextlib
from collections.abc import Callable
from datetime import time
from zoneinfo import ZoneInfo

from apscheduler.events import EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

MISFIRE_GRACE_SECONDS = 3 * 3600


class Scheduler:
    """Daily jobs by the site's clock; a run that was missed is told, never silently skipped."""

    def __init__(self, zone: ZoneInfo, missed: Callable[[str], None]) -> None:
        self._zone = zone
        self._scheduler = BackgroundScheduler(
            timezone=zone,
            job_defaults={"coalesce": True, "misfire_grace_time": MISFIRE_GRACE_SECONDS},
        )

        def on_missed(event: JobExecutionEvent) -> None:
            missed(str(event.job_id))

        self._scheduler.add_listener(on_missed, EVENT_JOB_MISSED)

    def daily(self, name: str, at: time, job: Callable[[], None]) -> None:
        """Run `job` every day at `at`; it must only hand work on, never do it."""
        trigger = CronTrigger(hour=at.hour, minute=at.minute, second=at.second, timezone=self._zone)
        self._scheduler.add_job(job, trigger, id=name, name=name)

    def every(self, name: str, seconds: int, job: Callable[[], None]) -> None:
        """Run `job` at this interval; for work whose exact pace does not matter."""
        self._scheduler.add_job(job, "interval", seconds=seconds, id=name, name=name)

    def cancel(self, name: str) -> None:
        """Plan it no more."""
        with contextlib.suppress(JobLookupError):
            self._scheduler.remove_job(name)

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """End without waiting for a job."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
