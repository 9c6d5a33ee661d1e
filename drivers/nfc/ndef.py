"""Asks an ISO 14443-4 tag for its NDEF file, and finds a SUN message in it; no I/O of its own."""

import re
from collections.abc import Callable

from drivers.nfc.sun import SunMessage

# ISO 7816-4 SELECT by name, no answer wanted: the NDEF application (NFC Forum Type 4 Tag).
SELECT_APPLICATION = bytes.fromhex("00A4040C07D276000085010100")
# The same by file identifier: E104, the NDEF file (NTAG 424 DNA data sheet, file system).
SELECT_FILE = bytes.fromhex("00A4000C02E104")
# ISO 7816-4 READ BINARY from 0 on: 240 of the file's 256 bytes fit into one frame of the reader.
READ_FILE = bytes.fromhex("00B00000F0")
DONE = b"\x90\x00"  # ISO 7816-4, status bytes
LENGTH_BYTES = 2  # NFC Forum Type 4 Tag: the message follows its length

# AN12196, SUN in a URL: hexadecimal, each the value of a query parameter, whatever its name.
_MESSAGE = re.compile(rb"[?&]\w+=([0-9A-Fa-f]{32})&(?:[^#]*&)?\w+=([0-9A-Fa-f]{16})(?![0-9A-Za-z])")


def ndef_file(exchange: Callable[[bytes], bytes | None]) -> bytes | None:
    """Return what the NDEF file begins with, nothing when the tag has none to give.

    `exchange` sends a command APDU and returns the response; None, here as there: the tag stopped
    answering, and was pulled away or is too far off.
    """
    file = b""
    for command in (SELECT_APPLICATION, SELECT_FILE, READ_FILE):
        response = exchange(command)
        if response is None:
            return None
        if not response.endswith(DONE):
            return b""
        file = response[: -len(DONE)]
    return file


def sun_message(file: bytes) -> SunMessage | None:
    """Find the SUN message in an NDEF file's URL; None when there is none."""
    length = int.from_bytes(file[:LENGTH_BYTES], "big")
    found = _MESSAGE.search(file[LENGTH_BYTES : LENGTH_BYTES + length])
    if found is None:
        return None
    return SunMessage(*(bytes.fromhex(digits.decode()) for digits in found.groups()))
