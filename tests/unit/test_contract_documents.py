"""The contract's documents: generated, complete, and true of every example ever published."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from agent.county import wire
from agent.county.asyncapi import asyncapi, documents
from agent.county.contract import EventData, StateData
from agent.county.event_data import EVENTS
from agent.county.state_data import STATES
from tests.contract_watch import CONTRACT, offences, validator

EXAMPLES = sorted((CONTRACT / "examples").glob("*.json"))
CAPTURE = Path(__file__).parents[1] / "fixtures" / "demo_capture.jsonl"


def example(kind: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((CONTRACT / "examples" / f"{kind}.json").read_text("utf-8"))
    return body


def topic_of(kind: str) -> str:
    _, family, *rest = kind.split(".")
    last = {"event": f"/{rest[0]}", "state": f"/{rest[0]}/x", "reply": "/x"}.get(family, "")
    return f"campus/v1/county/school/{family}{last}"


def test_the_generated_documents_are_those_of_the_models() -> None:
    generated = documents()
    for name, text in generated.items():
        assert (CONTRACT / name).read_text(encoding="utf-8") == text, f"{name}: make contract"
    kept = {f"schema/{file.name}" for file in (CONTRACT / "schema").iterdir()}
    assert kept | {"asyncapi.json"} == set(generated)


def test_every_kind_of_message_is_in_the_contract() -> None:
    assert set(EVENTS) == set(EventData.__subclasses__())
    assert set(STATES) == set(StateData.__subclasses__())
    assert {file.stem.split("@")[0] for file in EXAMPLES} == set(wire.messages())


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_is_still_good(file: Path) -> None:
    body = json.loads(file.read_text(encoding="utf-8"))
    assert body["type"] == file.stem.split("@")[0]
    assert offences(topic_of(body["type"]), body) == []


@pytest.mark.parametrize("kind", sorted(wire.messages()))
def test_a_reader_who_checks_sees_what_is_missing_and_meets_what_is_new(kind: str) -> None:
    body = example(kind)
    for name in ("source", "time", "type"):
        without = {key: value for key, value in body.items() if key != name}
        assert list(validator(kind).iter_errors(without)), name
    more = copy.deepcopy(body)
    more["added_later"] = 1
    if "data" in more and kind != "campus.reply.v1":
        more["data"]["added_later"] = {"deep": True}
    assert not list(validator(kind).iter_errors(more))
    # We ourselves may not: what is not in the contract is not published.
    assert offences(topic_of(kind), more)


def test_an_unknown_word_is_an_offence() -> None:
    body = example("campus.state.button.v1")
    body["data"]["position"] = "perhaps"
    assert offences(topic_of("campus.state.button.v1"), body)
    assert offences("campus/v1/county/school/event/scan", example("campus.event.alarm.v1"))


def test_all_references_of_the_asyncapi_document_lead_somewhere() -> None:
    document = asyncapi()
    found = 0

    def follow(part: Any) -> None:
        nonlocal found
        if isinstance(part, dict):
            if isinstance(reference := part.get("$ref"), str):
                found += 1
                target: Any = document
                for step in reference.removeprefix("#/").split("/"):
                    target = target[step]
            for inner in part.values():
                follow(inner)
        elif isinstance(part, list):
            for inner in part:
                follow(inner)

    follow(document)
    assert found > 100


def test_all_that_the_demos_county_heard_is_in_the_contract() -> None:
    lines = CAPTURE.read_text(encoding="utf-8").splitlines()
    wrong = [
        offence
        for line in lines
        for heard in [json.loads(line)]
        for offence in offences(heard["topic"], heard["body"])
    ]
    assert len(lines) > 100
    assert wrong == []
