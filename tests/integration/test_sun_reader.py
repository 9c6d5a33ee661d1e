"""Our driver against simulated tags that prove themselves, and copies of them, over a pty."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.clock import SystemClock
from agent.store.sun_counters import FileCounters
from drivers.errors import DeviceTimeoutError, ProtocolError
from drivers.nfc.pn532 import Pn532Driver
from drivers.nfc.settings import ReaderSettings
from drivers.nfc.sun import SunCheck, SunKeys
from drivers.readings import ReaderReading, ScanReading
from simulators.ntag424 import Ntag424
from simulators.pn532 import Pn532Simulator
from simulators.truth import Truth

UID = bytes.fromhex("04A1B2C3D4E580")
TAG = "nfca:04A1B2C3D4E580"
OTHER = bytes.fromhex("04DEADBEEF0080")
PLAIN = bytes.fromhex("DEADBEEF")
KEYS = SunKeys(bytes(range(16)), bytes(range(16, 32)))
CLOCK = SystemClock()
Shown = tuple[str, str, str | None]


class Gate:
    """A reader with SUN keys, polled by hand; the counters are in a file."""

    def __init__(self, directory: Path) -> None:
        self.reader = Pn532Simulator(directory / "nfc", Truth())
        self.reader.start()
        self._directory = directory
        self.driver = self._started()

    def _started(self) -> Pn532Driver:
        settings = ReaderSettings(id="gate", driver="pn532", port=str(self._directory / "nfc"))
        check = SunCheck(KEYS, FileCounters(self._directory / "counters.json"))
        driver = Pn532Driver(settings, CLOCK, check)
        driver.open()
        return driver

    def restart(self) -> None:
        """Start the agent anew: only what is on the disk is still known."""
        self.driver.close()
        self.driver = self._started()

    def looks(self, times: int = 4) -> list[Shown]:
        """Poll so often; what was shown meanwhile."""
        return [
            (reading.tag_id, reading.assurance, reading.refused)
            for _ in range(times)
            for reading in self.driver.poll(deadline=CLOCK.monotonic() + 2)
            if isinstance(reading, ScanReading)
        ]

    def tap(self, chip: Ntag424, uid: bytes = UID) -> list[Shown]:
        """Hold a tag to the reader and take it away."""
        self.reader.present(uid, chip=chip)
        shown = self.looks()
        self.reader.remove()
        return shown + self.looks()

    def close(self) -> None:
        self.driver.close()
        self.reader.stop()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    made = Gate(tmp_path)
    yield made
    made.close()


@pytest.fixture
def tag() -> Ntag424:
    return Ntag424(UID, KEYS.meta, KEYS.master)


def test_a_tag_proves_itself_once_a_presence(gate: Gate, tag: Ntag424) -> None:
    for _ in range(3):
        assert gate.tap(tag) == [(TAG, "sun", None)]
    assert tag.counter == 3, "it is read once a presence and no more"


def test_a_copy_that_repeats_a_message_is_refused(gate: Gate, tag: Ntag424) -> None:
    gate.tap(tag)
    tag.replay = True
    assert gate.tap(tag) == [(TAG, "sun", "replayed")]
    tag.replay = False
    assert gate.tap(tag) == [(TAG, "sun", None)]


def test_a_copy_is_still_refused_behind_a_restart(gate: Gate, tag: Ntag424) -> None:
    gate.tap(tag)
    tag.replay = True
    gate.restart()
    assert gate.tap(tag) == [(TAG, "sun", "replayed")]


def test_a_copy_without_the_key_is_refused(gate: Gate, tag: Ntag424) -> None:
    tag.wrong_key = True
    assert gate.tap(tag) == [(TAG, "sun", "bad_mac")]


def test_a_message_copied_onto_a_card_with_its_own_number_is_refused(
    gate: Gate, tag: Ntag424
) -> None:
    assert gate.tap(tag, OTHER) == [("nfca:04DEADBEEF0080", "sun", "replayed")]


def test_a_copy_of_the_number_alone_is_only_that_number(gate: Gate) -> None:
    gate.reader.present(UID)
    assert gate.looks() == [(TAG, "uid", None)]
    gate.reader.remove()
    gate.looks()
    gate.reader.present(UID, iso14443_4=True)  # a card of another kind, which knows no such file
    assert gate.looks() == [(TAG, "uid", None)]


def test_a_tag_that_is_not_programmed_is_only_its_number(gate: Gate, tag: Ntag424) -> None:
    tag.url = "county.example"
    assert gate.tap(tag) == [(TAG, "uid", None)]


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_a_tag_pulled_away_midway_is_no_scan(gate: Gate, tag: Ntag424, answered: int) -> None:
    gate.reader.present(UID, chip=tag)
    gate.reader.apdus_left = answered
    assert gate.looks() == []
    gate.reader.apdus_left = None
    assert gate.tap(tag) == [(TAG, "sun", None)]


def test_two_tags_and_a_phone_in_one_hand(gate: Gate, tag: Ntag424) -> None:
    gate.reader.present(UID, chip=tag)
    gate.reader.present(OTHER, chip=Ntag424(OTHER, KEYS.meta, KEYS.master))
    assert sorted(gate.looks()) == [(TAG, "sun", None), ("nfca:04DEADBEEF0080", "sun", None)]
    gate.reader.remove()
    gate.looks()
    gate.reader.present(bytes.fromhex("08112233"), iso14443_4=True)
    gate.reader.present(UID, chip=tag)
    assert gate.looks() == [(TAG, "sun", None)]


def test_a_tag_that_disturbs_the_reader_takes_no_scan_along(gate: Gate, tag: Ntag424) -> None:
    """The plain card is told before the other is asked, and the other is asked again."""
    gate.reader.present(UID, chip=tag)
    gate.reader.present(PLAIN)
    poll = gate.driver.poll(deadline=CLOCK.monotonic() + 2)
    alive, plain = next(poll), next(poll)
    assert isinstance(plain, ScanReading)
    assert isinstance(alive, ReaderReading)
    assert plain.tag_id == "nfca:DEADBEEF"
    gate.reader.garble_replies = 1
    with pytest.raises(ProtocolError):
        next(poll)
    assert gate.looks() == [(TAG, "sun", None)]


def test_a_reader_that_falls_silent_midway_is_given_up_in_time(gate: Gate, tag: Ntag424) -> None:
    gate.reader.present(UID, chip=tag)
    started = CLOCK.monotonic()
    poll = gate.driver.poll(deadline=started + 0.5)
    next(poll)
    gate.reader.silent = True
    with pytest.raises(DeviceTimeoutError):
        next(poll)
    assert CLOCK.monotonic() < started + 1
    gate.reader.silent = False
    assert gate.looks() == [(TAG, "sun", None)]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(raw=st.binary(max_size=242))
def test_nothing_a_tag_answers_makes_a_proof_or_an_error(gate: Gate, raw: bytes) -> None:
    chip = Ntag424(UID, KEYS.meta, KEYS.master)
    chip.said = raw
    for said in (raw, raw + b"\x90\x00"):
        chip.said = said[-242:]
        assert gate.tap(chip) == [(TAG, "uid", None)]


def test_without_keys_the_tag_is_not_asked(gate: Gate, tag: Ntag424, tmp_path: Path) -> None:
    gate.driver.close()
    port = str(tmp_path / "nfc")
    gate.driver = Pn532Driver(ReaderSettings(id="gate", driver="pn532", port=port), CLOCK)
    gate.driver.open()
    assert gate.tap(tag) == [(TAG, "uid", None)]
    assert 0x40 not in gate.reader.commands


def test_counters_that_cannot_be_read_or_kept_stop_no_patrol(tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    path.write_text("[]")
    counters = FileCounters(path)
    assert counters.grew(UID, 1)
    assert FileCounters(path).grew(UID, 2)
    assert not FileCounters(path).grew(UID, 2)
    nowhere = FileCounters(tmp_path / "none" / "counters.json")
    assert nowhere.grew(UID, 1)
    assert not nowhere.grew(UID, 1)
