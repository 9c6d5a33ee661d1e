"""The county's end: a subscriber of its own that writes down everything it hears."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


@dataclass(frozen=True)
class Heard:
    """One message as it arrived: `at` in seconds since the epoch."""

    at: float
    topic: str
    retained: bool
    body: dict[str, Any] = field(hash=False)

    @property
    def kind(self) -> str:
        """Return the levels behind the site: `event/alarm`, `state/button/gate`, `status`."""
        return self.topic.split("/", 4)[-1]


class County:
    """Subscribes to all that sites publish; MQTT 3.1.1, which every broker speaks."""

    def __init__(
        self,
        port: int,
        *,
        client_id: str = "county",
        keep: bool = False,
        topics: Sequence[str] = ("campus/v1/#",),
    ) -> None:
        self._port = port
        self._topics = topics
        self._lock = threading.Lock()
        self._heard: list[Heard] = []
        self._subscribed = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv311,
            clean_session=not keep,
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Connect and wait for the subscription."""
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", self._port, 30)
        self._client.loop_start()
        if not self._subscribed.wait(10):
            raise RuntimeError("the county's subscriber could not subscribe")

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1 and wait until the broker has it."""
        self._client.publish(topic, payload, 1).wait_for_publish(10)

    def heard(self, kind: str = "") -> list[Heard]:
        """Return what arrived so far, of one kind if asked."""
        with self._lock:
            return [one for one in self._heard if one.kind.startswith(kind)]

    def wait_for(self, found: Callable[[Heard], bool], seconds: float = 10.0) -> Heard:
        """Return the first message, past or coming, that `found` says yes to."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for one in self.heard():
                if found(one):
                    return one
            time.sleep(0.01)
        raise TimeoutError(f"not heard in {seconds} s; heard {[h.kind for h in self.heard()]}")

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe([(topic, 1) for topic in self._topics])

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed.set()

    def _on_message(self, _c: Any, _u: Any, message: mqtt.MQTTMessage) -> None:
        body = json.loads(message.payload) if message.payload else {}
        with self._lock:
            self._heard.append(Heard(time.time(), message.topic, message.retain, body))
