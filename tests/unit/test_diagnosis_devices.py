"""What the states of the devices become: one check each for what a technician can put right."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.diagnosis import cameras, lines, patrols, recorders
from agent.diagnosis.checks import CheckResult
from agent.diagnosis.look import BlindLook
from agent.findings import Cause
from agent.settings import SiteSettings
from agent.site_file import load_site
from tests.daemon import RecorderBlock, whole_site

State = dict[str, Any]


class Says(BlindLook):
    """An agent that says what it is told to say."""

    silence: Cause | None = None

    def __init__(
        self, states: Mapping[tuple[str, str], State], login: str = "ok", *, running: bool = True
    ) -> None:
        super().__init__(Cause(code="control.denied"))
        self.silence = None
        self.running = running
        self._states, self._login = states, login

    def state(self, kind: str, device: str) -> State | None:
        return self._states.get((kind, device))

    def login(self, recorder: str) -> Mapping[str, Any]:
        del recorder
        return {"login": self._login, "held_until": "12:30:00"}


@pytest.fixture
def site(tmp_path: Path) -> SiteSettings:
    place = tmp_path / "site.toml"
    block = RecorderBlock("nvr", 80, 554, tmp_path / "nvr.secret", 2)
    place.write_text(whole_site(tmp_path, 1883, [block]), encoding="utf-8")
    found = load_site(place).site
    assert found is not None
    return found


def cause(code: str, **params: str | float) -> State:
    return {"code": code, "params": params}


def recorder(verdict: str = "ok", *causes: State, **fields: Any) -> State:
    well = {"maker": "hikvision", "model": "DS", "firmware": "4", "clock_offset_seconds": 0.4}
    return {
        "verdict": verdict,
        "causes": list(causes),
        "channels_online": 2,
        "channels_total": 2,
        **well,
        **fields,
    }


def recording(word: str = "met", verdict: str = "ok", *causes: State) -> State:
    figures = {"depth_days_lower": 30, "depth_days_upper": 40, "retention_min_days": 30}
    return {
        "verdict": verdict, "causes": list(causes), "word": word, "proven_days": 30, **figures,
    }  # fmt: skip


def short(found: list[CheckResult]) -> dict[str, tuple[str, str]]:
    return {
        one.id.split(":")[0]: (one.verdict, one.cause.code if one.cause else "") for one in found
    }


def judged(site: SiteSettings, state: State, login: str = "ok", **more: State) -> dict[str, Any]:
    recordings = {("recording", name.replace("_", "-")): one for name, one in more.items()}
    look = Says({("recorder", "nvr"): state, **recordings}, login)
    return short(list(recorders.recorder(site.recorder[0], site.retention, look)))


def test_a_recorder_that_is_well_is_well_in_everything(site: SiteSettings) -> None:
    found = judged(site, recorder(), nvr_1=recording(), nvr_2=recording())
    assert found == dict.fromkeys(
        ("recorder.reach", "recorder.login", "recorder.clock", "recorder.disks",
         "recorder.channels", "recorder.policy"),
        ("ok", ""),
    )  # fmt: skip


GONE = {"clock_offset_seconds": "unknown", "channels_online": "unknown"}


@pytest.mark.parametrize(
    ("why", "login", "reach", "of_login"),
    [
        ("unreachable", "ok", ("fail", "unknown.unreachable"), ("unknown", "unknown.unreachable")),
        ("timeout", "ok", ("fail", "unknown.timeout"), ("unknown", "unknown.timeout")),
        ("malformed", "ok", ("unknown", "unknown.malformed"), ("unknown", "unknown.malformed")),
        ("auth_rejected", "rejected", ("ok", ""), ("fail", "unknown.auth_rejected")),
        ("auth_locked", "locked", ("ok", ""), ("fail", "recorder.login_locked")),
        ("paused", "suspect", ("ok", ""), ("warn", "recorder.login_suspect")),
        ("auth_rejected", "", ("ok", ""), ("fail", "unknown.auth_rejected")),
    ],
)
def test_a_recorder_that_tells_nothing_is_one_cause_and_the_rest_unknown(
    site: SiteSettings, why: str, login: str, reach: tuple[str, str], of_login: tuple[str, str]
) -> None:
    found = judged(site, recorder("unknown", cause(f"unknown.{why}"), **GONE), login)
    assert found.pop("recorder.reach") == reach
    assert found.pop("recorder.login") == of_login
    assert set(found.values()) == {("unknown", f"unknown.{why}")}


@pytest.mark.parametrize(
    ("state", "what", "expected"),
    [
        (recorder(clock_offset_seconds=540.0), "clock", ("fail", "recorder.clock_off")),
        (recorder(clock_offset_seconds=-90.0), "clock", ("warn", "recorder.clock_off")),
        (
            recorder("unknown", cause("recorder.clock_unknown"), clock_offset_seconds="unknown"),
            "clock",
            ("unknown", "recorder.clock_unknown"),
        ),
        (
            recorder("warn", cause("recorder.summer_time")),
            "clock",
            ("warn", "recorder.summer_time"),
        ),
        (recorder("fail", cause("recorder.no_disk")), "disks", ("fail", "recorder.no_disk")),
        (
            recorder("fail", cause("recorder.disk_broken"), cause("recorder.no_disk_writable")),
            "disks",
            ("fail", "recorder.no_disk_writable"),
        ),
        (recorder("warn", cause("recorder.disk_gone")), "disks", ("warn", "recorder.disk_gone")),
        (recorder(maker="onvif"), "disks", ("unknown", "unknown.not_supported")),
        (
            recorder("warn", cause("channel.wrong_camera_password", number=2)),
            "channels",
            ("warn", "channel.wrong_camera_password"),
        ),
        (
            recorder("unknown", cause("unknown.malformed")),
            "channels",
            ("unknown", "unknown.malformed"),
        ),
    ],
)
def test_each_cause_of_a_recorder_has_its_check(
    site: SiteSettings, state: State, what: str, expected: tuple[str, str]
) -> None:
    found = judged(site, state, nvr_1=recording(), nvr_2=recording())
    assert found.pop(f"recorder.{what}") == expected
    found.pop("recorder.policy")  # nothing is known of it from an ONVIF recorder
    assert set(found.values()) <= {("ok", ""), ("unknown", "unknown.not_supported")}


def test_how_channels_are_set_up_is_told_once_and_not_as_missing_days(site: SiteSettings) -> None:
    expiry = cause("recording.expiry_short", expiry_days=7, target_days=30)
    bad = recording("met", "fail", expiry)
    found = judged(site, recorder(), nvr_1=bad, nvr_2=bad)
    assert found["recorder.policy"] == ("fail", "recording.expiry_short")
    look = Says({("recording", "nvr-1"): bad, ("recording", "nvr-2"): bad})
    held = list(cameras.days(site, look))
    assert [one.verdict for one in held] == ["ok", "ok"]
    thin = recording("met", "fail", expiry, cause("recording.thin_days"))
    look = Says({("recording", "nvr-1"): thin, ("recording", "nvr-2"): bad})
    assert [one.verdict for one in cameras.days(site, look)] == ["warn", "ok"]


def camera(verdict: str, *causes: State, **fields: Any) -> State:
    figures = {"layer": "playing", "codec": "h264", "width": 640, "height": 360, "fps": 25.0}
    return {
        "verdict": verdict, "causes": list(causes), "online": True, "picture": "good",
        **figures, **fields,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "stream", "picture"),
    [
        (camera("ok"), ("ok", ""), ("ok", "")),
        (
            camera("fail", cause("camera.black"), picture="faulty"),
            ("ok", ""),
            ("fail", "camera.black"),
        ),
        (
            camera("fail", cause("camera.not_found"), online=False, picture="unknown"),
            ("fail", "camera.not_found"),
            ("unknown", "camera.not_found"),
        ),
        (
            camera("unknown", cause("unknown.auth_rejected"), online="unknown", picture="unknown"),
            ("unknown", "unknown.auth_rejected"),
            ("unknown", "unknown.auth_rejected"),
        ),
        (
            camera("warn", cause("camera.low_fps"), cause("camera.noise"), picture="faulty"),
            ("warn", "camera.low_fps"),
            ("warn", "camera.noise"),
        ),
        (
            camera("warn", cause("camera.unconfirmed", fault="camera.black"), picture="faulty"),
            ("ok", ""),
            ("warn", "camera.unconfirmed"),
        ),
        (
            camera(
                "warn",
                cause("camera.snapshot_shows"),
                cause("camera.stalled"),
                online=False,
                picture="unknown",
            ),
            ("warn", "camera.snapshot_shows"),
            ("unknown", "camera.snapshot_shows"),
        ),
    ],
)
def test_a_cameras_stream_and_its_picture_are_told_apart(
    state: State, stream: tuple[str, str], picture: tuple[str, str]
) -> None:
    found = short(list(cameras.camera("cam", state)))
    assert found == {"camera.stream": stream, "camera.picture": picture}


def button(verdict: str = "ok", *causes: State, link: str = "up", p50: Any = 9.0) -> State:
    return {
        "verdict": verdict, "causes": list(causes), "position": "rest", "link": link,
        "last_test_at": "2026-11-01T08:00:00Z", "reply_ms_p50": p50,
    }  # fmt: skip


def test_a_module_is_what_its_buttons_say_of_the_line(site: SiteSettings) -> None:
    window = {"verdict": "ok", "causes": []}
    well = {("button", "gate"): button(), ("test-window", "alarm"): window}
    found = list(lines.alarm_lines(site, Says(well)))
    assert [one.id for one in found] == [
        "alarm.module:io", "alarm.button:gate", "alarm.test-window",
    ]  # fmt: skip
    assert {one.verdict for one in found} == {"ok"}
    dead = button("fail", cause("alarm.port_lost", module="io"), link="down")
    found = list(lines.alarm_lines(site, Says({**well, ("button", "gate"): dead})))
    assert short(found)["alarm.module"] == ("fail", "alarm.port_lost")
    young = button("unknown", cause("unknown.not_yet"), link="unknown", p50="unknown")
    found = list(lines.alarm_lines(site, Says({**well, ("button", "gate"): young})))
    assert short(found)["alarm.module"] == ("unknown", "unknown.not_yet")


def test_what_the_running_agent_does_not_know_wants_a_reload(site: SiteSettings) -> None:
    look = Says({})
    found = [
        *lines.readers(site, look),
        *cameras.cameras(site, look),
        *cameras.days(site, look),
        *patrols.patrols(site, look),
    ]
    assert {one.verdict for one in found} == {"unknown"}
    assert {one.cause.code for one in found if one.cause} == {"diagnosis.not_in_force"}


def test_what_only_the_service_knows_is_unknown_without_it(site: SiteSettings) -> None:
    look = Says({}, running=False)
    found = [*cameras.days(site, look), *patrols.patrols(site, look)]
    assert {one.cause.code for one in found if one.cause} == {"diagnosis.needs_service"}


def test_an_agent_that_may_not_be_asked_leaves_every_device_unknown(site: SiteSettings) -> None:
    look = BlindLook(Cause(code="control.denied"))
    found = [
        *lines.alarm_lines(site, look),
        *lines.readers(site, look),
        *recorders.recorder(site.recorder[0], site.retention, look),
        *cameras.cameras(site, look),
        *cameras.days(site, look),
        *patrols.patrols(site, look),
    ]
    assert {one.verdict for one in found} == {"unknown"}
    assert {one.cause.code for one in found if one.cause} == {"control.denied"}


def test_skipped_is_only_what_the_file_says_is_not_fitted(site: SiteSettings) -> None:
    found = {one.device: one.verdict for one in patrols.duties(site)}
    assert found == {"police-link": "skip", "gate-manned": "skip"}
    silent = site.model_copy(update={"not_fitted": type(site.not_fitted)()})
    assert {one.verdict for one in patrols.duties(silent)} == {"unknown"}
