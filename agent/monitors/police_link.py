"""The police link: whether a recorder says that it is registered, and with whom."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from agent.county.contract import Event, State, as_word
from agent.county.state_data import PoliceLinkState
from agent.findings import Cause, Verdict, missing, worst
from agent.monitors import Instant
from drivers.readings import Outage, Reading, Reason, Unknown
from drivers.recorder.readings import UplinkReading
from drivers.recorder.settings import PoliceLink

KeyAreas = Mapping[str, str | None]
MAX_AGE = timedelta(hours=2)


class _Heard(NamedTuple):
    reading: UplinkReading
    monotonic: float


class PoliceLinkMonitor:
    """Meets agent.monitors.Monitor: one state a recorder that the site says is registered.

    It is the recorder's own word (GB/T 28181). That the police see video it cannot tell.
    """

    def __init__(self, links: Mapping[str, PoliceLink], key_areas: Mapping[str, KeyAreas]) -> None:
        """`key_areas` are each recorder's channels of key areas with their numbers in the link."""
        self._links = links
        self._key_areas = key_areas
        self._heard: dict[str, _Heard] = {}
        self._gone: dict[str, Unknown] = {}

    def observe(self, reading: Reading, now: Instant) -> Sequence[Event]:
        """Take in what a recorder says of its registration."""
        if reading.device_id not in self._links:
            return []
        if isinstance(reading, UplinkReading):
            self._heard[reading.device_id] = _Heard(reading, now.monotonic)
            self._gone.pop(reading.device_id, None)
        elif isinstance(reading, Outage):
            self._gone[reading.device_id] = Unknown(reason=reading.reason)
        return []

    def tick(self, now: Instant) -> Sequence[Event]:
        """Nothing happens by itself; age shows in the states."""
        del now
        return []

    def states(self, now: Instant) -> Sequence[State]:
        """Return the present state of every link."""
        return [
            State(id=recorder, data=self._state(recorder, link, now))
            for recorder, link in self._links.items()
        ]

    def _state(self, recorder: str, link: PoliceLink, now: Instant) -> PoliceLinkState:
        heard = self._heard.get(recorder)
        unknown = self._unknown(recorder, heard, now)
        if heard is None or unknown is not None:
            why = unknown or Unknown(reason=Reason.NOT_YET)
            return PoliceLinkState(
                verdict=Verdict.UNKNOWN,
                causes=(missing(why),),
                observed_at=None if heard is None else heard.reading.observed_at,
                registered="unknown",
                server="unknown",
                device_id="unknown",
                key_channels_linked="unknown",
            )
        said, wanted = heard.reading, self._key_areas.get(recorder, {})
        verdict, causes = judge_link(said, link)
        missing_in_it = _not_in_link(said, wanted)
        if missing_in_it:
            verdict = worst([verdict, Verdict.FAIL])
            params: dict[str, str | int | float] = {"channels": ", ".join(missing_in_it)}
            causes.append(Cause(code="police_link.camera_missing", params=params))
        told = not isinstance(said.camera_ids, Unknown) and all(wanted.values())
        return PoliceLinkState(
            verdict=verdict,
            causes=tuple(causes),
            observed_at=said.observed_at,
            registered=said.registered if isinstance(said.registered, bool) else "unknown",
            server=as_word(said.server),
            device_id=as_word(said.uplink_id),
            key_channels_linked=len(wanted) - len(missing_in_it) if told else "unknown",
        )

    def _unknown(self, recorder: str, heard: _Heard | None, now: Instant) -> Unknown | None:
        if recorder in self._gone and heard is None:
            return self._gone[recorder]
        if heard is not None and now.monotonic - heard.monotonic > MAX_AGE.total_seconds():
            return self._gone.get(recorder, Unknown(reason=Reason.STALE))
        return None


def _not_in_link(said: UplinkReading, wanted: KeyAreas) -> list[str]:
    """Name the key-area channels that are not in the link, as far as both sides say numbers."""
    if isinstance(said.camera_ids, Unknown):
        return []
    return [
        channel
        for channel, number in wanted.items()
        if number is not None and number not in said.camera_ids
    ]


def judge_link(said: UplinkReading, link: PoliceLink) -> tuple[Verdict, list[Cause]]:
    """Judge what a recorder says against what the site expects."""
    verdicts, causes = [Verdict.OK], []
    if isinstance(said.registered, Unknown):
        verdicts.append(Verdict.UNKNOWN)
        causes.append(missing(said.registered))
    elif not said.registered:
        verdicts.append(Verdict.FAIL)
        causes.append(Cause(code="police_link.unregistered"))
    for code, told, wanted in (
        ("police_link.wrong_server", said.server, link.server),
        ("police_link.wrong_id", said.uplink_id, link.device_id),
    ):
        if wanted is not None and isinstance(told, str) and told != wanted:
            verdicts.append(Verdict.FAIL)
            causes.append(Cause(code=code, params={"told": told, "wanted": wanted}))
    return worst(verdicts), causes
