"""A panic button on the modem lines of a terminal server's port, spoken to over RFC 2217."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import serial.rfc2217

from simulators.truth import Truth

LOOK_EVERY_SECONDS = 0.01


class ButtonPort:
    """The port behind the terminal server: what pyserial's PortManager reads and sets of one.

    One pole of the button is closed at rest and returns the feed to CTS, the other is open at rest
    and returns it to DSR.
    """

    def __init__(self) -> None:
        self.baudrate, self.bytesize, self.parity, self.stopbits = 9600, 8, "N", 1
        self.xonxoff = self.rtscts = self.dsrdtr = self.break_condition = False
        self.dtr = self.rts = False
        self.ri = self.cd = False
        self.pressed = self.cut = self.shorted = False
        self.halfway = False
        self.foreign_supply = False

    @property
    def cts(self) -> bool:
        """The pole that is closed at rest."""
        return self._returns(closed=not (self.pressed or self.halfway))

    @property
    def dsr(self) -> bool:
        """The pole that is open at rest."""
        return self._returns(closed=self.pressed and not self.halfway)

    def reset_input_buffer(self) -> None:
        """Nothing was ever received."""

    def reset_output_buffer(self) -> None:
        """Nothing is ever sent."""

    def _returns(self, *, closed: bool) -> bool:
        fed = self.dtr or self.foreign_supply
        return fed and not self.cut and (closed or self.shorted)


class ModemLinesSimulator:
    """A terminal server that takes one client at a time, as real ones do; others are hung up on."""

    def __init__(self, truth: Truth, name: str = "loop") -> None:
        self.port = ButtonPort()
        self.silent = False
        self._truth = truth
        self._name = name
        self._door: socket.socket | None = None
        self._client: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self.tcp_port = 0

    @property
    def url(self) -> str:
        """Where a driver finds it; the same after every replug."""
        return f"rfc2217://127.0.0.1:{self.tcp_port}"

    def plug(self) -> None:
        """Connect the terminal server to the network."""
        self._door = socket.create_server(("127.0.0.1", self.tcp_port))
        self.tcp_port = self._door.getsockname()[1]
        self._run(self._admit, self._door)
        self._truth.record(self._name, "plug")

    def unplug(self) -> None:
        """Take it away: its door and its connection close. A second time does nothing."""
        door, self._door = self._door, None
        if door is None:
            return
        for one in (door, self._client):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)
        self._threads.clear()
        door.close()
        self._truth.record(self._name, "unplug")

    def reset_connection(self) -> None:
        """Break off the connection as a terminal server does that lost its power for a moment."""
        client = self._client
        if client is not None:
            # SO_LINGER of no seconds: closing sends a reset instead of an end.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.unplug()
            self.plug()

    def press(self) -> None:
        """Press the button; it stays pressed."""
        self._set("press", pressed=True)

    def release(self) -> None:
        """Let the button go."""
        self._set("release", pressed=False)

    def stop_halfway(self) -> None:
        """Leave the button between its contacts."""
        self._set("halfway", halfway=True)

    def cut(self) -> None:
        """Cut the cable."""
        self._set("cut", cut=True)

    def short(self) -> None:
        """Short the two poles, as a nail through the cable does."""
        self._set("short", shorted=True)

    def stick(self) -> None:
        """Feed the loop from elsewhere: it no longer follows the port's output."""
        self._set("stuck", foreign_supply=True)

    def mend(self) -> None:
        """Repair the cable and its feed."""
        self._set("mend", cut=False, shorted=False, foreign_supply=False, halfway=False)

    def _set(self, what: str, **contacts: bool) -> None:
        for contact, value in contacts.items():
            setattr(self.port, contact, value)
        self._truth.record(self._name, what)

    def _run(self, target: Callable[[socket.socket], None], sock: socket.socket) -> None:
        thread = threading.Thread(
            target=target, args=(sock,), name=f"sim-{self._name}", daemon=True
        )
        thread.start()
        self._threads.append(thread)

    def _admit(self, door: socket.socket) -> None:
        while self._door is door:
            try:
                client, _ = door.accept()
            except OSError:
                return
            if self._client is not None:
                self._truth.record(self._name, "refused")
                client.close()
                continue
            self._client = client
            self._truth.record(self._name, "connect")
            self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        # Typed as whole ports, but it asks no more of either than they have.
        port, wire = cast("Any", self.port), cast("Any", _Wire(client))
        manager = serial.rfc2217.PortManager(port, wire)
        client.settimeout(LOOK_EVERY_SECONDS)
        try:
            while True:
                if self.silent and self._door is not None:
                    time.sleep(LOOK_EVERY_SECONDS)
                    continue
                manager.check_modem_lines()
                try:
                    data = client.recv(1024)
                except TimeoutError:
                    continue
                if not data:
                    break
                for _ in manager.filter(data):
                    pass
        except OSError:
            pass
        # A port nobody holds feeds nothing.
        self.port.dtr = self.port.rts = False
        self._client = None
        client.close()
        self._truth.record(self._name, "disconnect")


class _Wire:
    """All that PortManager asks of a connection."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def write(self, data: bytes) -> None:
        self._client.sendall(data)
