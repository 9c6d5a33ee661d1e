"""One connection to one broker: the only door to paho-mqtt.

A session that ends is thrown away with all that paho remembers; the publisher sends again what
was not confirmed. So paho never reconnects by itself, never queues, and never decides what is
lost (see the library's issues 492, 24, 894 and 704).
"""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import SecretStr

from agent.county.tls import Tls

KEEPALIVE_SECONDS = 15
USER_TIMEOUT_MS = 8_000
WILL_DELAY_SECONDS = 10
SESSION_EXPIRY_SECONDS = 60
MAX_IN_FLIGHT = 64
RECEIVED_KEPT = 256
HEADERS_BYTES = 64  # more than a PUBLISH of ours has besides its topic and payload

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the broker. No `password`: none is sent. No `tls`: in the clear."""

    client_id: str
    username: str | None
    password: SecretStr | None
    tls: Tls | None = None


class Published(Properties):
    """What a PUBLISH says besides its payload, packed once: paho would do it for every message."""

    def __init__(self, expiry_seconds: int | None = None) -> None:
        super().__init__(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        self.ContentType = "application/json"
        if expiry_seconds is not None:
            self.MessageExpiryInterval = expiry_seconds
        # Paho's class takes no attributes but those of the protocol.
        self.__dict__["packed"] = Properties.pack(self)

    def pack(self) -> bytes:
        """Return them as they go on the wire."""
        packed: bytes = self.__dict__["packed"]
        return packed


class Session:
    """Connects once; `wake` is called from paho's thread whenever something has happened.

    Callbacks take no lock and touch no store: paho holds locks of its own around them.
    """

    def __init__(
        self,
        address: tuple[str, int],
        login: Login,
        will: tuple[str, bytes] | None,
        commands: str,
        wake: Callable[[], None],
        *,
        mqtt5: bool,
    ) -> None:
        self.address = address
        self.mqtt5 = mqtt5
        self.up = False
        self.ended: str | None = None
        self.refused_version = False
        # The broker said yes; and it was the broker, or the line, that ended it.
        self.accepted = self.cut = False
        self.opened = False
        self.answered = False
        # What the broker allows (MQTT 5.0, 3.2.2.3); whoever exceeds it is disconnected.
        self.receive_maximum = 65_535
        self.packet_maximum: int | None = None
        self._retain_available = True
        self._plain = Published()
        self.acks: deque[tuple[int, ReasonCode | None]] = deque()
        self.received: deque[tuple[str, bytes, bool]] = deque(maxlen=RECEIVED_KEPT)
        self._commands = commands
        self._tls = login.tls
        # Given up is given up: a connection that begins after it would be nobody's.
        self._beginning = threading.Lock()
        # Packet ids; many a broker grants what it then does not deliver.
        self.refused_subscriptions: set[int] = set()
        self._wake = wake
        self._network_thread: threading.Thread | None = None
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=login.client_id,
            protocol=mqtt.MQTTv5 if mqtt5 else mqtt.MQTTv311,
            reconnect_on_failure=False,
            clean_session=None if mqtt5 else True,
        )
        client = self._client
        client.suppress_exceptions = True
        client.max_inflight_messages_set(MAX_IN_FLIGHT)
        client.connect_timeout = 5.0
        if login.username is not None:
            client.username_pw_set(
                login.username, login.password.get_secret_value() if login.password else None
            )
        if will is not None:
            client.will_set(will[0], will[1], 1, True, properties=self._will_properties())
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_socket_open = self._on_socket_open

    def start(self) -> None:
        """Begin to connect; the outcome shows in `up` or `ended`."""
        if self._tls is None:
            self._begin()
        else:
            # Their files may lie on a disk that hangs.
            threading.Thread(target=self._begin_with, args=(self._tls,), daemon=True).start()

    def _begin_with(self, tls: Tls) -> None:
        if not tls.reading.acquire(blocking=False):
            self._end("certificate files: not read in time")
            return
        try:
            self._client.tls_set_context(tls.context())
        except (OSError, ValueError) as error:
            self._end(f"certificate files: {error}")
        finally:
            tls.reading.release()
        self._begin()

    def _begin(self) -> None:
        with self._beginning:
            if self.ended is None:
                self._connect()

    def _connect(self) -> None:
        properties = None
        if self.mqtt5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = SESSION_EXPIRY_SECONDS
        self._client.connect_async(
            *self.address,
            KEEPALIVE_SECONDS,
            clean_start=True if self.mqtt5 else mqtt.MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
        )
        self._client.loop_start()

    def publish(
        self, topic: str, payload: bytes, *, retain: bool, expiry: int | None = None
    ) -> int | None:
        """Send at QoS 1; returns the packet id under which `acks` will answer, None if refused."""
        properties = None
        if self.mqtt5:
            properties = self._plain if expiry is None else Published(expiry)
        retain = retain and self._retain_available
        info = self._client.publish(topic, payload, 1, retain, properties)
        # 4 (not connected) still queues; whatever is queued here dies with the session.
        return info.mid if info.rc in (mqtt.MQTT_ERR_SUCCESS, mqtt.MQTT_ERR_NO_CONN) else None

    def subscribe(self, topic: str) -> int | None:
        """Ask for QoS 1; a refusal shows in `refused_subscriptions` under the returned id."""
        return self._client.subscribe(topic, qos=1)[1]

    def fits(self, topic: str, payload: bytes) -> bool:
        """Tell whether the broker takes a packet of that size."""
        size = len(topic.encode()) + len(payload) + HEADERS_BYTES
        return self.packet_maximum is None or size <= self.packet_maximum

    @property
    def alive(self) -> bool:
        """Tell whether paho's network thread still runs; `is_connected` would not notice."""
        return self._network_thread is None or self._network_thread.is_alive()

    def stop(self, *, timeout: float = 1.0) -> None:
        """Disconnect; `loop_stop` can block for minutes on a hung broker, so it is left behind."""
        with contextlib.suppress(OSError, ValueError):
            self._client.disconnect()
        stopper = threading.Thread(target=self._client.loop_stop, daemon=True)
        stopper.start()
        stopper.join(timeout)

    def abort(self) -> None:
        """Cut the connection without a goodbye, so that the broker sends the will."""
        sock: Any = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        with self._beginning:
            self._end("given up")
        threading.Thread(target=self._client.loop_stop, daemon=True).start()

    def _will_properties(self) -> Properties | None:
        if not self.mqtt5:
            return None
        properties = Properties(PacketTypes.WILLMESSAGE)
        properties.WillDelayInterval = WILL_DELAY_SECONDS
        return properties

    def _on_connect(self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, allows: Any) -> None:
        self._network_thread = threading.current_thread()
        if self.ended is not None:
            self._client.disconnect()  # given up meanwhile: nobody's, and under our client id
            return
        self.answered = True
        self.receive_maximum = getattr(allows, "ReceiveMaximum", self.receive_maximum)
        self.packet_maximum = getattr(allows, "MaximumPacketSize", None)
        self._retain_available = bool(getattr(allows, "RetainAvailable", True))
        if reason.is_failure:
            self.refused_version = "protocol version" in str(reason).lower()
            self._end(f"refused: {reason}")
        else:
            self.subscribe(self._commands)  # anew on every connection
            self.up = self.accepted = True
            self._wake()

    def _on_connect_fail(self, *_: Any) -> None:
        self._end("no connection")

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
        self.cut = self.ended is None
        self._end(f"connection lost: {reason}")

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: ReasonCode, _p: Any) -> None:
        self.acks.append((mid, reason))
        self._wake()

    def _on_subscribe(
        self, _c: Any, _u: Any, mid: int, reasons: Sequence[ReasonCode], _p: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self.refused_subscriptions.add(mid)
            self._wake()

    def _on_message(self, _c: Any, _u: Any, message: mqtt.MQTTMessage) -> None:
        self.received.append((message.topic, bytes(message.payload), message.retain))
        self._wake()

    def _on_socket_open(self, _c: Any, _u: Any, sock: Any) -> None:
        self.opened = True
        # Paho calls this for TLS sockets as well; both options live in the kernel's TCP.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)

    def _end(self, why: str) -> None:
        self.up = False
        if self.ended is None:
            self.ended = why
        self._wake()
