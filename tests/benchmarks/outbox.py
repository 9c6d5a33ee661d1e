"""How fast the outbox drains into a real broker, and how an alarm fares meanwhile."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.county.contract import Event
from agent.county.event_data import AgentEventData, AlarmEventData
from agent.store.outbox import Lane, Row
from simulators.broker import Broker
from tests.benchmarks.figures import Figures, percentile
from tests.delivery import CLOCK, Site

MESSAGES = 20_000
ROWS_AT_ONCE = 1_000
ALARMS = 500
ALARM_EVERY_SECONDS = 0.02
LONGEST_SECONDS = 300

# The least a client can do: no store, no envelope, no answer to anything.
RAW_PAHO = """
import sys, threading
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
payload = open(sys.argv[2], "rb").read()
count = int(sys.argv[3])
client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
client.max_inflight_messages_set(32)
left, done, up = count, threading.Event(), threading.Event()
def on_publish(*_):
    global left
    left -= 1
    left or done.set()
client.on_publish = on_publish
client.on_connect = lambda *_: up.set()
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_start()
up.wait(10)
for _ in range(count):
    client.publish("campus/v1/county/school/event/agent", payload, 1)
done.wait(300)
client.disconnect()
client.loop_stop()
"""


def main() -> None:
    """Print every figure."""
    figures = Figures("outbox")
    with _standing() as (directory, broker):
        ours, payload = drain(directory, broker)
    with _standing() as (directory, broker):
        raw = drain_raw(directory, broker, payload)
    figures.print("drain_messages_per_second", ours, "1/s", n=MESSAGES, baseline=raw)
    lanes, fifo = latencies(Lane.ALARM), latencies(Lane.EVENT)
    for share in (50, 99):
        value, baseline = percentile(lanes, share), percentile(fifo, share)
        name = f"alarm_latency_p{share}_ms_backlog"
        figures.print(name, value, "ms", n=len(lanes), baseline=baseline)
    figures.print("alarm_latency_max_ms_backlog", lanes[-1], "ms", n=len(lanes), baseline=fifo[-1])


def drain(directory: Path, broker: Broker) -> tuple[float, bytes]:
    """Return messages a second from full to empty, all confirmations on disk, and a payload."""
    site = Site(directory, broker.port)
    rows = fill(site)
    with _hearing(broker, directory, MESSAGES) as file:
        site.alarms.start()
        site.publisher.start()
    until = time.monotonic() + 30
    while site.events.counts().result(30)["waiting"] and time.monotonic() < until:
        time.sleep(0.05)
    rate = _rate(file)
    payload = site.composer.payload(rows[0])
    site.stop()
    return rate, payload


def drain_raw(directory: Path, broker: Broker, payload: bytes) -> float:
    """Return messages a second of the library alone, from memory."""
    (directory / "payload").write_bytes(payload)
    arguments = [str(broker.port), str(directory / "payload"), str(MESSAGES)]
    with _hearing(broker, directory, MESSAGES) as file:
        subprocess.run([sys.executable, "-c", RAW_PAHO, *arguments], check=True, timeout=600)
    return _rate(file)


def latencies(lane: Lane) -> list[float]:
    """Return, in order, what passed between the commit of an alarm and its subscriber, in ms.

    In the event lane it stands in one line with all the others, as with one FIFO.
    """
    found: list[float] = []
    while len(found) < ALARMS:
        with _standing() as (directory, broker):
            site = Site(directory, broker.port)
            fill(site)
            committed: dict[str, float] = {}
            with _hearing(broker, directory, None) as file:
                site.alarms.start()
                site.publisher.start()
                while not site.publisher.connected:
                    time.sleep(0.01)
                while site.events.counts().result(30)["waiting"] > len(committed):
                    until = time.monotonic() + 5 * ALARM_EVERY_SECONDS
                    while time.monotonic() < until:
                        row = alarm(site, lane)
                        committed[row.id] = time.time()
                        time.sleep(ALARM_EVERY_SECONDS)
                    if len(found) + len(committed) >= ALARMS:
                        break
                _wait_heard(file, set(committed))
            heard = {one: at for at, one in _heard(file)}
            found += [1000 * (heard[one] - at) for one, at in committed.items()]
            site.stop()
    return sorted(found)


def fill(site: Site) -> list[Row]:
    """Leave a day's backlog in the event outbox; return its last rows."""
    site.events.start()
    event = Event(subject="agent", time=CLOCK.now(), data=AgentEventData(what="started"))
    rows: list[Row] = []
    for _ in range(MESSAGES // ROWS_AT_ONCE):
        rows = [
            site.composer.event(event, Lane.EVENT, "event", site.events.number())
            for _ in range(ROWS_AT_ONCE)
        ]
        site.events.put(rows).result(60)
    return rows


def alarm(site: Site, lane: Lane) -> Row:
    """Commit one press and hand it on."""
    data = AlarmEventData(what="press", button="gate", incident=1, press=1)
    event = Event(subject="gate", time=CLOCK.now(), data=data)
    outbox, stream = (site.alarms, "alarm") if lane is Lane.ALARM else (site.events, "event")
    row = site.composer.event(event, lane, stream, outbox.number())
    outbox.put([row]).result(30)
    if lane is Lane.ALARM:
        site.publisher.offer(row)
    else:
        site.publisher.events_stored()
    return row


@contextmanager
def _standing() -> Iterator[tuple[Path, Broker]]:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        broker = Broker(Path(name) / "broker", kind="mosquitto")
        broker.start()
        stack.callback(broker.stop)
        yield Path(name), broker


@contextmanager
def _hearing(broker: Broker, directory: Path, count: int | None) -> Iterator[Path]:
    """Have a stranger write down when which event came; with `count`, wait until it has all."""
    file = directory / "heard"
    command = ["mosquitto_sub", "-p", str(broker.port), "-V", "5", "-q", "1", "-F", "%U %p"]
    command += ["-t", "campus/v1/+/+/event/#", *(["-C", str(count)] if count else [])]
    with file.open("wb") as output, subprocess.Popen(command, stdout=output) as process:
        time.sleep(0.5)
        yield file
        if count is None:
            process.terminate()
        process.wait(LONGEST_SECONDS)


def _wait_heard(file: Path, wanted: set[str]) -> None:
    until = time.monotonic() + 60
    while wanted - {one for _, one in _heard(file)} and time.monotonic() < until:
        time.sleep(0.5)


def _heard(file: Path) -> list[tuple[float, str]]:
    lines = file.read_text(encoding="utf-8").splitlines()
    pairs = [line.split(" ", 1) for line in lines if line.endswith("}")]
    return [(float(at), json.loads(body)["id"]) for at, body in pairs]


def _rate(file: Path) -> float:
    first, *_, last = file.read_text(encoding="utf-8").splitlines()
    return MESSAGES / (float(last.split(" ", 1)[0]) - float(first.split(" ", 1)[0]))


if __name__ == "__main__":
    main()
