"""Alarm receiver on a serial line: Sur-Gard MLR2 with Contact ID, answered once we own a line."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Literal

from pydantic import Field

from drivers.alarm.surgard_frames import ACK, NAK, Kind, Line, LineReader
from drivers.base import Clock, DeviceSettings
from drivers.errors import DeviceTimeoutError, DriverError, PortLostError, ProtocolError
from drivers.readings import (
    ContactIdEvent,
    HeartbeatReading,
    Reading,
    Reason,
    ReceiverReading,
    Unknown,
)
from drivers.serial_port import SerialPort

# How long one look at the line lasts: a confirmation waits no longer than this for its ACK.
SLICE_SECONDS = 0.05
# A line that stopped half way for this long is noise, and nobody is sending.
BROKEN_OFF_SECONDS = 0.5
SILENT_INTERVALS = 2.5
RESEND_SECONDS = 60.0
# An ACK on its way when the receiver stops waiting would be taken for another line's.
ACK_WINDOW_RATIO = 0.9


class SurgardSettings(DeviceSettings):
    """One receiver; over socket:// and rfc2217:// its own port server sets the line.

    MLR2000 sends 9600 8N1, MLR2-E 19200 7E1 (manuals 12.1 and 9.1); 7E1 may be read as 8N1.
    """

    id: str
    driver: Literal["surgard"] = "surgard"
    port: str
    baud: int = Field(default=9600, ge=300, le=115200)
    parity: Literal["N", "E", "O"] = "N"
    data_bits: Literal[7, 8] = 8
    heartbeat_seconds: float = Field(default=30.0, gt=0, le=3600)
    # MLR2000 12.2: the receiver waits 4 s for an ACK; later models can be set.
    ack_seconds: float = Field(default=4.0, gt=0, le=60)
    poll_seconds: float = Field(default=0.05, ge=0, le=1)


@dataclass
class _Said:
    """A line we know; `sent` once an ACK for it has gone out."""

    token: str
    heard_at: float
    confirmed: bool = False
    sent: bool = False


@dataclass
class _Answer:
    """What the newest line is waiting for: NAK, or an ACK once all that came with it is owned."""

    code: bytes
    heard_at: float
    lines: tuple[_Said, ...] = ()


class SurgardDriver:
    """Hands over each line and answers it after `confirm`: what is not answered comes again.

    An answer carries no number, so only the newest line is ever answered, only while nothing
    follows it and the receiver still waits: a late ACK would make it forget another line. Of lines
    in one burst nobody knows which the receiver takes it for, so all must be owned first.
    """

    def __init__(self, settings: SurgardSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._port = SerialPort(
            settings.port,
            settings.baud,
            clock,
            parity=settings.parity,
            data_bits=settings.data_bits,
        )
        self._reader = LineReader()
        self._confirmations: SimpleQueue[str] = SimpleQueue()
        self._said: dict[str, _Said] = {}
        self._answer: _Answer | None = None
        self._newest: _Said | None = None
        self._burst: tuple[_Said, ...] = ()
        self._garbled: tuple[str, float] | None = None
        self._noise: str | None = None
        self._byte_at = 0.0
        self._valid_at: float | None = None

    @property
    def device_id(self) -> str:
        """Return the receiver's id."""
        return self._settings.id

    def open(self) -> None:
        """Open the line; whether a receiver lives on it only its lines and heartbeats tell."""
        try:
            self._port.open()
        except PortLostError as error:
            raise self._named(error) from error
        self._reader.clear()
        self._answer = None
        self._burst = ()
        if self._valid_at is None:
            # The receiver has its time to speak once; a line that comes and goes gives no more.
            self._valid_at = self._clock.monotonic()

    def close(self) -> None:
        """Release the line; what was said and not answered is remembered."""
        self._port.close()

    def confirm(self, token: str) -> None:
        """Meet Confirming: the owner thread sends the ACK within a slice."""
        self._confirmations.put(token)

    def poll(self, *, deadline: float) -> Iterator[Reading]:
        """Yield lines and heartbeats the moment they end; return once the line is quiet again.

        Quiet until `deadline` is no error until the receiver has been silent too long.
        """
        if self._clock.monotonic() >= deadline:
            raise self._named(DeviceTimeoutError("no time left to listen"))
        learned = False
        while (now := self._clock.monotonic()) < deadline:
            # Byte by byte: in_waiting cannot be trusted on socket://, and a line has no length.
            byte = self._read(min(deadline, now + SLICE_SECONDS))
            if byte:
                self._byte_at = self._clock.monotonic()
                self._reader.feed(byte)
                for reading in self._readings():
                    learned = True
                    yield reading
                continue
            self._burst = ()
            self._answer_newest()
            self._raise_noise()
            if learned:
                return
        self._raise_noise()
        self._raise_silence()

    def _read(self, deadline: float) -> bytes:
        try:
            return self._port.read(1, deadline=deadline)
        except PortLostError as error:
            raise self._named(error) from error

    def _readings(self) -> Iterator[Reading]:
        while (line := self._reader.next()) is not None:
            now = self._clock.monotonic()
            if line.kind is Kind.GARBLED and not self._came_twice(line.text, now):
                self._answer = _Answer(NAK, now)
                self._noise = line.text
                continue
            if line.kind is not Kind.GARBLED:
                self._valid_at = now
            if line.kind is Kind.HEARTBEAT:
                self._newest = None
                self._answer = _Answer(ACK, now, self._burst)
                yield HeartbeatReading(
                    device_id=self.device_id,
                    observed_at=self._clock.now(),
                    receiver=line.receiver,
                    line=line.line,
                )
            else:
                yield self._heard(line, now)

    def _came_twice(self, text: str, now: float) -> bool:
        """Noise does not repeat itself: what comes again unchanged is the receiver's own words."""
        before, self._garbled = self._garbled, (text, now)
        return before is not None and before[0] == text and now - before[1] <= RESEND_SECONDS

    def _heard(self, line: Line, now: float) -> ReceiverReading:
        self._said = {
            text: said for text, said in self._said.items() if now - said.heard_at <= RESEND_SECONDS
        }
        said = self._said.get(line.text)
        resend = said is not None
        if said is None:
            said = self._said[line.text] = _Said(uuid.uuid4().hex, now)
        elif said.sent:
            # Our ACK was lost, or it happened a second time. The former comes at once and next.
            lost = self._newest is said and now - said.heard_at <= 2 * self._settings.ack_seconds
            said.token, said.confirmed, said.sent = uuid.uuid4().hex, lost, False
        said.heard_at = now
        self._newest = said
        self._burst = (*self._burst, said)
        self._answer = _Answer(ACK, now, self._burst)
        return ReceiverReading(
            device_id=self.device_id,
            observed_at=self._clock.now(),
            receiver=line.receiver,
            line=line.line,
            event=_event(line),
            raw=line.text,
            token=said.token,
            resend=resend,
        )

    def _answer_newest(self) -> None:
        """Answer if the newest line is owned, and the receiver can only take it for that line."""
        self._take_confirmations()
        answer, now = self._answer, self._clock.monotonic()
        if answer is None:
            return
        if now - answer.heard_at > self._settings.ack_seconds * ACK_WINDOW_RATIO:
            self._answer = None
            return
        sending = self._reader.partial and now - self._byte_at < BROKEN_OFF_SECONDS
        if sending or not (answer.code is NAK or all(said.confirmed for said in answer.lines)):
            return
        self._answer = None
        try:
            self._port.write(answer.code)
        except PortLostError as error:
            raise self._named(error) from error
        for said in answer.lines:
            said.sent = True

    def _take_confirmations(self) -> None:
        while True:
            try:
                token = self._confirmations.get_nowait()
            except Empty:
                return
            for said in self._said.values():
                if said.token == token:
                    said.confirmed = True

    def _raise_noise(self) -> None:
        noise, self._noise = self._noise, None
        if noise is not None:
            raise self._named(
                ProtocolError(f"garbled line {noise[:48]!r}: check baud rate, parity and shield")
            )

    def _raise_silence(self) -> None:
        if self._valid_at is None:
            return
        silent = self._clock.monotonic() - self._valid_at
        if silent > SILENT_INTERVALS * self._settings.heartbeat_seconds:
            raise self._named(
                DeviceTimeoutError(
                    f"no line and no heartbeat for {silent:.1f} s: check the receiver, its cable "
                    "and whether its heartbeat is switched on"
                )
            )

    def _named(self, error: DriverError) -> DriverError:
        return type(error)(f"alarm receiver {self.device_id} on {self._port.url}: {error}")


def _event(line: Line) -> ContactIdEvent | Unknown:
    if line.contact_id is not None:
        return ContactIdEvent(**line.contact_id._asdict())
    malformed = line.kind is Kind.GARBLED
    return Unknown(reason=Reason.MALFORMED if malformed else Reason.NOT_SUPPORTED)
