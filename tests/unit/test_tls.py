"""How long the site's certificate is still good, and who is told."""

from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from agent.clock import SystemClock
from agent.county.messages import Composer
from agent.county.site_status import SiteStatus
from agent.county.tls import Tls, Validity
from agent.county.topics import Topics
from agent.liveness import Liveness
from agent.self_report import SelfReport
from agent.store.database import Database
from agent.store.formats import ALARM_FORMATS
from agent.store.outbox import Outbox
from tests.delivery import INVENTORY
from tests.integration.county_broker import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


def tls(authority: Authority, name: str = "school") -> Tls:
    folder = authority.directory
    return Tls(folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}.key")


@pytest.mark.parametrize("days", [-3, 0, 29, 365])
def test_whole_days_are_counted(authority: Authority, days: int) -> None:
    authority.issue("school", "school", since_days=30, until_days=days)
    now = SystemClock().now()
    assert tls(authority).days_left(now) == days
    assert tls(authority).days_left(now - timedelta(days=1)) == days + 1


def test_without_a_certificate_or_one_to_read_nothing_is_known(
    authority: Authority, tmp_path: Path
) -> None:
    now = SystemClock().now()
    assert Tls().days_left(now) is None
    assert tls(authority, "none").days_left(now) is None
    (tmp_path / "pki" / "bad.pem").write_text("no certificate")
    assert tls(authority, "bad").days_left(now) is None


def test_what_is_new_is_told_once(authority: Authority) -> None:
    authority.issue("school", "school", until_days=5)
    assert not Validity(SystemClock()).look()  # no TLS: nothing to say
    validity = Validity(SystemClock(), tls(authority))
    assert not validity.expired  # not looked at yet
    assert validity.look()
    assert validity.days_left == 5
    assert not validity.look()
    authority.issue("school", "school", until_days=300)
    assert validity.look()
    assert validity.days_left == 300
    (authority.directory / "school.pem").unlink()
    assert validity.look()
    assert validity.expired


@pytest.mark.parametrize(
    ("days", "code"),
    [
        (-1, "agent.certificate_expired"),
        (0, "agent.certificate_expires"),
        (30, "agent.certificate_expires"),
        (31, ""),
    ],
)
def test_the_county_is_told_before_it_runs_out(
    authority: Authority, tmp_path: Path, days: int, code: str
) -> None:
    clock = SystemClock()
    authority.issue("school", "school", since_days=40, until_days=days)
    box = Outbox(Database(tmp_path / "a", ALARM_FORMATS, Liveness(clock).beat("a")), "a")
    composer = Composer(Topics("county", "school"), clock, lambda: "ntp")
    status = SiteStatus(composer, [box], INVENTORY, clock)
    status.certificate.change(tls(authority))
    status.certificate.look()
    report = SelfReport(box, box, Liveness(clock), [], clock.now(), status, last_good="")
    assert [one for one, _ in report.causes()] == ([code] if code else [])
    assert f'"certificate_days_left": {days}'.encode() in status.about()[1]


def test_a_certificate_that_cannot_be_read_is_as_bad_as_an_expired_one(
    authority: Authority, tmp_path: Path
) -> None:
    clock = SystemClock()
    status = SiteStatus(cast("Any", None), [], INVENTORY, clock)
    status.certificate.change(tls(authority, "none"))
    status.certificate.look()
    box = Outbox(Database(tmp_path / "a", ALARM_FORMATS, Liveness(clock).beat("a")), "a")
    report = SelfReport(box, box, Liveness(clock), [], clock.now(), status, last_good="")
    assert [one for one, _ in report.causes()] == ["agent.certificate_expired"]
