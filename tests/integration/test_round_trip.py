"""The round trip through real brokers: trusted is only one that gives back what it takes."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.county import self_test as self_test_module
from simulators.broker import Broker
from simulators.county import County
from tests.delivery import Site
from tests.integration.test_publisher import by_id
from tests.waiting import wait_until

ALL = "pattern readwrite #\n"
MUTE = ALL + "pattern deny campus/v1/county/school/reply/selftest\n"
START_SECONDS = 15.0

Guarded = Callable[[str], tuple[Site, Broker]]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    """A site at a mosquitto with an access list, in the file `acl`."""
    made: list[tuple[Site, Broker]] = []

    def start(acl: str) -> tuple[Site, Broker]:
        (tmp_path / "acl").write_text(acl, encoding="utf-8")
        settings = f"acl_file {tmp_path / 'acl'}"
        broker = Broker(tmp_path / "broker", kind="mosquitto", settings=settings)
        broker.start()
        site = Site(tmp_path, broker.port)
        made.append((site, broker))
        site.start()
        return site, broker

    yield start
    for site, broker in made:
        site.stop()
        broker.stop()


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_a_broker_that_gives_back_what_it_takes_is_trusted(tmp_path: Path, kind: str) -> None:
    broker = Broker(tmp_path / "broker", kind=kind)
    broker.start()
    site = Site(tmp_path, broker.port)
    sent: list[str] = []
    site.publisher.on_sent = sent.append
    site.start()
    try:
        wait_until(lambda: site.status.self_test == "passed", START_SECONDS)
        assert site.publisher.trusted
        press = site.press()
        if kind == "mosquitto":  # it alone says that nobody listens
            wait_until(lambda: site.alarms.counts().result(5)["waiting"] == 0)
            assert sent == []
            county = County(broker.port)
            county.start()
            press = site.press()
            county.wait_for(by_id(press))
            county.stop()
        wait_until(lambda: sent == [press])
    finally:
        site.stop()
        broker.stop()


def test_one_that_takes_and_gives_nothing_back_is_trusted_once_it_does(
    guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_test_module, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(self_test_module, "AGAIN_AFTER_FAILURE_SECONDS", 0.5)
    site, broker = guarded(MUTE)
    sent: list[str] = []
    site.publisher.on_sent = sent.append
    county = County(broker.port)
    county.start()
    wait_until(lambda: site.status.self_test == "failed", START_SECONDS)
    assert site.publisher.connected
    assert not site.publisher.trusted
    press = site.press()
    county.wait_for(by_id(press))
    assert sent == []
    (tmp_path / "acl").write_text(ALL, encoding="utf-8")
    broker.signal(signal.SIGHUP)
    wait_until(lambda: site.publisher.trusted)
    # What this very connection has confirmed before is vouched for now.
    wait_until(lambda: sent == [press])
    county.stop()


def test_why_it_fails_is_told(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test_module, "ANSWER_SECONDS", 0.5)
    site, _ = guarded("pattern read #\n")
    wait_until(lambda: site.status.self_test == "failed", START_SECONDS)
    assert site.status.self_test_detail == "selftest.not_writable"
