"""The site's own two retained messages: `status` (birth, will, heads of streams) and `about`."""

import json
from collections.abc import Callable, Mapping, Sequence

from agent import __version__
from agent.county.contract import utc
from agent.county.messages import Composer
from agent.county.self_test import Result
from agent.county.session import Session
from agent.county.tls import Validity
from agent.store.outbox import Outbox
from drivers.base import Clock


class SiteStatus:
    """Written by the publisher itself: it must be true at the moment it leaves."""

    def __init__(
        self,
        composer: Composer,
        streams: Sequence[Outbox],
        inventory: Mapping[str, object],
        clock: Clock,
    ) -> None:
        self.protocol = "none"
        self.refused = 0
        self.self_test: Result = "running"
        self.self_test_detail = ""
        self.problems: Callable[[], Sequence[str]] = tuple
        self._composer = composer
        self._streams = streams
        self.inventory = inventory
        self._clock = clock
        self.certificate = Validity(clock)

    def connected(self, session: Session) -> None:
        """Note the protocol in use: 3.1.1 hides refusals, so the county is told."""
        self.self_test = "running"
        self.protocol = "mqtt5" if session.mqtt5 else "mqtt3.1.1"

    def online(self) -> tuple[str, bytes]:
        """Return topic and payload of the birth; also the refresh of the heads."""
        newest = {one.numbers.stream: one.numbers.newest for one in self._streams}
        heads = {name: {"epoch": epoch, "seq": seq} for name, (epoch, seq) in newest.items()}
        return self._message(
            online=True,
            heads=heads,
            protocol=self.protocol,
            refused=self.refused,
            self_test=self.self_test,
            unsaved=sum(stream.unsaved for stream in self._streams),
            problems=list(self.problems()),
        )

    def will(self) -> tuple[str, bytes]:
        """Return what the broker says when we are gone; `boot` tells an old will from a new."""
        return self._message(online=False, reason="lost")

    def stopped(self) -> tuple[str, bytes]:
        """Return the planned end."""
        return self._message(online=False, reason="stopped")

    def about(self) -> tuple[str, bytes]:
        """Return what this site is and has."""
        return (
            self._composer.topics.about,
            json.dumps(
                {
                    **self._attributes("campus.about.v1"),
                    "agent_version": __version__,
                    "contract_version": 1,
                    "certificate_days_left": self.certificate.days_left,
                    **self.inventory,
                },
                ensure_ascii=False,
            ).encode(),
        )

    def _message(self, **fields: object) -> tuple[str, bytes]:
        body = {**self._attributes("campus.status.v1"), **fields}
        return self._composer.topics.status, json.dumps(body, ensure_ascii=False).encode()

    def _attributes(self, kind: str) -> dict[str, object]:
        topics = self._composer.topics
        return {
            "specversion": "1.0",
            "source": "/" + topics.root,
            "type": kind,
            "time": utc(self._clock.now()),
            "boot": self._composer.boot,
        }
