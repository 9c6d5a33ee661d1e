"""Every message that a test's county hears is held against the published contract."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from agent.county import wire
from drivers.readings import Frozen

CONTRACT = Path(__file__).parents[1] / "docs" / "contract"
# What a site says to itself through the broker; no subscriber can make anything of it.
OWN = "campus.selftest.v1"


@functools.cache
def validator(kind: str) -> Draft202012Validator:
    schema = json.loads((CONTRACT / "schema" / f"{kind}.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=FormatChecker())


@functools.cache
def known() -> Mapping[str, type[Frozen]]:
    return wire.messages()


def offences(topic: str, body: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a message; an empty one takes a state away."""
    if not topic.startswith("campus/v1/") or not body or body.get("type") == OWN:
        return []
    kind = body.get("type")
    models = known()
    if kind not in models:
        return [f"{topic}: no such type: {kind}"]
    family, name = str(kind).split(".")[1:3]
    wrong = [f"{topic}: {error.message}" for error in validator(str(kind)).iter_errors(body)]
    levels = topic.split("/")
    if levels[4] != family or (family in ("event", "state") and levels[5] != name):
        wrong.append(f"{topic}: {kind} does not belong here")
    try:
        models[str(kind)].model_validate_json(json.dumps(body))
    except ValueError as error:
        wrong.append(f"{topic}: {error}")
    return wrong
