from pathlib import Path

import pytest

from agent.settings import SiteSettings
from agent.settings_checks import duties_without
from agent.site_file import read_site

EXAMPLE = Path(__file__).parents[2] / "config" / "site.example.toml"
GOOD = """
[site]
county = "demo-county"
id = "school-001"
name = "Demo"

[broker]
hosts = ["mqtt.example.edu:8883", "10.0.0.1"]

[[alarm_module]]
id = "io-1"
driver = "modbus"
port = "/dev/ttyUSB0"
  [[alarm_module.button]]
  id = "gate"
  name = "Gate"
  input = 0
  wiring = "nc"
  [[alarm_module.button]]
  id = "office"
  name = "Office"
  input = 1
  wiring = "nc"

[[alarm_module]]
id = "io-2"
driver = "modbus"
port = "/dev/ttyUSB1"
  [[alarm_module.button]]
  id = "hall"
  name = "Hall"
  input = 0
  wiring = "nc"

[[nfc_reader]]
id = "reader"
driver = "pn532"
port = "/dev/ttyUSB2"

[[checkpoint]]
id = "north"
name = "North"
tag = "nfca:04A1B2C3"

[[checkpoint]]
id = "south"
name = "South"
tag = "nfca:04A1B2C4"

[[recorder]]
id = "nvr-1"
driver = "hikvision"
host = "10.0.0.10"
username = "inspector"
password = { credential = "nvr-1" }
  [[recorder.channel]]
  number = 1
  id = "cam-1"
  name = "One"
  [[recorder.channel]]
  number = 2
  id = "cam-2"
  name = "Two"

[[recorder]]
id = "nvr-2"
driver = "hikvision"
host = "10.0.0.11"
username = "inspector"
password = { credential = "nvr-2" }
  [[recorder.channel]]
  number = 1
  id = "cam-3"
  name = "Three"

[retention]
retention_min_days = 45
"""
EVERYTHING = {
    "io-1", "gate", "office", "io-2", "hall", "reader", "north", "south",
    "nvr-1", "cam-1", "cam-2", "nvr-2", "cam-3",
}  # fmt: skip


def _devices(site: SiteSettings) -> set[str]:
    found = {reader.id for reader in site.nfc_reader}
    found |= {checkpoint.id for checkpoint in site.checkpoint}
    for module in site.alarm_module:
        found |= {module.id, *(button.id for button in module.button)}
    for recorder in site.recorder:
        found |= {recorder.id, *(channel.id for channel in recorder.channel)}
    return found


