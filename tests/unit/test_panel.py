"""The guard's panel: what it shows of states, and that this machine's browser alone reads it."""

import http.client
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agent.county.state_data import (
    ButtonState,
    CameraState,
    DutyState,
    PatrolState,
    PatrolWindow,
    TestWindowState,
)
from agent.findings import Cause, Verdict
from agent.panel.page import policy
from agent.panel.server import PanelServer
from agent.panel.view import Screen, shown, unanswered

NOW = datetime(2026, 11, 27, 1, 30, tzinfo=UTC)
SCREEN = Screen(
    "Anping <No. 1> 小学",
    ZoneInfo("Asia/Shanghai"),
    "zh",
    {("button", "gate"): "门卫室<b>", ("camera", "yard"): "操场"},
)
ENGLISH = Screen("Anping", ZoneInfo("Asia/Shanghai"), "en", {})


def state(kind: str, name: str, data: object) -> dict[str, object]:
    return {"kind": kind, "id": name, "data": data.model_dump(mode="json")}  # type: ignore[attr-defined]


def button(**changes: object) -> dict[str, object]:
    fields = {
        "verdict": "ok", "observed_at": NOW, "position": "rest", "wiring": "no", "link": "up",
        "in_test": False, "incident": None, "presses": 0, "acknowledged_by": None,
        "last_press_at": None, "last_test_at": None, "ok_until": None, "missed_polls": 0,
        "reply_ms_p50": 1.0, "reply_ms_p99": 2.0, **changes,
    }  # fmt: skip
    return state("button", "gate", ButtonState.model_validate(fields))


def patrol(**changes: object) -> dict[str, object]:
    fields = {
        "verdict": "warn", "observed_at": NOW, "duty_day": NOW.date(), "tours_done": 2,
        "tours_min_per_day": 5, "open_tour": None, "last_scan_at": None, "due_from": NOW,
        "due_until": NOW.replace(hour=3), "minutes_left": 90, **changes,
    }  # fmt: skip
    return state("patrol", "site", PatrolState.model_validate(fields))


def duty(name: str, verdict: Verdict, not_fitted: str | None = None) -> dict[str, object]:
    data = DutyState(verdict=verdict, observed_at=None, not_fitted=not_fitted)
    return state("duty", name, data)


def text(html: str) -> str:
    return re.sub(r"<[^>]*>", " ", html)


def test_an_open_incident_stands_on_top_until_it_is_reset() -> None:
    assert "ALARM" not in shown([button()], ENGLISH, NOW)
    html = shown([button(incident=7, guard="telephone")], ENGLISH, NOW)
    assert "ALARM gate: incident 7 is open, the county has not acknowledged it yet" in text(html)
    assert "TELEPHONE NOW" in html
    html = shown([button(incident=7, guard="acknowledged", acknowledged_by="duty")], ENGLISH, NOW)
    assert "acknowledged by duty" in html
    assert html.index("incident 7") < html.index('class="duties"')


def test_names_from_the_settings_can_do_no_harm() -> None:
    html = shown([button(incident=1)], SCREEN, NOW)
    assert "门卫室&lt;b&gt;" in html
    assert "Anping &lt;No. 1&gt; 小学" in html
    assert "<b>" not in html


def test_a_test_window_is_a_banner() -> None:
    data = TestWindowState(
        verdict=Verdict.OK, observed_at=None, open=True, window=1, by="Li", buttons=("gate",),
        ends_at=NOW.replace(hour=2), presses={},
    )  # fmt: skip
    assert "Test: presses until 10:30 are tests" in shown(
        [state("test-window", "alarm", data)], ENGLISH, NOW
    )
    closed = data.model_copy(update={"open": False})
    assert "Test:" not in shown([state("test-window", "alarm", closed)], ENGLISH, NOW)


