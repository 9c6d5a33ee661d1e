"""`campus-agent init` on a simulated school, at a real terminal, up to states at the county."""

import stat
import tomllib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from agent.cli import inventory, reload
from agent.enrolment import enrol
from agent.settings_report import report
from agent.site_file import load_site
from simulators.archive import SimulatedChannel
from simulators.broker import Broker
from simulators.county import County
from simulators.discovery import DiscoverySimulator, probe_match
from simulators.hikvision import HikvisionSimulator
from simulators.modbus import ModbusSimulator
from simulators.pn532 import Pn532Simulator
from simulators.truth import Truth
from tests.daemon import Daemon
from tests.typist import Typist
from tests.waiting import wait_until

PASSWORD = "Nvr-4711/ü?"
NAMES = ("大门", "操场", "食堂<1>", "Library")


class NewSchool:
    """Devices that no file names yet."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.truth = Truth()
        self.ports = directory / "by-id"
        self.ports.mkdir()
        self.config = directory / "site.toml"
        self.module = ModbusSimulator(self.ports / "usb-FTDI_io", self.truth)
        self.reader = Pn532Simulator(self.ports / "usb-CH340_nfc", self.truth)
        self.nvr = HikvisionSimulator(
            self.truth,
            password=PASSWORD,
            channels=[
                SimulatedChannel(number, name.replace("<", "&lt;"))
                for number, name in enumerate(NAMES, start=1)
            ],
        )
        address = f"http://127.0.0.1:{self.nvr.port}/onvif/device_service"
        self.network = DiscoverySimulator(
            self.truth, [probe_match([address], name="DS-NVR", hardware="DS-7616NI")]
        )
        self.defaults = directory / "county.toml"

    def start(self, broker: int) -> None:
        self.defaults.write_text(
            f'# of the county\n[broker]\nhosts = ["127.0.0.1:{broker}"]\nstatus_seconds = 1\n'
            f'[state]\ndirectory = "{self.directory}/state"\n'
            f'[control]\nsocket = "{self.directory}/control.sock"\n',
            encoding="utf-8",
        )
        for device in (self.module, self.reader, self.nvr, self.network):
            device.start()

    def stop(self) -> None:
        for device in (self.module, self.reader, self.nvr, self.network):
            device.stop()

    def init(self, typist: Typist, *words: str, lang: str = "en") -> int:
        """Run the command as a technician would at this school."""
        return typist.run(
            "init",
            *("--config", str(self.config), "--defaults", str(self.defaults)),
            *("--serial", str(self.ports), "--discovery", f"127.0.0.1:{self.network.port}"),
            *("--seconds", "0.5", "--lang", lang, *words),
        )

    def failed_logins(self) -> int:
        return len(self.truth.lines("login_failed"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    yield broker
    broker.stop(kill=True)


@pytest.fixture
def school(tmp_path: Path, broker: Broker) -> Iterator[NewSchool]:
    school = NewSchool(tmp_path)
    school.start(broker.port)
    yield school
    school.stop()


def _heard(county: County, kind: str) -> bool:
    return bool(county.heard(kind))


def handed_over(school: NewSchool, capsys: pytest.CaptureFixture[str]) -> None:
    """Accept what there is, then take a channel out of the settings: the list tells of it."""
    words = ("--config", str(school.config), "--lang", "en")
    assert inventory.main(["show", *words]) == 1
    assert "nothing was accepted yet" in capsys.readouterr().out
    wait_until(lambda: inventory.main(["accept", "--by", "Li", *words]) == 0, 20)
    assert inventory.main(["show", *words]) == 0
    assert "by Li (" in capsys.readouterr().out
    text = school.config.read_text(encoding="utf-8")
    start = text.index("  [[recorder.channel]]\n  number = 4")
    school.config.write_text(text[:start] + text[text.index("[not_fitted]") :], encoding="utf-8")
    assert reload.main(["--socket", str(school.directory / "control.sock")]) == 0
    wait_until(lambda: "nvr-1/4 Library" in _differences(words, capsys), 20)
    said = _differences(words, capsys)
    assert "missing: camera cam-4" in said
    assert "as accepted: 6; different: 2" in said
    # The tags of the checkpoints come last, while the agent runs.
    assert enrol(school.config, "checkpoint", "wall", "nfca:04A1B2C3D4E580", "Wall") is False
    assert report(school.config).problems == ()


def _differences(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert inventory.main(["show", *words]) == 1
    return capsys.readouterr().out


STANDARD = {
    "County id": "demo-county",
    "Site id": "school-001",
    "Name of the school": "示范小学",
    "Password": PASSWORD,
    "key areas": "1,3-4",
}


def test_five_answers_make_a_file_that_the_daemon_runs_with(
    school: NewSchool, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    typist = Typist(STANDARD)
    assert school.init(typist) == 0, typist.screen
    assert len(typist.typed) <= 5
    # Each question but the last answered one by one had its default.
    assert len(typist.questions) <= 9, typist.questions

    text = school.config.read_text(encoding="utf-8")
    assert "# of the county" in text
    loaded = load_site(school.config)
    site = loaded.site
    assert site is not None, loaded.problems
    assert (site.site.county, site.site.id, site.site.name) == (
        "demo-county",
        "school-001",
        "示范小学",
    )
    [module], [reader], [recorder] = site.alarm_module, site.nfc_reader, site.recorder
    assert (module.port, module.baud) == (str(school.ports / "usb-FTDI_io"), 9600)
    assert (reader.driver, reader.port) == ("pn532", str(school.ports / "usb-CH340_nfc"))
    assert (recorder.driver, recorder.http_port) == ("hikvision", school.nvr.port)
    assert [(one.number, one.name) for one in recorder.channel] == list(enumerate(NAMES, start=1))
    assert [one.number for one in recorder.channel if one.key_area] == [1, 3, 4]
    assert set(tomllib.loads(text)["not_fitted"]) == {"police_link"}
    assert report(school.config).problems == ()

    # The password is in a file of its own, and neither in the settings nor on the screen.
    secret = Path(recorder.password.file or "")
    assert secret.parent == school.directory
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text(encoding="utf-8") == PASSWORD + "\n"
    assert PASSWORD not in text
    assert PASSWORD not in typist.screen
    # Nothing was written to a device, and one login was used.
    assert school.truth.lines("write_attempt") == []
    assert school.truth.lines("coil") == []
    assert school.failed_logins() == 0
    assert set(school.reader.commands) == {0x02}

    county = County(broker.port)
    county.start()
    daemon = Daemon(school.directory, text)
    daemon.start()
    try:
        for kind in ("state/button", "state/reader", "state/recorder", "state/duty"):
            wait_until(partial(_heard, county, kind), 30)
        wait_until(
            lambda: any(
                one.body["data"]["verdict"] in ("ok", "warn")
                for one in county.heard("state/recorder/nvr-1")
            ),
            30,
        )
        handed_over(school, capsys)
    finally:
        daemon.stop()
        county.stop()


def test_bytes_that_are_no_text_are_asked_again_and_a_break_writes_nothing(tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    words = ("init", "--config", str(config), "--lang", "zh", "--broker", "mqtt:1883")
    search = ("--serial", str(tmp_path), "--discovery", "127.0.0.1:9", "--seconds", "0.1")
    # GBK where UTF-8 is meant, then a break at the consent.
    typist = Typist({"学校名称": "\udcb4\udcf3", "查找设备": "\x03"})
    assert typist.run(*words, *search) == 130
    assert typist.screen.count("学校名称") == 2
    assert "无法识别" in typist.screen
    assert "Traceback" not in typist.screen
    assert list(tmp_path.iterdir()) == []
