"""SUN messages of NTAG 424 DNA tags, checked; no I/O. A tag makes a new one at each read.

AN12196: NXP, NTAG 424 DNA features and hints. AN10922: NXP, symmetric key diversifications.
Data sheet: NXP NT4H2421Gx.
"""

import hmac
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK_BYTES = 16  # AES
UID_BYTES, COUNTER_BYTES = 7, 3
# AN12196, PICC data: UID mirrored (80), counter mirrored (40), and the UID's length.
PICC_DATA_TAG = 0x80 | 0x40 | UID_BYTES
# Data sheet, session keys of SDM, SV2: label, counter of blocks, length of the key in bits.
SESSION_LABEL = bytes.fromhex("3CC300010080")
DIVERSIFIED_AES_128 = b"\x01"  # AN10922, AES-128: the constant before what tells the tags apart
SYSTEM = b"campus-agent"

Refusal = Literal["bad_mac", "replayed"]


@dataclass(frozen=True, repr=False)
class SunKeys:
    """The site's keys: `meta` reads whose message it is, of `master` each tag has its own."""

    meta: bytes
    master: bytes


class SunMessage(NamedTuple):
    """What a tag put into its URL: its UID and counter, encrypted, and the proof."""

    picc_data: bytes
    mac: bytes


class Picc(NamedTuple):
    """Who wrote a message, and how often it has been read so far."""

    uid: bytes
    counter: int


class Counters(Protocol):
    """Where the last counter of each tag is kept, whatever happens in between."""

    def grew(self, uid: bytes, counter: int) -> bool:
        """Note the counter, if it is above the last one of this tag; tell whether it was."""


class SunCheck:
    """Judges the messages of one reader; readers of one site share their counters."""

    def __init__(self, keys: SunKeys, counters: Counters) -> None:
        self._keys = keys
        self._counters = counters

    def refusal(self, message: SunMessage, uid: bytes) -> Refusal | None:
        """Say why it does not prove that the tag with this UID is here now; None: it does."""
        picc = picc_of(message, self._keys.meta)
        if picc is None or not is_genuine(message, picc, file_key(self._keys.master, picc.uid)):
            return "bad_mac"
        # The good message of another tag was copied just as an old one was.
        if picc.uid != uid or not self._counters.grew(picc.uid, picc.counter):
            return "replayed"
        return None


def picc_of(message: SunMessage, meta_key: bytes) -> Picc | None:
    """Decrypt whose message it is (AN12196: AES-CBC, IV zero); None: not with this key."""
    if len(message.picc_data) != BLOCK_BYTES:
        return None
    decryptor = Cipher(algorithms.AES(meta_key), modes.CBC(bytes(BLOCK_BYTES))).decryptor()
    plain = decryptor.update(message.picc_data) + decryptor.finalize()
    if plain[0] != PICC_DATA_TAG:
        return None
    end = 1 + UID_BYTES
    # AN12196: the counter comes LSB first; what is behind it is random.
    return Picc(plain[1:end], int.from_bytes(plain[end : end + COUNTER_BYTES], "little"))


def is_genuine(message: SunMessage, picc: Picc, key: bytes) -> bool:
    """Tell whether only the tag that has this file key can have made the message."""
    counter = picc.counter.to_bytes(COUNTER_BYTES, "little")
    session_key = cmac(key, SESSION_LABEL + picc.uid + counter)
    # AN12196: nothing lies between the two offsets, and every second byte is sent.
    return hmac.compare_digest(cmac(session_key, b"")[1::2], message.mac)


def file_key(master: bytes, uid: bytes) -> bytes:
    """Derive one tag's own SDM file read key, so that a tag taken apart betrays no other.

    AN10922 pads what it hashes to two blocks: with a UID of seven bytes and our name it is longer
    than one, so that this is plain CMAC.
    """
    return cmac(master, DIVERSIFIED_AES_128 + uid + SYSTEM)


def cmac(key: bytes, message: bytes) -> bytes:
    """Return the AES-CMAC (NIST SP 800-38B)."""
    made = CMAC(algorithms.AES(key))
    made.update(message)
    return made.finalize()
