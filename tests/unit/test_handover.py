"""The hand-over report: what its calendar says of each day, and that its page is harmless."""

import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from agent.handover.calendar import COLOURS, DAYS, calendar, drawn
from agent.handover.gather import tests as button_tests
from agent.handover.gather import versions
from agent.handover.page import Handover, Line, Table, page
from agent.monitors.ledger import ChannelLedger, LedgerDay, Ledgers
from agent.settings import SiteSettings
from agent.text import Language

TODAY = date(2026, 11, 28)
SEEN = datetime(2026, 11, 28, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>'
SITE = SiteSettings.model_validate(
    {
        "site": {"county": "anping", "id": "no-1", "name": "No. 1", "timezone": "Asia/Shanghai"},
        "broker": {"hosts": ("127.0.0.1:1",)},
        "recorder": (
            {
                "id": "nvr-1",
                "driver": "hikvision",
                "host": "10.0.0.10",
                "username": "inspector",
                "password": {"credential": "nvr-1"},
                "channel": (
                    {"number": 1, "id": "gate", "name": HOSTILE, "key_area": True},
                    {"number": 2, "id": "yard", "name": "操场"},
                ),
            },
        ),
        "not_fitted": {"alarm": "x", "patrol": "x"},
    }
)


def known(present: bool, grade: str = "B", *, lost: bool = False) -> LedgerDay:
    return LedgerDay.model_validate(
        {"present": present, "grade": grade, "seen_at": SEEN, "lost": lost}
    )


def filled() -> Ledgers:
    days = {
        TODAY - timedelta(days=1): known(present=True, grade="A"),
        TODAY - timedelta(days=2): known(present=True),
        TODAY - timedelta(days=3): known(present=False),
        TODAY - timedelta(days=4): known(present=False, lost=True),
        TODAY - timedelta(days=200): known(present=True),
    }
    ledgers = Ledgers()
    ledgers.put_channel("nvr-1", 1, ChannelLedger(until=TODAY - timedelta(days=1), days=days))
    return ledgers


def test_each_day_of_each_channel_is_one_word() -> None:
    gate, yard = calendar(filled(), SITE, TODAY)
    assert len(gate.words) == DAYS
    assert list(gate.words[-5:]) == ["unknown", "lost", "gap", "listed", "looked_at"]
    assert set(gate.words[:-4]) == {"unknown"}
    assert set(yard.words) == {"unknown"}
    assert (gate.key_area, gate.needed_days, yard.key_area, yard.needed_days) == (
        True,
        90,
        False,
        30,
    )


def test_every_day_is_drawn_once_in_the_colour_of_its_word() -> None:
    rows = calendar(filled(), SITE, TODAY)
    svg = drawn(rows, TODAY, "en")
    boxes = {fill: path.count("M") for path, fill in re.findall(r'd="([^"]*)" fill="([^"]*)"', svg)}
    words = [word for row in rows for word in row.words]
    assert boxes == {COLOURS[word]: words.count(word) for word in set(words)}
    assert "<script>" not in svg


LINES = (
    Line("camera.look:gate", "fail", f"Camera {HOSTILE}", "black", HOSTILE, "clean the lens"),
    Line("disk.free", "ok", "Disk", "90 % free"),
    Line("broker.login", "unknown", "Login", "", "no answer", "ask the county"),
)


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_has_the_verdict_on_top_and_asks_for_nothing_outside(lang: Language) -> None:
    svg = drawn(calendar(filled(), SITE, TODAY), TODAY, lang)
    tests = Table("t", ("a", HOSTILE), ((HOSTILE, "b"),))
    report = Handover(
        HOSTILE, "2026-11-28 10:00", LINES, svg, "<p>p</p>", (tests,), ((HOSTILE, "/9j/"),)
    )
    text = page(report, lang)
    seen = Elements()
    seen.feed(text)
    assert "script" not in seen.tags
    sources = [value for name, value in seen.attributes if name in {"src", "href"}]
    assert sources == ["data:image/jpeg;base64,/9j/"]
    assert "http" not in text
    shown = "".join(seen.texts)
    assert shown.count(HOSTILE) >= 6
    verdict = {"zh": "不合格：故障 1 项", "en": "NOT in order: 1 faults"}[lang]
    assert text.index(verdict) < text.index("clean the lens") < text.index("90 % free")
    # The worst comes first, whatever order the checks had.
    assert text.index("clean the lens") < text.index("ask the county")


def test_a_report_without_problems_says_so() -> None:
    report = Handover("No. 1", "now", LINES[1:2], "", "", ())
    text = page(report, "en")
    assert "All is well: 1 checks" in text
    assert "What is to be done" not in text
    assert page(report, "en") == text


def test_buttons_say_when_they_were_pressed_and_tested() -> None:
    data = {"last_press_at": None, "last_test_at": "2026-11-27T01:00:00Z", "ok_until": None}
    states: list[dict[str, Any]] = [
        {"kind": "button", "id": "gate", "data": data},
        {"kind": "host", "id": "host"},
    ]
    table = button_tests(states, {"gate": "门卫室"}, SITE.site.zone, "en")
    assert list(table.rows) == [("门卫室", "never", "2026-11-27 09:00", "never")]
    assert [row[0] for row in versions("en").rows] == [
        "campus-agent", "Python", "SQLite", "Linux", "OS",
    ]  # fmt: skip
