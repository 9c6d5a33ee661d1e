"""What hangs on a serial port, found out by reading alone; every try has a deadline."""

from typing import NamedTuple

from drivers.alarm import modbus_frames as frames
from drivers.alarm.modbus_line import ModbusLine
from drivers.base import Clock
from drivers.errors import DriverError, PortLostError, ProtocolError, UnsupportedDeviceError
from drivers.nfc.em4100 import PAIR_SECONDS, READ_BYTES, Frames
from drivers.nfc.pn532 import ACK_SECONDS, GET_FIRMWARE_VERSION, IC_PN532, QUIET_SECONDS
from drivers.nfc.pn532_frames import ACK, WAKE_UP, FrameKind, FrameReader, encode, reply_data
from drivers.serial_port import SerialPort

PN532_BAUD, EM4100_BAUD = 115_200, 9600
# As modules leave the works, then what a technician may have set them to.
MODULE_BAUDS = (9600, 19_200, 115_200)
MODULE_UNIT = 1
INPUTS_TRIED = (8, 4)
# Inputs come first: coils are lamps and relays as a rule, and inputs on a few makes.
_TABLES = {
    "discrete_inputs": frames.READ_DISCRETE_INPUTS,
    "coils": frames.READ_COILS,
}
TRY_SECONDS = 1.0
REPLY_SECONDS = 0.3
LISTEN_SECONDS = 2.0
_PN532_TRIES = 2


class FoundPn532(NamedTuple):
    """A reader with a PN532 chip."""

    firmware: str


class FoundEm4100(NamedTuple):
    """A reader that only talks, and the tag that made it talk."""

    tag: str


class FoundModule(NamedTuple):
    """A Modbus device at unit 1; no `levels`: it answers and has no inputs where we looked."""

    baud: int
    table: str
    levels: tuple[bool, ...]


def ask_pn532(url: str, clock: Clock) -> FoundPn532 | None:
    """Ask for the firmware's version (UM0701 7.2.2), nothing else. Raises PortLostError."""
    port = SerialPort(url, PN532_BAUD, clock)
    port.open()
    try:
        port.write(ACK)  # 6.2.1.3: ends what an earlier program left pending
        port.drain(QUIET_SECONDS, deadline=clock.monotonic() + TRY_SECONDS)
        for _ in range(_PN532_TRIES):
            port.write(WAKE_UP + encode(GET_FIRMWARE_VERSION))
            version = _version(port, clock.monotonic() + ACK_SECONDS + REPLY_SECONDS, clock)
            if version is not None:
                return FoundPn532(f"{version[1]}.{version[2]}")
        return None
    finally:
        port.close()


def ask_module(url: str, clock: Clock) -> FoundModule | None:
    """Read the inputs of unit 1 at the usual speeds. Raises PortLostError."""
    for baud in MODULE_BAUDS:
        port = SerialPort(url, baud, clock)
        port.open()
        try:
            found = _module(ModbusLine(port, clock, local_echo=False), clock)
        finally:
            port.close()
        if found is not None:
            return found
    return None


def hear_em4100(url: str, clock: Clock, *, seconds: float = LISTEN_SECONDS) -> FoundEm4100 | None:
    """Listen for a tag that somebody holds to the reader. Raises PortLostError."""
    port = SerialPort(url, EM4100_BAUD, clock)
    port.open()
    heard: dict[str, float] = {}
    frames_of = Frames()
    until = clock.monotonic() + seconds
    try:
        while clock.monotonic() < until:
            data = port.read(1, deadline=until)
            more = min(until, clock.monotonic() + 0.02)
            data += port.read(READ_BYTES, deadline=more) if data else b""
            now = clock.monotonic()
            for digits in frames_of.feed(data):
                # One frame alone may be a phantom.
                if now - heard.get(digits, now - 2 * PAIR_SECONDS) <= PAIR_SECONDS:
                    return FoundEm4100(f"em4100:{digits}")
                heard = {digits: now}
        return None
    finally:
        port.close()


def _version(port: SerialPort, deadline: float, clock: Clock) -> bytes | None:
    reader = FrameReader()
    while clock.monotonic() < deadline:
        try:
            frame = reader.next()
            if frame is not None and frame.kind is not FrameKind.ACK:
                said = reply_data(frame, GET_FIRMWARE_VERSION)
                return said if len(said) == 4 and said[0] == IC_PN532 else None
        except ProtocolError:
            continue  # the bytes behind it are looked at as new
        if frame is None:
            reader.feed(port.read(reader.missing, deadline=deadline))
    return None


def _module(line: ModbusLine, clock: Clock) -> FoundModule | None:
    """Return what answers at this speed; one that refuses has answered, too."""
    refused = False
    for table, function in _TABLES.items():
        for count in INPUTS_TRIED:
            request = frames.read_request(MODULE_UNIT, function, 0, count)
            try:
                data = line.read(
                    request,
                    (count + 7) // 8,
                    timeout=REPLY_SECONDS,
                    worst=0.0,
                    deadline=clock.monotonic() + TRY_SECONDS,
                )
            except UnsupportedDeviceError:
                refused = True
                continue
            except PortLostError:
                raise
            except DriverError:
                if not refused:
                    return None
                continue
            return FoundModule(line.port.baud, table, frames.bits(data, count))
    return FoundModule(line.port.baud, "", ()) if refused else None
