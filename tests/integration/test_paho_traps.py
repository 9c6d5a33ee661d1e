"""What paho-mqtt does that would lose a message or hide a loss; each by its cause, not its cure."""

import ctypes
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from agent.county import in_flight as in_flight_module
from agent.county.session import USER_TIMEOUT_MS, Login, Session
from agent.county.tls import Tls
from simulators.broker import Broker
from simulators.county import County
from tests.delivery import ANONYMOUS, Site
from tests.integration.test_publisher import by_id, status
from tests.waiting import wait_until

ROOT = "campus/v1/county/school"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    yield broker
    broker.signal(signal.SIGCONT)
    broker.stop(kill=True)


@pytest.fixture
def county(broker: Broker) -> Iterator[County]:
    county = County(broker.port, keep=True)
    county.start()
    yield county
    county.stop()


@pytest.fixture
def site(tmp_path: Path, broker: Broker) -> Iterator[Site]:
    site = Site(tmp_path, broker.port)
    site.start()
    yield site
    site.stop()


def session_of(site: Site) -> Session:
    wait_until(lambda: site.publisher.trusted)
    session = site.publisher._session
    assert session is not None
    return session


def session(broker: Broker) -> Session:
    will = (f"{ROOT}/status", b"{}")
    return Session(("127.0.0.1", broker.port), ANONYMOUS, will, "cmd/#", lambda: None, mqtt5=True)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_network_thread_that_dies_is_noticed_and_nothing_is_lost(
    site: Site, county: County
) -> None:
    """paho.mqtt.python#894: `is_connected` stays true and nothing leaves any more."""
    first = session_of(site)
    thread = first._network_thread
    assert thread is not None
    assert thread.ident is not None
    # SystemExit ends a thread without a word, wherever it stands.
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    )
    site.state(1.0)  # something to wake it up for
    wait_until(lambda: not thread.is_alive(), 20)
    pressed = site.press()
    county.wait_for(by_id(pressed))
    assert site.publisher._session is not first


@pytest.mark.parametrize("callback", ["_on_publish", "_on_message", "_on_subscribe"])
def test_an_exception_in_a_callback_ends_nothing(
    tmp_path: Path,
    broker: Broker,
    county: County,
    monkeypatch: pytest.MonkeyPatch,
    callback: str,
) -> None:
    """paho.mqtt.python#704: it would end the network thread, and `is_connected` stays true."""
    monkeypatch.setattr(in_flight_module, "ALARM_ACK_SECONDS", 0.5)
    left = [1]
    own = getattr(Session, callback)

    def failing(self: Session, *said: Any) -> None:
        if left:
            left.pop()
            raise ZeroDivisionError
        own(self, *said)

    monkeypatch.setattr(Session, callback, failing)
    site = Site(tmp_path, broker.port)
    site.start()
    pressed = [site.press(number) for number in range(5)]
    for one in pressed:
        county.wait_for(by_id(one), 20)
    wait_until(lambda: site.alarms.counts().result(5)["waiting"] == 0, 20)
    assert not left
    site.stop()


def test_what_was_published_without_a_connection_dies_with_its_session(broker: Broker) -> None:
    """Return code 4 says `not connected`, and yet paho would deliver it later, twice with ours."""
    trap = County(broker.port, client_id="trap", topics=("trap/#",))
    trap.start()
    one = session(broker)
    assert one.publish("trap/a/b/c/d", b'{"id": "early"}', retain=False) is not None
    one.abort()
    another = session(broker)
    another.start()
    wait_until(lambda: another.up)
    another.publish("trap/a/b/c/d", b'{"id": "later"}', retain=False)
    trap.wait_for(by_id("later"))
    time.sleep(0.3)
    assert [heard.body["id"] for heard in trap.heard()] == ["later"]
    another.stop()
    trap.stop()


def test_the_kernel_gives_up_a_line_that_takes_nothing(site: Site) -> None:
    """paho.mqtt.python#840: a line that swallows everything looks well for many minutes."""
    connection = cast("socket.socket", session_of(site)._client.socket())
    tcp = socket.IPPROTO_TCP
    assert connection.getsockopt(tcp, socket.TCP_USER_TIMEOUT) == USER_TIMEOUT_MS
    assert connection.getsockopt(tcp, socket.TCP_NODELAY) == 1


def test_a_stop_does_not_wait_for_a_broker_that_hangs(site: Site, broker: Broker) -> None:
    """`loop_stop` with something unconfirmed waits for two keepalives."""
    session_of(site)
    broker.signal(signal.SIGSTOP)
    site.press()
    done = threading.Thread(target=site.publisher.stop, daemon=True)
    done.start()
    done.join(8)
    assert not done.is_alive()


def test_every_connection_begins_with_a_birth(site: Site, county: County, broker: Broker) -> None:
    """ha-mqtt-discoverable#512: reconnected, and offline for ever."""
    county.wait_for(status(online=True))
    county.wait_for(lambda one: one.kind == "about")
    for _ in range(2):
        births = len(county.heard("status")), len(county.heard("about"))
        session_of(site).abort()
        wait_until(
            lambda: (
                len(county.heard("status")) > births[0]  # noqa: B023
                and len(county.heard("about")) > births[1]  # noqa: B023
            )
        )
    assert county.heard("status")[-1].body["online"]


def test_commands_are_subscribed_to_on_every_connection(
    site: Site, county: County, broker: Broker
) -> None:
    """frigate#814: after a restart of the broker no command arrives any more."""
    heard: list[str] = []
    site.publisher.on_command = lambda topic, _payload, _retained: heard.append(topic)
    for number in range(2):
        session_of(site)
        county.publish(f"cmd/v1/county/school/number-{number}", b"{}")
        wait_until(lambda: len(heard) == number + 1)  # noqa: B023
        broker.stop(kill=True)
        broker.start()
        wait_until(lambda: not site.publisher.connected)
        wait_until(lambda: site.publisher.trusted, 20)
        wait_until(lambda: _hears(county), 20)


def _hears(county: County) -> bool:
    return county._client.is_connected()


def test_certificate_files_that_cannot_be_read_are_no_crash(broker: Broker, tmp_path: Path) -> None:
    login = Login("school", None, None, Tls(ca=tmp_path / "none.pem"))
    one = Session(("127.0.0.1", broker.port), login, None, "cmd/#", lambda: None, mqtt5=True)
    one.start()
    wait_until(lambda: one.ended is not None)
    assert "certificate files" in str(one.ended)


def test_certificate_files_on_a_disk_that_hangs_cost_one_thread_and_no_connection(
    broker: Broker, tmp_path: Path
) -> None:
    pipe = tmp_path / "ca.pem"
    os.mkfifo(pipe)  # whoever opens it waits for a writer
    login = Login("school", None, None, Tls(ca=pipe))
    before = threading.active_count()
    sessions = []
    for _ in range(5):
        one = Session(("127.0.0.1", broker.port), login, None, "cmd/#", lambda: None, mqtt5=True)
        one.start()
        sessions.append(one)
    wait_until(lambda: all(one.ended is not None for one in sessions[1:]))
    assert threading.active_count() == before + 1
    assert sessions[0].ended is None
    sessions[0].abort()
    pipe.write_bytes(b"")  # the disk is there again
    wait_until(lambda: threading.active_count() <= before)
    assert not any(one.up for one in sessions)
