"""An NTAG 424 DNA tag behind its radio: APDUs in, APDUs out, a fresh SUN message at each read.

Written from the data sheet (NT4H2421Gx), NXP AN12196 (SUN), AN10922 (keys of single tags).
"""

import secrets

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

NDEF_APPLICATION = bytes.fromhex("D2760000850101")
NDEF_FILE = bytes.fromhex("E104")
FILE_BYTES = 256  # data sheet: the NDEF file as delivered
OK, FILE_NOT_FOUND, NOT_ALLOWED = b"\x90\x00", b"\x6a\x82", b"\x69\x85"
UNKNOWN_INSTRUCTION, WRONG_OFFSET = b"\x6d\x00", b"\x6b\x00"
URL = "county.example/t?picc_data={picc}&cmac={mac}"
HTTPS = 0x04  # NFC Forum, URI record: https://


class Ntag424:
    """One tag, programmed for a site. Its faults are plain switches."""

    def __init__(
        self, uid: bytes, meta_key: bytes, master_key: bytes, *, counter: int = 0, url: str = URL
    ) -> None:
        self.uid = uid
        self.counter = counter
        self.url = url
        self.replay = False  # a copy that can only repeat what the tag last said
        self.wrong_key = False  # a copy that knows the form and not the key
        self.said: bytes | None = None  # raw, in place of every answer to a read
        self._meta_key = meta_key
        # AN10922: constant, UID, what the site calls itself.
        self._file_key = _cmac(master_key, b"\x01" + uid + b"campus-agent")
        self._last = b""
        self.activate()

    def activate(self) -> None:
        """Come into a field: nothing is selected any more."""
        self._application = self._file = self._counted = False

    def answer(self, apdu: bytes) -> bytes:
        """Answer one command (ISO 7816-4)."""
        head, body = apdu[:4], apdu[5:]
        if head == bytes.fromhex("00A4040C"):  # SELECT by name
            self._application = body[:-1] == NDEF_APPLICATION
            self._file = False
            return OK if self._application else FILE_NOT_FOUND
        if head == bytes.fromhex("00A4000C"):  # SELECT by file identifier
            self._file = self._application and body == NDEF_FILE
            return OK if self._file else FILE_NOT_FOUND
        if head[:2] == bytes.fromhex("00B0"):  # READ BINARY
            return self._read(int.from_bytes(head[2:], "big"), apdu[4])
        return UNKNOWN_INSTRUCTION

    def message(self) -> tuple[bytes, bytes]:
        """Return a fresh SUN message: encrypted PICC data and the MAC."""
        self.counter += 1
        counter = self.counter.to_bytes(3, "little")
        plain = b"\xc7" + self.uid + counter + secrets.token_bytes(5)
        encryptor = Cipher(algorithms.AES(self._meta_key), modes.CBC(bytes(16))).encryptor()
        picc = encryptor.update(plain) + encryptor.finalize()
        key = secrets.token_bytes(16) if self.wrong_key else self._file_key
        session = _cmac(key, bytes.fromhex("3CC300010080") + self.uid + counter)
        return picc, bytes(_cmac(session, b"")[at] for at in range(1, 16, 2))

    def _read(self, offset: int, length: int) -> bytes:
        if not self._file:
            return NOT_ALLOWED
        if self.said is not None:
            return self.said
        if offset >= FILE_BYTES:
            return WRONG_OFFSET
        if not self._counted and not (self.replay and self._last):
            # Data sheet, SDM read counter: one more at the first read behind an activation.
            picc, mac = self.message()
            url = self.url.format(picc=picc.hex().upper(), mac=mac.hex().upper()).encode()
            record = bytes([0xD1, 0x01, len(url) + 1, 0x55, HTTPS]) + url
            self._last = len(record).to_bytes(2, "big") + record
        self._counted = True
        file = self._last.ljust(FILE_BYTES, b"\x00")
        return file[offset : offset + (length or 256)] + OK


def _cmac(key: bytes, message: bytes) -> bytes:
    made = CMAC(algorithms.AES(key))
    made.update(message)
    return made.finalize()
