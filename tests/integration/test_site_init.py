"""What `campus-agent init` keeps of a file that is there, and what it refuses."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.cli import init
from agent.site_file import load_site
from agent.site_init.interview import Interview, Wishes
from agent.site_init.questions import Questions, RefusedError, numbers
from agent.site_init.recorders import Where
from agent.text import SENTENCES, Language, sentence
from simulators.hikvision import HikvisionSimulator
from simulators.truth import Truth
from tests.interviewed import CLOCK, at, interview

ROOT = Path(__file__).parents[2]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
PASSWORD = "secret"


@pytest.fixture(autouse=True)
def no_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait between two questions to a simulated recorder."""
    monkeypatch.setattr("agent.site_init.recorders.REQUEST_GAP_SECONDS", 0.0)


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def switched_on() -> Iterator[Callable[..., Any]]:
    running: list[Any] = []

    def start(device: Any) -> Any:
        device.start()
        running.append(device)
        return device

    yield start
    for device in running:
        device.stop()


def test_a_refused_login_is_tried_once_and_added_later(
    tmp_path: Path, truth: Truth, switched_on: Callable[..., Any]
) -> None:
    nvr = switched_on(HikvisionSimulator(truth, password=PASSWORD, days={1: 3}))
    config = tmp_path / "site.toml"
    state = tmp_path / "state"
    state.mkdir()
    defaults = tmp_path / "county.toml"
    defaults.write_text(f'[state]\ndirectory = "{state}"\n', encoding="utf-8")
    answers: dict[str, str | Sequence[str]] = {"Password": "wrong"}
    interview(config, answers, where=at(nvr), defaults=defaults)
    assert len(truth.lines("login_failed")) == 1
    assert list(tmp_path.glob("*.secret")) == []
    before = config.read_text(encoding="utf-8")
    assert f'recordings = "the recorder at {"127.0.0.1"} could not be read yet"' in before
    # The refusal is on the budget that the daemon will find: the same password goes out no more.
    config.unlink()
    interview(config, {"Password": "wrong"}, where=at(nvr), defaults=defaults)
    assert len(truth.lines("login_failed")) == 1
    # Another password has a try; the file's own comments stay, and the reasons go.
    config.write_text(before.replace("[site]", "# mine\n[site]  # too"), encoding="utf-8")
    wrote, _ = interview(config, {"Password": PASSWORD, "Write": "y"}, where=at(nvr))
    assert wrote
    after = config.read_text(encoding="utf-8")
    assert "# mine\n[site]  # too" in after
    site = load_site(config).site
    assert site is not None
    assert site.not_fitted.recordings is None
    assert site.not_fitted.patrol is not None


def test_a_second_recorder_goes_beside_the_first_and_all_comments_stay(
    tmp_path: Path,
    truth: Truth,
    switched_on: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tmp_path / "site.toml"
    example = (ROOT / "config" / "site.example.toml").read_text(encoding="utf-8")
    config.write_text(example, encoding="utf-8")
    config.chmod(0o640)
    nvr = switched_on(HikvisionSimulator(truth, password=PASSWORD, days={1: 3, 2: 3}))
    # Enter is no for a file that is there.
    wrote, _ = interview(config, {"Password": PASSWORD}, where=at(nvr))
    assert not wrote
    assert config.read_text(encoding="utf-8") == example
    assert list(tmp_path.glob("*.secret")) == []

    (tmp_path / "nvr-2.secret").write_text("another's", encoding="utf-8")
    answers: dict[str, str | Sequence[str]] = {"Password": PASSWORD, "Write": "y"}
    wrote, _ = interview(config, answers, where=at(nvr))
    assert wrote
    shown = capsys.readouterr().out
    after = config.read_text(encoding="utf-8")
    assert [line for line in example.splitlines() if line not in after.splitlines()] == []
    assert after.index("[[recorder]]") < after.index('id = "nvr-1"') < after.index('id = "nvr-2"')
    assert after.index('id = "nvr-2"') < after.index("[retention]")
    assert '+id = "nvr-2"' in shown
    assert not any(line.startswith("-") for line in shown.splitlines() if line[:3] != "---")
    assert config.stat().st_mode & 0o777 == 0o640
    site = load_site(config).site
    assert site is not None
    assert site.recorder[1].password.file == str(tmp_path / "nvr-2-2.secret")
    assert (tmp_path / "nvr-2.secret").read_text(encoding="utf-8") == "another's"
    # Again: it is known now.
    assert interview(config, {}, where=at(nvr))[0] is False


# ---- what is refused


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_refusal_is_said_in_both_languages(
    lang: Language, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, odd = tmp_path / "bad.toml", tmp_path / "odd.toml"
    bad.write_text('[site]\ncounty = "NO"\n', encoding="utf-8")
    odd.write_text("a = [", encoding="utf-8")
    site = ["--lang", lang, "--config"]
    for words, code in (
        ([*site, str(bad)], "init.bad_file"),
        ([*site, "/around/site.toml"], "init.no_folder"),
        ([*site, str(tmp_path / "new.toml"), "--defaults", str(odd)], "init.bad_defaults"),
        ([*site, str(tmp_path / "new.toml"), "--defaults", "/around"], "init.bad_defaults"),
    ):
        assert init.main(words) == 2
        said = capsys.readouterr()
        told = sentence(lang, code, file="@").partition("@")[2]
        assert told in said.err, (code, said)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bad.toml", "odd.toml"]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"": ["NO"] * 9}, "init.too_many_mistakes"),
        ({"": ["\x1b[A"] * 9}, "init.too_many_mistakes"),
        ({"": ["x" * 300] * 9}, "init.too_many_mistakes"),
        ({"": ["\ufffd"] * 9}, "init.too_many_mistakes"),
    ],
)
def test_answers_that_do_not_fit_are_asked_again_and_then_refused(
    answers: dict[str, str | Sequence[str]], code: str, lang: Language, tmp_path: Path
) -> None:
    with pytest.raises(RefusedError) as refused:
        interview(tmp_path / "site.toml", answers, lang=lang)
    assert refused.value.code == code
    assert list(tmp_path.iterdir()) == []
    assert sentence(lang, code) != code


