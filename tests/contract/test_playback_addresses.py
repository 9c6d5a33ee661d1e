"""Where each recorder's driver says a recording is played, read back by the simulators' reader."""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import cast

import pytest

from drivers.base import RecorderDriver
from drivers.readings import Reason, Unknown
from drivers.recorder.quirks import QuirkSheet
from drivers.recordings import PlaybackAddress
from simulators.rtsp_paths import read_address
from tests.contract.recorder_rigs import DahuaRig, HikvisionRig, OnvifRig, RecorderRig
from tests.simulated_clock import SimulatedClock

NOON = datetime.combine(date(2026, 8, 1), time(12, 0, 7))
END = NOON + timedelta(minutes=2)


def driver_of(rig: RecorderRig, clock: SimulatedClock) -> RecorderDriver:
    return cast("RecorderDriver", rig.driver(clock))


@pytest.mark.parametrize("rig_of", [HikvisionRig, DahuaRig])
def test_an_address_names_the_channel_and_the_recorders_own_time(
    rig_of: type[RecorderRig], tmp_path: Path, clock: SimulatedClock
) -> None:
    address = driver_of(rig_of(tmp_path), clock).playback(12, NOON, END, deadline=9)
    assert isinstance(address, PlaybackAddress)
    asked = read_address(f"rtsp://10.0.0.1:554{address.path}")
    assert asked is not None
    assert (asked.channel, asked.sub, asked.start, asked.end) == (12, False, NOON, END)
    assert address.digits_at == NOON


def test_a_firmware_that_means_utc_is_asked_in_utc(tmp_path: Path, clock: SimulatedClock) -> None:
    rig = HikvisionRig(tmp_path)
    sheet = QuirkSheet(maker="hikvision", model="M", firmware="F", search_digits="utc")
    (tmp_path / "quirks").write_text(sheet.model_dump_json(), encoding="utf-8")
    driver = driver_of(rig, clock)
    driver._recordings.meet("M", "F")  # type: ignore[attr-defined]  # Hikvision's own
    address = driver.playback(1, NOON, END, deadline=9)
    assert isinstance(address, PlaybackAddress)
    assert "starttime=20260801T040007Z&endtime=20260801T040207Z" in address.path
    assert address.digits_at == NOON - timedelta(hours=8)


def test_onvif_has_no_address_of_what_it_has_not_listed(
    tmp_path: Path, clock: SimulatedClock
) -> None:
    answer = driver_of(OnvifRig(tmp_path), clock).playback(1, NOON, END, deadline=9)
    assert isinstance(answer, Unknown)
    assert answer.reason is Reason.NOT_YET