@pytest.mark.parametrize(
    ("right", "wrong", "device", "costs"),
    [
        # a bad device costs itself and what hangs on it
        ('id = "nvr-1"\ndriver = "hikvision"', 'id = "nvr-1"\ndriver = "x"', "nvr-1",
         {"nvr-1", "cam-1", "cam-2"}),
        ('{ credential = "nvr-1" }', '"plain"', "nvr-1", {"nvr-1", "cam-1", "cam-2"}),
        ('id = "nvr-2"', 'id = "NVR 2"', "recorder.1", {"nvr-2", "cam-3"}),
        ('host = "10.0.0.11"', "hots = 1\nx = 2\nport = 3", "nvr-2", {"nvr-2", "cam-3"}),
        ('port = "/dev/ttyUSB1"', "prot = 1\nunit = 248", "io-2", {"io-2", "hall"}),
        ('name = "Two"', "nmae = 2\nx = 1", "cam-2", {"cam-2"}),
        ("number = 2", "number = 0", "cam-2", {"cam-2"}),
        ("number = 2", "number = 1", "cam-2", {"cam-2"}),
        ('port = "/dev/ttyUSB2"', 'prt = "/dev/ttyUSB2"', "reader", {"reader"}),
        ('port = "/dev/ttyUSB2"', 'port = "/dev/ttyUSB1"', "reader", {"reader"}),
        ('port = "/dev/ttyUSB1"', 'port = "/dev/ttyUSB1"\nunit = 248', "io-2", {"io-2", "hall"}),
        ("input = 1", "input = 0", "office", {"office"}),
        ("input = 1", "input = 8", "office", {"office"}),
        ("input = 1", "input = 1\n  wiring = 3", None, EVERYTHING),  # written twice: no TOML
        ('tag = "nfca:04A1B2C4"', 'tag = "nfca:04A1B2C3"', "south", {"south"}),
        ('id = "cam-3"', 'id = "gate"', "gate", {"cam-3"}),
        ('id = "cam-3"', 'id = "CAM 3"', "recorder.1.channel.0", {"cam-3"}),
        # a bad key elsewhere costs that key
        ("retention_min_days = 45", "retention_min_days = 0", None, set()),
        ('name = "Demo"', 'name = "Demo"\ntimezone = "Mars/Base"', None, set()),
        ("[retention]", "[cameras]\nround_seconds = 1\n[retention]", None, set()),
        ("[retention]", "[nonsense]\n[retention]", None, set()),
        ("[retention]", "[not_fitted]\nalarm = 'none'\n[retention]", None, set()),
    ],
)  # fmt: skip
def test_a_bad_part_costs_no_more_than_itself(
    right: str, wrong: str, device: str | None, costs: set[str]
) -> None:
    assert GOOD.count(right) == 1
    text = GOOD.replace(right, wrong)
    loaded = read_site(text.encode(), lenient=True)
    assert loaded.problems
    assert loaded.problems == read_site(text.encode()).problems
    assert loaded.problems[0].device == device
    if loaded.site is None:
        assert costs == EVERYTHING
        return
    assert _devices(loaded.site) == EVERYTHING - costs
    assert loaded.left_out


SPARE = """
  [[alarm_module.contact]]
  id = "mains"
  name = "Mains"
  kind = "mains"
  input = 2
  normal = "closed"
  [[alarm_module.output]]
  id = "lamp"
  name = "Lamp"
  output = 0
  shows = "alarm"
"""


@pytest.mark.parametrize(
    ("right", "wrong", "kept"),
    [
        ("", "", ("mains", "lamp")),
        ('normal = "closed"', 'normal = "shut"', ("lamp",)),
        ("input = 2", "input = 1", ("lamp",)),
        ('shows = "alarm"', 'shows = "weather"', ("mains",)),
        ("output = 0", "output = 9", ("mains",)),
    ],
)
def test_a_bad_contact_or_lamp_costs_no_button(
    right: str, wrong: str, kept: tuple[str, ...]
) -> None:
    spare = SPARE.replace(right, wrong)
    text = GOOD.replace(
        '[[alarm_module]]\nid = "io-2"', f'{spare}\n[[alarm_module]]\nid = "io-2"'
    ).replace('id = "io-1"', 'id = "io-1"\noutputs = 4')
    loaded = read_site(text.encode(), lenient=True)
    assert loaded.site is not None
    assert bool(loaded.problems) is bool(right)
    assert _devices(loaded.site) == EVERYTHING
    [module] = [one for one in loaded.site.alarm_module if one.id == "io-1"]
    assert (*(one.id for one in module.contact), *(one.id for one in module.output)) == kept
    # No button is off, so the duty is judged by what its buttons say.
    assert duties_without(loaded.left_out) == frozenset()


def test_the_good_file_is_good() -> None:
    loaded = read_site(GOOD.encode())
    assert loaded.site is not None
    assert _devices(loaded.site) == EVERYTHING
    assert loaded.left_out == ()
    assert loaded.site == read_site(GOOD.encode(), lenient=True).site
    assert loaded.site.broker is not None
    assert loaded.site.broker.addresses == (("mqtt.example.edu", 8883), ("10.0.0.1", 1883))


