import json
import re
import tomllib
from datetime import time
from pathlib import Path

import jsonschema
import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from agent import settings
from agent.cli import config
from agent.problems import KeyPath
from agent.settings import SiteSettings
from agent.settings_report import report
from agent.site_file import LARGEST_FILE_BYTES, load_site, read_site
from agent.text import Language, en, sentence

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config" / "site.example.toml"
GOLDEN = ROOT / "tests" / "fixtures" / "settings"
BAD_FILES = sorted(path.name for path in GOLDEN.glob("*.toml"))
# Sentences about files as such, the reserve for error types no key can raise today, and notes.
NOT_IN_GOLDEN = re.compile(
    r"file\.(absent|denied|unreadable|too_large)|config\.(below|invalid|fine|wrong|note.*)"
)


def test_the_example_is_a_good_site_and_means_what_it_says() -> None:
    loaded = load_site(EXAMPLE)
    assert loaded.problems == ()
    site = loaded.site
    assert site is not None
    assert (site.site.county, site.site.id, site.site.timezone) == (
        "demo-county",
        "school-001",
        "Asia/Shanghai",
    )
    assert site.broker is not None
    assert site.broker.addresses == (("mqtt.example.edu", 1883),)
    assert site.broker_username == "school-001"
    [module] = site.alarm_module
    assert (module.press_counters_at, module.polls_per_second) == (0, 10)
    assert [(button.id, button.input, button.wiring) for button in module.button] == [
        ("gate", 0, "no")
    ]
    [recorder] = site.recorder
    assert recorder.survey_at == time(2, 30)
    [channel] = recorder.channel
    assert (channel.key_area, channel.expect.fps, channel.expect.codec) == (True, 25, "h264")
    assert site.serial_ports == (
        "/dev/serial/by-id/usb-FTDI_alarm",
        "/dev/serial/by-id/usb-CH340_nfc",
    )
    assert site.not_fitted.reason("gate_manned") == "post checkpoints are not installed yet"
    assert [site.configured(duty) for duty in ("alarm", "patrol", "police_link")] == [
        True,
        True,
        False,
    ]


