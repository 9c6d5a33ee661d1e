"""Disks and record settings: what recorders of the field say, and what is told of it."""

from collections.abc import Mapping

import httpx
import pytest

from agent.findings import Verdict
from agent.monitors import Instant
from agent.monitors.police_link import PoliceLinkMonitor
from agent.monitors.storage import disks_to_remember, missing_terabytes, storage_causes
from drivers.readings import Outage, Reason, Unknown
from drivers.recorder.dahua_cgi import Cgi, Table
from drivers.recorder.dahua_upkeep import modes
from drivers.recorder.dahua_upkeep import volumes as dahua_volumes
from drivers.recorder.hikvision_upkeep import policies, uplink, volumes
from drivers.recorder.http import Answer
from drivers.recorder.isapi import parse
from drivers.recorder.readings import (
    RecordingMode,
    RecordPolicyReading,
    StorageReading,
    UplinkReading,
)
from drivers.recorder.readings import Volume as Disk
from drivers.recorder.settings import PoliceLink
from tests.simulated_clock import SimulatedClock
from tests.unit.retention_site import Site, codes, last, surveyed

TB = 10**12


def disk(name: str, size: int = 4 * TB, **more: object) -> Disk:
    known = Disk(id=name, condition="ok", writable=True, redundant=False, capacity_bytes=size)
    return known.model_copy(update=more)


def told(volumes_: list[Disk], known: dict[str, int] | None = None) -> set[tuple[Verdict, str]]:
    return {(one, cause.code) for one, cause in storage_causes(volumes_, known or {})}


def test_healthy_disks_are_no_cause_however_full() -> None:
    assert told([disk("1"), disk("2", condition="sleep")]) == set()
    assert storage_causes(Unknown(reason=Reason.FORBIDDEN), {}) == []


@pytest.mark.parametrize(
    ("volumes_", "causes"),
    [
        ([], {(Verdict.FAIL, "recorder.no_disk")}),
        (
            [disk("1", writable=False)],
            {
                (Verdict.FAIL, "recorder.no_disk_writable"),
                (Verdict.WARN, "recorder.disk_read_only"),
            },
        ),
        (
            [disk("1", condition="smartfailed")],
            {(Verdict.FAIL, "recorder.no_disk_writable"), (Verdict.WARN, "recorder.disk_broken")},
        ),
        ([disk("1"), disk("2", condition="error")], {(Verdict.WARN, "recorder.disk_broken")}),
        ([disk("1"), disk("2", writable=False, redundant=True)], set()),
        ([disk("1", redundant=True)], {(Verdict.FAIL, "recorder.no_disk_writable")}),
        ([disk("1", condition="a new word")], set()),
    ],
)
def test_what_disks_mean(volumes_: list[Disk], causes: set[tuple[Verdict, str]]) -> None:
    assert told(volumes_) == causes


def test_a_disk_that_is_gone_is_told_until_as_much_is_there_again() -> None:
    known = disks_to_remember([disk("1"), disk("2")], {})
    assert known == {"1": 4 * TB, "2": 4 * TB}
    assert told([disk("1")], dict(known)) == {(Verdict.WARN, "recorder.disk_gone")}
    known = disks_to_remember([disk("1")], known)
    assert told([disk("1")], dict(known)) == {(Verdict.WARN, "recorder.disk_gone")}
    replaced = [disk("1"), disk("3", 8 * TB)]
    assert told(replaced, dict(known)) == set()
    assert disks_to_remember(replaced, known) == {"1": 4 * TB, "3": 8 * TB}


def test_how_much_disk_is_missing_is_told_by_the_shortest_channel() -> None:
    assert missing_terabytes([disk("1"), disk("2")], [(20, 30), (45, 90)]) == 8.0
    assert missing_terabytes([disk("1")], []) is None
    assert missing_terabytes([disk("1")], [(0, 30)]) is None
    assert missing_terabytes([], [(20, 30)]) is None


STORAGE = b"""<storage xmlns="http://www.hikvision.com/ver20/XMLSchema"><hddList>
<hdd><id>1</id><hddName>hdd1</hddName><hddType>SATA</hddType><status>ok</status>
<capacity>7630885</capacity><freeSpace>0</freeSpace><property>RW</property><group>1</group></hdd>
<hdd><id>2</id><hddName>hdd2</hddName><status>smartFailed</status><capacity>x</capacity>
<property>Redund</property></hdd></hddList><nasList/><workMode>quota</workMode></storage>"""


def test_disks_of_isapi_are_in_megabytes() -> None:
    root = parse(STORAGE)
    assert root is not None
    first, second = volumes(root)
    assert (first.id, first.condition, first.writable) == ("hdd1", "ok", True)
    assert first.capacity_bytes == 7_630_885 * 1024 * 1024
    assert (second.condition, second.redundant) == ("smartfailed", True)
    assert second.capacity_bytes is None


