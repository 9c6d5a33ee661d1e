"""The driver of readers that type, over a pipe; every instant is chosen here."""

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent import parts
from agent.devices import DeviceThread
from agent.settings import NfcReader
from drivers.errors import DeviceTimeoutError, DriverError, PortLostError, ProtocolError
from drivers.nfc.settings import ReaderSettings
from drivers.nfc.wedge import GONE_SECONDS, Node, WedgeDriver, open_grabbed
from drivers.readings import ReaderReading, Reading, Reason, ScanReading, Unknown
from simulators.wedge import event, typed
from tests.simulated_clock import SimulatedClock

POLL_SECONDS = 0.001
WALL, ROOF = "0010597059", "0001234567"
WALL_TAG, ROOF_TAG = "em4100:00A1B2C3", "em4100:0012D687"


class Desk:
    """A reader that was silent when its driver opened it; `error` is what reading it gives."""

    def __init__(self, clock: SimulatedClock, **settings: object) -> None:
        self.clock = clock
        self.error: OSError | None = None
        self.opened: list[str] = []
        self._keys = -1
        values = {"id": "gate", "driver": "wedge", "port": "/dev/input/by-id/usb-reader-event-kbd"}
        given = ReaderSettings.model_validate({**values, "poll_seconds": POLL_SECONDS, **settings})
        self.driver = WedgeDriver(given, clock, self._open)
        self.plug()

    def _open(self, path: str) -> Node:
        self.opened.append(path)
        self.unplug()
        there, self._keys = os.pipe2(os.O_NONBLOCK)
        return Sick(there, self)

    def plug(self) -> None:
        """Open it, and look for long enough to know that nobody types."""
        self.driver.open()
        self.clock.advance(2)
        assert self.scans() == []

    def unplug(self) -> None:
        if self._keys >= 0:
            os.close(self._keys)
        self._keys = -1

    def send(self, data: bytes) -> None:
        os.write(self._keys, data)

    def poll(self) -> Iterator[Reading]:
        return self.driver.poll(deadline=self.clock.monotonic() + 1)

    def scans(self, data: bytes = b"") -> Sequence[str]:
        """Return the tags of one poll that ended well."""
        self.send(data)
        *scans, alive = self.poll()
        assert isinstance(alive, ReaderReading)
        return [one.tag_id for one in scans if isinstance(one, ScanReading)]

    def until_fault(self, data: bytes = b"") -> tuple[Sequence[Reading], DriverError]:
        """Return what a poll gave before it failed, and how it did."""
        self.send(data)
        got: list[Reading] = []
        with pytest.raises(DriverError) as raised:
            got.extend(self.poll())
        return got, raised.value


class Sick(io.FileIO):
    """A descriptor that fails when its desk says so."""

    def __init__(self, descriptor: int, desk: Desk) -> None:
        super().__init__(descriptor)
        self._desk = desk

    def read(self, size: int | None = -1, /) -> bytes:
        if self._desk.error is not None:
            raise self._desk.error
        return super().read(size)


@pytest.fixture
def desk(clock: SimulatedClock) -> Iterator[Desk]:
    made = Desk(clock)
    yield made
    made.driver.close()
    made.unplug()


def test_a_number_and_enter_is_a_scan(desk: Desk) -> None:
    desk.send(typed(f"{WALL}\n"))
    scan, alive = desk.poll()
    now = desk.clock.now()
    assert scan == ScanReading(device_id="gate", observed_at=now, tag_id=WALL_TAG, assurance="uid")
    assert isinstance(alive, ReaderReading)
    assert isinstance(alive.firmware, Unknown)
    assert alive.firmware.reason is Reason.NOT_SUPPORTED
    assert desk.opened == ["/dev/input/by-id/usb-reader-event-kbd"]


@pytest.mark.parametrize(
    ("settings", "line", "tag"),
    [
        ({"uid_format": "decimal8"}, "16145763", "em4100:A1B2C3"),
        ({"uid_format": "hex"}, "3E00A1B2C3", "em4100:3E00A1B2C3"),
        (
            {"uid_format": "hex_reversed", "tag_tech": "nfca"},
            "80E5D4C3B2A104",
            "nfca:04A1B2C3D4E580",
        ),
    ],
)
def test_the_settings_say_how_it_is_read(
    clock: SimulatedClock, settings: dict[str, object], line: str, tag: str
) -> None:
    desk = Desk(clock, **settings)
    assert desk.scans(typed(f"{line}\n")) == [tag]
    desk.driver.close()
    desk.unplug()


def test_a_number_may_come_in_pieces_over_several_polls(desk: Desk) -> None:
    keys, got = typed(f"{WALL}\n"), list[str]()
    for at in range(0, len(keys), 100):
        desk.clock.advance(0.3)
        got += desk.scans(keys[at : at + 100])
    assert got == [WALL_TAG]


def test_a_tag_that_is_typed_again_and_again_is_one_presence(desk: Desk) -> None:
    assert desk.scans(typed(f"{WALL}\n{WALL}\n{ROOF}\n")) == [WALL_TAG, ROOF_TAG]
    for _ in range(5):
        desk.clock.advance(GONE_SECONDS - 0.1)
        assert desk.scans(typed(f"{WALL}\n")) == []
    desk.clock.advance(GONE_SECONDS + 0.1)
    assert desk.scans(typed(f"{WALL}\n")) == [WALL_TAG]


