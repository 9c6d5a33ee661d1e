"""An NFC reader with a PN532 chip, as it behaves on its serial line (HSU).

Written from the PN532 user manual (UM0701-02); section numbers are its own.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simulators.ntag424 import Ntag424
from simulators.pty_line import PtyLine
from simulators.truth import Truth

ACK_FRAME = b"\x00\x00\xff\x00\xff\x00"  # 6.2.1.3
ERROR_FRAME = b"\x00\x00\xff\x01\xff\x7f\x81\x00"  # 6.2.1.5
FIRMWARE = bytes([0x32, 0x01, 0x06, 0x07])  # 7.2.2: PN532 1.6, types A, B and ISO 18092
ATS = bytes.fromhex("067577810280")  # what a DESFire EV1 answers to RATS (nfc-tools/libnfc#267)
AUTOMATIC_RATS = 0x10  # 7.2.9
FOR_EVER = 0xFF  # 7.3.1, item 5
TRY_SECONDS = 0.005  # one REQA, anticollision and select, about
PROCESSING_SECONDS = 0.001
WAKE_UP_BYTES = 5  # swallowed while the oscillator starts (7.2.11)


@dataclass(frozen=True)
class Card:
    """A card of ISO 14443 type A in the field."""

    uid: bytes
    iso14443_4: bool = False
    chip: Ntag424 | None = None  # what answers its APDUs

    def listed(self, number: int, *, with_ats: bool) -> bytes:
        """Return the card as InListPassiveTarget lists it (7.3.5)."""
        # ATQA names the UID's size in its bits 6 and 7; SAK says what the card speaks.
        atqa = {4: b"\x00\x04", 7: b"\x00\x44", 10: b"\x00\x84"}[len(self.uid)]
        sak = b"\x08" if len(self.uid) == 4 else b"\x00"
        if self.iso14443_4:
            atqa, sak = b"\x03\x44", b"\x20"
        ats = ATS if self.iso14443_4 and with_ats else b""
        return bytes([number]) + atqa + sak + bytes([len(self.uid)]) + self.uid + ats


class Pn532Simulator:
    """A reader on a pty. Truth tells what lay in the field and which UIDs went out on the wire.

    Faults are plain switches: set them from any thread, at any time.
    """

    def __init__(self, path: Path, truth: Truth, baud: int = 115200) -> None:
        self.name = path.name
        self.truth = truth
        self.silent = False
        self.garble_replies = 0
        self.drop_acks = 0
        self.late_reply_seconds = 0.0  # for the next reply only
        # Cards are pulled away before that many more APDUs are answered; None: they stay.
        self.apdus_left: int | None = None
        # Real 7-byte cards are missed by every second list unless released (Adafruit-PN532#52).
        self.misses_selected_cards = True
        self.commands: list[int] = []
        self._line = PtyLine(path, baud, self._received)
        self._lock = threading.RLock()
        self._cards: list[Card] = []
        self._power_on()

    # ---- what a person does

    def start(self) -> None:
        """Plug the reader in; it has just got its power."""
        with self._lock:
            self._power_on()
        self._line.plug()

    def stop(self) -> None:
        """Pull the reader's plug."""
        self._line.unplug()

    def unplug(self) -> None:
        """Pull the reader's plug."""
        self.stop()

    def replug(self) -> None:
        """Plug it in again under the same name."""
        self.start()

    def power_cycle(self) -> None:
        """Let the chip lose its power for a moment while its USB adapter stays."""
        with self._lock:
            self._power_on()

    def babble(self, data: bytes) -> None:
        """Put bytes on the wire that no command asked for."""
        self._line.send(data)

    def present(self, uid: bytes, *, iso14443_4: bool = False, chip: Ntag424 | None = None) -> None:
        """Lay a card on the reader; one with a chip shows the UID given, not the chip's own."""
        with self._lock:
            self._cards.append(Card(uid, iso14443_4 or chip is not None, chip))
        self.truth.record(self.name, "presented", uid=uid.hex().upper())
        self._answer_waiting_list()

    def remove(self, uid: bytes | None = None) -> None:
        """Take a card away, or all of them."""
        with self._lock:
            gone = [card for card in self._cards if uid is None or card.uid == uid]
            self._cards = [card for card in self._cards if card not in gone]
            self._selected -= {card.uid for card in gone}
        for card in gone:
            self.truth.record(self.name, "removed", uid=card.uid.hex().upper())

    def tap(self, uid: bytes, seconds: float) -> None:
        """Hold a card to the reader that long, whatever the reader does."""
        self.present(uid)
        time.sleep(seconds)
        self.remove(uid)

    def tap_until_read(self, uid: bytes, reads: int = 2, timeout: float = 10.0) -> bool:
        """Hold a card as a guard does, until the reader has answered with it `reads` times.

        The second answer shows that whoever asked has done with the first one.
        """
        before = self._reads(uid)
        self.present(uid)
        until = time.monotonic() + timeout
        while self._reads(uid) < before + reads and time.monotonic() < until:
            time.sleep(0.01)
        self.remove(uid)
        return self._reads(uid) >= before + reads

    def _reads(self, uid: bytes) -> int:
        wanted = uid.hex().upper()
        return sum(
            line["device"] == self.name and line["uid"] == wanted
            for line in self.truth.lines("read")
        )

    # ---- the wire

    def _power_on(self) -> None:
        self._buffer = b""
        self._asleep_for = WAKE_UP_BYTES
        self._tries = FOR_EVER  # 7.3.1: the default of MxRtyPassiveActivation
        self._parameters = 0x14  # 7.2.9: automatic RATS and ATR_RES
        self._registers: dict[bytes, int] = {}
        self._selected: set[bytes] = set()
        self._waiting_list: int | None = None  # MaxTg of a list without end
        self._active: Card | None = None  # the card that has been sent RATS
        self._last_reply = b""

    def _received(self, data: bytes) -> None:
        with self._lock:
            swallowed = min(self._asleep_for, len(data))
            self._asleep_for -= swallowed
            self._buffer += data[swallowed:]
            while (body := self._next_body()) is not None:
                self._execute(body)

    def _next_body(self) -> bytes | None:
        """Cut the next command out of the buffer (6.2.1), minding ACK and NACK on the way."""
        while True:
            start = self._buffer.find(b"\x00\xff")
            if start < 0:
                self._buffer = self._buffer[-1:]
                return None
            rest = self._buffer[start + 2 :]
            if len(rest) < 2:
                return None
            if rest[:2] == b"\x00\xff":  # ACK: drop what is being done
                self._waiting_list = None
                self._buffer = rest[2:]
                continue
            if rest[:2] == b"\xff\x00":  # NACK: say it again
                self._buffer = rest[2:]
                self._line.send(self._last_reply)
                continue
            header = 5 if rest[:2] == b"\xff\xff" else 2
            if len(rest) < header:
                return None
            size = int.from_bytes(rest[2:4], "big") if header == 5 else rest[0]
            if sum(rest[header - 3 if header == 5 else 0 : header]) % 256:
                self._buffer = rest
                continue
            if len(rest) < header + size + 1:
                return None
            body, checksum = rest[header : header + size], rest[header + size]
            self._buffer = rest[header + size + 1 :]
            if body[:1] == b"\xd4" and len(body) > 1 and (sum(body) + checksum) % 256 == 0:
                return body[1:]

    def _execute(self, body: bytes) -> None:
        self._waiting_list = None  # a new command ends an old one
        if self.silent:
            return
        if self.drop_acks:
            self.drop_acks -= 1
            return
        code, params = body[0], body[1:]
        self.commands.append(code)
        self._line.send(ACK_FRAME)
        time.sleep(PROCESSING_SECONDS)
        if code == 0x4A:
            self._list_passive_targets(params)
            return
        handler = self._handlers().get(code)
        data = handler(params) if handler is not None else None
        self._send(ERROR_FRAME if data is None else self._frame(code + 1, data))

    def _handlers(self) -> dict[int, Callable[[bytes], bytes | None]]:
        return {
            0x00: self._diagnose,
            0x02: lambda _: FIRMWARE,
            0x06: self._read_registers,
            0x08: self._write_registers,
            0x10: lambda _: b"",  # SetSerialBaudRate: a pty has none
            0x12: self._set_parameters,
            0x14: lambda _: b"",  # SAMConfiguration: there is no SAM
            0x16: self._power_down,
            0x32: self._rf_configuration,
            0x40: self._exchange,
            0x42: lambda _: b"\x01",  # InCommunicateThru: no such card answers (7.1, time out)
            0x44: self._release,  # InDeselect
            0x52: self._release,  # InRelease
            0x54: lambda _: b"\x00",  # InSelect
        }

    @staticmethod
    def _frame(code: int, data: bytes) -> bytes:
        body = bytes([0xD5, code]) + data
        size = len(body)
        if size < 256:
            head = bytes([size, (256 - size) % 256])
        else:
            head = b"\xff\xff" + size.to_bytes(2, "big")
            head += bytes([(256 - sum(head[2:4])) % 256])
        return b"\x00\x00\xff" + head + body + bytes([(256 - sum(body) % 256) % 256, 0])

    def _send(self, frame: bytes) -> bool:
        """Send a reply, as the faults will have it; tell whether it went out whole."""
        self._last_reply = frame
        late, self.late_reply_seconds = self.late_reply_seconds, 0.0
        if late:
            time.sleep(late)
        if self.silent:
            return False
        if self.garble_replies:
            self.garble_replies -= 1
            at = len(frame) - 3  # the last byte of the body: in a list, of the UID
            self._line.send(frame[:at] + bytes([frame[at] ^ 0x04]) + frame[at + 1 :])
            return False
        return self._line.send(frame)

    # ---- commands; None is a syntax error

    def _diagnose(self, params: bytes) -> bytes | None:  # 7.2.1
        return params if params[:1] == b"\x00" else b"\x00"

    def _read_registers(self, params: bytes) -> bytes | None:  # 7.2.4
        pairs = [params[at : at + 2] for at in range(0, len(params), 2)]
        return bytes(self._registers.get(address, 0) for address in pairs)

    def _write_registers(self, params: bytes) -> bytes | None:  # 7.2.5
        for at in range(0, len(params), 3):
            self._registers[params[at : at + 2]] = params[at + 2]
        return b""

    def _set_parameters(self, params: bytes) -> bytes | None:  # 7.2.9
        self._parameters = params[0]
        return b""

    def _power_down(self, _params: bytes) -> bytes | None:  # 7.2.11
        self._asleep_for = WAKE_UP_BYTES
        return b"\x00"

    def _rf_configuration(self, params: bytes) -> bytes | None:  # 7.3.1
        if params[0] == 0x01 and not params[1] & 1:
            self._release(b"")  # field off: every card starts anew
        if params[0] == 0x05:
            self._tries = params[3]
        return b""

    def _release(self, _params: bytes) -> bytes | None:  # 7.3.10 and 7.3.11
        self._selected.clear()
        self._active = None
        return b"\x00"

    def _exchange(self, params: bytes) -> bytes | None:  # 7.3.8
        if self._active is None or params[:1] != b"\x01":
            return b"\x27"  # 7.1: the command is not acceptable in this context
        if self.apdus_left is not None:
            self.apdus_left -= 1
            if self.apdus_left < 0:
                self._cards.remove(self._active)
                self._active = None
        if self._active is None or self._active not in self._cards:
            return b"\x01"  # 7.1: time out, the target has not answered
        chip = self._active.chip
        return b"\x00" + (chip.answer(params[1:]) if chip is not None else b"\x6a\x82")

    def _list_passive_targets(self, params: bytes) -> None:  # 7.3.5
        wanted = params[0] if params[1] == 0x00 else 0  # only type A cards are ever here
        self._active = None
        if self._report(wanted, params[2:]):
            return
        if self._tries == FOR_EVER:
            self._waiting_list = wanted
            return
        time.sleep(min((self._tries + 1) * TRY_SECONDS, 0.5))
        if not self._report(wanted, params[2:]):
            self._send(self._frame(0x4B, b"\x00"))

    def _answer_waiting_list(self) -> None:
        with self._lock:
            if self._waiting_list is not None and self._report(self._waiting_list):
                self._waiting_list = None

    def _report(self, wanted: int, cascaded: bytes = b"") -> bool:
        """Answer with the cards that can be heard, or the one asked for; False: there are none."""
        heard = [
            card
            for card in self._cards
            if card.uid not in self._selected and cascaded in (b"", _cascaded(card.uid))
        ][:wanted]
        if self.misses_selected_cards:
            # A selected card hears no REQA; the failed attempt throws it back to idle.
            self._selected = {card.uid for card in heard if len(card.uid) > 4}
        if not heard:
            return False
        with_ats = bool(self._parameters & AUTOMATIC_RATS) and wanted == 1
        if with_ats and heard[0].iso14443_4:
            self._active = heard[0]
            if heard[0].chip is not None:
                heard[0].chip.activate()
        listed = b"".join(
            card.listed(number, with_ats=with_ats) for number, card in enumerate(heard, start=1)
        )
        if self._send(self._frame(0x4B, bytes([len(heard)]) + listed)):
            for card in heard:
                self.truth.record(self.name, "read", uid=card.uid.hex().upper())
        return True


def _cascaded(uid: bytes) -> bytes:  # 7.3.5: every level but the last begins with 88
    return {4: b"", 7: b"\x88", 10: b"\x88" + uid[:3] + b"\x88"}[len(uid)] + (
        uid[3:] if len(uid) == 10 else uid
    )
