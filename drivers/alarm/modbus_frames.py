"""Modbus RTU frames, as far as a digital input module needs them.

Sources: "MODBUS over Serial Line V1.02" (MSL) and "MODBUS Application Protocol V1.1b3" (MAP).
"""

from drivers.errors import BusyError, DriverError, ProtocolError, UnsupportedDeviceError

READ_DISCRETE_INPUTS = 0x02  # MAP 6.2
READ_INPUT_REGISTERS = 0x04  # MAP 6.4
EXCEPTION_FLAG = 0x80  # MAP 7: the function code comes back with its high bit set

HEADER_BYTES = 3  # unit, function, byte count or exception code: enough to know the length
CRC_BYTES = 2

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
    """Build a request to read `count` inputs or registers from address `start`."""
    body = bytes((unit, function)) + start.to_bytes(2, "big") + count.to_bytes(2, "big")
    return body + crc(body)


def rest_of_reply(header: bytes) -> int:
    """Tell how many bytes follow the first three of a reply (MSL 2.5.1: framed by length)."""
    return CRC_BYTES if header[1] & EXCEPTION_FLAG else header[2] + CRC_BYTES


def whole_reply(start: bytes) -> int:
    """Tell how long a reply is that begins so; a header that is cut short counts as cut short."""
    return HEADER_BYTES + (rest_of_reply(start) if len(start) >= HEADER_BYTES else 1)


def reply_data(frame: bytes, request: bytes, data_bytes: int) -> bytes:
    """Check a whole reply against its request and return its data.

    Raises ProtocolError, or what an exception reply means: BusyError, UnsupportedDeviceError.
    """
    if len(frame) < HEADER_BYTES + CRC_BYTES or crc(frame[:-CRC_BYTES]) != frame[-CRC_BYTES:]:
        raise ProtocolError(f"garbled Modbus reply {_quoted(frame)}")
    if frame[0] != request[0] or frame[1] & ~EXCEPTION_FLAG != request[1]:
        raise ProtocolError(f"Modbus reply {_quoted(frame)} belongs to another request")
    if frame[1] & EXCEPTION_FLAG:
        raise _exception(frame[2])
    if frame[2] != data_bytes or len(frame) != HEADER_BYTES + data_bytes + CRC_BYTES:
        raise ProtocolError(f"Modbus reply {_quoted(frame)} has the wrong length")
    return frame[HEADER_BYTES:-CRC_BYTES]


def bits(data: bytes, count: int) -> tuple[bool, ...]:
    """Unpack inputs, the lowest-numbered in bit 0 of the first byte (MAP 6.2)."""
    return tuple(bool(data[index // 8] >> index % 8 & 1) for index in range(count))


def registers(data: bytes) -> tuple[int, ...]:
    """Unpack 16-bit registers, high byte first (MAP 4.2)."""
    return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))


def _exception(code: int) -> DriverError:
    if code == _BUSY:
        return BusyError("the Modbus module says it is busy")
    if code in (1, 2, 3):
        return UnsupportedDeviceError(
            f"the Modbus module refuses the request ({_EXCEPTIONS[code]}): "
            "check inputs and press_counters_at in the settings"
        )
    return ProtocolError(f"Modbus exception {code} ({_EXCEPTIONS.get(code, 'unknown')})")


def _quoted(frame: bytes) -> str:
    return frame[:24].hex(" ") or "(empty)"
