"""The agent about itself: its stores, its disk, its settings."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from agent import __version__
from agent.county.contract import State
from agent.county.site_status import SiteStatus
from agent.county.state_data import AgentState, OwnFigures
from agent.county.tls import WARNING_DAYS
from agent.findings import Cause, Verdict, worst
from agent.liveness import Liveness
from agent.store.outbox import Outbox

SLOW_IO_SECONDS = 5.0
FAILURES = ("agent.store", "agent.disk", "agent.last_good")


class SelfReport:
    """Says what a technician must know when the agent cannot keep its promises."""

    def __init__(
        self,
        alarms: Outbox,
        events: Outbox,
        liveness: Liveness,
        settings_problems: Sequence[str],
        started_at: datetime,
        status: SiteStatus,
        *,
        last_good: str,
    ) -> None:
        """`last_good` is the copy of the settings in use when the file itself cannot be used."""
        self._alarms = alarms
        self._events = events
        self._liveness = liveness
        self._settings_problems = settings_problems
        self._started_at = started_at
        self._status = status
        self.last_good = last_good
        self.can_be_acknowledged = True
        self.own_figures: Callable[[], OwnFigures] = OwnFigures
        self.cut_short: Callable[[], int] = int
        self.hung: Callable[[], Sequence[str]] = tuple
        self.faults: Callable[[], Sequence[str]] = tuple

    def state(self) -> State:
        """Return the agent's state as it is now."""
        causes = self.causes()
        failed = any(code.startswith(FAILURES) for code, _ in causes)
        return State(
            id="agent",
            data=AgentState(
                verdict=Verdict.FAIL if failed else Verdict.WARN if causes else Verdict.OK,
                causes=tuple(
                    Cause(code=code, params={"detail": detail}) for code, detail in causes
                ),
                observed_at=None,
                version=__version__,
                started_at=self._started_at,
                alarms_durable=self._durable(self._alarms),
                events_durable=self._durable(self._events),
                unsaved=self._alarms.unsaved + self._events.unsaved,
                own=self.own_figures(),
            ),
        )

    def _certificate(self) -> list[tuple[str, str]]:
        certificate = self._status.certificate
        days = certificate.days_left
        if certificate.expired:
            return [("agent.certificate_expired", "")]
        if days is not None and days <= WARNING_DAYS:
            return [("agent.certificate_expires", str(days))]
        return []

    def diagnosis(self, states: Collection[State]) -> dict[str, object]:
        """Return what the county's `diag` is answered: verdicts by kind, what is wrong by code."""
        verdicts: dict[str, dict[str, str]] = {}
        causes: dict[str, list[str]] = {}
        for state in states:
            verdicts.setdefault(state.data.kind, {})[state.id] = state.data.verdict
            if state.data.causes:
                name = f"{state.data.kind}/{state.id}"
                causes[name] = [cause.code for cause in state.data.causes]
        overall = worst(state.data.verdict for state in states)
        return {"verdict": overall, "verdicts": verdicts, "causes": causes}

    def _durable(self, outbox: Outbox) -> bool:
        hangs = any(outbox.database.path.name in what for what in self._slow())
        return outbox.database.durable and not outbox.unsaved and not hangs

    def _slow(self) -> Sequence[str]:
        return self._liveness.slow_io(SLOW_IO_SECONDS)

    def causes(self) -> list[tuple[str, str]]:
        """Name what is wrong: code and detail."""
        causes: list[tuple[str, str]] = []
        for outbox in (self._alarms, self._events):
            database = outbox.database
            if not database.durable:
                causes.append(("agent.store_in_memory", str(database.problem)))
            elif database.set_aside is not None:
                causes.append(("agent.store_set_aside", str(database.problem)))
            if outbox.unsaved:
                causes.append(("agent.disk_refuses", f"{database.path.name}: {outbox.unsaved}"))
        if self._events.dropped:
            causes.append(("agent.events_dropped", str(self._events.dropped)))
        causes += [("agent.disk_slow", what) for what in self._slow()]
        if self._status.refused:
            causes.append(("agent.refused_by_broker", str(self._status.refused)))
        if self._status.self_test == "failed":
            causes.append(("agent.selftest_failed", self._status.self_test_detail))
        causes += self._certificate()
        if cuts := self.cut_short():
            causes.append(("agent.broker_cuts", str(cuts)))
        if self.last_good:
            causes.append(("agent.last_good", self.last_good))
        if not self.can_be_acknowledged:
            causes.append(("agent.no_county_key", ""))
        causes += [("agent.driver_hangs", name) for name in self.hung()]
        causes += [("agent.fault", where) for where in self.faults()]
        causes += [("agent.settings", problem) for problem in self._settings_problems]
        return causes
