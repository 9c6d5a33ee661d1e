"""What docs/subscribers.md tells other programs to do, done by these programs (`make deep`)."""

import contextlib
import json
import re
import shutil
import socket
import struct
import subprocess
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulators.broker import Broker
from simulators.county import County
from simulators.modbus import ModbusSimulator
from tests.daemon import Daemon
from tests.hearing import all_of, at_rest
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
NODE_RED = ROOT / "build" / "node-red" / "node_modules" / ".bin" / "node-red"

COMPRESSED = 0x02

pytestmark = pytest.mark.deep


@contextmanager
def node_red(directory: Path, port: int) -> Iterator[Path]:
    """Run the flow of the docs against a broker; yields where it writes."""
    flow = (ROOT / "docs" / "examples" / "node-red.json").read_text(encoding="utf-8")
    (directory / "flow.json").write_text(flow.replace('"1883"', f'"{port}"'), encoding="utf-8")
    (directory / "settings.js").write_text(
        "module.exports = { uiPort: 0, httpRoot: false, telemetry: { enabled: false } };\n",
        encoding="utf-8",
    )
    command = [str(NODE_RED), "--userDir", str(directory), "--settings", "settings.js", "flow.json"]
    log = directory / "node-red.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=directory, stdout=out, stderr=out)
    try:
        wait_until(lambda: "Connected to broker" in log.read_text(errors="replace"), 60)
        yield directory / "presses.jsonl"
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.timeout(180)
def test_node_red_writes_every_live_press_once(
    tmp_path: Path, broker: Broker, county: County, module: ModbusSimulator, daemon: Daemon
) -> None:
    at_rest(county)
    flow = tmp_path / "node-red"
    flow.mkdir()
    with node_red(flow, broker.port) as written:
        for number in range(3):
            module.press()
            wait_until(lambda: len(all_of(county, "press")) == number + 1)  # noqa: B023
            module.release()
            wait_until(lambda: len(all_of(county, "release")) == number + 1)  # noqa: B023
        broker.stop(kill=True)  # the incident is announced again after it: no new line
        broker.start()
        county.wait_for(lambda one: one.body.get("again") is True, 30)
        wait_until(lambda: written.exists() and len(written.read_text().splitlines()) >= 3, 30)
        lines = [json.loads(line) for line in written.read_text().splitlines()]
    assert [(line["site"], line["button"]) for line in lines] == [("school", "gate")] * 3


class ZabbixServer:
    """As much of a Zabbix server as an active agent needs: one item to watch, and its values.

    Zabbix 6.0 manual, appendix "Agent protocol" (active checks) and "Header".
    """

    def __init__(self, key: str) -> None:
        self.values: list[str] = []
        self._key = key
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                agent, _ = self._server.accept()
            except OSError:
                return
            with agent, contextlib.suppress(OSError, ValueError):
                agent.settimeout(5)
                self._answer(agent)

    def _answer(self, agent: socket.socket) -> None:
        _, flags, size, _ = struct.unpack("<4sBII", agent.recv(13, socket.MSG_WAITALL))
        body = agent.recv(size, socket.MSG_WAITALL)
        request = json.loads(zlib.decompress(body) if flags & COMPRESSED else body)
        answer: dict[str, object] = {"response": "success"}
        if request["request"] == "active checks":
            item = {"key": self._key, "itemid": 1, "delay": "1s", "lastlogsize": 0, "mtime": 0}
            answer["data"] = [item]
        elif request["request"] == "agent data":
            self.values += [str(one.get("value", "")) for one in request["data"]]
            answer["info"] = "processed: 1; failed: 0; total: 1; seconds spent: 0.0"
        body = json.dumps(answer).encode()
        agent.sendall(struct.pack("<4sBII", b"ZBXD", 1, len(body), 0) + body)


@pytest.mark.timeout(60)
def test_zabbix_reads_the_status(
    tmp_path: Path, county: County, broker: Broker, daemon: Daemon
) -> None:
    at_rest(county)
    agent = shutil.which("zabbix_agent2", path="/usr/sbin:/usr/bin")
    assert agent is not None, "install zabbix-agent2"
    document = (ROOT / "docs" / "subscribers.md").read_text(encoding="utf-8")
    [key] = re.findall(r"`(mqtt\.get\[[^`]+\])`", document)
    key = key.replace("1883", str(broker.port)).replace("demo-county", "county")
    server = ZabbixServer(key)
    settings = tmp_path / "zabbix.conf"
    settings.write_text(
        f"ServerActive=127.0.0.1:{server.port}\nHostname=county\nLogType=console\n"
        f"ControlSocket={tmp_path}/zabbix.sock\nPluginSocket={tmp_path}/plugin.sock\n",
        encoding="utf-8",
    )
    log = tmp_path / "zabbix.log"
    with log.open("wb") as out:
        process = subprocess.Popen([agent, "-c", str(settings)], stdout=out, stderr=out)
    try:
        wait_until(lambda: '"online": true' in "".join(server.values).replace("\\", ""), 40)
    finally:
        process.terminate()
        process.wait(10)
        server.stop()
