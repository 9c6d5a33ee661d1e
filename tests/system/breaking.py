"""One fault at a time at the simulated school: each breaks it, and makes it whole again.

Each yields more words for the command, where it is the settings that are broken.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.control.client import call
from tests.integration.county_broker import Authority
from tests.system.gatehouse import PASSWORD, Gatehouse
from tests.waiting import wait_until

Words = Sequence[str]


def prepared(school: Gatehouse) -> None:
    """Have everything measured once, and the button tested, as at a hand-over."""
    for kind in ("recorder/nvr", "camera/nvr-1", "camera/nvr-2", "camera/nvr-3", "reader/reader"):
        school.expect(kind, "ok")
    wait_until(lambda: school.newest("recording/nvr-3").get("word") == "met", 20)
    wait_until(lambda: school.newest("button/gate").get("position") == "rest")
    if school.newest("button/gate").get("last_test_at") is None:
        asked(school, "alarm-test-start", buttons="gate", by="t-1", minutes=1)
        school.press()
        asked(school, "alarm-test-end")
    school.expect("button/gate", "ok")


def asked(school: Gatehouse, verb: str, **args: str | float) -> None:
    reply = call(school.directory / "control.sock", verb, **args)
    assert reply.ok, reply


@contextlib.contextmanager
def wrong_password(school: Gatehouse) -> Iterator[Words]:
    school.nvr.door.password = "changed"
    yield ()
    school.nvr.door.password = PASSWORD
    asked(school, "recorder-retry", recorder="nvr")
    school.expect("recorder/nvr", "ok")
    assert school.failed_logins() == 1


@contextlib.contextmanager
def locked(school: Gatehouse) -> Iterator[Words]:
    school.nvr.door.lock_now()
    yield ()
    # A lock is kept until it is over, and after a restart: it takes a new login file to forget it.
    assert school.daemon.stop()[0] == 0
    school.nvr.door._locked_until = 0
    (school.directory / "state/login-nvr.json").unlink()
    school.boot = ""
    school.restart()
    prepared(school)


@contextlib.contextmanager
def scene(number: int, name: str, school: Gatehouse) -> Iterator[Words]:
    before = school.cameras.channel(number).scene
    school.cameras.channel(number).set_scene(name)
    yield ()
    school.cameras.channel(number).set_scene(before)


@contextlib.contextmanager
def no_stream(school: Gatehouse) -> Iterator[Words]:
    school.cameras.channel(3).refuse(404)
    yield ()
    school.cameras.channel(3).restore()


def ask_anew(school: Gatehouse) -> None:
    """Have the recorder asked for what it is asked once an hour: its settings are new ones."""
    place = school.daemon.config
    text = place.read_text(encoding="utf-8")
    now = re.search(r"reply_timeout_seconds = (\d+)", text)
    assert now is not None
    other = f"reply_timeout_seconds = {int(now[1]) + 1}"
    place.write_text(text.replace(now[0], other), encoding="utf-8")
    asked(school, "reload")


@contextlib.contextmanager
def disk_missing(school: Gatehouse) -> Iterator[Words]:
    disks = list(school.nvr.disks)
    school.nvr.disks.clear()
    ask_anew(school)
    yield ()
    school.nvr.disks.extend(disks)  # as whoever asks anew will see


@contextlib.contextmanager
def expiry_short(school: Gatehouse) -> Iterator[Words]:
    school.nvr.expiry_days = 7
    ask_anew(school)
    yield ()
    school.nvr.expiry_days = 0


@contextlib.contextmanager
def clock_off(school: Gatehouse) -> Iterator[Words]:
    school.nvr.clock_offset_seconds = 540
    yield ()
    school.nvr.clock_offset_seconds = 0
    school.expect("recorder/nvr", "ok")


@contextlib.contextmanager
def unplugged(school: Gatehouse) -> Iterator[Words]:
    school.module.stop()
    yield ()
    school.module.start()
    school.expect("button/gate", "ok")


@contextlib.contextmanager
def silent_reader(school: Gatehouse) -> Iterator[Words]:
    school.readers["reader"].silent = True
    yield ()
    school.readers["reader"].silent = False
    school.expect("reader/reader", "ok")


@contextlib.contextmanager
def camera_password(school: Gatehouse) -> Iterator[Words]:
    channel = school.nvr.channels[1]
    channel.online, channel.condition = False, "userPwError"
    yield ()
    channel.online, channel.condition = True, "connect"
    school.expect("recorder/nvr", "ok")


@contextlib.contextmanager
def expired(school: Gatehouse) -> Iterator[Words]:
    pki = school.directory / "pki"
    Authority(pki).issue("school", "school", since_days=30, until_days=-3)
    tls = (
        f'[broker.tls]\nca = "{pki}/ca.pem"\ncertificate = "{pki}/school.pem"\n'
        f'key = {{ file = "{pki}/school.key" }}\n'
    )
    place = school.directory / "tls.toml"
    place.write_text(school.daemon.config.read_text(encoding="utf-8") + tls, encoding="utf-8")
    yield ("--config", str(place))


@contextlib.contextmanager
def exposed(school: Gatehouse) -> Iterator[Words]:
    school.password_file.chmod(0o644)
    yield ()
    school.password_file.chmod(0o600)


@contextlib.contextmanager
def broken_file(school: Gatehouse) -> Iterator[Words]:
    place = school.directory / "broken.toml"
    text = school.daemon.config.read_text(encoding="utf-8")
    place.write_text(text.replace("round_seconds", "round_secnds"), encoding="utf-8")
    yield ("--config", str(place))


@contextlib.contextmanager
def cloned(school: Gatehouse) -> Iterator[Words]:
    other = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="county-school")
    other.reconnect_delay_set(1, 1)
    other.connect("127.0.0.1", school.broker.port, 30)
    other.loop_start()
    yield ()
    other.disconnect()
    other.loop_stop()
    # The cuts are remembered for minutes; a new start forgets them.
    school.restart()
    prepared(school)


BROKEN: dict[str, Callable[[Gatehouse], contextlib.AbstractContextManager[Words]]] = {
    "wrong NVR password": wrong_password,
    "locked account": locked,
    "covered camera": lambda school: scene(1, "covered", school),
    "black camera": lambda school: scene(2, "black", school),
    "stalled stream": no_stream,
    "disk missing": disk_missing,
    "expiry too short": expiry_short,
    "clock 9 minutes off": clock_off,
    "unplugged alarm adapter": unplugged,
    "silent reader": silent_reader,
    "wrong camera password inside the NVR": camera_password,
    "expired certificate": expired,
    "world-readable password": exposed,
    "broken settings file": broken_file,
    "clone of the client id": cloned,
}
