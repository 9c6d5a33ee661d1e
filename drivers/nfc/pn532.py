"""NFC reader with a PN532 chip on a serial port (HSU). Sections: PN532 user manual (UM0701)."""

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Literal

from drivers.base import Clock
from drivers.errors import (
    DeviceTimeoutError,
    DriverError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.nfc.ndef import ndef_file, sun_message
from drivers.nfc.pn532_frames import (
    ACK,
    WAKE_UP,
    Frame,
    FrameKind,
    FrameReader,
    Target,
    encode,
    reply_data,
    shortened,
    targets,
)
from drivers.nfc.settings import ReaderSettings
from drivers.nfc.sun import Refusal, SunCheck
from drivers.readings import ReaderReading, Reading, ScanReading
from drivers.serial_port import SerialPort

GET_FIRMWARE_VERSION = 0x02  # 7.2.2
SET_PARAMETERS = 0x12  # 7.2.9
SAM_CONFIGURATION = 0x14  # 7.2.10
RF_CONFIGURATION = 0x32  # 7.3.1
IN_DATA_EXCHANGE = 0x40  # 7.3.8
IN_LIST_PASSIVE_TARGET = 0x4A  # 7.3.5
IN_RELEASE = 0x52  # 7.3.11
NAMES = {
    GET_FIRMWARE_VERSION: "GetFirmwareVersion",
    SET_PARAMETERS: "SetParameters",
    SAM_CONFIGURATION: "SAMConfiguration",
    RF_CONFIGURATION: "RFConfiguration",
    IN_DATA_EXCHANGE: "InDataExchange",
    IN_LIST_PASSIVE_TARGET: "InListPassiveTarget",
    IN_RELEASE: "InRelease",
}

NORMAL_MODE = bytes([0x01, 0x14, 0x01])  # no SAM, time-out of 1 s (unused here), IRQ pin driven
# No RATS by the chip itself: the UID is all we want, and the list has no ATS to be told apart.
NO_AUTOMATIC_RATS = bytes([0x00])
# To send APDUs the chip must have sent RATS: it does when it lists a card.
AUTOMATIC_RATS = bytes([0x10])
# Item 1: without the field every card forgets that it was selected; the next list turns it on.
FIELD_OFF = bytes([0x01, 0x00])
# Item 5: ATR_REQ for ever, PSL_REQ once more, two tries to find a card. By default the chip
# looks for ever and says nothing, and the answer comes inside some later command.
BOUNDED_RETRIES = bytes([0x05, 0xFF, 0x01, 0x01])
# Two cards of type A at 106 kbit/s: a phone in the same hand must not hide the tag.
TWO_CARDS_TYPE_A = bytes([0x02, 0x00])
ONE_CARD_TYPE_A = bytes([0x01, 0x00])  # its UID may follow
FIRST_TARGET = bytes([0x01])
ALL_TARGETS = bytes([0x00])
IC_PN532 = 0x32

# The chip acknowledges within 15 ms (6.2.2); USB adapters add 16 ms and a busy host more.
ACK_SECONDS = 0.1
RESENDS = 2
REPLY_SECONDS = 0.5
OPEN_SECONDS = 2.0
QUIET_SECONDS = 0.05
# Polls that failed count as neither here nor gone; after that long nobody can say it stayed.
CONTINUITY_SECONDS = 5.0


class Pn532Driver:
    """Reads who answers and which tags came into the field, once a presence.

    With `sun` a tag that can prove that it is no copy is asked to.
    """

    def __init__(self, settings: ReaderSettings, clock: Clock, sun: SunCheck | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._sun = sun
        self._port = SerialPort(settings.port, settings.speed, clock)
        self._frames = FrameReader()
        self._ready = False
        self._holding = False
        self._firmware = ""
        # Tag -> polls in a row without it, and monotonic time of the last one with it.
        self._present: dict[str, tuple[int, float]] = {}

    @property
    def device_id(self) -> str:
        """Return the id the settings give the device."""
        return self._settings.id

    def open(self) -> None:
        """Open the port and set the chip up: a port alone proves nothing. Raises DriverError."""
        self._port.open()
        try:
            self._set_up(self._clock.monotonic() + OPEN_SECONDS)
        except DriverError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the port."""
        self._ready = False
        self._port.close()

    def poll(self, *, deadline: float) -> Iterator[Reading]:
        """Yield a ReaderReading, then a ScanReading for each tag that came. Raises DriverError.

        After an error the next poll aborts what may be pending and sets the chip up anew, so
        that a reader which lost its power in between is never left searching for ever.
        """
        try:
            if not self._ready:
                self._set_up(deadline)
            if self._holding:
                # A card that stays selected is missed by every second list.
                self._command(IN_RELEASE, ALL_TARGETS, deadline)
                self._holding = False
            listed = self._listed(TWO_CARDS_TYPE_A, deadline)
            self._holding = bool(listed)
            yield ReaderReading(
                device_id=self.device_id,
                observed_at=self._clock.now(),
                firmware=self._firmware,
            )
            cards = {card.tag_id: card for card in listed if not card.is_random}
            arrived = [cards[tag_id] for tag_id in self._arrived(cards.keys())]
            # What can fail comes last, and takes no scan of another card along.
            for card in sorted(arrived, key=self._is_asked):
                scan = self._scan(card, deadline)
                if scan is not None:
                    self._present[card.tag_id] = (0, self._clock.monotonic())
                    yield scan
        except DriverError:
            self._ready = False
            raise

    def _is_asked(self, card: Target) -> bool:
        return self._sun is not None and card.takes_apdus

    def _scan(self, card: Target, deadline: float) -> ScanReading | None:
        """Return what a card that came has shown; None: not yet all, it is asked again."""
        assurance: Literal["uid", "sun"] = "uid"
        refused: Refusal | None = None
        if self._sun is not None and card.takes_apdus:
            file = self._ndef_file(card, deadline)
            if file is None:
                return None
            message = sun_message(file)
            if message is not None:
                assurance, refused = "sun", self._sun.refusal(message, card.uid)
        return ScanReading(
            device_id=self.device_id,
            observed_at=self._clock.now(),
            tag_id=card.tag_id,
            assurance=assurance,
            refused=refused,
        )

    def _ndef_file(self, card: Target, deadline: float) -> bytes | None:
        """Read a card's NDEF file; None: the card is gone. Raises DriverError."""
        self._command(SET_PARAMETERS, AUTOMATIC_RATS, deadline)
        self._command(RF_CONFIGURATION, FIELD_OFF, deadline)
        listed = self._listed(ONE_CARD_TYPE_A + card.cascaded_uid, deadline)
        file = ndef_file(partial(self._exchanged, deadline)) if card in listed else None
        self._command(SET_PARAMETERS, NO_AUTOMATIC_RATS, deadline)
        return file

    def _exchanged(self, deadline: float, apdu: bytes) -> bytes | None:
        """Return a card's answer to a command APDU; None: there was none. Raises DriverError."""
        data = self._command(IN_DATA_EXCHANGE, FIRST_TARGET + apdu, deadline)
        if not data:
            raise self._garbled("InDataExchange answered without a status")
        # 7.1: an error, such as 01 when the card is gone, or a part of something we never ask for.
        return None if data[0] else data[1:]

    def _arrived(self, listed: Collection[str]) -> Sequence[str]:
        """Note who is still there; return the tags that were not there before."""
        now = self._clock.monotonic()
        arrived = []
        for tag_id in listed:
            seen = self._present.get(tag_id)
            if seen is None or now - seen[1] > CONTINUITY_SECONDS:
                arrived.append(tag_id)
            else:
                self._present[tag_id] = (0, now)
        for tag_id in self._present.keys() - set(listed):
            misses, last_seen = self._present[tag_id]
            self._present[tag_id] = (misses + 1, last_seen)
            if misses + 1 >= self._settings.gone_after_misses:
                del self._present[tag_id]
        return arrived

    def _set_up(self, deadline: float) -> None:
        self._port.write(ACK)
        self._port.drain(QUIET_SECONDS, deadline=deadline)
        self._frames.clear()
        self._command(SAM_CONFIGURATION, NORMAL_MODE, deadline, before=WAKE_UP)
        version = self._command(GET_FIRMWARE_VERSION, b"", deadline)
        if len(version) != 4:
            raise self._garbled(f"GetFirmwareVersion answered {shortened(version)}")
        if version[0] != IC_PN532:
            raise UnsupportedDeviceError(
                f"{self.device_id}: the chip on {self._port.url} is a PN5{version[0]:02x}, "
                "not a PN532; name the right driver or change the reader"
            )
        self._firmware = f"{version[1]}.{version[2]}"
        self._command(SET_PARAMETERS, NO_AUTOMATIC_RATS, deadline)
        self._command(RF_CONFIGURATION, BOUNDED_RETRIES, deadline)
        self._holding = False
        self._ready = True

    def _listed(self, wanted: bytes, deadline: float) -> tuple[Target, ...]:
        data = self._command(IN_LIST_PASSIVE_TARGET, wanted, deadline)
        try:
            return targets(data)
        except ProtocolError as error:
            raise self._garbled(str(error)) from error

    def _command(self, code: int, params: bytes, deadline: float, before: bytes = b"") -> bytes:
        """Send until acknowledged, then return the data of the reply. Raises DriverError."""
        for _ in range(1 + RESENDS):
            self._port.write(before + encode(code, params))
            if self._acknowledged(min(self._clock.monotonic() + ACK_SECONDS, deadline)):
                break
        else:
            raise self._silent(f"did not acknowledge {NAMES[code]}")
        reply_by = min(self._clock.monotonic() + REPLY_SECONDS, deadline)
        while (frame := self._frame(reply_by)) is not None:
            # After a resend there can be a second ACK.
            if frame.kind is not FrameKind.ACK:
                try:
                    return reply_data(frame, code)
                except ProtocolError as error:
                    raise self._garbled(str(error)) from error
        raise self._silent(f"acknowledged {NAMES[code]} and never answered")

    def _acknowledged(self, deadline: float) -> bool:
        while (frame := self._frame(deadline)) is not None:
            # What comes before the ACK answers something older.
            if frame.kind is FrameKind.ACK:
                return True
        return False

    def _frame(self, deadline: float) -> Frame | None:
        while True:
            try:
                frame = self._frames.next()
            except ProtocolError as error:
                raise self._garbled(str(error)) from error
            if frame is not None:
                return frame
            data = self._port.read(self._frames.missing, deadline=deadline)
            if not data:
                return None
            self._frames.feed(data)

    def _silent(self, what: str) -> DriverError:
        if self._frames.leftover:
            return self._garbled(f"{what}; the line brought {shortened(self._frames.leftover)}")
        return DeviceTimeoutError(
            f"{self.device_id}: the reader on {self._port.url} {what} in time; "
            "check its power, its wiring and that its switches say HSU"
        )

    def _garbled(self, what: str) -> ProtocolError:
        return ProtocolError(
            f"{self.device_id}: the reader on {self._port.url} cannot be understood: {what}; "
            f"check the cable and that it talks at {self._port.baud} baud"
        )
