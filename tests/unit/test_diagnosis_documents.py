"""What is written of the diagnosis is what it does."""

import json
import re
from pathlib import Path

from agent.diagnosis.checks import AREAS
from agent.diagnosis.told import schema
from agent.text import SENTENCES

ROOT = Path(__file__).parents[2]
# Stand for checks that did not answer, and are no checks of their own.
STAND_INS = {"machine.host", "broker.layers", "outbox.counts", "broker.clock", "alarm.lines"}


def checks() -> set[str]:
    named = {code.removeprefix("check.") for code in SENTENCES["en"] if code.startswith("check.")}
    return {name for name in named if not name.endswith(".all")} - STAND_INS


def test_the_schema_in_the_docs_is_that_of_the_models() -> None:
    kept = json.loads((ROOT / "docs/diagnose.schema.json").read_text(encoding="utf-8"))
    assert kept == schema()


def test_both_pages_name_every_check() -> None:
    assert {name.split(".")[0] for name in checks()} == set(AREAS)
    for page in ("diagnose.md", "diagnose.zh-CN.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        rows = [row.split("|")[1] for row in text.splitlines() if row.startswith("| `")]
        named: set[str] = set()
        for row in rows:
            area = ""
            for word in re.findall(r"`([a-z.-]+)`", row):
                area = area if word.startswith(".") else word.split(".")[0]
                named.add(f"{area}{word}" if word.startswith(".") else word)
        assert checks() - named == set(), page
