"""`config show`: what is in force, and where it was said."""

import json
import tomllib
from pathlib import Path

import pytest

from agent.cli import config
from agent.text import Language

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config" / "site.example.toml"


def shown(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert config.main(["show", str(EXAMPLE), *words]) == 0
    return capsys.readouterr().out


def test_every_setting_names_its_line_or_that_nobody_set_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = json.loads(shown("--json", capsys=capsys))
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for one in found:
        if one["line"] is not None:
            assert one["key"].rpartition(".")[2] in lines[one["line"] - 1], one
    by_key = {one["key"]: one for one in found}
    assert len(by_key) == len(found)
    assert by_key["site.county"]["value"] == "demo-county"
    assert by_key["recorder[nvr-1].channel[gate-cam].expect.fps"]["value"] == 25
    assert by_key["recorder[nvr-1].request_gap_seconds"] == {
        "key": "recorder[nvr-1].request_gap_seconds",
        "value": 0.2,
        "line": None,
    }
    # What depends on other settings is shown as it turns out.
    assert by_key["nfc_reader[gate-reader].baud"]["value"] == 115200
    assert by_key["control.socket"]["value"].endswith(".sock")
    said = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert {key.partition(".")[0].partition("[")[0] for key in by_key} >= set(said)


@pytest.mark.parametrize(("lang", "word"), [("en", "default"), ("zh", "默认值")])
def test_it_is_said_in_both_languages_and_tags_are_masked(
    lang: Language, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = shown("--lang", lang, capsys=capsys)
    assert f"cameras.round_seconds = 300.0  # {EXAMPLE}:" in said
    assert f'alarm_module[gatehouse-io].latches_from = "coils"  # {word}' in said
    assert "04A1B2C3D4" not in said
    assert 'checkpoint[north-wall].tag = "nfca:***E580"' in said
    assert 'recorder[nvr-1].password.credential = "nvr-1"' in said


def test_a_bad_file_has_no_settings_in_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[site]\nid = 1\n", encoding="utf-8")
    assert config.main(["show", str(file), "--lang", "en"]) == 2
    assert f"{file}:2:" in capsys.readouterr().out
