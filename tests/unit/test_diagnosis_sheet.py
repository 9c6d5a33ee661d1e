"""The sheet on a console of 80 columns, and the words for cause and next step."""

import pytest

from agent.diagnosis.checks import CheckResult, result, seen, step
from agent.diagnosis.sheet import COLUMNS, closing, columns, cut, line, padded
from agent.diagnosis.told import halves, told
from agent.findings import Cause
from agent.text import SENTENCES, Language, knows

LANGUAGES: tuple[Language, ...] = ("zh", "en")
GONE = Cause(code="unknown.unreachable")

# Whatever of these a state or a check may name as a cause; what else is said under these
# beginnings answers a command, or says that all is well.
BEGINNINGS = (
    "unknown.", "host.", "camera.", "channel.", "recording.", "police_link.", "patrol.", "post.",
    "output.", "contact.", "loop.", "credential.", "config.note_", "agent.", "online.",
    "alarm.", "recorder.", "diagnosis.", "control.",
)  # fmt: skip
NO_CAUSES = (
    "_done", "_ok", "online.login_running", "camera.no_such", "camera.last_good",
    "camera.never_good", "camera.picture_kept", "camera.accepted", "alarm.no_", "alarm.reason",
    "alarm.test_no", "alarm.test_too_long", "alarm.test_already", "alarm.still_pressed",
    "recorder.prove", "recorder.no_such", "recorder.not_learnt", "diagnosis.title",
    "diagnosis.summary", "diagnosis.problems", "diagnosis.cause", "diagnosis.next",
    "diagnosis.no_such", "diagnosis.press_now", "diagnosis.tap_now", "diagnosis.window",
    "control.malformed", "control.unknown_verb",
)  # fmt: skip


def causes() -> list[str]:
    return [
        code
        for code in SENTENCES["en"]
        if code.startswith(BEGINNINGS)
        and not (code.startswith(NO_CAUSES) or code.endswith(NO_CAUSES[:2]))
    ]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_cause_has_a_next_step_of_its_own(lang: Language) -> None:
    assert len(causes()) > 150
    without = [
        code for code in causes() if not halves(lang, code)[1] and not knows(lang, f"next.{code}")
    ]
    assert without == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_step_stands_for_a_cause_that_does_not_exist(lang: Language) -> None:
    codes = {code.removeprefix("next.") for code in SENTENCES[lang] if code.startswith("next.")}
    assert codes - {"any", "diagnosis.file"} - set(SENTENCES[lang]) == set()


def test_cause_and_step_are_the_two_halves_of_one_sentence() -> None:
    short = Cause(code="recording.expiry_short", params={"expiry_days": 7, "target_days": 30})
    found = result("recorder.policy", "nvr", "fail", short)
    en, zh = told("en", found), told("zh", found)
    assert en.cause is not None
    assert zh.cause is not None
    assert en.cause.sentence == "the recorder is set to delete after 7 days, 30 are required"
    assert (en.next_step, zh.next_step) == ("raise the expiry", "请调大过期天数")
    assert zh.cause.sentence == "录像机设置为 7 天后删除，要求 30 天"


def test_an_aside_stays_with_the_cause() -> None:
    lost = Cause(code="unknown.port_lost", params={"detail": "/dev/ttyS9"})
    said = told("en", result("reader.answers", "r", "unknown", lost))
    assert said.cause is not None
    assert said.cause.sentence == "the port is gone (/dev/ttyS9)"
    assert said.next_step == "check the plug and the adapter"


def test_a_cause_without_a_step_in_its_sentence_has_one_beside_it() -> None:
    assert step(GONE).code == "next.unknown.unreachable"
    said = told("zh", result("recorder.reach", "nvr", "fail", GONE))
    assert said.next_step == "请检查供电、网线和配置中的地址"


def test_what_is_well_or_skipped_has_neither() -> None:
    found = result("disk.space", "", "ok", GONE)
    assert (found.cause, found.next_step, found.also) == (None, None, ())


@pytest.mark.parametrize(
    ("text", "wide"), [("", 0), ("ok", 2), ("正常", 4), ("码流 a", 6), ("e\u0301", 1), ("Ａ", 2)]
)
def test_a_chinese_character_takes_two_columns(text: str, wide: int) -> None:
    assert columns(text) == wide


def test_texts_are_padded_and_cut_by_columns() -> None:
    assert padded("正常", 8) == "正常    "
    assert cut("录像机时钟", 6) == "录像…"
    assert columns(padded("录像机时钟", 6)) == 6
    assert cut("abc", 3) == "abc"


def site() -> list[CheckResult]:
    path = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0-and-longer-still"
    return [
        result("serial.port", "io", evidence=seen("port", path=path)),
        result("recorder.reach", "nvr", "fail", GONE),
        *(
            result(f"recorder.{what}", "nvr", "unknown", GONE)
            for what in ("login", "clock", "disks")
        ),
        result(
            "camera.picture",
            "playground-north-west-corner-01",
            "warn",
            Cause(code="camera.noise", params={"levels": 9}),
            Cause(code="camera.snow", params={"ratio": 0.2}),
        ),
        result(
            "duty.fitted",
            "patrol",
            "skip",
            evidence=seen("not_fitted", duty="patrol", reason="没有安装"),
        ),
    ]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nothing_is_wider_than_the_console_and_the_columns_stand_under_each_other(
    lang: Language,
) -> None:
    lines = [line(lang, one) for one in site()]
    shown = [*lines, *closing(lang, site(), 1.0)]
    assert max(columns(one) for one in shown) <= COLUMNS
    verdict = {"zh": "正常", "en": "ok"}[lang]
    assert lines[0].startswith(verdict)
    # Verdict first, then what was checked from the ninth column on, then what was seen.
    for one in lines:
        assert columns(one.split(" ", 1)[0]) <= 8
    assert all("\x1b" not in one for one in shown)


def test_what_has_one_cause_is_one_thing_to_do_and_the_worst_comes_first() -> None:
    shown = list(closing("en", site(), 1.25))
    assert shown[1] == "7 checks in 1.2 s: fail 1, unknown 3, warn 1, ok 1, skip 1"
    text = "\n".join(shown)
    assert "  unknown  recorder.login:nvr, recorder.clock:nvr, recorder.disks:nvr" in shown
    assert text.index("  fail  ") < text.index("  unknown  ") < text.index("  warn  ")
    assert text.count("next: check its supply, its network cable") == 2
    assert "snow in the picture" in text


def test_where_all_is_well_nothing_is_to_be_done() -> None:
    shown = list(closing("zh", site()[:1], 0.4))
    assert shown == ["", "共 1 项，用时 0.4 秒：正常 1"]
