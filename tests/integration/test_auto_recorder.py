"""Recorders whose maker the settings do not name, told apart without a login."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from agent.store.login_budget import FileLoginBudget
from agent.store.quirks import FileQuirks
from drivers.errors import AuthenticationError, UnsupportedDeviceError
from drivers.readings import Reason, Unknown
from drivers.recorder.auto import AutoDriver
from drivers.recorder.gate import RecorderGate
from drivers.recorder.readings import RecorderReading
from drivers.recorder.settings import RecorderSettings
from simulators.dahua import DahuaSimulator
from simulators.hikvision import HikvisionSimulator
from simulators.http_recorder import HttpRecorder
from simulators.onvif import OnvifSimulator
from simulators.truth import Truth
from tests.integration.recorder_desk import CLOCK, ZONE

MAKERS: dict[str, Callable[[Truth], HttpRecorder]] = {
    "hikvision": lambda truth: HikvisionSimulator(truth, days={1: 40}),
    "dahua": lambda truth: DahuaSimulator(truth, days={1: 40}),
    "onvif": lambda truth: OnvifSimulator(truth, days={1: 40}),
}


@pytest.fixture(params=MAKERS)
def maker(request: pytest.FixtureRequest, truth: Truth) -> Iterator[tuple[str, HttpRecorder]]:
    made = MAKERS[request.param](truth)
    made.start()
    yield request.param, made
    made.stop()


def auto(recorder: HttpRecorder, path: Path, password: str = "secret") -> AutoDriver:
    secret = SecretStr(password)
    gate = RecorderGate(
        "nvr-1", "inspector", secret, FileLoginBudget(path), CLOCK, request_gap_seconds=0
    )
    settings = RecorderSettings(
        id="nvr-1",
        driver="auto",
        host="127.0.0.1",
        http_port=recorder.port,
        username="inspector",
    )
    quirks = FileQuirks(path.with_name("quirks"))
    driver = AutoDriver(settings, secret, gate, CLOCK, quirks, zone=ZONE, channels=(1,))
    driver.open()
    return driver


def test_each_maker_is_known_by_how_it_asks_for_a_login(
    maker: tuple[str, HttpRecorder], truth: Truth, tmp_path: Path
) -> None:
    name, recorder = maker
    driver = auto(recorder, tmp_path / "budget")
    unread = driver.month_days(1, 2026, 9, deadline=CLOCK.monotonic() + 5)
    assert isinstance(unread, Unknown)
    assert unread.reason is Reason.NOT_YET
    found = driver.poll(deadline=CLOCK.monotonic() + 5)[0]
    assert isinstance(found, RecorderReading)
    assert (found.maker, driver.maker) == (name, name)
    assert driver.gives == ({"calendar", "segments"} if name == "hikvision" else driver.gives)
    driver.close()
    driver.open()
    assert isinstance(driver.poll(deadline=CLOCK.monotonic() + 5)[0], RecorderReading)
    driver.close()
    assert truth.lines("login_failed") == []


def test_finding_out_spends_no_login(
    maker: tuple[str, HttpRecorder], truth: Truth, tmp_path: Path
) -> None:
    driver = auto(maker[1], tmp_path / "budget", password="wrong")
    with pytest.raises(AuthenticationError):
        driver.poll(deadline=CLOCK.monotonic() + 5)
    driver.close()
    assert driver.maker == maker[0]
    assert len(truth.lines("login_failed")) == 1  # by its maker's driver, afterwards


def test_one_that_is_none_of_them_is_not_taken_for_one(
    recorder: HikvisionSimulator, truth: Truth, tmp_path: Path
) -> None:
    class Printer(HikvisionSimulator):
        """Wants a login for any path whatever, as routers and printers do."""

        def refusal(self) -> object:  # type: ignore[override]  # another body, that is all
            return super().refusal()._replace(body=b"<html>log in</html>")

    printer = Printer(truth)
    printer.start()
    driver = auto(printer, tmp_path / "budget")
    with pytest.raises(UnsupportedDeviceError, match="no maker we know"):
        driver.poll(deadline=CLOCK.monotonic() + 5)
    driver.close()
    printer.stop()
    assert truth.lines("login_failed") == truth.lines("login_ok") == []
