"""`campus-agent init --from-csv`: many sites at once, or none."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.cli import init
from agent.settings_report import report
from agent.site_file import load_site
from agent.text import Language, sentence

ROOT = Path(__file__).parents[2]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
PASSWORD = "secret"


# ---- many sites


HEAD = ["site_id", "name", "county", "broker", "nvr_host", "nvr_driver", "channels", "key_areas"]


def table(path: Path, rows: Sequence[Sequence[str]], encoding: str = "utf-8-sig") -> Path:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path.write_text(text.getvalue(), encoding=encoding)
    return path


@pytest.mark.parametrize(("encoding", "sites"), [("utf-8-sig", 78), ("gb18030", 8)])
def test_seventy_eight_sites_from_one_table(encoding: str, sites: int, tmp_path: Path) -> None:
    head = [*HEAD, "alarm_port", "reader_port"]
    rows = [
        [f"school-{n:03}", f"第 {n} 小学", "", "mqtt:1883", f"10.0.{n}.10", "auto", "16", "1-2;16"]
        + (["/dev/campus/io", "/dev/campus/nfc"] if n % 2 else ["", ""])
        for n in range(1, sites + 1)
    ]
    defaults = tmp_path / "county.toml"
    defaults.write_text('[site]\ncounty = "demo"\n[retention]\nretention_min_days = 60\n')
    file = table(tmp_path / "sites.csv", [head, *rows, [""] * len(head)], encoding)
    out = tmp_path / "out"
    words = ["--from-csv", str(file), "--out", str(out), "--defaults", str(defaults)]
    assert init.main([*words, "--lang", "en"]) == 0
    assert len(list(out.iterdir())) == sites
    for folder in out.iterdir():
        checked = report(folder / "site.toml")
        assert checked.problems == (), checked
    site = load_site(out / "school-007" / "site.toml").site
    assert site is not None
    assert (site.site.county, site.site.name) == ("demo", "第 7 小学")
    assert site.retention.retention_min_days == 60
    assert [one.number for one in site.recorder[0].channel if one.key_area] == [1, 2, 16]
    assert site.not_fitted.alarm is None
    # Once more: what is there is never replaced.
    assert init.main([*words, "--lang", "zh"]) == 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_mistakes_in_a_table_are_told_by_row_and_column_and_nothing_is_written(
    lang: Language, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = ["s-1", "One", "demo", "mqtt:1883", "10.0.0.1", "auto", "4", "1"]
    rows = [
        HEAD,
        good,
        ["../etc", *good[1:]],
        ["s-3", "", *good[2:]],
        ["s-4", "Four", "demo", "mqtt:x", *good[4:]],
        ["s-5", "Five", "demo", "mqtt", "http://x", "hik", "0", ""],
        ["s-6", "Six", "demo", "mqtt", "", "auto", "4", ""],
        ["s-7", "Seven", "demo", "mqtt", "10.0.0.7", "", "4", "5"],
        good,
        ["s-9", "Nine"],
        ["s-10", "Ten\x1b[2J", *good[2:]],
    ]
    out = tmp_path / "out"
    file = table(tmp_path / "sites.csv", rows)
    words = ["--from-csv", str(file), "--out", str(out), "--lang", lang]
    assert init.main(words) == 2
    said = capsys.readouterr().err
    assert not out.exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["sites.csv"]
    for row, column in (
        *((3, "site_id"), (4, "name"), (5, "broker"), (6, "nvr_host"), (6, "nvr_driver")),
        *((6, "channels"), (7, "nvr_driver"), (7, "channels"), (8, "key_areas"), (9, "site_id")),
        *((10, ""), (11, "name")),
    ):
        place = sentence(lang, "init.table_place", row=row, column=column, said="").rstrip()
        assert place in said, (row, column, said)
    assert "\x1b" not in said
    assert sentence(lang, "init.table_wrong", count=12) in said


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "init.table_lacks_column"),
        (b"site_id,name,county,broker,colour,colour\n", "init.table_no_such_column"),
        (b"site_id,name,county,broker,broker\n", "init.table_column_twice"),
        (b"site_id,name,county,broker\n", "init.table_empty"),
        (b'site_id,name,county,broker\ns,"n,c,b\n', "init.table_garbled"),
        (b"site_id,name,county,broker\ns,n\0,c,b\n", "init.unreadable_answer"),
        (b"\xff\xff\xff", "init.table_unreadable"),
        (b"x" * 2_100_000, "init.table_too_large"),
        (b"site_id,name,county,broker\n" + b",\n" * 6000, ""),
    ],
)
def test_tables_that_are_none(
    content: bytes, code: str, lang: Language, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "sites.csv", tmp_path / "out"
    file.write_bytes(content)
    words = ["--from-csv", str(file), "--out", str(out), "--lang", lang]
    assert init.main(words) == 2
    said = capsys.readouterr().err
    assert sentence(lang, code, file=str(file)) in said or not code
    assert not out.exists()
