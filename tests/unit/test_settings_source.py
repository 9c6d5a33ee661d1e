"""Which settings are in force: the file's, or those of the last good copy."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.settings_source import LAST_GOOD, Loaded, SettingsSource, state_directory
from tests.daemon import alarm_only

BAD_MODULE = '[[alarm_module]]\nid = "second"\ndriver = "modbuss"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "site.toml"
    file.write_text(alarm_only(tmp_path, 1883), encoding="utf-8")
    return file


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder


def start(file: Path, kept: Path | None) -> Loaded:
    return SettingsSource(file, kept, "en").at_start()


def site_id(loaded: Loaded) -> str | None:
    return loaded.site.site.id if loaded.site is not None else None


def test_a_good_file_is_used_and_kept_for_its_owner_alone(file: Path, kept: Path) -> None:
    loaded = start(file, kept)
    assert (site_id(loaded), loaded.problems, loaded.last_good) == ("school", (), None)
    copy = kept / LAST_GOOD
    assert copy.read_bytes() == file.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [one.name for one in kept.iterdir()] == [LAST_GOOD]


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (lambda text: "[broker\n" + text, 1),
        (lambda text: text.replace("hosts =", "host ="), 12),
        (lambda text: text.replace("[broker]", "[brocker]"), 11),
        (lambda text: text.replace('county = "county"', 'county = "The County"'), 3),
        (lambda _: "\x00", 1),
    ],
    ids=["syntax", "key", "section", "identity", "garbage"],
)
def test_a_file_that_is_spoilt_as_a_whole_is_not_used_at_all(
    file: Path, kept: Path, harm: Callable[[str], str], line: int
) -> None:
    good = start(file, kept).site
    file.write_text(harm(file.read_text(encoding="utf-8")), encoding="utf-8")
    loaded = start(file, kept)
    assert loaded.site == good
    assert loaded.last_good == kept / LAST_GOOD
    assert any(problem.startswith(f"{file}:{line}: ") for problem in loaded.problems)


def test_a_file_that_is_gone_is_replaced_too(file: Path, kept: Path) -> None:
    start(file, kept)
    file.unlink()
    loaded = start(file, kept)
    assert site_id(loaded) == "school"
    assert loaded.problems


def test_a_bad_device_costs_that_device_and_the_file_is_used(file: Path, kept: Path) -> None:
    start(file, kept)
    text = file.read_text(encoding="utf-8").replace('id = "school"', 'id = "renamed"')
    file.write_text(text + BAD_MODULE, encoding="utf-8")
    loaded = start(file, kept)
    assert (site_id(loaded), loaded.last_good) == ("renamed", None)
    assert loaded.left_out == {"alarm"}
    assert b"renamed" not in (kept / LAST_GOOD).read_bytes()


def test_without_a_copy_what_can_be_read_is_used(file: Path, kept: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace("hosts =", "host ="), encoding="utf-8")
    for folder in (kept, None):
        loaded = start(file, folder)
        assert loaded.site is not None
        assert loaded.site.broker is None
        assert loaded.last_good is None
    assert not list(kept.iterdir())


def test_a_copy_that_cannot_be_kept_or_read_costs_nothing_else(file: Path, tmp_path: Path) -> None:
    assert site_id(start(file, tmp_path / "nowhere")) == "school"
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / LAST_GOOD).write_text("[", encoding="utf-8")
    file.write_text("[", encoding="utf-8")
    assert start(file, kept).site is None


def test_read_again_a_problem_means_no_settings_and_no_copy(file: Path, kept: Path) -> None:
    source = SettingsSource(file, kept, "en")
    good = source.again().site
    assert good is not None
    before = (kept / LAST_GOOD).read_bytes()
    file.write_text(file.read_text(encoding="utf-8") + BAD_MODULE, encoding="utf-8")
    again = source.again()
    assert again.site is None
    assert again.problems
    assert (kept / LAST_GOOD).read_bytes() == before


def test_the_directory_is_systemds() -> None:
    assert state_directory({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == Path("/var/lib/a")
    assert state_directory({}) is None
