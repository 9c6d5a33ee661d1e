"""What `campus-agent init` finds at ports and on the network; hostile answers crash nothing."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.settings_report import report
from agent.site_file import load_site
from agent.site_init.recorders import Where, streaming_only
from agent.site_init.serial_ports import Port, ask, free_ports
from agent.text import Language
from drivers.recorder.address_scan import RangeTooLargeError, addresses, open_doors
from drivers.recorder.discovery import read_answer
from drivers.serial_probe import ask_module, ask_pn532, hear_em4100
from simulators.archive import SimulatedChannel
from simulators.dahua import DahuaSimulator
from simulators.discovery import DiscoverySimulator, probe_match
from simulators.em4100 import Em4100Simulator
from simulators.hikvision import HikvisionSimulator
from simulators.http_recorder import HttpRecorder
from simulators.modbus import ModbusSimulator
from simulators.onvif import OnvifSimulator
from simulators.pty_line import PtyLine
from simulators.truth import Truth
from tests.interviewed import CLOCK, announce, around, at, interview

ROOT = Path(__file__).parents[2]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
PASSWORD = "secret"
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "'
    + b"&a;" * 50
    + b'"><!ENTITY c "'
    + b"&b;" * 50
    + b'">]><l>&c;</l>'
)
EVIL = "\x1b]0;x\x07\x1b[2J"


@pytest.fixture(autouse=True)
def no_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait between two questions to a simulated recorder."""
    monkeypatch.setattr("agent.site_init.recorders.REQUEST_GAP_SECONDS", 0.0)


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def network(truth: Truth) -> Iterator[DiscoverySimulator]:
    network = DiscoverySimulator(truth)
    network.start()
    yield network
    network.stop()


@pytest.fixture
def switched_on() -> Iterator[Callable[..., Any]]:
    running: list[Any] = []

    def start(device: Any) -> Any:
        device.start()
        running.append(device)
        return device

    yield start
    for device in running:
        device.stop()


# ---- serial ports


def test_a_reader_that_only_talks_is_heard(
    tmp_path: Path, truth: Truth, switched_on: Callable[..., Any]
) -> None:
    reader = switched_on(Em4100Simulator(tmp_path / "reader", truth))
    url = str(tmp_path / "reader")
    assert ask_pn532(url, CLOCK) is None
    assert hear_em4100(url, CLOCK, seconds=0.2) is None
    hand = threading.Thread(target=reader.tap, args=("0A00123456", 0.6))
    hand.start()
    found = hear_em4100(url, CLOCK)
    hand.join()
    assert found is not None
    assert found.tag == "em4100:0A00123456"


def test_modules_are_known_by_their_inputs(
    tmp_path: Path, truth: Truth, switched_on: Callable[..., Any]
) -> None:
    module = switched_on(ModbusSimulator(tmp_path / "io", truth, count=4))
    module.press(1)
    found = ask_module(str(tmp_path / "io"), CLOCK)
    assert found is not None
    assert (found.baud, found.table, found.levels) == (
        9600,
        "discrete_inputs",
        (False, True, False, False),
    )
    module.spoil("refuse", "refuse")
    coils = ask_module(str(tmp_path / "io"), CLOCK)
    assert coils is not None
    assert (coils.table, len(coils.levels)) == ("coils", 8)
    module.spoil(*["refuse"] * 4)
    other = ask_module(str(tmp_path / "io"), CLOCK)
    assert other is not None
    assert other.levels == ()
    assert truth.lines("coil") == []


def test_babble_on_a_port_is_no_device(tmp_path: Path, switched_on: Callable[..., Any]) -> None:
    # Whatever it is asked, it says half of everything: start codes, endless lengths, CRC noise.
    said = b"\x00\x00\xff\xff\xff\x01\x09\xf6" + bytes(range(256))

    def babble(_: bytes) -> None:
        line.send(said)

    line = PtyLine(tmp_path / "port", 115_200, babble)
    line.plug()
    try:
        assert ask_pn532(str(tmp_path / "port"), CLOCK) is None
        assert ask_module(str(tmp_path / "port"), CLOCK) is None
    finally:
        line.unplug()