@pytest.mark.parametrize(
    ("range_of", "code"),
    [
        ("10.0.0.0/8", "init.range_too_large"),
        ("10.0.0", "init.bad_range"),
        ("::/0", "init.bad_range"),
    ],
)
def test_a_bad_range_sends_nothing(range_of: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as refused:
        interview(tmp_path / "site.toml", {}, where=Where(range_of))
    assert refused.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_mistakes_in_the_countys_defaults_show_before_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    defaults = tmp_path / "county.toml"
    defaults.write_text('[site]\ntimezone = "Mars/Base"\n[brokr]\nx = 1\n', encoding="utf-8")
    with pytest.raises(RefusedError) as refused:
        interview(tmp_path / "site.toml", {}, defaults=defaults)
    assert refused.value.code == "init.would_be_bad"
    assert "Asia" in capsys.readouterr().out
    assert not (tmp_path / "site.toml").exists()


@pytest.mark.parametrize(
    "shared",
    [
        'broker.hosts = ["a:1", "b:2"]\nretention.retention_min_days = 60\n',
        '# ours\nbroker = { hosts = ["a:1", "b:2"] }\nsite = { county = "demo" }\n',
        '[site]\ncounty = "demo"\n[broker]\nhosts = ["a:1", "b:2"]\n[not_fitted]\nalarm = "so"\n',
    ],
)
def test_the_countys_defaults_may_be_written_in_any_way(shared: str, tmp_path: Path) -> None:
    defaults = tmp_path / "county.toml"
    defaults.write_text(shared, encoding="utf-8")
    wrote, person = interview(tmp_path / "site.toml", {}, defaults=defaults, given={})
    assert wrote
    assert not any("broker" in asked for asked in person.asked)
    site = load_site(tmp_path / "site.toml").site
    assert site is not None
    assert site.broker is not None
    assert site.broker.hosts == ("a:1", "b:2")
    assert site.retention.retention_min_days == (60 if "retention" in shared else 30)
    assert site.site.county == ("demo" if "demo" in shared else "county")
    given = {"broker": "c:3"}
    (tmp_path / "site.toml").unlink()
    interview(tmp_path / "site.toml", {}, defaults=defaults, given=given)
    site = load_site(tmp_path / "site.toml").site
    assert site is not None
    assert site.broker is not None
    assert site.broker.hosts == ("c:3",)


def test_a_file_changed_meanwhile_and_an_ended_input_change_nothing(tmp_path: Path) -> None:
    config = tmp_path / "site.toml"

    def meddling(question: str) -> str:
        if "Write" in question:
            config.write_text("# somebody else\n", encoding="utf-8")
        return ""

    where = Where(target=("127.0.0.1", 9), seconds=0.1)
    wishes = Wishes(config, given={"broker": "mqtt"}, serial=(), where=where)
    with pytest.raises(RefusedError) as refused:
        Interview(wishes, Questions("en", read=meddling), CLOCK).run()
    assert refused.value.code == "init.changed_meanwhile"
    assert config.read_text(encoding="utf-8") == "# somebody else\n"
    config.unlink()

    def ending(_: str) -> str:
        raise EOFError

    with pytest.raises(RefusedError) as refused:
        Interview(wishes, Questions("zh", read=ending), CLOCK).run()
    assert refused.value.code == "init.input_ended"


def test_a_password_that_cannot_be_one_is_refused(
    tmp_path: Path, truth: Truth, switched_on: Callable[..., Any]
) -> None:
    nvr = switched_on(HikvisionSimulator(truth, password=PASSWORD, days={1: 3}))
    for password in ("x" * 300, "a\0b"):
        with pytest.raises(RefusedError) as refused:
            interview(tmp_path / "site.toml", {"Password": password}, where=at(nvr))
        assert refused.value.code == "init.bad_password"
    assert truth.lines("login_failed") == []


def test_numbers_are_read_as_people_write_them() -> None:
    assert numbers("1,3,5-8", range(1, 9)) == [1, 3, 5, 6, 7, 8]
    assert numbers("1、3；5－8", [1, 3, 5, 8, 9]) == [1, 3, 5, 8]
    assert numbers("", [1]) == []
    for bad in ("0", "9", "3-1", "1-999999999", "x", "1--2", "１-", "-1"):
        with pytest.raises(ValueError):
            numbers(bad, range(1, 9))


def test_every_sentence_of_init_is_used_and_every_one_used_is_there() -> None:
    literal = re.compile(r"[\"'](init\.[a-z_]+)[\"']")
    used = {
        code
        for folder in ("site_init", "cli")
        for file in (ROOT / "agent" / folder).glob("*.py")
        for code in literal.findall(file.read_text(encoding="utf-8"))
    }
    used |= {f"init.ask_{name}" for name in ("county", "site", "name", "broker")}
    assert used == {code for code in SENTENCES["en"] if code.startswith("init.")}
