"""What docs/subscribers.md tells other programs to do, done by these programs (`make deep`)."""

import json
import re
import shutil
import subprocess
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


@pytest.mark.timeout(60)
def test_zabbix_reads_the_status(county: County, broker: Broker, daemon: Daemon) -> None:
    at_rest(county)
    agent = shutil.which("zabbix_agent2", path="/usr/sbin:/usr/bin")
    assert agent is not None, "install zabbix-agent2"
    document = (ROOT / "docs" / "subscribers.md").read_text(encoding="utf-8")
    [key] = re.findall(r"zabbix_agent2 -t '(mqtt\.get\[[^']+\])'", document)
    key = key.replace("1883", str(broker.port)).replace("demo-county", "county")
    said = subprocess.run(
        [agent, "-c", "/dev/null", "-t", key],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert '"online": true' in said.stdout.replace('\\"', '"'), said
