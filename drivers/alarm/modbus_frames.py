"""Modbus RTU frames, as far as a contact module needs them.

Sources: "MODBUS over Serial Line V1.02" (MSL) and "MODBUS Application Protocol V1.1b3" (MAP).
"""

from drivers.errors import BusyError, DriverError, ProtocolError, UnsupportedDeviceError

READ_COILS = 0x01  # MAP 6.1
READ_DISCRETE_INPUTS = 0x02  # MAP 6.2
READ_HOLDING_REGISTERS = 0x03  # MAP 6.3
READ_INPUT_REGISTERS = 0x04  # MAP 6.4
WRITE_SINGLE_COIL = 0x05  # MAP 6.5
EXCEPTION_FLAG = 0x80  # MAP 7: the function code comes back with its high bit set

HEADER_BYTES = 3  # unit, function, byte count or exception code: enough to know the length
CRC_BYTES = 2
ECHO_BYTES = 8  # MAP 6.5: a write is answered by itself

# MAP 7. 1 to 3 mean that the settings ask for something the module has not got.
_EXCEPTIONS = {1: "illegal function", 2: "illegal address", 3: "illegal value", 4: "device failure"}
_BUSY = 6


def crc(data: bytes) -> bytes:
    """Return the CRC-16 of MSL 6.2.2, low byte first as it goes on the wire."""
    value = 0xFFFF
    for byte in data:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")


def _table_entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (0xA001 if value & 1 else 0)  # MSL 6.2.2: polynomial, reflected
    return value


_TABLE = tuple(_table_entry(byte) for byte in range(256))


def read_request(unit: int, function: int, start: int, count: int) -> bytes:
    """Build a request to read `count` inputs, coils or registers from address `start`."""
    body = bytes((unit, function)) + start.to_bytes(2, "big") + count.to_bytes(2, "big")
    return body + crc(body)


def write_coil_request(unit: int, coil: int, value: int) -> bytes:
    """Build a request to set one coil; FF00 is on and 0000 off, some makers take 0100 for on."""
    body = bytes((unit, WRITE_SINGLE_COIL)) + coil.to_bytes(2, "big") + value.to_bytes(2, "big")
    return body + crc(body)


def rest_of_reply(header: bytes) -> int:
    """Tell how many bytes follow the first three of a reply (MSL 2.5.1: framed by length)."""
    if header[1] & EXCEPTION_FLAG:
        return CRC_BYTES
    if header[1] == WRITE_SINGLE_COIL:
        return ECHO_BYTES - HEADER_BYTES
    return header[2] + CRC_BYTES


def whole_reply(start: bytes) -> int:
    """Tell how long a reply is that begins so; a header that is cut short counts as cut short."""
    return HEADER_BYTES + (rest_of_reply(start) if len(start) >= HEADER_BYTES else 1)


def reply_data(frame: bytes, request: bytes, data_bytes: int) -> bytes:
    """Check a whole reply against its request and return its data.

    Raises ProtocolError, or what an exception reply means: BusyError, UnsupportedDeviceError.
    """
    _checked(frame, request)
    if frame[2] != data_bytes or len(frame) != HEADER_BYTES + data_bytes + CRC_BYTES:
        raise ProtocolError(f"Modbus reply {_quoted(frame)} has the wrong length")
    return frame[HEADER_BYTES:-CRC_BYTES]


def check_written(frame: bytes, request: bytes) -> None:
    """Check that a write was answered by itself. Raises as `reply_data` does."""
    _checked(frame, request)
    if frame != request:
        raise ProtocolError(f"Modbus reply {_quoted(frame)} is not what was written")


def bits(data: bytes, count: int) -> tuple[bool, ...]:
    """Unpack inputs, the lowest-numbered in bit 0 of the first byte (MAP 6.2)."""
    return tuple(bool(data[index // 8] >> index % 8 & 1) for index in range(count))


def registers(data: bytes) -> tuple[int, ...]:
    """Unpack 16-bit registers, high byte first (MAP 4.2)."""
    return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))


def register_bits(data: bytes, count: int) -> tuple[bool, ...]:
    """Unpack inputs that a maker packed into registers, the lowest-numbered in bit 0 of the first.

    No standard says so; it is how the modules do that have no discrete inputs.
    """
    words = registers(data)
    return tuple(bool(words[index // 16] >> index % 16 & 1) for index in range(count))


def _checked(frame: bytes, request: bytes) -> None:
    if len(frame) < HEADER_BYTES + CRC_BYTES or crc(frame[:-CRC_BYTES]) != frame[-CRC_BYTES:]:
        raise ProtocolError(f"garbled Modbus reply {_quoted(frame)}")
    if frame[0] != request[0] or frame[1] & ~EXCEPTION_FLAG != request[1]:
        raise ProtocolError(f"Modbus reply {_quoted(frame)} belongs to another request")
    if frame[1] & EXCEPTION_FLAG:
        raise _exception(frame[2])


def _exception(code: int) -> DriverError:
    if code == _BUSY:
        return BusyError("the Modbus module says it is busy")
    if code in (1, 2, 3):
        return UnsupportedDeviceError(
            f"the Modbus module refuses the request ({_EXCEPTIONS[code]}): "
            "check how many inputs, counters and outputs it has, and their addresses"
        )
    return ProtocolError(f"Modbus exception {code} ({_EXCEPTIONS.get(code, 'unknown')})")


def _quoted(frame: bytes) -> str:
    return frame[:24].hex(" ") or "(empty)"
