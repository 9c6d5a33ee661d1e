"""A county's collector: keeps every event of every school once, and asks for those it missed.

python3 collector.py HOST PORT STORE.db KEY.pem [CA.pem COLLECTOR.pem COLLECTOR.key]
(pip install paho-mqtt cryptography). What is true now: `SELECT * FROM present` in the store.
"""

import base64
import json
import sqlite3
import sys
import time
import uuid
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SCHEMA = """
CREATE TABLE IF NOT EXISTS event(id TEXT PRIMARY KEY, site TEXT, stream TEXT, epoch TEXT,
  seq INTEGER, body TEXT);
CREATE TABLE IF NOT EXISTS void(site TEXT, stream TEXT, epoch TEXT, first INTEGER, last INTEGER);
CREATE TABLE IF NOT EXISTS site(site TEXT PRIMARY KEY, online INTEGER);
CREATE TABLE IF NOT EXISTS state(site TEXT, object TEXT, verdict TEXT, valid_until REAL,
  PRIMARY KEY(site, object));
DROP VIEW IF EXISTS present;
CREATE VIEW present AS SELECT site, object,
  CASE WHEN online AND valid_until > CAST(strftime('%s', 'now') AS REAL)
  THEN verdict ELSE 'unknown' END AS verdict FROM state LEFT JOIN site USING (site);
"""
ASK_AGAIN_SECONDS = 5
MOST_AT_ONCE = 1000

host, port, store, key_file, *certificates = sys.argv[1:]
db = sqlite3.connect(store, isolation_level=None)
db.executescript(SCHEMA)
with open(key_file, "rb") as file:
    key = load_pem_private_key(file.read(), password=None)
asked: dict[tuple[str, str, str], float] = {}
asked_to: dict[tuple[str, str, str], int] = {}


def on_event(site: str, body: dict) -> None:
    """Keep it; the same id again changes nothing."""
    place = (site, body["stream"], body["epoch"])
    row = (body["id"], *place, body["seq"], json.dumps(body))
    db.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?, ?)", row)
    data = body["data"]
    if data.get("void_from") is not None:  # numbers that were never used
        row = (*place, data["void_from"], data["void_to"])
        db.execute("INSERT INTO void VALUES (?, ?, ?, ?, ?)", row)
    if data.get("what") == "dropped":  # given up while nobody could take them: asking is in vain
        row = (site, "event", data["dropped_epoch"], data["dropped_first"], data["dropped_last"])
        db.execute("INSERT INTO void VALUES (?, ?, ?, ?, ?)", row)


def on_state(site: str, name: str, payload: bytes, retained: bool) -> None:
    """Keep the newest; past its time, or while its site is away, `present` calls it unknown."""
    if not payload:  # the object is no more
        db.execute("DELETE FROM state WHERE site = ? AND object = ?", (site, name))
        return
    body = json.loads(payload)
    until = time.time() + body["valid_for_seconds"]
    if retained:  # said some time ago, by a clock that may not have been right
        until = datetime.fromisoformat(body["valid_until"]).timestamp()
        until = 0 if body["clock"] == "unsync" else until
    row = (site, name, body["data"]["verdict"], until)
    db.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)", row)


def on_status(client: mqtt.Client, site: str, body: dict) -> None:
    """Compare what we have with what there is, and ask for the rest."""
    db.execute("INSERT OR REPLACE INTO site VALUES (?, ?)", (site, body["online"]))
    for stream, head in (body.get("heads") or {}).items():
        place = (site, stream, head["epoch"])
        where = "FROM {} WHERE site = ? AND stream = ? AND epoch = ?"
        have = {seq for (seq,) in db.execute("SELECT seq " + where.format("event"), place)}
        for first, last in db.execute("SELECT first, last " + where.format("void"), place):
            have.update(range(first, last + 1))
        missing = [seq for seq in range(1, head["seq"] + 1) if seq not in have]
        if missing and time.monotonic() - asked.get(place, -1e9) > ASK_AGAIN_SECONDS:
            asked[place] = time.monotonic()
            # Each time the next thousand, then from the start again: numbers that were never used
            # look missing until the event that says so has come, and that one is behind them.
            rest = [seq for seq in missing if seq > asked_to.get(place, 0)] or missing
            asked_to[place] = min(missing[-1], rest[0] + MOST_AT_ONCE - 1)
            ask(client, place, rest[0], asked_to[place])


def ask(client: mqtt.Client, place: tuple[str, str, str], first: int, last: int) -> None:
    """Sign and send a replay; `site` is COUNTY/SITE."""
    site, stream, epoch = place
    county, school = site.split("/")
    command = {
        "specversion": "1.0", "type": "campus.command.replay.v1", "id": str(uuid.uuid4()),
        "county": county, "site": school, "time": datetime.now(UTC).isoformat(),
        "data": {"stream": stream, "epoch": epoch, "first": first, "last": last},
    }  # fmt: skip
    signed = json.dumps(command)
    signature = base64.b64encode(key.sign(b"campus-agent command v1\n" + signed.encode())).decode()
    envelope = {"signed": signed, "key": "duty-desk", "signature": signature}
    client.publish(f"cmd/v1/{site}/replay", json.dumps(envelope), qos=1)
    print(f"{site}: asked for {stream} {first} to {last}", flush=True)


def on_message(client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
    """Tell events, states and signs of life apart."""
    _, _, county, school, kind, *name = message.topic.split("/")
    if kind == "event":
        on_event(f"{county}/{school}", json.loads(message.payload))
    elif kind == "state":
        on_state(f"{county}/{school}", "/".join(name), message.payload, message.retain)
    elif kind == "status":
        on_status(client, f"{county}/{school}", json.loads(message.payload))


collector = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "collector", clean_session=False)
collector.on_connect = lambda client, *_: client.subscribe(
    [(f"campus/v1/+/+/{kind}", 1) for kind in ("event/+", "state/+/+", "status")]
)
collector.on_message = on_message
if certificates:
    collector.tls_set(*certificates)
collector.connect(host, int(port))
collector.loop_forever()
