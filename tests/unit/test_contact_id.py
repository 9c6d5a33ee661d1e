import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.monitors.contact_id import Kind, Meaning, cause, meaning
from agent.text import Language, explain, knows
from drivers.readings import ContactIdEvent


def event(code: str) -> ContactIdEvent:
    return ContactIdEvent(account="1234", qualifier="new", code=code, partition="01", zone="007")


# What the duty desk needs: the kind of every code the county's panels are known to send.
KINDS = {
    Kind.ALARM: "100 101 110 120 121 122 123 124 125",
    Kind.TAMPER: "137 144 145 383",
    Kind.TROUBLE: "300 301 302 305 306 308 309 310 311 312 330 333 350 351 354 "
    "370 371 372 375 376 380 381 384 570 572 573",
    Kind.TEST: "601 602 603 607 611",
    Kind.NOTE: "406",
}


@pytest.mark.parametrize(
    ("code", "kind"), [(code, kind) for kind, codes in KINDS.items() for code in codes.split()]
)
def test_every_code_has_its_kind_and_a_sentence_of_its_own(code: str, kind: Kind) -> None:
    found = meaning(code)
    assert found.kind is kind
    assert not found.cause.startswith("receiver.other")
    assert found.cause != "receiver.unlisted"


def test_only_what_somebody_did_on_purpose_is_audited() -> None:
    codes = [f"{number:03}" for number in range(1000)]
    audited = {code for code in codes if meaning(code).audit}
    assert audited == {"306", *(code for code in codes if code[0] == "5")}


@pytest.mark.parametrize("code", ["126", "129", "139", "162", "199"])
def test_an_alarm_nobody_listed_is_still_an_alarm(code: str) -> None:
    assert meaning(code).kind is Kind.ALARM


@pytest.mark.parametrize("code", ["203", "321", "399", "551"])
def test_a_trouble_nobody_listed_is_still_a_trouble(code: str) -> None:
    assert meaning(code).kind is Kind.TROUBLE


def test_a_code_of_no_class_is_noted_as_unknown() -> None:
    assert meaning("999") == Meaning(Kind.NOTE, "receiver.unlisted")
    assert meaning("") == Meaning(Kind.NOTE, "receiver.unlisted")


def test_a_0_sent_as_a_is_a_0() -> None:
    # Paradox "Esprit E55 programming guide", automatic report codes: panic 12A, bypass 57A.
    assert meaning("12A") == meaning("120")
    assert meaning("57A") == meaning("570")


def test_a_cause_says_zone_and_code_in_both_languages() -> None:
    assert explain("zh", cause(event("120"))) == "紧急报警：防区 007（代码 120）"
    assert explain("en", cause(event("120"))) == "panic alarm: zone 007 (code 120)"
    assert "a bypassed panic button does nothing" in explain("en", cause(event("572")))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_meaning_has_its_sentence(language: Language) -> None:
    causes = {meaning(f"{number:03X}").cause for number in range(0x1000)}
    assert len(causes) > 30
    assert [code for code in causes if not knows(language, code)] == []
    for number in range(0x1000):
        assert "—" not in explain(language, cause(event(f"{number:03X}")))


@given(st.text())
def test_no_code_is_too_strange(code: str) -> None:
    assert meaning(code).kind in Kind
