"""Our Modbus driver against pymodbus's server, which no one here wrote."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent.clock import SystemClock
from drivers.alarm.modbus import ModbusSettings
from drivers.alarm.modbus_bus import ModbusBus
from drivers.errors import UnsupportedDeviceError
from drivers.readings import ContactsReading, OutputReading, PressCountsReading, Reading

CLOCK = SystemClock()
PRESSED = [False, False, True, False, False, False, False, True]


@pytest.fixture(scope="module")
def server_port() -> Iterator[int]:
    """Serve a module of 8 inputs, 8 coils, holding registers of 7 and input registers of 1234."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def serve() -> ModbusTcpServer:
        blocks = (
            [SimData(0, count=8, values=False, datatype=DataType.BITS)],
            [SimData(0, values=PRESSED, datatype=DataType.BITS)],
            [SimData(0, count=32, values=7, datatype=DataType.REGISTERS)],
            [SimData(0, count=16, values=1234, datatype=DataType.REGISTERS)],
        )
        server = ModbusTcpServer(
            SimDevice(id=1, simdata=blocks), framer=FramerType.RTU, address=("127.0.0.1", port)
        )
        await server.serve_forever(background=True)
        return server

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(serve())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(server.shutdown())  # type: ignore[no-untyped-call]  # theirs is untyped

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield port
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def poll(port: int, polls: int = 1, **more: object) -> list[Reading]:
    words = {"id": "io", "port": f"socket://127.0.0.1:{port}", "baud": 19200}
    driver = ModbusBus([ModbusSettings.model_validate({**words, **more})], CLOCK)
    driver.open()
    try:
        driver.modules[0].set_output(3, on=True)
        heard: list[Reading] = []
        for _ in range(polls):
            heard += driver.poll(deadline=CLOCK.monotonic() + 3)
        return heard
    finally:
        driver.close()


def test_inputs_counters_and_an_output(server_port: int) -> None:
    first, counts, output, *more = poll(server_port, polls=4, press_counters_at=0)
    assert isinstance(first, ContactsReading)
    assert list(first.inputs) == PRESSED
    assert isinstance(counts, PressCountsReading)
    assert set(counts.counts) == {1234}
    assert isinstance(output, OutputReading)
    assert output.on is True
    assert all(isinstance(one, ContactsReading) and list(one.inputs) == PRESSED for one in more)
    coils = [
        [number for number, on in enumerate(one.inputs) if on]
        for one in poll(server_port, polls=2, inputs_from="coils")
        if isinstance(one, ContactsReading)
    ]
    # Put out when the first driver was closed, and lit by the second after its first poll.
    assert coils == [[], [3]]


def test_holding_registers_with_packed_inputs(server_port: int) -> None:
    reading = poll(server_port, inputs_from="holding_registers", inputs_at=4)[0]
    assert isinstance(reading, ContactsReading)
    assert [number for number, on in enumerate(reading.inputs) if on] == [0, 1, 2]  # 7


def test_what_it_has_not_got_is_refused(server_port: int) -> None:
    with pytest.raises(UnsupportedDeviceError, match="illegal address"):
        poll(server_port, inputs_from="input_registers", inputs_at=4000)
