import re
import string
import typing
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.county import contract, event_data, state_data
from agent.findings import Cause, Verdict
from agent.monitors.alarm_link import TOLD
from agent.monitors.alarm_loops import LINE_FAULTS
from agent.settings import DUTIES
from agent.text import SENTENCES, Language, explain, knows, language, sentence
from agent.text.messages import event_line, state_line
from drivers.readings import Reason, StreamFault, StreamLayer

LANGUAGES: tuple[Language, ...] = ("zh", "en")
AGENT = Path(__file__).parents[2] / "agent"
NOON = datetime(2026, 9, 1, 4, tzinfo=UTC)
CAUSE = Cause(code="unknown.timeout", params={"detail": "nvr-1"})


def _placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_both_languages_have_the_same_codes_with_the_same_placeholders() -> None:
    assert set(SENTENCES["zh"]) == set(SENTENCES["en"])
    for code, template in SENTENCES["zh"].items():
        assert _placeholders(template) == _placeholders(SENTENCES["en"][code]), code


def test_chinese_is_chinese_and_english_is_not() -> None:
    def is_chinese(text: str) -> bool:
        return any("\u4e00" <= letter <= "\u9fff" for letter in text)

    for code, template in SENTENCES["zh"].items():
        assert is_chinese(template), code
        assert not is_chinese(SENTENCES["en"][code]), code


def test_every_word_of_the_product_has_its_sentence() -> None:
    words = [*Verdict, *StreamLayer, *StreamFault]
    for name in ("position", "word", "picture", "clock", "guard", "shows"):
        for model in (
            state_data.ButtonState,
            state_data.ContactState,
            state_data.OutputState,
            state_data.RecordingState,
            state_data.CameraState,
        ):
            if name in model.model_fields:
                words += typing.get_args(model.model_fields[name].annotation)
    words += typing.get_args(state_data.HostState.model_fields["clock"].annotation)
    codes = [f"word.{word}" for word in words]
    codes += [f"unknown.{reason}" for reason in Reason] + [f"duty.{duty}" for duty in DUTIES]
    assert [code for code in codes if not knows("zh", code)] == []


def test_every_code_in_the_agent_has_its_sentence() -> None:
    subjects = (
        "alarm|loop|contact|output|camera|channel|recorder|recording|patrol|duty|agent|host|unknown"
    )
    more = "card|command|config|credential|file|summary|toml|watch|cli|bundle|status"
    literal = re.compile(rf'"((?:{subjects}|{more})\.[a-z_]+)"')
    used = {
        (code, str(file.relative_to(AGENT)))
        for file in AGENT.rglob("*.py")
        if file.parent.name != "text"
        for code in literal.findall(file.read_text(encoding="utf-8"))
    }
    assert len(used) > 100
    nouns = ("alarm", "loop", "receiver")
    used |= {(f"{noun}.{reason}", "monitors/alarm_link.py") for noun in nouns for reason in TOLD}
    used |= {(f"loop.{fault}", "monitors/alarm_loops.py") for fault in LINE_FAULTS}
    used |= {(f"camera.{fault}", "monitors/cameras.py") for fault in StreamFault}
    beginnings = {"agent.disk", "agent.store"}  # self_report.py asks for all codes of these
    # The id of a check has the sentence `check.<id>`.
    named = {place for place in used if knows("zh", f"check.{place[0]}")}
    assert {Path(place).parent.name for _, place in named} == {"diagnosis"}
    silent = {place for place in used - named if not knows("zh", place[0])}
    assert {code for code, _ in silent} - beginnings == set(), silent


def test_words_and_codes_in_parameters_are_said_in_the_language() -> None:
    doubt = Cause(
        code="camera.unconfirmed", params={"fault": "camera.dark", "checks": 1, "needed": 3}
    )
    assert explain("zh", doubt) == "疑似“画面过暗：请检查补光”，已连续 1 次，满 3 次才报"
    because = Cause(code="duty.because", params={"object": "gate-cam", "verdict": "fail"})
    assert explain("zh", because) == "gate-cam 为“故障”"
    clock = Cause(code="recorder.clock_unknown", params={"reason": "timeout"})
    assert explain("en", clock) == (
        "the recorder's clock could not be read: the device did not answer in time"
    )
    own = Cause(code="summary.not_fitted", params={"duty": "patrol", "reason": "no tags. Yet"})
    assert explain("zh", own) == "未安装 巡更（patrol）：no tags. Yet"
    # An id that happens to be a word stays an id.
    assert "ok" in explain("zh", Cause(code="alarm.no_reply", params={"module": "ok"}))


def test_an_unknown_code_shows_itself() -> None:
    assert sentence("zh", "camera.new_fault", score=3, detail="") == "camera.new_fault (score=3)"
    assert explain("en", Cause(code="no.such")) == "no.such"


def test_a_detail_is_an_aside_and_a_missing_parameter_a_dash() -> None:
    assert sentence("zh", "unknown.timeout") == "设备在规定时间内没有应答"
    assert explain("zh", CAUSE) == "设备在规定时间内没有应答（nvr-1）"
    assert explain("en", CAUSE) == "the device did not answer in time (nvr-1)"
    assert sentence("en", "host.disk_full") == "the disk is nearly full: —% left"


@given(
    st.sampled_from(LANGUAGES),
    st.sampled_from(sorted(SENTENCES["en"])) | st.text(),
    st.dictionaries(st.sampled_from(["key", "detail", "code", "lang", "x{y}"]) | st.text(),
                    st.text() | st.integers() | st.floats() | st.none()),
)  # fmt: skip
def test_no_sentence_ever_fails(lang: Language, code: str, params: dict[str, object]) -> None:
    assert isinstance(sentence(lang, code, **params), str)


