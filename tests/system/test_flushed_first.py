"""By the kernel's own record (strace): nothing is promised of an alarm before it is flushed."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.broker import Broker
from simulators.county import County
from simulators.modbus import ModbusSimulator
from simulators.surgard import SurgardSimulator
from simulators.truth import Truth
from tests.daemon import Daemon, alarm_only
from tests.hearing import all_of
from tests.system.test_alarm_lines import RECEIVER, position
from tests.system.test_guard_told import with_lamps
from tests.waiting import wait_until

REPORTS = 12
PRESSES = 5
CALLS = "fsync,fdatasync,pwrite64,write,sendto,sendmsg"
ROW = re.compile(r'\\"id\\": ?\\"([0-9a-f-]{36})\\"')
# Modbus 1.1b3, 6.5: unit 1, write single coil 2, on. As strace writes bytes.
LAMP_ON = r'"\1\5\0\2\377\0'
ACK = r'"\6"'  # Sur-Gard MLR2: the receiver may forget the line


class Record:
    """Reads a trace in order: what is flushed, and what is promised after it."""

    def __init__(self) -> None:
        self.written: set[str] = set()
        self.flushed: set[str] = set()
        self.presses: set[str] = set()
        self.promised: list[tuple[str, str]] = []
        self._flushing: dict[str, set[str]] = {}
        self._unfinished: dict[str, str] = {}

    def read(self, trace: Path) -> None:
        for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
            pid, _, call = line.partition(" ")
            call = call.strip()
            if call.endswith("<unfinished ...>"):
                self._unfinished[pid] = call
                self._begins(pid, call)
            elif call.startswith("<... "):
                self._ends(pid, self._unfinished.pop(pid, ""))
            else:
                self._begins(pid, call)
                self._ends(pid, call)

    def _begins(self, pid: str, call: str) -> None:
        if call.startswith(("fsync", "fdatasync")) and "alarms.db" in call:
            self._flushing[pid] = set(self.written)
        elif "/dev/pts/" in call and call.startswith("write("):
            if ACK in call:
                self.promised.append(("ack", ""))
                acks = sum(what == "ack" for what, _ in self.promised)
                assert len(self.flushed & self.presses) >= acks, "answered before it was flushed"
            elif LAMP_ON in call:
                self.promised.append(("lamp", ""))
                assert self.flushed & self.presses, "the lamp said recorded before it was"
        elif "TCP" in call.partition(",")[0]:
            for row, text in _rows(call):
                if "event.alarm.v1" in text and r"\"durable\": true" in text:
                    self.promised.append(("published", row))
                    assert row in self.flushed, f"{row} was published before it was flushed"

    def _ends(self, pid: str, call: str) -> None:
        if call.startswith("pwrite64") and "alarms.db-wal" in call:
            for row, text in _rows(call):
                self.written.add(row)
                if r"\"what\":\"press\"" in text:
                    self.presses.add(row)
        elif pid in self._flushing and call.startswith(("fsync", "fdatasync")):
            self.flushed |= self._flushing.pop(pid)


def _rows(call: str) -> Iterator[tuple[str, str]]:
    for text in call.split("specversion")[1:]:
        found = ROW.search(text)
        if found:
            yield found.group(1), text


def traced(daemon: Daemon, trace: Path) -> subprocess.Popen[bytes]:
    command = ["strace", "-f", "-y", "-yy", "-s", "100000", "-e", f"trace={CALLS}"]
    return subprocess.Popen(
        [*command, "-o", str(trace), "-p", str(daemon.pid)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.deep
def test_nothing_is_promised_before_it_is_flushed(
    tmp_path: Path, broker: Broker, county: County, module: ModbusSimulator, truth: Truth
) -> None:
    receiver = SurgardSimulator(tmp_path / "host", truth, ack_seconds=5, heartbeat_seconds=1)
    receiver.start()
    lamps = with_lamps(alarm_only(tmp_path, broker.port)).replace(
        'recorded = "off"', 'recorded = "on"'
    )
    zones = RECEIVER.format(directory=tmp_path).replace('id = "gate"', 'id = "zone"')
    daemon = Daemon(tmp_path, lamps.replace("[not_fitted]", zones + "[not_fitted]"))
    daemon.start()
    trace = tmp_path / "trace"
    try:
        county.wait_for(position("gate", "rest"), 30)
        county.wait_for(position("zone", "rest"), 30)
        strace = traced(daemon, trace)
        wait_until(lambda: trace.exists() and trace.stat().st_size > 0, 20)
        for number in range(PRESSES):
            module.press()
            wait_until(lambda n=number: len(all_of(county, "press")) > n, 20)  # type: ignore[misc]
            module.release()
            time.sleep(0.5)
        for zone in range(REPORTS):
            receiver.report("120", zone=f"{100 + zone}")
        wait_until(lambda: receiver.waiting == 0, 60)
        heard = PRESSES + REPORTS
        wait_until(lambda: len({one.body["id"] for one in all_of(county, "press")}) >= heard, 30)
    finally:
        strace.terminate()
        strace.wait(20)
        daemon.kill()
        receiver.stop()
    record = Record()
    record.read(trace)
    what = [name for name, _ in record.promised]
    assert what.count("ack") >= REPORTS
    assert "lamp" in what
    assert len({row for name, row in record.promised if name == "published"}) >= PRESSES + REPORTS
