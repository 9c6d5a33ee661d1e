"""Our driver against libmodbus as the module, over two ends of one pseudo-terminal line."""

import os
import pty
import select
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from drivers.alarm.modbus import ModbusSettings
from drivers.alarm.modbus_bus import ModbusBus
from drivers.errors import UnsupportedDeviceError
from drivers.readings import ContactsReading, OutputReading, PressCountsReading, Reading
from tests.integration import libmodbus_server as server

CLOCK = SystemClock()


class Wire:
    """Joins two pseudo-terminals: what goes in at one end comes out at the other."""

    def __init__(self) -> None:
        self._masters: list[int] = []
        self._slaves: list[int] = []
        self.ends: list[str] = []
        for _ in range(2):
            master, slave = pty.openpty()
            tty.setraw(slave)
            self._masters.append(master)
            self._slaves.append(slave)
            self.ends.append(os.ttyname(slave))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)
        for handle in (*self._masters, *self._slaves):
            os.close(handle)

    def _run(self) -> None:
        while not self._stopping.is_set():
            ready, _, _ = select.select(self._masters, [], [], 0.1)
            for master in ready:
                other = self._masters[1 - self._masters.index(master)]
                os.write(other, os.read(master, 256))


@pytest.fixture
def port() -> Iterator[str]:
    wire = Wire()
    ours, theirs = wire.ends
    command = [sys.executable, str(Path(server.__file__)), theirs]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield ours
        process.kill()
    wire.stop()


def poll(port: str, polls: int = 1, **more: object) -> list[Reading]:
    words = {"id": "io", "port": port, "baud": server.BAUD, **more}
    driver = ModbusBus([ModbusSettings.model_validate(words)], CLOCK)
    driver.open()
    try:
        if more.get("outputs"):
            driver.modules[0].set_output(3, on=True)
        heard: list[Reading] = []
        for _ in range(polls):
            heard += driver.poll(deadline=CLOCK.monotonic() + 3)
        return heard
    finally:
        driver.close()


def on(reading: Reading) -> list[int]:
    assert isinstance(reading, ContactsReading)
    return [number for number, level in enumerate(reading.inputs) if level]


def test_its_inputs_are_read_poll_after_poll(port: str) -> None:
    assert [on(one) for one in poll(port, polls=20)] == [list(server.ON)] * 20


def test_its_registers_count_presses(port: str) -> None:
    _, counts = poll(port, press_counters_at=8)
    assert isinstance(counts, PressCountsReading)
    assert counts.counts == tuple(range(108, 116))


def test_its_coil_is_set_read_back_and_put_out(port: str) -> None:
    heard = poll(port, polls=2, inputs_from="coils", outputs=8)
    assert [on(one) for one in heard if isinstance(one, ContactsReading)] == [[], [3]]
    assert [one.on for one in heard if isinstance(one, OutputReading)] == [True]
    assert [on(one) for one in poll(port, inputs_from="coils")] == [[]]


def test_what_it_has_not_got_is_refused(port: str) -> None:
    with pytest.raises(UnsupportedDeviceError, match="illegal address"):
        poll(port, inputs_at=server.BITS)