def test_two_links_to_one_port_count_once(tmp_path: Path) -> None:
    by_id, campus = tmp_path / "by-id", tmp_path / "campus"
    for place in (by_id, campus):
        place.mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    (by_id / "usb-1").symlink_to(tmp_path / "a")
    (campus / "pci-1").symlink_to(tmp_path / "a")
    (campus / "pci-2").symlink_to(tmp_path / "b")
    (campus / "pci-3").symlink_to(tmp_path / "c")
    used = [str(tmp_path / "c"), "socket://10.0.0.1:1"]
    places = (by_id, campus, tmp_path / "none")
    assert free_ports(places, used) == [str(by_id / "usb-1"), str(campus / "pci-2")]


def test_a_port_that_cannot_be_opened_is_said_to_be_busy(tmp_path: Path) -> None:
    (tmp_path / "port").write_bytes(b"")
    assert ask(str(tmp_path / "port"), CLOCK, lambda: None) == Port(
        str(tmp_path / "port"), busy=True
    )


# ---- the network


def test_a_host_that_only_streams_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port, other = door.getsockname()[1], closed.getsockname()[1]
        assert streaming_only(Where("127.0.0.1/32", other, port)) == ["127.0.0.1"]
        assert streaming_only(Where("127.0.0.1/32", port, port)) == []
    assert streaming_only(Where()) == []


def test_hostile_answers_to_the_probe_are_passed_over() -> None:
    good = probe_match(["http://10.0.0.9:8080/onvif", "http://127.0.0.1:81/x"], name="NVR%2D1")
    found = read_answer(good, "127.0.0.1")
    assert found is not None
    assert (found.host, found.http_port, found.records) == ("127.0.0.1", 81, True)
    assert found.name.startswith("NVR-1")
    deep = b"<a>" * 15_000 + b"</a>" * 15_000
    for junk in (b"", b"\xff" * 65_000, BOMB, deep, good[:300], b"<x/>", b"\0<ProbeMatch/>"):
        assert read_answer(junk, "127.0.0.1") is None
    odd = ["http://[::1", "http://127.0.0.1:99999999/", "gopher://x", "x" * 4000, "http://"]
    lost = read_answer(probe_match(odd, name="x" * 3000), "127.0.0.1")
    assert lost is not None
    assert (lost.http_port, len(lost.name)) == (80, 64)


