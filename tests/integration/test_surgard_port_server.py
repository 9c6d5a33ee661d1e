"""A receiver behind a port server that speaks RFC 2217: pyserial's own server is the stranger."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import serial.rfc2217

from drivers.errors import PortLostError
from simulators.surgard import SurgardSimulator
from simulators.tcp_line import TcpLine
from simulators.truth import Truth
from tests.integration.alarm_desk import AlarmDesk, settings_for
from tests.waiting import wait_until


class ServersPort:
    """The port server's own serial port: as much of it as pyserial's PortManager touches."""

    def __init__(self) -> None:
        self.baudrate, self.bytesize, self.parity, self.stopbits = 9600, 8, "N", 1
        self.xonxoff = self.rtscts = self.dsrdtr = self.break_condition = False
        self.rts = self.dtr = self.cts = self.dsr = self.ri = self.cd = False

    def reset_input_buffer(self) -> None:
        """Nothing waits."""

    def reset_output_buffer(self) -> None:
        """Nothing waits."""


class PortServer:
    """A wire of the receiver's that takes and gives RFC 2217 on its way."""

    def __init__(self, on_bytes: Callable[[bytes], None]) -> None:
        self.port = ServersPort()
        self.tcp = TcpLine(self._filter)
        self._on_bytes = on_bytes
        self._lock = threading.Lock()
        self._manager: serial.rfc2217.PortManager | None = None

    def plug(self) -> None:
        self.tcp.plug()

    def unplug(self) -> None:
        self.tcp.unplug()

    def send(self, data: bytes) -> bool:
        return self.tcp.send(data.replace(b"\xff", b"\xff\xff"))

    def write(self, data: bytes) -> None:
        self.tcp.send(data)

    def _filter(self, data: bytes) -> None:
        if self._manager is None:
            stand_ins: Any = (self.port, self)  # it asks for whole ports and uses this much of them
            self._manager = serial.rfc2217.PortManager(*stand_ins)
        self._on_bytes(b"".join(self._manager.filter(data)))


# Python deprecates what pyserial 3.5's client does to start its thread.
@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
def test_a_receiver_set_to_7e1_behind_a_port_server(tmp_path: Path) -> None:
    truth = Truth()
    receiver = SurgardSimulator(
        tmp_path / "host", truth, ack_seconds=1.0, heartbeat_seconds=5.0, make_wire=PortServer
    )
    server = receiver.line
    assert isinstance(server, PortServer)
    receiver.start()
    url = server.tcp.url.replace("socket", "rfc2217")
    desk = AlarmDesk(settings_for(url, parity="E", data_bits=7, ack_seconds=1.0), truth)
    desk.start()
    try:
        wait_until(lambda: server.port.bytesize == 7 and server.port.parity == "E")
        assert server.port.baudrate == 19200
        press = receiver.report("120")
        wait_until(lambda: receiver.waiting == 0)
        assert desk.first_heard == [press]
        assert truth.lines("committed")[0]["text"] == press
        server.unplug()
        wait_until(lambda: any(isinstance(error, PortLostError) for error in desk.errors))
    finally:
        desk.stop()
        receiver.stop()
