"""The accepted list against what there is now: found, missing, swapped, new, unseen."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent import accepted_list
from agent.accepted_list import Accepted, Finding, Item, findings, items
from agent.cli import inventory
from agent.settings import SiteSettings
from agent.site_file import load_site
from agent.text import SENTENCES

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 9, 1, 4, tzinfo=UTC)
NVR = {
    "maker": "hikvision",
    "model": "DS",
    "serial_number": "S1",
    "clock_offset_seconds": 0.1,
    "channels_online": 1,
}


@pytest.fixture(scope="module")
def site() -> SiteSettings:
    found = load_site(ROOT / "config" / "site.example.toml").site
    assert found is not None
    return found


def state(kind: str, name: str, **data: object) -> dict[str, Any]:
    return {"kind": kind, "id": name, "data": data}


def present(
    site: SiteSettings,
    channels: Mapping[str, str],
    *,
    link: str = "up",
    reader: str = "ok",
    **nvr: object,
) -> tuple[Item, ...]:
    states = [
        state("button", "gate", link=link),
        state("reader", "gate-reader", verdict=reader),
        state("recorder", "nvr-1", **{**NVR, **nvr}),
        state("camera", "gate-cam", online=True),
    ]
    return items(site, states, {"nvr-1": channels})


def different(was: tuple[Item, ...], now: tuple[Item, ...]) -> list[tuple[str, str]]:
    return [(one.word, one.id) for one in findings(was, now) if one.word != "found"]


def test_as_it_was_is_found(site: SiteSettings) -> None:
    was = present(site, {"1": "Gate", "2": "Yard"})
    assert {one.seen for one in was} == {"yes"}
    assert different(was, was) == []
    assert len(findings(was, was)) == 5


def test_what_differs_is_told(site: SiteSettings) -> None:
    was = present(site, {"1": "Gate", "2": "Yard"})
    for now, told in (
        (present(site, {"1": "Gate", "2": "Yard"}, serial_number="S2"), ("swapped", "nvr-1")),
        (present(site, {"1": "Gate", "2": "Yard"}, maker="dahua"), ("swapped", "nvr-1")),
        (present(site, {"1": "Attic", "2": "Yard"}), ("swapped", "gate-cam")),
        (present(site, {"2": "Yard"}), ("missing", "gate-cam")),
        (present(site, {"1": "Gate"}), ("missing", "nvr-1/2")),
        (present(site, {"1": "Gate", "2": "Yard", "3": "?"}), ("new", "nvr-1/3")),
        (present(site, {"1": "Gate", "2": "Yard"}, link="down"), ("missing", "gate")),
        (present(site, {"1": "Gate", "2": "Yard"}, link="unknown"), ("unseen", "gate")),
        (present(site, {"1": "Gate", "2": "Yard"}, reader="unknown"), ("unseen", "gate-reader")),
    ):
        assert different(was, now) == [told]
    assert Finding(
        word="swapped", kind="recorder", id="nvr-1", fact="serial_number", was="S1", now="S2"
    ) in findings(was, present(site, {"1": "Gate"}, serial_number="S2"))


def test_a_recorder_that_is_lost_makes_nothing_missing(site: SiteSettings) -> None:
    was = present(site, {"1": "Gate", "2": "Yard"})
    lost = present(
        site,
        {"1": "Gate"},
        clock_offset_seconds="unknown",
        channels_online="unknown",
    )
    assert different(was, lost) == [
        ("unseen", "nvr-1"),
        ("unseen", "gate-cam"),
        ("unseen", "nvr-1/2"),
    ]
    # What was not known at the hand-over cannot have been swapped.
    assert different(lost, was) == [("new", "nvr-1/2")]


def test_the_list_is_kept_and_a_spoilt_one_is_said(tmp_path: Path, site: SiteSettings) -> None:
    assert accepted_list.load(tmp_path) is None
    accepted = Accepted(by="Li (uid:0)", at=AT, items=present(site, {"1": "Gate"}))
    accepted_list.save(tmp_path, accepted)
    assert accepted_list.load(tmp_path) == accepted
    (tmp_path / accepted_list.FILE).write_bytes(b"{}")
    with pytest.raises(ValueError, match="accepted"):
        accepted_list.load(tmp_path)


def test_without_a_daemon_nothing_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = str(ROOT / "config" / "site.example.toml")
    words = ["--config", example, "--socket", str(tmp_path / "none.sock"), "--lang", "en"]
    assert inventory.main(["accept", "--by", "Li", *words]) == 1
    assert inventory.main(["show", "--config", str(tmp_path / "none"), "--lang", "en"]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    for wrong in (["accept", *words], ["show", "--by", "Li", *words]):
        with pytest.raises(SystemExit):
            inventory.main(wrong)


def test_every_sentence_of_the_list_is_used_and_every_one_used_is_there() -> None:
    source = (ROOT / "agent" / "cli" / "inventory.py").read_text(encoding="utf-8")
    used = set(re.findall(r'"(inventory\.[a-z_]+)"', source)) - {"inventory.kind_"}
    used |= {f"inventory.{word}" for word in ("missing", "swapped", "new", "unseen")}
    kinds = Item.model_fields["kind"].annotation
    used |= {f"inventory.kind_{kind}" for kind in kinds.__args__}  # type: ignore[union-attr]
    used |= {f"inventory.fact_{fact}" for fact in accepted_list.COMPARED}
    known = {code for code in SENTENCES["zh"] if code.startswith("inventory.")}
    assert {code for code in used if not code.endswith("_")} == known
