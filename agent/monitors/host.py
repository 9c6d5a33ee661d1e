"""The mini-PC itself: is it fit to watch the school?"""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

from agent.county.contract import Event, State
from agent.county.state_data import HostState
from agent.findings import NOT_YET, Cause, Verdict, missing, worst
from agent.monitors import Instant
from agent.policy import HostPolicy
from drivers.readings import HostReading, Outage, Reading, Reason, Unknown

_Judgement = tuple[Verdict, Cause]
_Number = TypeVar("_Number", int, float)


class HostMonitor:
    """Watches one machine. A reading older than the policy's maximum age is no evidence."""

    def __init__(self, device_id: str, policy: HostPolicy) -> None:
        self._device_id = device_id
        self._policy = policy
        self._newest: HostReading | None = None
        self._newest_monotonic = 0.0
        self._outage: Unknown | None = None

    def observe(self, reading: Reading, now: Instant) -> Sequence[Event]:
        """Keep the newest reading; the machine has no events of its own."""
        if reading.device_id != self._device_id:
            return ()
        if isinstance(reading, HostReading):
            self._newest, self._newest_monotonic = reading, now.monotonic
            self._outage = None
        elif isinstance(reading, Outage):
            self._outage = Unknown(reason=reading.reason, detail=reading.detail)
        return ()

    def tick(self, now: Instant) -> Sequence[Event]:  # noqa: ARG002  # the Monitor protocol
        """Nothing happens by itself; `states` judges the age."""
        return ()

    def states(self, now: Instant) -> Sequence[State]:
        """Return the machine's state, all unknown when nothing fresh is known."""
        reading = self._newest
        if reading is None:
            return [self._blind(self._outage or NOT_YET)]
        if now.monotonic - self._newest_monotonic > self._policy.max_age_seconds:
            return [self._blind(self._outage or Unknown(reason=Reason.STALE))]
        judgements = list(_judge(reading, self._policy))
        return [
            State(
                id=self._device_id,
                data=HostState(
                    verdict=worst([Verdict.OK, *(verdict for verdict, _ in judgements)]),
                    causes=tuple(cause for _, cause in judgements),
                    observed_at=reading.observed_at,
                    disk_free_bytes=_figure(reading.disk_free_bytes),
                    disk_free_ratio=_figure(reading.disk_free_ratio),
                    memory_available_ratio=_figure(reading.memory_available_ratio),
                    load_per_cpu=_figure(reading.load_per_cpu),
                    temperature_celsius=_figure(reading.temperature_celsius),
                    uptime_seconds=_figure(reading.uptime_seconds),
                    clock=_clock(reading.clock_synchronised),
                    missing_serial_devices=reading.missing_serial_devices,
                ),
            )
        ]

    def _blind(self, why: Unknown) -> State:
        return State(
            id=self._device_id,
            data=HostState(
                verdict=Verdict.UNKNOWN,
                causes=(missing(why),),
                observed_at=self._newest.observed_at if self._newest is not None else None,
                disk_free_bytes="unknown",
                disk_free_ratio="unknown",
                memory_available_ratio="unknown",
                load_per_cpu="unknown",
                temperature_celsius="unknown",
                uptime_seconds="unknown",
                clock="unknown",
                missing_serial_devices=(),
            ),
        )


def _judge(reading: HostReading, policy: HostPolicy) -> Iterator[_Judgement]:
    yield from _disk(reading.disk_free_ratio, policy)
    memory = reading.memory_available_ratio
    if isinstance(memory, Unknown):
        yield Verdict.UNKNOWN, missing(memory)
    elif memory < policy.memory_available_warn_ratio:
        yield Verdict.WARN, Cause(code="host.memory_low", params={"percent": _percent(memory)})
    load = reading.load_per_cpu
    if isinstance(load, Unknown):
        yield Verdict.UNKNOWN, missing(load)
    elif load > policy.load_warn_per_cpu:
        yield Verdict.WARN, Cause(code="host.load_high", params={"load": round(load, 1)})
    yield from _temperature(reading.temperature_celsius, policy)
    clock = reading.clock_synchronised
    if isinstance(clock, Unknown):
        yield Verdict.UNKNOWN, missing(clock)
    elif not clock:
        yield Verdict.WARN, Cause(code="host.clock_unsynchronised")
    for port in reading.missing_serial_devices:
        yield Verdict.FAIL, Cause(code="host.serial_missing", params={"port": port})


def _disk(free: float | Unknown, policy: HostPolicy) -> Iterator[_Judgement]:
    if isinstance(free, Unknown):
        yield Verdict.UNKNOWN, missing(free)
    elif free < policy.disk_free_fail_ratio:
        yield Verdict.FAIL, Cause(code="host.disk_full", params={"percent": _percent(free)})
    elif free < policy.disk_free_warn_ratio:
        yield Verdict.WARN, Cause(code="host.disk_low", params={"percent": _percent(free)})


def _temperature(celsius: float | Unknown, policy: HostPolicy) -> Iterator[_Judgement]:
    if isinstance(celsius, Unknown):
        # A machine without a sensor is published as such and is no worse for it.
        if celsius.reason is not Reason.NOT_SUPPORTED:
            yield Verdict.UNKNOWN, missing(celsius)
    elif celsius > policy.temperature_warn_celsius:
        params: dict[str, str | int | float] = {"celsius": round(celsius)}
        yield Verdict.WARN, Cause(code="host.temperature_high", params=params)


def _clock(synchronised: bool | Unknown) -> Literal["ntp", "unsync", "unknown"]:
    if isinstance(synchronised, Unknown):
        return "unknown"
    return "ntp" if synchronised else "unsync"


def _figure(value: _Number | Unknown) -> _Number | Literal["unknown"]:
    return "unknown" if isinstance(value, Unknown) else value


def _percent(ratio: float) -> int:
    return int(ratio * 100)
