"""The check of the county's broker, against real brokers with one thing wrong at a time."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.county import online as online_module
from agent.county.link import Link
from agent.county.online import Caller, Check, broker, ourselves
from agent.county.session import Login
from agent.county.topics import Topics
from agent.findings import Verdict
from simulators.broker import Broker
from tests.delivery import Site
from tests.integration.county_broker import COUNTY, Authority, CountyBroker
from tests.waiting import wait_until

SCHOOL = "school-a"
TOPICS = Topics(COUNTY, SCHOOL)
CLOCK = SystemClock()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "pki")
    made.issue("server", "localhost", host="localhost")
    made.issue(SCHOOL, SCHOOL)
    return made


@contextmanager
def running(directory: Path, authority: Authority, acl: str = "") -> Iterator[CountyBroker]:
    """Run the county's broker, with other rights if told."""
    county = CountyBroker(directory / "broker", authority.directory)
    if acl:
        (authority.directory / "acl").write_text(acl, encoding="utf-8")
    county.start()
    try:
        yield county
    finally:
        county.stop()


def checked(
    login: Login, port: int, host: str = "localhost", link: Link | None = None
) -> list[Check]:
    caller = Caller(login, TOPICS, CLOCK, clock_synchronised=True, link=link)
    return [*ourselves(caller), *broker(caller, (host, port))]


def said(checks: list[Check]) -> list[tuple[str, str, str]]:
    return [(one.layer, str(one.verdict), one.cause.code) for one in checks]


def test_a_broker_that_lets_us_in_passes_in_every_layer(
    tmp_path: Path, authority: Authority
) -> None:
    with running(tmp_path, authority) as county:
        found = checked(county.login(SCHOOL), county.port)
    assert said(found) == [
        ("clock", "ok", "online.clock_ok"),
        ("certificate", "ok", "online.own_ok"),
        ("dns", "ok", "online.dns_ok"),
        ("connect", "ok", "online.connect_ok"),
        ("tls", "ok", "online.tls_ok"),
        ("login", "ok", "online.login_ok"),
        ("round_trip", "ok", "online.round_trip_ok"),
        ("alone", "ok", "online.alone_ok"),
    ]
    tls = found[4].cause.params
    assert (tls["issuer"], tls["subject"], tls["days"]) == ("Demo County Schools", "localhost", 365)


@pytest.mark.parametrize(
    ("host", "since_days", "until_days", "code"),
    [
        ("localhost", 30, -1, "online.tls_expired"),
        ("localhost", -2, 30, "online.tls_not_yet_valid"),
        ("mqtt.example.edu", 1, 365, "online.tls_wrong_name"),
    ],
)
def test_what_is_wrong_with_the_brokers_certificate_is_named(
    tmp_path: Path, authority: Authority, host: str, since_days: int, until_days: int, code: str
) -> None:
    authority.issue("server", host, host=host, since_days=since_days, until_days=until_days)
    with running(tmp_path, authority) as county:
        last = checked(county.login(SCHOOL), county.port)[-1]
    assert (last.layer, last.verdict, last.cause.code) == ("tls", Verdict.FAIL, code)
    assert last.cause.params["issuer"] == "Demo County Schools"
    assert last.cause.params["subject"] == host


def test_another_authority_is_named_with_what_it_has_signed(
    tmp_path: Path, authority: Authority
) -> None:
    other = Authority(tmp_path / "other", "Somebody Else")
    with running(tmp_path, authority) as county:
        login = county.login(SCHOOL)
        assert login.tls is not None
        wrong = replace(login, tls=replace(login.tls, ca=other.directory / "ca.pem"))
        last = checked(wrong, county.port)[-1]
    assert last.cause.code == "online.tls_wrong_ca"
    assert last.cause.params["issuer"] == "Demo County Schools"


def test_a_broker_certificate_that_runs_out_soon_is_a_warning(
    tmp_path: Path, authority: Authority
) -> None:
    authority.issue("server", "localhost", host="localhost", until_days=12)
    with running(tmp_path, authority) as county:
        found = {one.layer: one for one in checked(county.login(SCHOOL), county.port)}
    assert found["tls"].verdict is Verdict.WARN
    assert found["tls"].cause.params["days"] == 12
    assert found["round_trip"].verdict is Verdict.OK