def tracks(duration: str, actions: str, default: str = "") -> bytes:
    return (
        "<TrackList><Track><id>301</id><Channel>301</Channel><Enable>false</Enable>"
        f"<Duration>{duration}</Duration><DefaultRecordingMode>{default}</DefaultRecordingMode>"
        f"<SrcDescriptor><SrcChannel>3</SrcChannel></SrcDescriptor>{actions}</Track>"
        "<Track><id>302</id><Duration>P1DT0H</Duration></Track></TrackList>"
    ).encode()


def action(mode: str) -> str:
    return f"<ScheduleAction><ActionRecordingMode>{mode}</ActionRecordingMode></ScheduleAction>"


@pytest.mark.parametrize(
    ("duration", "actions", "default", "expiry", "mode"),
    [
        ("P30DT0H", action("CMR"), "", 30, "continuous"),
        ("P0DT0H", action("MOTION") + action("CMR"), "", None, "continuous"),
        ("", action("MOTION"), "CMR", None, "event"),
        ("P15D", "", "EDR", 15, "event"),
        ("P15D", "", "CMR", 15, "continuous"),
    ],
)
def test_tracks_say_how_long_and_what(
    duration: str, actions: str, default: str, expiry: int | None, mode: RecordingMode
) -> None:
    root = parse(tracks(duration, actions, default))
    assert root is not None
    assert policies(root) == {3: (expiry, mode)}


def test_a_track_that_says_nothing_is_unknown() -> None:
    root = parse(tracks("", ""))
    assert root is not None
    assert isinstance(policies(root)[3][1], Unknown)


def table(text: str, clock: SimulatedClock) -> Table:
    answer = Answer(httpx.codes.OK, text.encode(), False, clock.now(), 0.0)
    return Cgi.__new__(Cgi)._read("x", answer)


def test_disks_of_cgi_are_in_bytes_with_fractions(clock: SimulatedClock) -> None:
    for prefix in ("list.info", "list"):
        said = table(
            f"{prefix}[0].Name=/dev/sda\r\n{prefix}[0].State=Success\r\n"
            f"{prefix}[0].Detail[0].Type=ReadWrite\r\n"
            f"{prefix}[0].Detail[0].TotalBytes=3935385485312.0\r\n"
            f"{prefix}[0].Detail[0].IsError=false\r\n"
            f"{prefix}[1].Name=/dev/sdb\r\n{prefix}[1].Detail[0].Type=ReadOnly\r\n"
            f"{prefix}[1].Detail[0].IsError=true\r\n",
            clock,
        )
        first, second = dahua_volumes(said)
        assert (first.id, first.condition, first.writable) == ("/dev/sda", "success", True)
        assert first.capacity_bytes == 3_935_385_485_312
        assert (second.condition, second.writable, second.capacity_bytes) == ("error", False, None)


@pytest.mark.parametrize(
    ("switch", "section", "mode"),
    [
        ("0", "7 00:00:00-24:00:00", "continuous"),
        ("0", "6 00:00:00-24:00:00", "event"),
        ("1", "6 00:00:00-24:00:00", "continuous"),
        ("2", "7 00:00:00-24:00:00", "off"),
    ],
)
def test_what_is_recorded_by_switch_and_schedule(
    clock: SimulatedClock, switch: str, section: str, mode: str
) -> None:
    found = modes(
        table(f"table.RecordMode[0].Mode={switch}", clock),
        table(
            f"table.Record[0].TimeSection[0][0]={section}\n"
            "table.Record[0].TimeSection[0][1]=0 00:00:00-24:00:00\n"
            "table.Record[0].TimeSection[0][2]=1 00:00:00-00:00:00\n",
            clock,
        ),
    )
    assert found == {1: mode}


def set_up(site: Site, expiry: int | None, mode: RecordingMode) -> RecordPolicyReading:
    return RecordPolicyReading(
        device_id="nvr-1", observed_at=site.wall, channel=2, expiry_days=expiry, mode=mode
    )


def test_an_expiry_below_the_target_can_never_hold_it() -> None:
    site = surveyed(last(40))
    site.see(set_up(site, 30, "continuous"))
    assert site.recording().verdict is Verdict.WARN
    site.see(set_up(site, 29, "continuous"))
    assert (site.recording().word, site.recording().verdict) == ("claimed", Verdict.FAIL)
    assert "recording.expiry_short" in codes(site.recording())
    site.see(set_up(site, None, "event"))
    assert "recording.events_only" in codes(site.recording())
    site.see(set_up(site, None, "off"))
    assert site.recording().verdict is Verdict.FAIL


def test_a_recorder_tells_of_its_disks_and_of_those_that_are_missing() -> None:
    site = surveyed(last(20))
    site.see(site.channel(1), site.channel(2), site.recorder())

    def stores(*disks: Disk) -> None:
        site.see(StorageReading(device_id="nvr-1", observed_at=site.wall, volumes=disks))

    stores(disk("1"), disk("2"))
    assert codes(site.recorder_state()) == {"recorder.disk_short"}
    (cause,) = site.recorder_state().causes
    assert cause.params == {"size_tb": 4.0}  # 8 TB hold 20 days of 30
    stores(disk("1"))
    assert "recorder.disk_gone" in codes(site.recorder_state())
    stores()
    assert site.recorder_state().verdict is Verdict.FAIL


