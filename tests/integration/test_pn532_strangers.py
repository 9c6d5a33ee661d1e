"""The simulated reader satisfies independent programs, so what our driver meets is no mirror."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nfc.clf.pn532
import nfc.clf.transport
import pytest

from agent.clock import SystemClock
from drivers.nfc.pn532 import Pn532Driver
from drivers.nfc.settings import ReaderSettings
from drivers.readings import ScanReading
from simulators.pn532 import Pn532Simulator
from simulators.truth import Truth

SEVEN_BYTES = bytes.fromhex("04A1B2C3D4E580")
FOUR_BYTES = bytes.fromhex("DEADBEEF")
TEN_BYTES = bytes.fromhex("04A1B2C3D4E5F6071829")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Pn532Simulator]:
    simulator = Pn532Simulator(tmp_path / "nfc", Truth())
    simulator.start()
    yield simulator
    simulator.stop()


def nfc_list(port: Path) -> str:
    """Ask libnfc; its words for the UID and the chip."""
    done = subprocess.run(
        ["nfc-list", "-v"],
        env={**os.environ, "LIBNFC_DEFAULT_DEVICE": f"pn532_uart:{port}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("uid", [FOUR_BYTES, SEVEN_BYTES, TEN_BYTES], ids=len)
def test_libnfc_reads_the_uid(reader: Pn532Simulator, tmp_path: Path, uid: bytes) -> None:
    reader.present(uid)
    said = nfc_list(tmp_path / "nfc")
    assert uid.hex(" ") in " ".join(said.split()), said
    assert {line["uid"] for line in reader.truth.lines("read")} == {uid.hex().upper()}


def test_libnfc_reads_a_card_with_an_ats(reader: Pn532Simulator, tmp_path: Path) -> None:
    reader.present(SEVEN_BYTES, iso14443_4=True)
    said = " ".join(nfc_list(tmp_path / "nfc").split())
    assert "SAK (SEL_RES): 20" in said
    assert "ATS: 75 77 81 02 80" in said


def test_libnfc_sees_an_empty_field(reader: Pn532Simulator, tmp_path: Path) -> None:
    assert "UID" not in nfc_list(tmp_path / "nfc")
    assert reader.truth.lines("read") == []


@pytest.mark.parametrize("uid", [FOUR_BYTES, SEVEN_BYTES], ids=len)
def test_nfcpy_names_the_chip_and_reads_the_uid(
    reader: Pn532Simulator, tmp_path: Path, uid: bytes
) -> None:
    reader.present(uid)
    transport = nfc.clf.transport.TTY(str(tmp_path / "nfc"))
    device = nfc.clf.pn532.init(transport)
    try:
        assert device.chipset_name == "PN532v1.6"
        target = device.sense_tta(nfc.clf.RemoteTarget("106A"))
        assert target.sdd_res == uid
        reader.remove()
        assert device.sense_tta(nfc.clf.RemoteTarget("106A")) is None
    finally:
        device.close()
    assert 0x16 in reader.commands, "nfcpy puts the chip to sleep when it is done"


def test_nfcpy_passes_the_line_test_in_an_extended_frame(
    reader: Pn532Simulator, tmp_path: Path
) -> None:
    transport = nfc.clf.transport.TTY(str(tmp_path / "nfc"))
    device = nfc.clf.pn532.init(transport)
    try:
        assert device.chipset.diagnose("line") is True
    finally:
        device.close()
    assert reader.commands.count(0x00) >= 1


def test_our_driver_takes_over_a_chip_that_nfcpy_left_asleep(
    reader: Pn532Simulator, tmp_path: Path
) -> None:
    """Asleep, field off, other parameters, other retries: opening must not rely on defaults."""
    port = tmp_path / "nfc"
    nfc.clf.pn532.init(nfc.clf.transport.TTY(str(port))).close()
    reader.present(SEVEN_BYTES, iso14443_4=True)
    clock = SystemClock()
    driver = Pn532Driver(ReaderSettings(id="gate", driver="pn532", port=str(port)), clock)
    driver.open()
    scans = [
        reading.tag_id
        for reading in driver.poll(deadline=clock.monotonic() + 1)
        if isinstance(reading, ScanReading)
    ]
    driver.close()
    assert scans == ["nfca:04A1B2C3D4E580"]