@pytest.mark.parametrize(
    ("subject", "since_days", "until_days", "verdict", "code"),
    [
        (SCHOOL, 30, -3, "fail", "online.own_expired"),
        (SCHOOL, -2, 30, "fail", "online.own_not_yet_valid"),
        (SCHOOL, 1, 29, "warn", "online.own_expires"),
        ("school-b", 1, 365, "fail", "online.own_other_name"),
    ],
)
def test_what_is_wrong_with_our_certificate_is_named(
    tmp_path: Path,
    authority: Authority,
    subject: str,
    since_days: int,
    until_days: int,
    verdict: str,
    code: str,
) -> None:
    authority.issue(SCHOOL, subject, since_days=since_days, until_days=until_days)
    with running(tmp_path, authority) as county:
        found = checked(county.login(SCHOOL), county.port)
    assert ("certificate", verdict, code) in said(found)
    login = [one for one in said(found) if one[0] == "login"]
    if "valid" in code or code == "online.own_expired":
        assert login == [("login", "fail", "online.login_cut")]
    else:
        assert login == [("login", "ok", "online.login_ok")]


def test_a_key_that_is_not_the_certificates_is_no_traceback(
    tmp_path: Path, authority: Authority
) -> None:
    authority.issue("other", "other")
    with running(tmp_path, authority) as county:
        login = county.login(SCHOOL)
        assert login.tls is not None
        mixed = replace(login.tls, key=authority.directory / "other.key")
        found = checked(replace(login, tls=mixed), county.port)
    assert ("certificate", "fail", "online.own_unreadable") in said(found)
    assert found[-1].verdict is Verdict.FAIL


ALL = f"pattern readwrite campus/v1/{COUNTY}/%u/#\n"
SELFTEST = f"campus/v1/{COUNTY}/{SCHOOL}/reply/selftest"


@pytest.mark.parametrize(
    ("acl", "detail"),
    [
        (f"pattern read {SELFTEST}\n", "selftest.not_writable"),
        (f"pattern write {SELFTEST}\n", "selftest.silent"),
        ("user nobody\ntopic readwrite #\n", "selftest.not_writable"),
    ],
)
def test_rights_that_are_missing_are_named(
    tmp_path: Path, authority: Authority, acl: str, detail: str
) -> None:
    with running(tmp_path, authority, acl) as county:
        found = checked(county.login(SCHOOL), county.port)
    [trip] = [one for one in found if one.layer == "round_trip"]
    assert (trip.verdict, trip.cause.code) == (Verdict.FAIL, "agent.selftest_failed")
    assert trip.cause.params["detail"] == detail


def test_a_second_box_with_our_certificate_is_noticed(tmp_path: Path, authority: Authority) -> None:
    with running(tmp_path, authority) as county:
        login = county.login(SCHOOL)
        clone = Site(
            tmp_path / "clone",
            county.port,
            county=COUNTY,
            site=SCHOOL,
            login=login,
            host="localhost",
        )
        clone.start()
        wait_until(lambda: clone.publisher.connected)
        found = checked(login, county.port)
        clone.stop()
    assert said(found)[-1] == ("alone", "fail", "online.cloned")


def test_a_clock_that_cannot_be_right_is_said_first() -> None:
    class Wrong(SystemClock):
        def now(self) -> datetime:
            return datetime(2019, 1, 1, tzinfo=UTC)

    caller = Caller(Login("a", None, None), TOPICS, Wrong(), clock_synchronised=True)
    assert said(list(ourselves(caller))) == [("clock", "fail", "online.clock_wrong")]
    unsure = replace(caller, clock=CLOCK, clock_synchronised=False)
    assert said(list(ourselves(unsure))) == [("clock", "warn", "online.clock_unsure")]


def test_a_name_and_a_port_that_are_not_there() -> None:
    plain = Login("a", None, None)
    assert said(checked(plain, 1883, "no-such-host.invalid"))[-1][2] == "online.dns_failed"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    assert said(checked(plain, port, "127.0.0.1"))[-1] == (
        "connect",
        "fail",
        "online.connect_refused",
    )