def test_a_flood_and_a_bomb_do_not_hide_the_recorder(
    tmp_path: Path,
    truth: Truth,
    network: DiscoverySimulator,
    switched_on: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    evil = SimulatedChannel(2, EVIL.replace("\x1b", "&#x9b;").replace("\x07", "") + "x" * 5000)
    channels = [SimulatedChannel(1, "Gate"), evil, SimulatedChannel(600, "far")]
    nvr = switched_on(HikvisionSimulator(truth, password=PASSWORD, channels=channels))
    announce(network, nvr)
    network.answers = [BOMB, b"\xff" * 9000, *([b"<a>" * 500] * 20), *network.answers]
    wrote, _ = interview(
        tmp_path / "site.toml", {"Password": PASSWORD, "key areas": "1"}, where=around(network, 1.5)
    )
    assert wrote
    site = load_site(tmp_path / "site.toml").site
    assert site is not None
    [recorder] = site.recorder
    assert [one.number for one in recorder.channel] == [1, 2]
    assert len(recorder.channel[1].name) <= 64
    assert recorder.channel[1].name.isprintable()
    assert "\x9b" not in capsys.readouterr().out


@pytest.mark.parametrize("fault", ["html", "truncated", "drip", "empty", "huge", "silent"])
def test_a_recorder_that_answers_garbage_is_no_recorder(
    fault: str,
    tmp_path: Path,
    truth: Truth,
    switched_on: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.site_init.recorders.KNOCK_SECONDS", 0.5)
    nvr = switched_on(OnvifSimulator(truth, password=PASSWORD, days={1: 3}))
    nvr.fault = fault
    wrote, person = interview(tmp_path / "site.toml", {}, where=at(nvr))
    assert wrote
    assert not any("Password" in asked for asked in person.asked) or fault == "huge"
    assert report(tmp_path / "site.toml").problems == ()


@pytest.mark.parametrize("fault", ["truncated", "huge", "drip"])
def test_a_recorder_that_breaks_off_after_the_login_is_left_out(
    fault: str,
    tmp_path: Path,
    truth: Truth,
    switched_on: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("agent.site_init.recorders.LOGIN_SECONDS", 1.0)
    nvr = switched_on(HikvisionSimulator(truth, password=PASSWORD, days={1: 3}))
    nvr.fault, nvr.fault_path = fault, "/ISAPI/System/deviceInfo"
    interview(tmp_path / "site.toml", {"Password": PASSWORD}, where=at(nvr))
    site = load_site(tmp_path / "site.toml").site
    assert site is not None
    assert site.recorder == ()
    assert "127.0.0.1" in (site.not_fitted.recordings or "")
    assert "was not read" in capsys.readouterr().out
    assert list(tmp_path.glob("*.secret")) == []


def test_a_recorder_that_lists_nothing_is_asked_about(
    tmp_path: Path, truth: Truth, switched_on: Callable[..., Any]
) -> None:
    nvr = switched_on(HikvisionSimulator(truth, password=PASSWORD, days={1: 3}))
    nvr.allow_channel_list = False
    answers: dict[str, str | Sequence[str]] = {
        "Password": PASSWORD,
        "How many": ["0", "many", "3"],
        "key areas": ["9", "2-3"],
    }
    interview(tmp_path / "site.toml", answers, where=at(nvr))
    site = load_site(tmp_path / "site.toml").site
    assert site is not None
    [recorder] = site.recorder
    assert [(one.number, one.key_area) for one in recorder.channel] == [
        (1, False),
        (2, True),
        (3, True),
    ]


@pytest.mark.parametrize("maker", [DahuaSimulator, OnvifSimulator])
def test_recorders_of_other_makers_list_their_channels(
    maker: type[HttpRecorder],
    tmp_path: Path,
    truth: Truth,
    network: DiscoverySimulator,
    switched_on: Callable[..., Any],
) -> None:
    channels = [SimulatedChannel(1, "Gate"), SimulatedChannel(2, "Yard")]
    nvr = switched_on(maker(truth, password=PASSWORD, channels=channels))
    announce(network, nvr)
    interview(tmp_path / "site.toml", {"Password": PASSWORD}, where=around(network))
    site = load_site(tmp_path / "site.toml").site
    assert site is not None
    [recorder] = site.recorder
    named = ["Gate", "Yard"] if maker is DahuaSimulator else ["Channel 1", "Channel 2"]
    assert [one.name for one in recorder.channel] == named


def test_a_range_is_looked_through_door_by_door(
    tmp_path: Path, truth: Truth, switched_on: Callable[..., Any]
) -> None:
    nvr = switched_on(DahuaSimulator(truth, password=PASSWORD, days={1: 3}))
    where = Where("127.0.0.0/29", nvr.port, rtsp_port=nvr.port)
    wrote, person = interview(tmp_path / "site.toml", {"Password": PASSWORD}, where=where)
    assert wrote
    assert open_doors(["127.0.0.1", "127.0.0.2"], nvr.port) == ["127.0.0.1"]
    assert not any("Which of these" in asked for asked in person.asked)
    with pytest.raises(RangeTooLargeError):
        addresses("10.0.0.0/21")
    assert len(addresses("10.0.0.0/22")) == 1022


def test_cameras_are_not_taken_for_recorders(
    tmp_path: Path, truth: Truth, network: DiscoverySimulator, switched_on: Callable[..., Any]
) -> None:
    camera = switched_on(OnvifSimulator(truth, password=PASSWORD, days={1: 3}))
    nvr = switched_on(HikvisionSimulator(Truth(), password=PASSWORD, days={1: 3}))
    announce(network, camera, name="IPCAM")
    network.answers.append(probe_match([f"http://127.0.0.1:{nvr.port}/"], name="x", hardware="NVR"))
    wrote, person = interview(tmp_path / "site.toml", {"Password": PASSWORD}, where=around(network))
    assert wrote
    [which] = [asked for asked in person.asked if "Which of these" in asked]
    site = load_site(tmp_path / "site.toml").site
    assert site is not None
    assert [one.http_port for one in site.recorder] == [nvr.port]
    assert which.rstrip().endswith(("[1]", "[2]"))


def test_a_multicast_that_cannot_be_sent_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> int:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "sendto", cut)
    wrote, _ = interview(tmp_path / "site.toml", {})
    assert wrote
    assert "--range" in capsys.readouterr().out
