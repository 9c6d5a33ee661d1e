"""The PN532 driver over a scripted line: every byte and every instant is chosen here."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

import pytest
from pydantic import ValidationError

from drivers.base import Clock
from drivers.errors import (
    DeviceTimeoutError,
    DriverError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.nfc.pn532 import Pn532Driver
from drivers.nfc.settings import ReaderSettings
from drivers.readings import ReaderReading, ScanReading

ACK = bytes.fromhex("0000ff00ff00")
SYNTAX_ERROR = bytes.fromhex("0000ff01ff7f8100")
FIRMWARE = bytes.fromhex("0000ff06fad50332010607e800")  # nfcpy and nfc-list know it as PN532 1.6
NO_CARD = bytes.fromhex("0000ff03fdd54b00e000")
# Sample output in the readme of the LPC1343 PN532 card example.
NTAG = bytes.fromhex("0000ff0ff1d54b010100440007047bcb51962280c000")
CLASSIC = bytes.fromhex("0000ff0cf4d54b0101000408049eb36e66a900")
DONE = {
    0x12: bytes.fromhex("0000ff02fed5131800"),
    0x14: bytes.fromhex("0000ff02fed5151600"),
    0x32: bytes.fromhex("0000ff02fed533f800"),
    0x52: bytes.fromhex("0000ff03fdd55300d800"),
    0x02: FIRMWARE,
}


class MovableClock(Clock, Protocol):
    """The simulated clock of conftest."""

    def advance(self, seconds: float) -> None:
        """Let time pass."""


class ScriptedLine:
    """Stands in for SerialPort: answers each command as told, and costs simulated time."""

    url = "scripted"
    baud = 115200

    def __init__(self, clock: MovableClock) -> None:
        self.clock = clock
        self.field = NO_CARD
        self.next: defaultdict[int, list[bytes]] = defaultdict(list)
        self.sent: list[bytes] = []
        self.is_open = False
        self._incoming = b""

    @property
    def commands(self) -> list[int]:
        return [data[data.rindex(b"\x00\x00\xff") + 6] for data in self.sent if data != ACK]

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)
        if data == ACK:
            return
        code = self.commands[-1]
        answer = self.field if code == 0x4A else DONE[code]
        self._incoming += self.next[code].pop(0) if self.next[code] else ACK + answer

    def read(self, size: int, *, deadline: float) -> bytes:
        got, self._incoming = self._incoming[:size], self._incoming[size:]
        if len(got) < size:
            self.clock.advance(max(0.0, deadline - self.clock.monotonic()))
        return got

    def drain(self, quiet_seconds: float, *, deadline: float) -> int:
        swallowed, self._incoming = len(self._incoming), b""
        self.clock.advance(max(0.0, min(quiet_seconds, deadline - self.clock.monotonic())))
        return swallowed


class Bench:
    """A driver and its scripted line."""

    def __init__(self, clock: MovableClock) -> None:
        self.clock = clock
        settings = ReaderSettings(id="gate", driver="pn532", port="scripted")
        self.driver = Pn532Driver(settings, clock)
        self.line = ScriptedLine(clock)
        self.driver._port = self.line  # type: ignore[assignment]  # the lowest seam

    def poll(self) -> Sequence[str]:
        """Poll; the tags that came."""
        self.clock.advance(0.2)
        alive, *scans = self.driver.poll(deadline=self.clock.monotonic() + 1)
        assert isinstance(alive, ReaderReading)
        assert alive.firmware == "1.6"
        return [scan.tag_id for scan in scans if isinstance(scan, ScanReading)]

    def polls(self, *fields: bytes) -> list[Sequence[str]]:
        tags = []
        for self.line.field in fields:
            tags.append(self.poll())
        return tags


@pytest.fixture
def bench(clock: MovableClock) -> Bench:
    made = Bench(clock)
    made.driver.open()
    return made


def test_opening_aborts_wakes_and_sets_the_chip_up(bench: Bench) -> None:
    assert bench.line.sent[0] == ACK
    assert bench.line.commands == [0x14, 0x02, 0x12, 0x32]
    # Wake-up and SAMConfiguration in one breath, as the reference frames of libnfc have it.
    assert bench.line.sent[1].startswith(bytes.fromhex("5555") + bytes(14))
    assert bench.line.sent[1].endswith(bytes.fromhex("0000ff05fbd414011401 0200"))
    assert bench.line.sent[-1] == bytes.fromhex("0000ff06fad43205ff0101f400")


def test_a_card_is_told_once_a_presence(bench: Bench) -> None:
    assert bench.polls(NO_CARD, NTAG, NTAG, NTAG) == [[], ["nfca:047BCB51962280"], [], []]


def test_two_misses_are_no_absence_and_three_are(bench: Bench) -> None:
    bench.polls(NTAG, NO_CARD, NO_CARD)
    assert bench.polls(NTAG, NO_CARD, NO_CARD, NTAG) == [[], [], [], []]
    assert bench.polls(NO_CARD, NO_CARD, NO_CARD, NTAG)[-1] == ["nfca:047BCB51962280"]


def test_cards_changed_from_hand_to_hand_are_both_told(bench: Bench) -> None:
    assert bench.polls(NTAG, CLASSIC, NTAG) == [["nfca:047BCB51962280"], ["nfca:9EB36E66"], []]


def test_a_random_uid_is_no_scan_and_hides_none(bench: Bench) -> None:
    phone = bytes.fromhex("0000ff0cf4d54b010100042004 08b36e66 2700")
    assert bench.polls(phone, phone, NTAG) == [[], [], ["nfca:047BCB51962280"]]


def test_the_list_is_the_last_thing_a_poll_asks(bench: Bench) -> None:
    """Whatever fails later can then take no scan along."""
    bench.polls(NTAG, NTAG)
    assert bench.line.commands[-3:] == [0x4A, 0x52, 0x4A]


def test_a_short_failure_neither_ends_nor_repeats_a_presence(bench: Bench) -> None:
    bench.polls(NTAG)
    bench.line.next[0x52] = [ACK + SYNTAX_ERROR]
    with pytest.raises(ProtocolError):
        bench.poll()
    assert bench.polls(NTAG) == [[]]


def test_a_card_not_seen_for_seconds_has_come_anew(bench: Bench) -> None:
    bench.polls(NTAG)
    bench.driver.close()
    bench.clock.advance(5)
    bench.driver.open()
    assert bench.polls(NTAG) == [["nfca:047BCB51962280"]]


def test_an_unacknowledged_command_is_sent_again(bench: Bench) -> None:
    bench.line.next[0x4A] = [b"", b""]
    assert bench.polls(NTAG) == [["nfca:047BCB51962280"]]
    assert bench.line.commands[-3:] == [0x4A, 0x4A, 0x4A]


def test_resends_are_bounded(bench: Bench) -> None:
    bench.line.next[0x4A] = [b""] * 9
    before = bench.line.commands.count(0x4A)
    with pytest.raises(DeviceTimeoutError, match=r"gate: .* did not acknowledge"):
        bench.poll()
    assert bench.line.commands.count(0x4A) - before == 3


def test_both_acks_of_a_command_sent_twice_are_swallowed(bench: Bench) -> None:
    bench.line.next[0x4A] = [b"", ACK + ACK + CLASSIC]
    assert bench.poll() == ["nfca:9EB36E66"]


def test_a_late_reply_before_the_ack_is_not_taken_for_an_answer(bench: Bench) -> None:
    bench.line.next[0x4A] = [CLASSIC + ACK + NO_CARD, CLASSIC + NTAG + ACK + NO_CARD]
    assert bench.poll() == []
    assert bench.poll() == []


def test_an_adapter_that_echoes_is_put_up_with(bench: Bench) -> None:
    echo = bytes.fromhex("0000ff04fcd44a0200e000")
    bench.line.next[0x4A] = [echo + ACK + CLASSIC]
    assert bench.poll() == ["nfca:9EB36E66"]


@pytest.mark.parametrize(
    "answer",
    [
        ACK + SYNTAX_ERROR,
        ACK + FIRMWARE,  # the answer to something else
        ACK + CLASSIC[:-3] + b"\x00\x00\x00",  # a UID byte and the checksum are gone
        ACK + CLASSIC[:9],  # cut off
        b"\x55\x12\x34",  # noise, and no ACK in it
        ACK + bytes.fromhex("0000ff02fed54be000"),  # a list without even a count
    ],
)
def test_what_makes_no_sense_is_a_protocol_error_and_is_recovered(
    bench: Bench, answer: bytes
) -> None:
    bench.line.next[0x4A] = [answer] * 3
    with pytest.raises(ProtocolError, match="gate: "):
        bench.poll()
    bench.line.next.clear()
    sent_before = len(bench.line.sent)
    assert bench.polls(CLASSIC) == [["nfca:9EB36E66"]]
    assert bench.line.sent[sent_before] == ACK, "the pending command is aborted first"
    assert bench.line.commands[-5:] == [0x14, 0x02, 0x12, 0x32, 0x4A]


def test_silence_behind_the_ack_is_a_timeout(bench: Bench) -> None:
    bench.line.next[0x4A] = [ACK]
    with pytest.raises(DeviceTimeoutError, match="never answered"):
        bench.poll()


def test_no_wait_is_longer_than_the_deadline(bench: Bench) -> None:
    for failing in ([ACK], [b""] * 3):
        bench.line.next[0x4A] = list(failing)
        deadline = bench.clock.monotonic() + 0.25
        with pytest.raises(DriverError):
            list(bench.driver.poll(deadline=deadline))
        assert bench.clock.monotonic() <= deadline + 0.001


def test_another_chip_is_refused_and_the_port_let_go(clock: MovableClock) -> None:
    bench = Bench(clock)
    bench.line.next[0x02] = [ACK + bytes.fromhex("0000ff06fad50333020707e500")]  # a PN533
    with pytest.raises(UnsupportedDeviceError, match="PN533"):
        bench.driver.open()
    assert not bench.line.is_open


def test_a_silent_reader_does_not_keep_the_port(clock: MovableClock) -> None:
    bench = Bench(clock)
    bench.line.next[0x14] = [b""] * 3
    with pytest.raises(DeviceTimeoutError):
        bench.driver.open()
    assert not bench.line.is_open


@pytest.mark.parametrize("bad", [{"bauds": 9600}, {"gone_after_misses": 0}, {"poll_seconds": 0}])
def test_settings_refuse_what_they_do_not_know(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ReaderSettings.model_validate({"id": "gate", "driver": "pn532", "port": "x", **bad})
