"""The collector of the docs against a school that answers it from a list."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.enums import CallbackAPIVersion

from simulators.broker import Broker
from tests.waiting import wait_until

COLLECTOR = Path(__file__).parents[2] / "docs" / "examples" / "collector.py"
ROOT = "campus/v1/county/school"


class School:
    """Has these events and sends those it is asked for."""

    def __init__(self, port: int, events: list[dict[str, Any]]) -> None:
        self.asked: list[tuple[int, int]] = []
        self._events = events
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "school")
        self._client.on_connect = lambda client, *_: client.subscribe("cmd/#", 1)
        self._client.on_message = self._answer
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def say(self, head: int) -> None:
        """Publish a status with this head."""
        status = {"online": True, "heads": {"event": {"epoch": "e", "seq": head}}}
        self._client.publish(f"{ROOT}/status", json.dumps(status), 1, retain=True)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _answer(self, client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
        data = json.loads(json.loads(message.payload)["signed"])["data"]
        self.asked.append((data["first"], data["last"]))
        for event in self._events:
            if data["first"] <= event["seq"] <= data["last"]:
                client.publish(f"{ROOT}/event/agent", json.dumps(event), 1)


def event(seq: int, **data: object) -> dict[str, Any]:
    return {"id": f"id-{seq}", "stream": "event", "epoch": "e", "seq": seq, "data": data}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    yield broker
    broker.stop(kill=True)


def test_a_block_of_numbers_never_used_does_not_hide_what_is_behind_it(
    tmp_path: Path, broker: Broker
) -> None:
    """After a crash thousands are void, and who says so comes behind them."""
    after = [event(2501, void_from=11, void_to=2500), *map(event, range(2502, 2510))]
    events = [*map(event, range(1, 11)), *after]
    school = School(broker.port, events)
    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "key.pem").write_bytes(key)
    store = tmp_path / "county.db"
    # Patience is not what is tested.
    text = COLLECTOR.read_text(encoding="utf-8")
    assert "ASK_AGAIN_SECONDS = 5\n" in text
    script = tmp_path / "collector.py"
    script.write_text(text.replace("ASK_AGAIN_SECONDS = 5\n", "ASK_AGAIN_SECONDS = 0.2\n"))
    command = [sys.executable, str(script), "127.0.0.1", str(broker.port), str(store)]
    with (tmp_path / "log").open("wb") as log:
        collector = subprocess.Popen([*command, str(tmp_path / "key.pem")], stdout=log, stderr=log)

    def kept() -> set[int]:
        if not store.exists():
            return set()
        with closing(sqlite3.connect(store, timeout=10)) as db:
            return {int(seq) for (seq,) in db.execute("SELECT seq FROM event")}

    try:
        until = time.monotonic() + 30
        while time.monotonic() < until and len(school.asked) < 20:
            school.say(2509)
            time.sleep(0.25)
            if store.exists() and school.asked and kept() == {one["seq"] for one in events}:
                break
        assert kept() == {one["seq"] for one in events}
        assert all(last - first < 1000 for first, last in school.asked)
        count = len(school.asked)
        for _ in range(4):
            school.say(2509)
            time.sleep(0.25)
        wait_until(lambda: len(school.asked) == count)  # all is there: it asks no more
    finally:
        collector.kill()
        collector.wait(10)
        school.stop()