@pytest.mark.parametrize(
    ("environ", "override", "encoding", "spoken"),
    [
        ({}, None, "utf-8", "zh"),
        ({"LANG": "en_US.UTF-8"}, None, "utf-8", "en"),
        ({"LANG": "zh_CN.GBK"}, None, "gbk", "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB"}, None, "utf-8", "en"),
        ({"LANG": "en_US", "LC_MESSAGES": "zh_CN"}, None, "utf-8", "zh"),
        ({"LC_ALL": "", "LANG": "en"}, None, "utf-8", "en"),
        ({"LANG": "C.UTF-8"}, None, "utf-8", "zh"),
        ({"LANG": "C"}, None, "ascii", "en"),
        ({"LANG": "C"}, "zh", "ascii", "zh"),
        ({"LANG": "zh_CN"}, "en", "utf-8", "en"),
        ({"LANG": "en_US"}, "fr", "utf-8", "en"),
    ],
)
def test_the_language_spoken(
    environ: dict[str, str], override: str | None, encoding: str, spoken: str
) -> None:
    assert language(environ, override, encoding) == spoken


# ---- messages of the contract


def _whats(model: type[contract.EventData]) -> Iterator[str]:
    if "what" in model.model_fields:
        yield from typing.get_args(model.model_fields["what"].annotation)
    else:
        yield from ("checkpoint", "folded", "unknown_tag")


@pytest.mark.parametrize("model", contract.EventData.__subclasses__(), ids=lambda m: m.kind)
def test_every_event_has_a_line_made_of_its_own_fields(model: type[contract.EventData]) -> None:
    for what in _whats(model):
        template = SENTENCES["zh"][f"event.{model.kind}.{what}"]
        assert _placeholders(template) <= set(model.model_fields)


@pytest.mark.parametrize("model", contract.StateData.__subclasses__(), ids=lambda m: m.kind)
def test_every_state_has_a_line_made_of_its_own_fields(model: type[contract.StateData]) -> None:
    template = SENTENCES["zh"][f"state.{model.kind}"]
    assert _placeholders(template) <= {"id", *model.model_fields}


def test_events_read_as_sentences() -> None:
    def line(lang: Language, data: contract.EventData) -> str:
        return event_line(lang, data.kind, data.model_dump(mode="json"))

    press = event_data.AlarmEventData(what="press", button="gate", incident=7, press=2)
    assert line("zh", press) == "一键报警按下：gate，警情 7，第 2 次"
    assert line("en", press) == "panic button pressed: gate, incident 7, press 2"
    possible = press.model_copy(update={"certainty": "possible"})
    assert line("zh", possible).startswith("一键报警可能被按下")
    trouble = event_data.AlarmEventData(what="trouble", button="gate", cause=CAUSE)
    assert line("zh", trouble) == "一键报警线路故障：gate；设备在规定时间内没有应答（nvr-1）"
    started = event_data.AlarmEventData(what="started", blind_seconds="unknown")
    assert line("zh", started) == "一键报警开始值守，此前无人值守的时间（秒）：未知"
    scan = event_data.ScanEventData(reader="r1", checkpoint=None, tag_id="nfca:04", assurance="uid")
    assert line("zh", scan) == "未登记的卡：nfca:04，读卡器 r1"
    known = scan.model_copy(update={"checkpoint": "north"})
    assert line("en", known) == "checkpoint scanned: north, reader r1"
    assert "again" in line("en", known.model_copy(update={"folded": True}))
    card = event_data.AuditEventData(
        what="refused", verb="reset", code="card.key_off", reader="r1", cards=("w-1",)
    )
    assert line("en", card) == (
        "refused to a card: reset, the key switch is off; cards w-1, reader r1, button none"
    )
    by_key = event_data.AuditEventData(what="accepted", verb="ack", code="command.done", key="desk")
    assert line("en", by_key) == "command of the county obeyed: ack (desk)"
    tour = event_data.TourEventData(
        what="incomplete",
        tour="t",
        duty_day=date(2026, 9, 1),
        number=1,
        started_at=NOON,
        missed_checkpoints=("north", "south"),
    )
    assert line("zh", tour) == "巡更未完成：2026-09-01，漏检点位 north, south"


def test_states_read_as_sentences_and_say_unknown() -> None:
    state = state_data.RecordingState(
        verdict=Verdict.UNKNOWN,
        causes=(CAUSE,),
        word="unknown",
        key_area=True,
        retention_min_days=90,
        depth_days_lower="unknown",
        depth_days_upper=12,
        missing_days_lower=0,
        missing_days_upper="unknown",
        grade=None,
        surveyed_until=None,
    )
    wire = state.model_dump(mode="json")
    assert state_line("zh", "recording", "gate-cam", wire) == (
        "[未知] 录像 gate-cam：未知，已存 未知 至 12 天，要求 90 天，回放证实 未知 天；"
        "设备在规定时间内没有应答（nvr-1）"
    )
    duty = state_data.DutyState(verdict=Verdict.UNKNOWN, not_fitted="none here")
    wire = duty.model_dump(mode="json")
    assert state_line("en", "duty", "police-link", wire) == (
        "[unknown] duty police link: not fitted (none here)"
    )


def test_what_comes_over_the_wire_cannot_touch_the_terminal_or_crash_the_reader() -> None:
    data = {"what": "press", "button": "\x1b[2J", "causes": [{"code": "\x07"}, 3], "press": {}}
    line = event_line("zh", "alarm", data)
    assert line.isprintable()
    assert event_line("en", "alarm", {}) == "event.alarm.None"
    assert state_line("en", "new", "x", {"a": 1}) == "state.new (a=1, id=x)"