def test_a_directory_of_wands_is_no_serial_port(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace('driver = "pn532" ', 'driver = "wand"  ')
    (tmp_path / "site.toml").write_text(text, encoding="utf-8")
    site = load_site(tmp_path / "site.toml").site
    assert site is not None
    assert [reader.driver for reader in site.nfc_reader] == ["wand"]
    assert site.serial_ports == ("/dev/serial/by-id/usb-FTDI_alarm",)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_is_told_line_by_line(
    name: str, lang: Language, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(GOLDEN)
    assert config.main(["check", name, "--lang", lang]) == 2
    expected = (GOLDEN / name).with_suffix(f".{lang}.txt").read_text(encoding="utf-8")
    assert capsys.readouterr().out == expected


def test_the_bad_files_show_every_kind_of_problem() -> None:
    shown = {problem.code for name in BAD_FILES for problem in load_site(GOLDEN / name).problems}
    told = {
        code
        for code in en.SENTENCES
        if code.startswith(("toml.", "config.", "file.")) and not NOT_IN_GOLDEN.fullmatch(code)
    }
    assert shown == told


@pytest.mark.parametrize("name", BAD_FILES)
def test_the_line_named_holds_the_key_named(name: str) -> None:
    content = (GOLDEN / name).read_bytes().decode(errors="replace").split("\n")
    for problem in load_site(GOLDEN / name).problems:
        key = str(problem.params.get("key", "")).partition(" #")[0]
        if key and "missing" not in problem.code and problem.code != "config.patrol_lacks":
            assert key in content[problem.line - 1] or problem.code == "config.secret_place"


def test_the_schema_for_editors_is_not_stale() -> None:
    stored = (ROOT / "config" / "campus-agent.schema.json").read_text(encoding="utf-8")
    # To renew it: campus-agent config schema > config/campus-agent.schema.json
    assert json.loads(stored) == settings.schema()


def test_an_editor_accepts_the_example_and_marks_what_is_wrong() -> None:
    def in_json(text: str) -> object:
        return json.loads(json.dumps(tomllib.loads(text), default=str))

    validator = jsonschema.Draft202012Validator(settings.schema())
    text = EXAMPLE.read_text(encoding="utf-8")
    assert text.startswith("#:schema ./campus-agent.schema.json\n")
    assert list(validator.iter_errors(in_json(text))) == []
    for right, wrong in (("baud =", "bauds ="), ('"no"', '"nno"'), ("[broker]", "[brokr]")):
        assert right in text
        assert list(validator.iter_errors(in_json(text.replace(right, wrong))))


def test_files_that_cannot_be_read_at_all(tmp_path: Path) -> None:
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (LARGEST_FILE_BYTES + 1))
    found = {
        path.name: load_site(path).problems[0].code
        for path in (tmp_path / "none.toml", tmp_path, large)
    }
    assert list(found.values()) == ["file.absent", "file.unreadable", "file.too_large"]


def test_a_byte_order_mark_from_a_windows_editor_is_no_problem() -> None:
    assert read_site(b"\xef\xbb\xbf" + EXAMPLE.read_bytes()).problems == ()


def test_nesting_without_end_is_a_problem_and_no_crash() -> None:
    assert [problem.code for problem in read_site(b"a = " + b"[" * 100_000).problems] == [
        "toml.invalid"
    ]


# ---- property: whatever is in the file, a check ends with an answer

example = EXAMPLE.read_text(encoding="utf-8")
cuts = st.tuples(
    st.integers(0, len(example)),
    st.integers(0, 60),
    st.sampled_from(
        ["", "=", "[", "]]", '"', "'''", "{", "\n", "#", "\x00", "1", "é", "[[recorder]]"]
    )
    | st.text(max_size=5),
)
anything = st.recursive(
    st.none().map(lambda _: True)
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.times()
    | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "button", "channel", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def _check(content: bytes) -> None:
    strict = read_site(content)
    assert (strict.site is None) == bool(strict.problems)
    lenient = read_site(content, lenient=True)
    assert lenient.problems == strict.problems
    last = content.count(b"\n") + 1
    for problem in strict.problems:
        assert 1 <= problem.line <= last
        for lang in ("zh", "en"):
            told = sentence(lang, problem.code, **problem.params)
            assert "—" not in told
            assert problem.code not in told


@given(st.lists(cuts, max_size=4))
def test_a_mangled_file_never_crashes_the_check(edits: list[tuple[int, int, str]]) -> None:
    text = example
    for at, length, insert in edits:
        text = text[:at] + insert + text[at + length :]
    _check(text.encode(errors="surrogatepass"))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_text_never_crash_the_check(content: bytes) -> None:
    _check(content)


PLACES: tuple[KeyPath, ...] = (
    *((name,) for name in SiteSettings.model_fields),
    ("site", "id"),
    ("site", "timezone"),
    ("broker", "hosts"),
    ("broker", "hosts", 0),
    ("broker", "password"),
    ("broker", "password", "file"),
    ("alarm_module", 0),
    ("alarm_module", 0, "id"),
    ("alarm_module", 0, "button"),
    ("alarm_module", 0, "button", 0),
    ("alarm_module", 0, "button", 0, "input"),
    ("nfc_reader", 0, "port"),
    ("checkpoint", 0, "tag"),
    ("recorder", 0, "password"),
    ("recorder", 0, "channel", 0),
    ("recorder", 0, "channel", 0, "expect"),
    ("recorder", 0, "survey_at"),
    ("not_fitted", "alarm"),
)


@given(st.dictionaries(st.sampled_from(PLACES), anything, max_size=3))
def test_any_value_anywhere_never_crashes_the_check(changes: dict[KeyPath, object]) -> None:
    data = tomllib.loads(example)
    for path, value in changes.items():
        place: object = data
        for part in path[:-1]:
            try:
                place = place[part]  # type: ignore[index]  # an earlier change may be in the way
            except (KeyError, IndexError, TypeError):
                break
        else:
            if isinstance(place, dict):
                place[str(path[-1])] = value
            elif isinstance(place, list) and place:
                place[0] = value
    _check(tomlkit.dumps(data).encode(errors="surrogatepass"))


def test_an_empty_list_of_modules_is_no_alarm() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    start, end = text.index("[[alarm_module]]"), text.index("[[nfc_reader]]")
    emptied = "alarm_module = []\n" + text[:start] + text[end:]
    found = read_site(emptied.encode())
    assert [problem.code for problem in found.problems] == ["config.duty_missing"]


# ---- a rejected value is never shown


SECRET = "hunter2-Gänse&blümchen"  # not one: a fake for the search below


def _leaves(value: object, path: KeyPath = ()) -> list[KeyPath]:
    if isinstance(value, dict):
        inner = [leaf for key, item in value.items() for leaf in _leaves(item, (*path, key))]
        return [*inner, (*path, "pasword")]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in _leaves(item, (*path, index))]
    return [path]


@pytest.mark.parametrize("path", _leaves(tomllib.loads(example)), ids=str)
def test_a_secret_in_the_wrong_place_is_not_repeated(
    path: KeyPath, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tomllib.loads(example)
    place: object = data
    for part in path[:-1]:
        place = place[part]  # type: ignore[index]  # the path comes from the same data
    place[path[-1]] = SECRET  # type: ignore[index]  # the path comes from the same data
    file = tmp_path / "site.toml"
    file.write_text(tomlkit.dumps(data), encoding="utf-8")
    strict, lenient = load_site(file), load_site(file, lenient=True)
    if not strict.problems:
        assert path[-1] in ("name", "username", "port", "police_link", "gate_manned")
        return
    assert SECRET not in repr(strict)
    assert SECRET not in repr(lenient)
    assert SECRET not in strict.model_dump_json()
    assert SECRET not in repr(report(file))
    for options in ([], ["--json", "--lang", "en"]):
        assert config.main(["check", str(file), *options]) == 2
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err
    assert json.dumps(SECRET) not in shown.out


def test_no_syntax_error_quotes_the_line_it_is_on(tmp_path: Path) -> None:
    for broken in ('password = "{}', "password = {}", 'pass {} = "x"', '"{}', "x = '{}' {}"):
        file = tmp_path / "site.toml"
        file.write_text(broken.replace("{}", SECRET), encoding="utf-8")
        assert load_site(file).problems
        assert SECRET not in repr(report(file))
