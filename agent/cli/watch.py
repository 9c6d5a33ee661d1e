"""`campus-agent watch`: what the county hears of a school, one line a message."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.credentials import CredentialError, Credentials
from agent.settings_types import SecretReference
from agent.text import Language, explain, join, language, printable, sentence
from agent.text.messages import event_line, state_line

CONNECT_SECONDS = 10.0


def main(argv: Sequence[str]) -> int:
    """Subscribe and print until interrupted; 1 when the broker cannot be reached, 2 for misuse."""
    parser = argparse.ArgumentParser(prog="campus-agent watch")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--username")
    parser.add_argument("--password-file", help="a file that only its owner can read")
    parser.add_argument("--county", default="+")
    parser.add_argument("--site", default="+")
    parser.add_argument("--states", action="store_true", help="every refresh, not changes alone")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--lang")
    options = parser.parse_args(argv)
    lang = language(os.environ, options.lang)
    watch = Watch(lang, as_json=options.json, refreshes=options.states)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    if options.password_file:
        try:
            reference = SecretReference(file=options.password_file)
            password = Credentials.from_environ(os.environ).resolve(reference)
        except CredentialError as error:
            print(explain(lang, error.cause), file=sys.stderr)
            return 2
        client.username_pw_set(options.username, password.get_secret_value())
    elif options.username:
        client.username_pw_set(options.username)

    stopping, connected = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    def on_connect(_c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        if not reason.is_failure:
            client.subscribe(f"campus/v1/{options.county}/{options.site}/#", 1)
            connected.set()

    client.on_connect = on_connect
    client.on_message = lambda _c, _u, message: watch.show(message.topic, bytes(message.payload))
    client.connect_async(options.host, options.port, 30)
    client.loop_start()
    if not connected.wait(CONNECT_SECONDS) and not stopping.is_set():
        where = f"{options.host}:{options.port}"
        print(sentence(lang, "watch.no_broker", broker=where), file=sys.stderr)
        return 1
    stopping.wait()
    client.disconnect()
    client.loop_stop()
    return 0


class Watch:
    """Turns messages into lines; a state that says nothing new is not shown again."""

    def __init__(self, lang: Language, *, as_json: bool, refreshes: bool) -> None:
        self._lang = lang
        self._as_json = as_json
        self._refreshes = refreshes
        self._shown: dict[str, str] = {}

    def show(self, topic: str, payload: bytes) -> None:
        """Print one message; whatever came over the wire, nothing is raised."""
        try:
            body = json.loads(payload) if payload else {}
        except ValueError:
            body = {}
        if not isinstance(body, dict):
            body = {}
        if self._as_json:
            print(json.dumps({"topic": topic, **body}, ensure_ascii=False), flush=True)
            return
        if topic.endswith("/reply/selftest"):
            return  # the agent's question to itself, which it publishes every few minutes
        line = self.line(topic, body)
        kind = topic.split("/", 4)[-1]
        if not kind.startswith("event/") and not self._refreshes:
            if self._shown.get(topic) == line:
                return
            self._shown[topic] = line
        time = printable(str(body.get("time", "")))[11:19]
        site = printable(topic.split("/")[3]) if topic.count("/") > 3 else ""
        print(f"{time} {site} {line}", flush=True)

    def line(self, topic: str, body: Mapping[str, object]) -> str:
        """Return the sentence of one message."""
        data = body.get("data")
        fields: Mapping[str, object] = data if isinstance(data, dict) else {}
        match topic.split("/")[4:]:
            case ["event", kind]:
                marks = [name for name in ("test", "late") if body.get(name)]
                said = [sentence(self._lang, f"mark.{name}") for name in marks]
                return join(
                    self._lang,
                    [*said, event_line(self._lang, kind, fields, test=body.get("test") is True)],
                )
            case ["state", kind, object_id]:
                return state_line(self._lang, kind, object_id, fields)
            case ["status"]:
                online = body.get("online")
                code = "watch.online" if online else f"watch.offline.{body.get('reason', 'lost')}"
                return sentence(self._lang, printable(code))
            case ["about"]:
                version = printable(str(body.get("agent_version", "")))
                return sentence(self._lang, "watch.about", version=version)
            case _:
                return printable(topic)