def test_values_fall_back_to_their_defaults_and_good_neighbours_stay() -> None:
    text = GOOD.replace("= 45", '= 45\nkey_area_min_days = "many"').replace(
        'name = "Demo"', 'name = "Demo"\ntimezone = "Mars/Base"'
    )
    site = read_site(text.encode(), lenient=True).site
    assert site is not None
    assert (site.retention.retention_min_days, site.retention.key_area_min_days) == (45, 90)
    assert site.site.timezone == "Asia/Shanghai"


@pytest.mark.parametrize("hosts", ["hosts = []", "hosts = 1", "host = ['a']", 'hosts = ["a b"]'])
def test_without_a_usable_broker_the_alarm_still_runs(hosts: str) -> None:
    text = GOOD.replace('hosts = ["mqtt.example.edu:8883", "10.0.0.1"]', hosts)
    site = read_site(text.encode(), lenient=True).site
    assert site is not None
    assert site.broker is None
    assert site.broker_username == "school-001"
    assert _devices(site) == EVERYTHING


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('county = "demo-county"', 'county = "Demo County"'),
        ('id = "school-001"', ""),
        ("[site]", "[sight]"),
        ("[site]", "[site"),
    ],
)
def test_without_the_sites_own_name_there_is_nothing_to_run(right: str, wrong: str) -> None:
    loaded = read_site(GOOD.replace(right, wrong).encode(), lenient=True)
    assert loaded.site is None
    assert loaded.problems


def test_without_a_word_on_the_alarm_there_is_nothing_to_run() -> None:
    start, end = GOOD.index("[[alarm_module]]"), GOOD.index("[[nfc_reader]]")
    silent = GOOD[:start] + GOOD[end:]
    assert read_site(silent.encode(), lenient=True).site is None
    broken = GOOD.replace('driver = "modbus"', 'driver = "modbuss"')
    assert read_site(broken.encode(), lenient=True).site is None
    said = silent + '[not_fitted]\nalarm = "no panic button yet"\n'
    assert read_site(said.encode()).site is not None


def test_errors_of_the_site_do_not_hide_clashes_further_down() -> None:
    text = GOOD.replace('county = "demo-county"', "county = 1").replace("number = 2", "number = 1")
    codes = [problem.code for problem in read_site(text.encode()).problems]
    assert codes == ["config.wants_text", "config.channel_twice"]


def test_lines_are_those_of_the_file_when_an_earlier_device_was_left_out() -> None:
    text = GOOD.replace('id = "nvr-1"\n', 'id = "nvr-1"\nbogus_key = 1\n').replace(
        'id = "cam-3"', 'id = "hall"'
    )
    [first, second] = read_site(text.encode()).problems
    lines = text.split("\n")
    assert "bogus_key" in lines[first.line - 1]
    assert 'id = "hall"' in lines[second.line - 1]
    assert lines[second.line - 2] == "  number = 1"
    assert second.path == ("recorder", 1, "channel", 0, "id")


@pytest.mark.parametrize(
    "tls",
    [
        "[broker.tls]\nca = 5\n",
        '[broker.tls]\nca = "not/absolute"\n',
        '[broker.tls]\nauthority = "/ca.pem"\n',
        '[broker.tsl]\nca = "/ca.pem"\n',
    ],
)
def test_a_mistake_in_tls_costs_the_county_and_never_its_encryption(tls: str) -> None:
    loaded = read_site((GOOD + "\n" + tls).encode(), lenient=True)
    assert loaded.problems
    assert loaded.site is not None
    assert loaded.site.broker is None


def test_a_certificate_without_its_key_is_no_login_in_the_clear() -> None:
    half = '\n[broker.tls]\ncertificate = "/school.pem"\n'
    loaded = read_site((GOOD + half).encode(), lenient=True)
    assert [problem.code for problem in loaded.problems] == ["config.tls_pair"]
    assert loaded.site is not None
    assert loaded.site.broker is not None
    assert loaded.site.broker.tls is not None
