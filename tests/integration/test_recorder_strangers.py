"""Public clients of other hands, unchanged, against our simulated recorders."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from amcrest import AmcrestCamera
from onvif import ONVIFCamera

from simulators.archive import SimulatedChannel
from simulators.dahua import DahuaSimulator
from simulators.hikvision import HikvisionSimulator
from simulators.onvif import OnvifSimulator
from simulators.rtsp_paths import read_address
from simulators.truth import Truth

DAY = timedelta(days=1)
HIKLOAD = Path(__file__).parents[2] / "build" / "hikload"

LIST_A_DAY = """
import sys
from hikload.hikvisionapi import HikvisionServer
server = HikvisionServer(sys.argv[1], "inspector", "secret")
assert server.System.getDeviceInfo()["DeviceInfo"]["model"] == "DS-7616NI-SIM"
found = server.ContentMgmt.search.getPastRecordingsForID(101, sys.argv[2], sys.argv[3])
for item in found["CMSearchResult"]["matchList"]["searchMatchItem"]:
    print(item["timeSpan"]["startTime"])
"""


@pytest.fixture
def dahua(truth: Truth) -> Iterator[DahuaSimulator]:
    made = DahuaSimulator(truth, days={1: 20, 2: 5})
    made.manners.old_close = True  # amcrest knows the old words alone
    made.start()
    yield made
    made.stop()


@pytest.fixture
def onvif(truth: Truth) -> Iterator[OnvifSimulator]:
    made = OnvifSimulator(truth, days={1: 20, 2: 5, 3: 90})
    made.manners.strange_host = f"127.0.0.1:{made.port}"
    made.start()
    yield made
    made.stop()


def test_amcrest_lists_every_file(dahua: DahuaSimulator) -> None:
    camera = AmcrestCamera("127.0.0.1", dahua.port, "inspector", "secret").camera
    assert camera.device_type == "DHI-NVR5216-4KS2"
    assert camera.serial_number == "SIM0002PAZ00002"
    now = dahua.wall_clock().replace(microsecond=0)
    for channel in dahua.channels:
        pages = camera.find_files(now - 30 * DAY, now, channel=channel.number)
        files = sum(page.count(".FilePath=") for page in pages)
        assert files == len(list(channel.held(now - 30 * DAY, now, now)))
    assert dahua.open_finders == 0
    used = float(camera.storage_all["total"][0])
    assert used == pytest.approx(7_630_885 * 1024 * 1024)


def test_onvif_zeep_async_drains_a_search(onvif: OnvifSimulator) -> None:
    async def drain() -> dict[str, date]:
        camera = ONVIFCamera("127.0.0.1", onvif.port, "inspector", "secret")
        try:
            await camera.update_xaddrs()
            device = await camera.create_devicemgmt_service()
            assert (await device.GetDeviceInformation())["Model"] == "NVR-SIM-G"
            search = await camera.create_search_service()
            token = await search.FindRecordings(
                {"Scope": {}, "KeepAliveTime": timedelta(seconds=30)}
            )
            wanted = {"SearchToken": token, "MaxResults": 50, "WaitTime": timedelta(seconds=5)}
            found = await search.GetRecordingSearchResults(wanted)
            assert found.SearchState == "Completed"
            await search.EndSearch({"SearchToken": token})
        finally:
            await camera.close()
        zone = timedelta(hours=onvif.zone_hours)
        return {
            one.RecordingToken: (one.EarliestRecording + zone).date()
            for one in found.RecordingInformation
        }

    today = onvif.wall_clock().date()
    assert asyncio.run(drain()) == {
        f"Rec_{each.number:03}": today - each.depth_days * DAY for each in onvif.channels
    }
    assert onvif.open_searches == 0


def test_onvif_zeep_async_finds_the_streams(onvif: OnvifSimulator) -> None:
    async def streams() -> tuple[list[str], list[str]]:
        camera = ONVIFCamera("127.0.0.1", onvif.port, "inspector", "secret")
        try:
            await camera.update_xaddrs()
            media = await camera.create_media_service()
            profiles = await media.GetProfiles()
            sources = [one.VideoSourceConfiguration.SourceToken for one in profiles]
            over = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
            said = [
                await media.GetStreamUri({"StreamSetup": over, "ProfileToken": one.token})
                for one in profiles
            ]
            shown = await media.GetSnapshotUri({"ProfileToken": profiles[0].token})
            assert shown.Uri.endswith("/snap/1?proto=onvif")
        finally:
            await camera.close()
        return sources, [one.Uri for one in said]

    sources, addresses = asyncio.run(streams())
    assert sources[:3] == ["VideoSource_001", "VideoSource_001", "VideoSource_002"]
    asked = [read_address(address) for address in addresses]
    assert [(one.channel, one.sub) for one in asked if one is not None] == [
        (number, sub) for number in (1, 2, 3) for sub in (True, False)
    ]


def test_onvif_zeep_async_finds_a_replay(onvif: OnvifSimulator) -> None:
    async def address() -> str:
        camera = ONVIFCamera("127.0.0.1", onvif.port, "inspector", "secret")
        try:
            await camera.update_xaddrs()
            replay = await camera.create_replay_service()
            over = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
            return str(
                await replay.GetReplayUri({"StreamSetup": over, "RecordingToken": "Rec_002"})
            )
        finally:
            await camera.close()

    asked = read_address(asyncio.run(address()))
    assert asked is not None
    assert (asked.channel, asked.replay) == (2, True)


@pytest.mark.deep
def test_hikload_lists_a_day_of_200_segments(recorder: HikvisionSimulator) -> None:
    recorder.channels[:] = [SimulatedChannel(1, cuts_per_day=200)]
    now = recorder.wall_clock()
    start = datetime.combine(now.date() - DAY, datetime.min.time())
    end = start + DAY - timedelta(seconds=1)
    done = subprocess.run(
        [
            *(sys.executable, "-c", LIST_A_DAY, f"127.0.0.1:{recorder.port}"),
            *(f"{start.isoformat()}Z", f"{end.isoformat()}Z"),
        ],
        env={"PYTHONPATH": str(HIKLOAD), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    held = recorder.channels[0].held(start, end, now)
    assert set(done.stdout.split()) == {f"{clip.start.isoformat()}Z" for clip in held}
