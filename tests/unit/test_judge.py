"""The demo's judge: it must notice every single thing that did not arrive."""

import json
from pathlib import Path

import pytest

from simulators import scenario
from simulators.county import Heard
from simulators.judge import Expectation, judge, meets, values_at

ROOT = Path(__file__).parents[2]
SCENARIO = scenario.load(ROOT / "config/demo/scenario.toml")
CAPTURE = [
    Heard(**json.loads(line))
    for line in (ROOT / "tests/fixtures/demo_capture.jsonl").read_text("utf-8").splitlines()
]


def bad(capture: list[Heard]) -> list[str]:
    return [one.expectation.name for one in judge(capture, SCENARIO.expectations) if not one.good]


def test_a_recorded_demo_is_complete() -> None:
    assert bad(CAPTURE) == []


@pytest.mark.parametrize(
    "expected", [one for one in SCENARIO.expectations if not one.never], ids=lambda one: one.name
)
def test_what_is_taken_away_is_named(expected: Expectation) -> None:
    assert expected.name in bad([heard for heard in CAPTURE if not meets(heard, expected)])


@pytest.mark.parametrize(
    "expected", [one for one in SCENARIO.expectations if one.never], ids=lambda one: one.name
)
def test_what_must_not_be_heard_is_named(expected: Expectation) -> None:
    data = {path.split(".")[-1]: value for path, value in expected.match.items()}
    topic = f"campus/v1/demo-county/school-001/{expected.kind}"
    assert bad([*CAPTURE, Heard(0.0, topic, retained=False, body={"data": data})]) == [
        expected.name
    ]


def test_nothing_heard_is_nothing_met() -> None:
    must = [one.name for one in SCENARIO.expectations if not one.never]
    assert bad([]) == must


def test_a_path_finds_any_element_of_a_list() -> None:
    body = {"data": {"causes": [{"code": "a"}, {"code": "b"}]}}
    assert values_at(body, ["data", "causes[]", "code"]) == ["a", "b"]
    assert values_at(body, ["data", "nothing", "code"]) == []
