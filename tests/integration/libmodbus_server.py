"""libmodbus as a module on a line, in a process of its own: `libmodbus_server.py PORT`.

The library that mbpoll is built on, by its own names (libmodbus 3.1, modbus.h); it knows nothing of
ours. Inputs 0 and 2 are on, the coils start off; its registers hold 100 and what follows.
"""

import ctypes
import sys

BAUD, UNIT = 19200, 1
BITS, REGISTERS = 64, 64
LONGEST_REQUEST = 256  # MODBUS_RTU_MAX_ADU_LENGTH
ON = (0, 2)


class Mapping(ctypes.Structure):
    """modbus_mapping_t."""

    _fields_ = (
        ("nb_bits", ctypes.c_int),
        ("start_bits", ctypes.c_int),
        ("nb_input_bits", ctypes.c_int),
        ("start_input_bits", ctypes.c_int),
        ("nb_input_registers", ctypes.c_int),
        ("start_input_registers", ctypes.c_int),
        ("nb_registers", ctypes.c_int),
        ("start_registers", ctypes.c_int),
        ("tab_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_registers", ctypes.POINTER(ctypes.c_uint16)),
        ("tab_registers", ctypes.POINTER(ctypes.c_uint16)),
    )


def main() -> None:
    """Answer until killed."""
    library = ctypes.CDLL("libmodbus.so.5", use_errno=True)
    library.modbus_new_rtu.restype = ctypes.c_void_p
    library.modbus_mapping_new.restype = ctypes.POINTER(Mapping)
    context = ctypes.c_void_p(
        library.modbus_new_rtu(sys.argv[1].encode(), BAUD, ctypes.c_char(b"N"), 8, 1)
    )
    memory = library.modbus_mapping_new(BITS, BITS, REGISTERS, REGISTERS)
    for number in ON:
        memory.contents.tab_input_bits[number] = 1
    for number in range(REGISTERS):
        memory.contents.tab_input_registers[number] = 100 + number
    if library.modbus_set_slave(context, UNIT) or library.modbus_connect(context):
        raise OSError(ctypes.get_errno(), f"libmodbus cannot open {sys.argv[1]}")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    request = (ctypes.c_uint8 * LONGEST_REQUEST)()
    while True:
        size = library.modbus_receive(context, request)
        if size > 0:
            library.modbus_reply(context, request, size, memory)


if __name__ == "__main__":
    main()