def test_a_line_in_another_form_is_told_and_takes_no_scan_with_it(desk: Desk) -> None:
    before, error = desk.until_fault(typed(f"{WALL}\n16145763\n0000000000\n{ROOF}\n"))
    assert [one.tag_id for one in before if isinstance(one, ScanReading)] == [WALL_TAG, ROOF_TAG]
    assert not any(isinstance(one, ReaderReading) for one in before)
    assert isinstance(error, ProtocolError)
    assert "typed 0000000000, which is no tag's number in the form decimal10" in str(error)
    assert str(error).endswith("so far: 2")
    assert desk.scans() == []  # told once
    _, error = desk.until_fault(typed("1\n"))
    assert str(error).endswith("so far: 3")


def test_half_a_line_is_dropped_after_a_second(desk: Desk) -> None:
    assert desk.scans(typed(WALL[:5])) == []
    desk.clock.advance(1.1)
    before, error = desk.until_fault()
    assert before == []
    assert "no Enter" in str(error)
    assert desk.scans(typed(f"{WALL}\n")) == [WALL_TAG]


def test_an_unplugged_reader_is_lost_and_comes_back_without_its_half_line(desk: Desk) -> None:
    assert desk.scans(typed(WALL[:5])) == []
    desk.unplug()
    with pytest.raises(PortLostError, match="lost while reading"):
        list(desk.poll())
    with pytest.raises(PortLostError, match="not open"):
        list(desk.poll())
    desk.plug()
    assert desk.scans(typed(f"{ROOF}\n")) == [ROOF_TAG]


def test_the_errors_of_a_device_that_is_gone_are_a_lost_port(desk: Desk) -> None:
    desk.error = OSError(19, "No such device")
    _, error = desk.until_fault(typed("1"))
    assert isinstance(error, PortLostError)
    assert "No such device" in str(error)
    desk.error = None
    desk.plug()
    assert desk.scans(typed(f"{ROOF}\n")) == [ROOF_TAG]


def test_what_was_wrong_before_a_loss_is_told_after_it(desk: Desk) -> None:
    desk.send(typed("1\n"))
    scanning = desk.poll()
    desk.unplug()
    with pytest.raises(PortLostError):
        list(scanning)
    desk.driver.open()
    _, error = desk.until_fault()
    assert isinstance(error, ProtocolError)


def test_a_reader_that_is_quiet_for_a_day_is_not_known_to_live(desk: Desk) -> None:
    desk.clock.advance(25 * 3600)
    _, error = desk.until_fault()
    assert isinstance(error, DeviceTimeoutError)
    assert "typed nothing for 25 hours" in str(error)
    led = event(0x11, 1, 1) + event(0, 0, 0)  # the kernel's word, not the reader's
    _, error = desk.until_fault(led)
    assert isinstance(error, DeviceTimeoutError)
    assert desk.scans(typed(f"{WALL}\n")) == [WALL_TAG]


def test_a_deadline_in_the_past_is_a_timeout(desk: Desk) -> None:
    with pytest.raises(DeviceTimeoutError, match="no time"):
        list(desk.driver.poll(deadline=desk.clock.monotonic()))


def test_what_is_no_input_device_is_not_held(clock: SimulatedClock, tmp_path: Path) -> None:
    no_device = tmp_path / "file"
    no_device.write_bytes(b"")
    held = _descriptors()
    for path in (no_device, tmp_path, tmp_path / "none", "a\0b"):
        with pytest.raises((OSError, ValueError)):
            open_grabbed(str(path))
        settings = ReaderSettings(id="gate", driver="wedge", port=str(path))
        driver = WedgeDriver(settings, clock)
        with pytest.raises(PortLostError, match="cannot be opened"):
            driver.open()
    assert _descriptors() == held


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_agent_makes_a_driver_of_every_kind_of_reader() -> None:
    kinds = set(get_args(ReaderSettings.model_fields["driver"].annotation))
    for kind in kinds - {"wand"}:  # which has a memory besides; made in its own test
        settings = NfcReader(id="gate", driver=kind, port="/dev/null")
        made = parts._reader(settings, None, NoCounters(), SimulatedClock())
        assert isinstance(made.part, DeviceThread)


class NoCounters:
    def grew(self, uid: bytes, counter: int) -> bool:
        raise AssertionError(uid, counter)


@pytest.mark.parametrize("wrong", [{"tag_tech": "EM4100"}, {"tag_tech": ""}, {"uid_format": "dec"}])
def test_settings_that_name_no_tag_are_refused(wrong: dict[str, str]) -> None:
    values = {"id": "gate", "driver": "wedge", "port": "/dev/input/event0", **wrong}
    with pytest.raises(ValidationError):
        ReaderSettings.model_validate(values)


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_no_bytes_crash_it_or_are_a_scan(pieces: list[bytes]) -> None:
    desk = Desk(SimulatedClock())
    for piece in pieces:
        desk.clock.advance(0.3)
        desk.send(piece)
        try:
            readings = list(desk.poll())
        except ProtocolError:
            continue
        assert all(isinstance(one, ReaderReading) for one in readings)
    desk.driver.close()
    desk.unplug()