SIP = """<SIPServerList><SIPServer><id>1</id><Standard><enabled>true</enabled>
<registerStatus>online</registerStatus><proxy>10.9.9.9</proxy></Standard>{part}</SIPServer>
</SIPServerList>"""


@pytest.mark.parametrize(
    ("part", "registered", "server"),
    [
        (
            "<GB28181><hostName>10.1.1.1</hostName><regStatus>Online</regStatus></GB28181>",
            True,
            "10.1.1.1",
        ),
        ("<GB28181><ipAddress>h</ipAddress><regStatus>0</regStatus></GB28181>", False, "h"),
        ("<GB28181><enabled>false</enabled><status>online</status></GB28181>", False, None),
        ("<GB28181><status>perhaps</status></GB28181>", None, None),
        ("", None, None),  # telephony alone
    ],
)
def test_the_registration_is_that_of_gb28181_alone(
    part: str, registered: bool | None, server: str | None
) -> None:
    root = parse(SIP.format(part=part).encode())
    assert root is not None
    told = uplink(root)
    assert (told.registered if isinstance(told.registered, bool) else None) is registered
    assert (told.server if isinstance(told.server, str) else None) == server


def test_cameras_in_the_link_are_told_by_the_type_in_their_number() -> None:
    own, platform = "34020000001180000001", "34020000002000000001"
    cameras = ("34020000001310000001", "34020000001320000002")
    listed = "".join(f"<channelID>{one}</channelID>" for one in (*cameras, own, platform, "1"))
    root = parse(SIP.format(part=f"<GB28181><status>1</status>{listed}</GB28181>").encode())
    assert root is not None
    assert uplink(root).camera_ids == cameras
    root = parse(SIP.format(part="<GB28181><status>1</status></GB28181>").encode())
    assert root is not None
    assert isinstance(uplink(root).camera_ids, Unknown)


UNSAID = Unknown(reason=Reason.NOT_MEASURED)
NOBODY: Mapping[str, str | None] = {}
GATE = "34020000001310000001"


def test_a_key_area_that_is_not_in_the_link_is_named() -> None:
    right = ("10.1.1.1", "34020000001180000001")
    linked = link_state(True, *right, cameras=(GATE,), key_areas={"gate": GATE})
    assert linked == (Verdict.OK, set())
    missing = link_state(True, *right, cameras=(GATE[:-1] + "2",), key_areas={"gate": GATE})
    assert missing == (Verdict.FAIL, {"police_link.camera_missing"})
    # What the recorder or the site does not say is no finding.
    assert link_state(True, *right, key_areas={"gate": GATE}) == (Verdict.OK, set())
    assert link_state(True, *right, cameras=(), key_areas={"gate": None}) == (Verdict.OK, set())


def link_state(
    registered: bool | Unknown,
    server: str,
    own: str,
    *,
    age: float = 0,
    cameras: tuple[str, ...] | Unknown = UNSAID,
    key_areas: Mapping[str, str | None] = NOBODY,
) -> tuple[Verdict, set[str]]:
    clock = SimulatedClock()
    wanted = PoliceLink(server="10.1.1.1", device_id="34020000001180000001")
    monitor = PoliceLinkMonitor({"nvr-1": wanted}, {"nvr-1": key_areas})
    said = UplinkReading(
        device_id="nvr-1",
        observed_at=clock.now(),
        registered=registered,
        server=server,
        uplink_id=own,
        camera_ids=cameras,
    )
    monitor.observe(said, Instant(clock.now(), clock.monotonic()))
    (state,) = monitor.states(Instant(clock.now(), clock.monotonic() + age))
    return state.data.verdict, {cause.code for cause in state.data.causes}


def test_a_link_is_ok_only_as_the_site_expects_it() -> None:
    right = ("10.1.1.1", "34020000001180000001")
    assert link_state(True, *right) == (Verdict.OK, set())
    assert link_state(False, *right) == (Verdict.FAIL, {"police_link.unregistered"})
    unknown = Unknown(reason=Reason.NOT_SUPPORTED)
    assert link_state(unknown, *right) == (Verdict.UNKNOWN, {"unknown.not_supported"})
    found = link_state(True, "10.2.2.2", "34020000001180000002")
    assert found == (Verdict.FAIL, {"police_link.wrong_server", "police_link.wrong_id"})
    assert link_state(True, *right, age=7201) == (Verdict.UNKNOWN, {"unknown.stale"})


def test_a_link_nobody_has_told_of_is_unknown() -> None:
    clock = SimulatedClock()
    now = Instant(clock.now(), clock.monotonic())
    monitor = PoliceLinkMonitor({"nvr-1": PoliceLink()}, {})
    (state,) = monitor.states(now)
    assert {cause.code for cause in state.data.causes} == {"unknown.not_yet"}
    gone = Outage(device_id="nvr-1", observed_at=clock.now(), reason=Reason.UNREACHABLE)
    assert monitor.observe(gone, now) == monitor.tick(now) == []
    (state,) = monitor.states(now)
    assert {cause.code for cause in state.data.causes} == {"unknown.unreachable"}
