"""A whole simulated school around the real daemon, and a tap on all that its broker hands out."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from simulators.broker import Broker
from simulators.county import County, Heard
from simulators.hikvision import HikvisionSimulator
from simulators.modbus import ModbusSimulator
from simulators.pn532 import Pn532Simulator
from simulators.rtsp import RtspSimulator
from simulators.truth import Truth
from tests.daemon import Daemon, RecorderBlock, whole_site
from tests.waiting import wait_until

READERS = ("reader", "spare")
PASSWORD = "Nvr-pass/4711 ü?"
BROKER_PASSWORD = "Broker-pass/0815 ß&"
CHANNELS = 3


class Tap:
    """Every payload of every topic as raw bytes, whatever they are."""

    def __init__(self, port: int) -> None:
        self._lock = threading.Lock()
        self._messages: list[tuple[str, bytes]] = []
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="tap")
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port, 30)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def messages(self) -> list[tuple[str, bytes]]:
        with self._lock:
            return list(self._messages)

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, 1).wait_for_publish(10)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, _client: Any, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            self._messages.append((message.topic, bytes(message.payload)))


class _Device(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


class Gatehouse:
    """Devices, broker and county of one school; `daemon` is not started yet."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.truth = Truth()
        self.broker = Broker(directory / "broker", kind="mosquitto")
        self.module = ModbusSimulator(directory / "alarm", self.truth, baud=19200)
        self.readers = {name: Pn532Simulator(directory / name, self.truth) for name in READERS}
        self.nvr = HikvisionSimulator(
            self.truth,
            password=PASSWORD,
            days=dict.fromkeys(range(1, CHANNELS + 1), 40),
        )
        self.cameras = RtspSimulator(
            self.truth,
            password=PASSWORD,
            channels=CHANNELS,
            main_size=(640, 360),
            main_kbps=600,
            main_gop=10,
            holds=self.nvr.plays,
        )
        self.password_file = self.secret("nvr", PASSWORD)
        self.recorder = RecorderBlock(
            "nvr", self.nvr.port, self.cameras.port, self.password_file, CHANNELS
        )
        self.boot = ""
        self.daemon: Daemon
        self.county: County
        self.tap: Tap

    def start(self, *more: RecorderBlock, change: Callable[[str], str] = str) -> None:
        """Start everything but the daemon, whose settings may be changed before."""
        self.broker.start()
        self.county = County(self.broker.port)
        self.county.start()
        self.tap = Tap(self.broker.port)
        for device in self._devices():
            device.start()
        broker_file = self.secret("broker", BROKER_PASSWORD)
        settings = whole_site(
            self.directory,
            self.broker.port,
            [self.recorder, *more],
            readers=READERS,
            broker=f'status_seconds = 1\npassword = {{ file = "{broker_file}" }}\n',
        )
        self.daemon = Daemon(self.directory, change(settings))

    def stop(self) -> None:
        if hasattr(self, "daemon") and self.daemon.running:
            self.daemon.kill()
        for device in self._devices():
            device.stop()
        self.tap.stop()
        self.county.stop()
        self.broker.stop(kill=True)

    def _devices(self) -> Sequence[_Device]:
        return [self.module, *self.readers.values(), self.nvr, self.cameras]

    def restart(self) -> None:
        """Start the daemon, again if it runs; what an earlier run said counts no more."""
        if self.boot:
            assert self.daemon.stop()[0] == 0, self.daemon.said()
        before = {one.body["boot"] for one in self.county.heard("status")}
        self.daemon.start()
        birth = self.county.wait_for(
            lambda one: one.kind == "status" and one.body["boot"] not in before
        )
        self.boot = birth.body["boot"]

    def secret(self, name: str, password: str, mode: int = 0o600) -> Path:
        """Write a password file as a technician would."""
        file = self.directory / f"{name}.secret"
        file.write_text(password + "\n", encoding="utf-8")
        file.chmod(mode)
        return file

    def newest(self, kind: str) -> dict[str, Any]:
        """Return the data of the newest state of that kind and id; empty: never heard."""
        found = [
            one
            for one in self.county.heard(f"state/{kind}")
            if one.kind == f"state/{kind}" and one.body["boot"] == self.boot
        ]
        data: dict[str, Any] = found[-1].body["data"] if found else {}
        return data

    def verdict(self, kind: str) -> tuple[str, set[str]]:
        """Return the newest verdict of an object and the codes of its causes."""
        data = self.newest(kind)
        return data.get("verdict", ""), {cause["code"] for cause in data.get("causes", ())}

    def expect(self, kind: str, verdict: str, code: str = "", seconds: float = 20) -> None:
        """Wait until the county knows an object by this verdict, and by this cause if given."""

        def told() -> bool:
            found, codes = self.verdict(kind)
            return found == verdict and (not code or code in codes)

        try:
            wait_until(told, seconds)
        except AssertionError:
            said = f"{kind} is {self.verdict(kind)}, not {verdict} {code}"
            raise AssertionError(f"{said}; the log: {self.daemon.said()}") from None

    def failed_logins(self) -> int:
        """Count refused logins by the recorder's own word, over HTTP and RTSP together."""
        return sum(
            len(self.truth.lines(what))
            for what in ("login_failed", "login_refused", "login_while_locked")
        )

    def alarms(self, what: str) -> list[Heard]:
        return [one for one in self.county.heard("event/alarm") if one.body["data"]["what"] == what]

    def press(self) -> Heard:
        """Press, wait for the county to hear it, let go, wait for the county to hear that too.

        The next press would otherwise fall together with this one between two polls.
        """
        before = {one.body["id"] for one in self.alarms("press")}
        releases = len({one.body["id"] for one in self.alarms("release")})
        self.module.press()
        wait_until(lambda: any(one.body["id"] not in before for one in self.alarms("press")))
        self.module.release()
        wait_until(lambda: len({one.body["id"] for one in self.alarms("release")}) > releases)
        return next(one for one in self.alarms("press") if one.body["id"] not in before)
