"""The one screen of `campus-agent status`: what is on it, that it fits, that it is aligned."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from agent.cli.status_screen import Screen
from agent.county import state_data
from agent.county.contract import StateData
from agent.findings import Cause, Verdict
from agent.text import Language
from agent.text.columns import width

NOW = datetime(2026, 11, 28, 8, tzinfo=UTC)  # 16:00 at the school
OK, WARN, FAIL, UNKNOWN = Verdict.OK, Verdict.WARN, Verdict.FAIL, Verdict.UNKNOWN
COLUMNS, ROWS = 80, 24


def button(**more: Any) -> StateData:
    fields: dict[str, Any] = {
        "verdict": OK,
        "position": "rest",
        "wiring": "no",
        "link": "up",
        "in_test": False,
        "incident": None,
        "presses": 0,
        "acknowledged_by": None,
        "last_press_at": None,
        "last_test_at": NOW - timedelta(days=12),
        "ok_until": None,
        "missed_polls": 0,
        "reply_ms_p50": 3.0,
        "reply_ms_p99": 9.0,
    }
    return state_data.ButtonState(**{**fields, **more})


def patrol(**more: Any) -> StateData:
    fields: dict[str, Any] = {
        "verdict": OK,
        "duty_day": date(2026, 11, 28),
        "tours_done": 3,
        "tours_min_per_day": 5,
        "open_tour": None,
        "last_scan_at": None,
        "due_from": NOW + timedelta(minutes=30),
        "due_until": NOW + timedelta(minutes=120),
        "minutes_left": 120,
    }
    return state_data.PatrolState(**{**fields, **more})


def recorder(**more: Any) -> StateData:
    fields: dict[str, Any] = {
        **dict.fromkeys(("maker", "model", "firmware", "serial_number"), "x"),
        "verdict": OK,
        "clock_offset_seconds": 0.5,
        "channels_online": 16,
        "channels_total": 16,
    }
    return state_data.RecorderState(**{**fields, **more})


def recording(word: str = "met", verdict: Verdict = OK) -> StateData:
    fields: dict[str, Any] = {
        **dict.fromkeys(("depth_days_lower", "depth_days_upper"), 40),
        **dict.fromkeys(("missing_days_lower", "missing_days_upper"), 0),
        "verdict": verdict,
        "word": word,
        "key_area": False,
        "retention_min_days": 30,
        "grade": "A",
        "surveyed_until": None,
    }
    return state_data.RecordingState(**fields)


def camera(verdict: Verdict = OK, *codes: str) -> StateData:
    fields: dict[str, Any] = {
        **dict.fromkeys(("width", "height", "gop_frames", "fps", "bitrate_kbps"), "unknown"),
        "verdict": verdict,
        "causes": tuple(Cause(code=code) for code in codes),
        "online": True,
        "layer": "playing",
        "fault": None,
        "codec": "h264",
        "picture": "good",
    }
    return state_data.CameraState(**fields)


def machine(**more: Any) -> StateData:
    fields: dict[str, Any] = {
        "verdict": OK,
        "disk_free_bytes": 80 << 30,
        "disk_free_ratio": 0.62,
        "memory_available_ratio": 0.5,
        "load_per_cpu": 0.1,
        "temperature_celsius": 50.0,
        "uptime_seconds": 1.0,
        "clock": "ntp",
        "missing_serial_devices": (),
    }
    return state_data.HostState(**{**fields, **more})


def agent() -> StateData:
    started = NOW - timedelta(days=3)
    return state_data.AgentState(
        verdict=OK,
        version="0.1.0",
        started_at=started,
        alarms_durable=True,
        events_durable=True,
        unsaved=0,
    )


def duty(verdict: Verdict = OK, **more: Any) -> StateData:
    return state_data.DutyState(verdict=verdict, **more)


def because(name: str, verdict: Verdict) -> Cause:
    return Cause(code="duty.because", params={"object": name, "verdict": str(verdict)})


def well() -> dict[tuple[str, str], StateData]:
    post: dict[str, Any] = {"tapped_at": NOW, "due_at": NOW + timedelta(hours=2)}
    duties = ("alarm", "recordings", "pictures", "patrol", "gate-manned")
    return {
        ("button", "gate"): button(),
        ("button", "office"): button(last_test_at=NOW - timedelta(days=2)),
        ("patrol", "site"): patrol(),
        ("post", "gatehouse"): state_data.PostState(verdict=OK, every_hours=2, **post),
        ("recorder", "nvr-1"): recorder(),
        ("recorder", "nvr-2"): recorder(),
        **{("camera", f"cam-{number}"): camera() for number in range(32)},
        **{("recording", f"cam-{number}"): recording() for number in range(32)},
        ("reader", "gate-reader"): state_data.ReaderState(verdict=OK, firmware="1.6"),
        ("host", "host"): machine(),
        ("agent", "agent"): agent(),
        **{("duty", name): duty() for name in duties},
        ("duty", "police-link"): duty(UNKNOWN, not_fitted="the police read it by themselves"),
    }


def answered(states: Mapping[tuple[str, str], StateData], **more: Any) -> dict[str, Any]:
    site = {"county": "haidian", "id": "school-001", "name": "海淀区第一实验小学"}
    link = {"broker": "mqtt.example.edu:8883", "protocol": "mqtt5", "trusted": True}
    known = {
        "site": {**site, "timezone": "Asia/Shanghai"},
        "link": {**link, "detail": "", "cut_short": 0},
        "backlog": {"alarm": 0, "event": 0},
        "states": [
            {
                "kind": kind,
                "id": name,
                "since": "2026-11-27T01:12:00Z",
                "data": data.model_dump(mode="json"),
            }
            for (kind, name), data in states.items()
        ],
    }
    return {**known, **more}


def shown(
    states: Mapping[tuple[str, str], StateData], lang: Language = "en", **more: Any
) -> list[str]:
    return Screen(lang, answered(states, **more), NOW, COLUMNS).lines()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_all_well_is_one_screen(lang: Language) -> None:
    lines = shown(well(), lang)
    assert len(lines) <= ROWS
    assert max(map(width, lines)) <= COLUMNS


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_columns_stand_below_each_other_whatever_is_written_in_them(lang: Language) -> None:
    lines = shown(well(), lang)
    duties = lines[2:8]
    since = "since" if lang == "en" else "自"
    assert {width(line.partition(since)[0]) for line in duties if since in line} == {25}
    unfitted = "not fitted" if lang == "en" else "未安装"
    assert [width(one.partition(unfitted)[0]) for one in duties if unfitted in one] == [25]


def test_what_is_asked_for_first_is_on_it() -> None:
    text = "\n".join(shown(well()))
    assert "海淀区第一实验小学 (haidian/school-001)" in text
    assert "2026-11-28 16:00" in text
    assert "ok      one-button alarm since 11-27 09:12" in text
    assert "not fitted (the police read it by themselves)" in text
    assert "none open" in text
    assert "last office, 11-26 16:00; longest ago gate, 11-16 16:00" in text
    assert "3 of 5 tours walked; next 16:30 to 18:00, 120 minutes left" in text
    assert "gatehouse ok, due 18:00" in text
    assert "32 well" in text
    assert "nvr-1 ok, channels 16/16; nvr-2 ok, channels 16/16" in text
    assert "32 met" in text
    assert "connected to mqtt.example.edu:8883, tested; nothing waits" in text
    assert "disk 62% free; clock set by network" in text
    assert "version 0.1.0, runs since 11-25 16:00" in text


def test_an_incident_says_who_has_seen_it() -> None:
    pressed = {"incident": 7, "presses": 2, "last_press_at": NOW, "position": "pressed"}
    states = {**well(), ("button", "gate"): button(**pressed)}
    said = "incident 7: gate, presses 2, last 16:00"
    assert f"{said}; acknowledged by nobody yet" in "\n".join(shown(states))
    states["button", "gate"] = button(**pressed, acknowledged_by="duty-desk")
    assert f"{said}; acknowledged by duty-desk" in "\n".join(shown(states))


def test_a_button_that_was_never_tested_and_a_test_under_way_are_named() -> None:
    ends = NOW + timedelta(minutes=5)
    window: dict[str, Any] = {"window": 1, "by": "w-12", "buttons": ("gate",), "presses": {}}
    states = {
        **well(),
        ("button", "office"): button(last_test_at=None),
        ("test-window", "site"): state_data.TestWindowState(
            verdict=OK, open=True, ends_at=ends, **window
        ),
    }
    text = "\n".join(shown(states))
    assert "never: office" in text
    assert "test until 16:05, by w-12: gate" in text


def test_a_fault_says_why_and_names_a_few() -> None:
    faulty = {("camera", f"cam-{number}"): camera(FAIL, "camera.dark") for number in range(9)}
    causes = tuple(because(name, FAIL) for _, name in faulty)
    states = {
        **well(),
        **faulty,
        ("camera", "cam-31"): camera(UNKNOWN),
        ("duty", "pictures"): duty(FAIL, causes=causes),
        ("recording", "cam-3"): recording("short", FAIL),
        ("reader", "gate-reader"): state_data.ReaderState(verdict=FAIL, firmware="unknown"),
    }
    lines = shown(states)
    text = " ".join(" ".join(lines).split())
    assert "fail picture quality since 11-27 09:12; cam-0: the picture is too dark" in text
    assert "5 more: status --all" in text
    assert "22 well; 9 faulty: cam-0, cam-1, cam-2, cam-3, 5 more: status --all" in text
    assert "1 unknown: cam-31" in text
    assert "31 met; 1 short: cam-3" in text
    assert "gate-reader is fail" in text
    assert max(map(width, lines)) <= COLUMNS


def test_a_lost_county_and_a_silent_disk_are_told() -> None:
    link = {"broker": None, "protocol": "none", "trusted": False, "detail": "", "cut_short": 0}
    backlog = {"alarm": 2, "event": 31}
    text = " ".join(" ".join(shown(well(), link=link, backlog=backlog)).split())
    assert "not connected; waiting: 2 alarms, 31 other events" in text
    text = "\n".join(shown(well(), backlog={"alarm": None, "event": None}))
    assert "what waits is not known" in text


def test_a_tour_that_may_be_walked_now_is_due_until_the_end_of_the_day() -> None:
    due: dict[str, Any] = {"due_from": NOW - timedelta(hours=1), "minutes_left": 480}
    states = {**well(), ("patrol", "site"): patrol(**due, due_until=NOW + timedelta(hours=8))}
    assert "due by 24:00, 480 minutes left" in "\n".join(shown(states))


def test_missed_times_are_named() -> None:
    words = {"06:00-07:30": "missed", "11:30-13:00": "done", "16:00-17:30": "late"}
    windows = tuple(
        state_data.PatrolWindow.model_validate({"window": span, "word": word})
        for span, word in words.items()
    )
    lines = shown({**well(), ("patrol", "site"): patrol(windows=windows)})
    text = " ".join(" ".join(lines).split())
    assert "late: 16:00-17:30" in text
    assert "missed: 06:00-07:30" in text


def test_nothing_known_yet_and_an_older_daemon_are_no_error() -> None:
    assert Screen("zh", {"states": []}, NOW, COLUMNS).lines()
    older = {"kind": "duty", "id": "alarm", "data": duty().model_dump(mode="json")}
    assert Screen("en", {"states": [older]}, NOW, COLUMNS).lines()
    assert shown({})
