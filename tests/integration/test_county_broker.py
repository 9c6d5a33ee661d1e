"""The shipped broker configuration: one school can neither write nor read another's topics."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery import Site
from tests.integration.county_broker import COUNTY, NAMES, Client, CountyBroker, made, script
from tests.waiting import wait_until

ROOT = f"campus/v1/{COUNTY}"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("pki"), *NAMES)


@pytest.fixture
def broker(tmp_path: Path, pki: Path) -> Iterator[CountyBroker]:
    broker = CountyBroker(tmp_path / "broker", pki)
    broker.start()
    yield broker
    broker.stop()


def school(directory: Path, broker: CountyBroker, name: str, pki: Path | None = None) -> Site:
    return Site(directory, broker.port, county=COUNTY, site=name, login=broker.login(name, pki))


def test_a_school_is_heard_and_trusted(tmp_path: Path, broker: CountyBroker) -> None:
    with broker.hearing("listener", f"{ROOT}/#", tmp_path / "heard") as heard:
        site = school(tmp_path, broker, "school-a")
        site.start()
        wait_until(lambda: site.publisher.trusted)
        pressed = site.press()
        wait_until(lambda: pressed in heard.read_text())
        wait_until(lambda: site.alarms.counts().result(5)["waiting"] == 0)
        site.stop()
        wait_until(lambda: '"reason": "stopped"' in heard.read_text())


@pytest.mark.parametrize(
    ("who", "topic"),
    [
        ("school-a", f"{ROOT}/school-b/status"),
        ("school-a", f"{ROOT}/school-b/event/alarm"),
        ("school-a", f"{ROOT}/status"),
        ("school-a", f"cmd/v1/{COUNTY}/school-b/ack"),
        ("school-a", f"cmd/v1/{COUNTY}/school-a/test"),
        ("school-a", "campus/v1/other-county/school-a/status"),
        ("collector", f"{ROOT}/school-a/status"),
        ("collector", f"cmd/v1/{COUNTY}/school-a/ack"),
        ("duty-desk", f"{ROOT}/school-a/event/alarm"),
    ],
)
def test_what_is_forged_reaches_nobody(
    tmp_path: Path, broker: CountyBroker, who: str, topic: str
) -> None:
    """Truth is what the county, and the school that is spoken to, hear."""
    with (
        broker.hearing("listener", f"{ROOT}/#", tmp_path / "county") as county,
        broker.hearing("school-b", f"cmd/v1/{COUNTY}/school-b/#", tmp_path / "b") as other,
    ):
        wait_until(lambda: _up(broker, county, other))
        assert "Not authorized" in broker.publish(who, topic, "forged")
        wait_until(lambda: _up(broker, county, other, "later"))
        assert "forged" not in county.read_text() + other.read_text()


def test_a_school_hears_its_own_commands_and_its_own_test_alone(broker: CountyBroker) -> None:
    schools = [Client(broker, name) for name in ("school-a", "school-b")]
    for name, one in zip(("school-a", "school-b"), schools, strict=True):
        for topic in ("status", "event/alarm", "reply/1", "reply/selftest"):
            one.publish(f"{ROOT}/{name}/{topic}", "said")
        broker.publish("duty-desk", f"cmd/v1/{COUNTY}/{name}/ack", "told")
    wait_until(lambda: all(("told" in str(one.heard)) for one in schools))
    for name, one in zip(("school-a", "school-b"), schools, strict=True):
        own = [(f"{ROOT}/{name}/reply/selftest", "said"), (f"cmd/v1/{COUNTY}/{name}/ack", "told")]
        assert one.heard == own
        one.stop()


def test_nobody_throws_another_out_by_its_client_id(broker: CountyBroker) -> None:
    victim = Client(broker, "school-b")
    for client_id in ("school-b", f"{COUNTY}-school-b"):
        Client(broker, "school-a", client_id).stop()
    broker.publish("duty-desk", f"cmd/v1/{COUNTY}/school-b/ack", "told")
    wait_until(lambda: len(victim.heard) == 1)
    assert victim.ended == 0
    victim.stop()


def test_nobody_comes_in_without_a_certificate_of_this_county(
    tmp_path: Path, broker: CountyBroker
) -> None:
    stranger = made(tmp_path / "stranger", "school-a")
    shutil.copy(broker.pki / "ca.pem", stranger / "ca.pem")  # it trusts us; we do not trust it
    sites = [school(tmp_path / "one", broker, "school-a", stranger)]
    sites.append(Site(tmp_path / "two", broker.port, county=COUNTY, site="school-a"))
    with broker.hearing("listener", f"{ROOT}/#", tmp_path / "heard") as heard:
        for site in sites:
            site.start()
            site.press()
        genuine = school(tmp_path / "three", broker, "school-a")
        genuine.start()
        pressed = genuine.press()
        wait_until(lambda: pressed in heard.read_text())
        assert not any(site.publisher.connected for site in sites)
        assert heard.read_text().count('"what":"press"') == 1
        for site in (*sites, genuine):
            site.stop()


def test_certificates_are_not_overwritten_and_names_are_ids(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    assert script(folder, "client", "school-a").returncode == 1  # no authority yet
    assert script(folder, "ca", "示范县").returncode == 0
    assert script(folder, "client", "school-a", "30").returncode == 0
    before = (folder / "school-a.pem").read_bytes()
    again = script(folder, "client", "school-a")
    assert again.returncode == 1
    assert "remove it first" in again.stderr
    assert (folder / "school-a.pem").read_bytes() == before
    assert script(folder, "client", "School A").returncode == 1
    assert script(folder, "client", "+").returncode == 1
    assert script(folder, "nonsense", "x").returncode == 2
    assert (folder / "school-a.key").stat().st_mode & 0o077 == 0


def _up(broker: CountyBroker, county: Path, other: Path, word: str = "up") -> bool:
    """Tell whether both listeners hear what they may."""
    broker.publish("school-c", f"{ROOT}/school-c/reply/{word}", word)
    broker.publish("duty-desk", f"cmd/v1/{COUNTY}/school-b/ack", word)
    return word in other.read_text() and word in county.read_text()