def test_tours_done_and_due_next() -> None:
    assert "Tours today: 2 of 5; 90 minutes of the day left" in shown([patrol()], ENGLISH, NOW)
    due = patrol(windows=(PatrolWindow(window="09:30-11:30", word="due"),))
    assert "Tours today: 2 of 5; next one 09:30 to 11:30, 90 minutes left" in text(
        shown([due], ENGLISH, NOW)
    )
    without = duty("patrol", Verdict.UNKNOWN, "no tags")
    assert "Tours" not in shown([patrol(), without], ENGLISH, NOW)
    late = patrol(windows=(PatrolWindow(window="08:00-09:00", word="late"),))
    assert 'class="bar fail">Tours today: 2 of 5; LATE' in shown([late], ENGLISH, NOW)
    done = patrol(tours_done=5, due_from=None, due_until=None, minutes_left=None)
    assert 'class="bar ok">Tours today: 5 of 5' in shown([done], ENGLISH, NOW)


def test_a_duty_says_its_verdict_and_the_worst_of_why() -> None:
    causes = (Cause(code="camera.frozen"),)
    verdicts = (("hall", "warn"), ("yard", "fail"), *((f"c{n}", "warn") for n in range(5)))
    sick = [
        state(
            "camera",
            name,
            CameraState.model_validate(
                {
                    "verdict": verdict, "causes": causes, "observed_at": None, "online": "yes",
                    "layer": "playing", "fault": None, "codec": "h264", "width": 1, "height": 1,
                    "fps": 1.0, "bitrate_kbps": 1.0, "gop_frames": 1, "picture": "faulty",
                    "reference": "ready", "learned_checks": 1,
                }
            ),
        )
        for name, verdict in verdicts
    ]  # fmt: skip
    html = shown([duty("pictures", Verdict.FAIL), *sick], SCREEN, NOW)
    assert '<section class="fail"><h2>图像质量</h2><strong>故障</strong>' in html
    assert html.index("操场：画面静止不动") < html.index("hall：画面静止不动")
    assert "另有 3 条" in html
    not_there = shown([duty("patrol", Verdict.UNKNOWN, "no tags")], ENGLISH, NOW)
    assert '<section class="plain">' in not_there
    assert "<strong>not fitted</strong><ul><li>no tags</li>" in not_there


@pytest.fixture
def server() -> Iterator[PanelServer]:
    made = PanelServer(0, SCREEN, lambda: unanswered(SCREEN))
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join(10)
    made.server_close()


def get(
    server: PanelServer, path: str = "/", method: str = "GET", host: str | None = None
) -> tuple[int, str, dict[str, str]]:
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    link.request(method, path, headers={"Host": host or f"127.0.0.1:{server.port}"})
    answer = link.getresponse()
    body = answer.read().decode()
    link.close()
    return answer.status, body, dict(answer.getheaders())


def test_the_page_says_that_nothing_is_known_when_the_program_does_not_answer(
    server: PanelServer,
) -> None:
    status, page, headers = get(server)
    assert status == 200
    assert 'class="bar fail">监测程序没有应答' in page
    assert headers["Content-Security-Policy"] == policy()
    assert headers["Cache-Control"] == "no-store"
    status, body, _ = get(server, "/now")
    assert (status, body) == (200, unanswered(SCREEN))
    assert get(server, host=f"localhost:{server.port}")[0] == 200


@pytest.mark.parametrize(
    ("path", "method", "host", "status"),
    [
        ("/../etc/passwd", "GET", None, 404),
        ("/state.json", "GET", None, 404),
        ("/", "POST", None, 501),
        ("/", "DELETE", None, 501),
        ("/", "GET", "panel.example.com", 403),
        ("/now", "GET", "10.0.0.5:8088", 403),
    ],
)
def test_nothing_else_is_answered(
    server: PanelServer, path: str, method: str, host: str | None, status: int
) -> None:
    assert get(server, path, method, host)[0] == status


def test_it_listens_on_this_machine_alone_and_a_silent_browser_blocks_nobody(
    server: PanelServer,
) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with socket.create_connection(("127.0.0.1", server.port)) as silent:
        silent.sendall(b"GET / HT")
        assert get(server)[0] == 200