def test_a_port_that_is_no_broker_costs_its_deadline_and_no_more(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online_module, "LAYER_SECONDS", 0.5)
    tls = CountyBroker(authority.directory / "none", authority.directory).login(SCHOOL)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = int(silent.getsockname()[1])
        before = CLOCK.monotonic()
        plain = said(checked(Login("a", None, None), port, "127.0.0.1"))
        secure = said(checked(tls, port, "127.0.0.1"))
        assert CLOCK.monotonic() - before < 5
    assert plain[-1] == ("login", "fail", "online.login_cut")
    assert secure[-1] == ("tls", "fail", "online.tls_failed")


def test_a_broker_without_tls_and_one_that_knows_us_not(
    tmp_path: Path, authority: Authority
) -> None:
    plain = Broker(tmp_path / "plain", kind="mosquitto")
    guarded = Broker(tmp_path / "guarded", kind="mosquitto")
    guarded.conf = f"listener {guarded.port} 127.0.0.1\nallow_anonymous false\nlog_dest none\n"
    with ExitStack() as stack:
        for one in (plain, guarded):
            one.start()
            stack.callback(one.stop)
        tls = CountyBroker(tmp_path / "none", authority.directory).login(SCHOOL)
        assert said(checked(tls, plain.port))[-1] == ("tls", "fail", "online.tls_failed")
        found = checked(Login("a", "school-a", None), guarded.port)
    assert said(found)[-1] == ("login", "fail", "online.login_refused")


def test_a_running_agent_is_asked_and_not_thrown_out(tmp_path: Path, authority: Authority) -> None:
    with running(tmp_path, authority) as county:
        where = f"localhost:{county.port}"
        login = county.login(SCHOOL)
        link = Link(broker=where, protocol="mqtt5", trusted=True, detail="", cut_short=0)
        assert said(checked(login, county.port, link=link))[-3:] == [
            ("login", "ok", "online.login_running"),
            ("round_trip", "ok", "online.round_trip_ok"),
            ("alone", "ok", "online.alone_ok"),
        ]
        sick = link.model_copy(
            update={"trusted": False, "detail": "selftest.silent", "cut_short": 3}
        )
        assert said(checked(login, county.port, link=sick))[-2:] == [
            ("round_trip", "fail", "agent.selftest_failed"),
            ("alone", "fail", "online.cloned"),
        ]


LAYERS = ("certificate", "dns", "connect", "tls", "login", "round_trip", "alone")
SITE = """
[site]
county = "demo-county"
id = "school-a"
name = "Demo"
[control]
socket = "{directory}/control.sock"
[broker]
hosts = ["localhost:{port}"]
[broker.tls]
ca = "{pki}/ca.pem"
certificate = "{pki}/school-a.pem"
key = {{ file = "{pki}/school-a.key" }}
[not_fitted]
alarm = "x"
recordings = "x"
pictures = "x"
patrol = "x"
police_link = "x"
gate_manned = "x"
"""


def command(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "agent", "config", "check", str(file), "--online", *words]
    environment = {**os.environ, "LANG": "C.UTF-8"}
    return subprocess.run(
        arguments, capture_output=True, text=True, timeout=60, check=False, env=environment
    )


def test_the_command_says_it_in_both_languages_and_by_its_status(
    tmp_path: Path, authority: Authority
) -> None:
    file = tmp_path / "site.toml"
    with running(tmp_path, authority) as county:
        text = SITE.format(directory=tmp_path, port=county.port, pki=authority.directory)
        file.write_text(text, encoding="utf-8")
        done = command(file, "--json", "--lang", "en")
        answers = json.loads(done.stdout)["online"]
        assert [one["layer"] for one in answers] == ["clock", *LAYERS]
        assert {one["verdict"] for one in answers[1:]} == {"ok"}
        assert done.returncode == {"ok": 0, "warn": 1}[answers[0]["verdict"]]
    done = command(file, "--lang", "zh")
    assert done.returncode == 2
    assert f"故障  localhost:{county.port} 拒绝连接" in done.stdout
    assert done.stderr == ""
